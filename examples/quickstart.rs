//! Logs in, shows who it is, renews, and says when the token expires.
//!
//! Without `TRADOVATE_USERNAME` it starts a simulator inside the process. With it, it reads the other variables too:
//! `TRADOVATE_API_URL` or `TRADOVATE_ENVIRONMENT`, `TRADOVATE_PASSWORD`, `TRADOVATE_APP_ID`, `TRADOVATE_APP_VERSION`,
//! `TRADOVATE_CID`, `TRADOVATE_SEC`, `TRADOVATE_DEVICE_ID`.

use std::error::Error;
use std::process::ExitCode;
use std::{env, io, thread};

use jiff::Timestamp;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;
use tradovate_auth::ureq::{Client, FromEnv};
use tradovate_auth::{AccessTokenRequest, CallError, Credentials, Environment, Error as ServerError, PenaltyTicket};
use tradovate_auth_simulator::Simulator;

fn main() -> ExitCode {
    show_own_logs();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    // The simulator lives as long as this variable.
    let simulator = match env::var_os("TRADOVATE_USERNAME") {
        Some(_) => None,
        None => Some(Simulator::builder().serve()?),
    };
    let (environment, credentials) = match &simulator {
        Some(simulator) => {
            println!("TRADOVATE_USERNAME is not set, so the server is a simulator at {}", simulator.base_url());
            (simulator.environment(), simulator.credentials())
        }
        None => (Environment::from_env()?, Credentials::from_env()?),
    };

    let mut client = Client::new(environment);
    let log_in = AccessTokenRequest::new(&credentials);
    let grant = patiently(|ticket| client.call(&log_in.clone().with_ticket(ticket)))?.grant()?;
    println!("logged in as {}", credentials.name());

    // The user's organization may be served on hosts of its own.
    for key in client.follow(&grant.hosts) {
        println!("not followed: the host for `{key}`, which is not one of the vendor's own");
    }

    match patiently(|_| client.me(&grant.access_token)) {
        Ok(me) => println!(
            "the server knows the user as {} (id {})",
            me.value.full_name.or(me.value.name).unwrap_or_else(|| "somebody without a name".into()),
            me.value.user_id.map_or_else(|| "not known yet".into(), |id| id.to_string()),
        ),
        Err(CallError::Server(
            ServerError::WrongEnvironment { .. } | ServerError::Unauthorized { .. } | ServerError::Forbidden { .. },
        )) => println!("only Live tells who it is; going on"),
        Err(error) => return Err(error.into()),
    }

    // A renewal extends the session; a second login would open a second one.
    let renewed = patiently(|_| client.renew_access_token(&grant.access_token))?.grant_after(&grant)?;
    println!(
        "renewed: the token expires at {} (in {:.0} minutes)",
        renewed.expires_at,
        renewed.remaining(Timestamp::now()).as_secs_f64() / 60.0
    );
    Ok(())
}

/// Makes a call, and where the server postpones it, once more after the wait: with the ticket if it has a body.
fn patiently<T>(call: impl Fn(Option<PenaltyTicket>) -> Result<T, CallError>) -> Result<T, CallError> {
    match call(None) {
        Err(CallError::Server(ServerError::Penalty(ticket))) => {
            println!("the server asks to wait {} seconds", ticket.wait().as_secs());
            thread::sleep(ticket.wait());
            call(Some(ticket))
        }
        result => result,
    }
}

/// Logs of `tradovate_auth` by `RUST_LOG`, and of nobody else: at trace level HTTP stacks dump headers, and the bearer
/// with them.
fn show_own_logs() {
    let own = filter_fn(|metadata| metadata.target().starts_with("tradovate_auth"));
    let format = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_span_events(FmtSpan::CLOSE);
    tracing_subscriber::registry().with(format.with_filter(EnvFilter::from_default_env().and(own))).init();
}
