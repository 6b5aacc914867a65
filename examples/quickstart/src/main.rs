//! Logs in, prints who the user is, makes one call, and prints when the token expires.
//!
//! Without `TRADOVATE_USERNAME`, it starts a simulator inside the process. Otherwise it also reads `TRADOVATE_API_URL`
//! or `TRADOVATE_ENVIRONMENT`, `TRADOVATE_PASSWORD`, `TRADOVATE_APP_ID`, `TRADOVATE_APP_VERSION`, `TRADOVATE_CID`,
//! `TRADOVATE_SEC` and `TRADOVATE_DEVICE_ID`. The user name and the password are required, the others only for an
//! account with an API key. `TRADOVATE_PASSWORD_FILE` and `TRADOVATE_SEC_FILE` can name files that contain the secrets.

use std::error::Error;
use std::process::ExitCode;
use std::{env, io};

use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;
use tradovate_auth::ureq::{Client, TokenSource, from_env};
use tradovate_auth::{CallError, Environment, Error as ServerError};
use tradovate_auth_simulator::Simulator;
use ureq::Agent;

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
    // Keeps the status and the body of a refused call. By default, ureq returns an error without the body.
    let mut http = Agent::config_builder().http_status_as_error(false);
    let mut simulator = None; // runs until it is dropped
    let (environment, credentials) = if env::var_os("TRADOVATE_USERNAME").is_some() {
        from_env()?
    } else {
        let server = simulator.insert(Simulator::builder().serve()?);
        println!("TRADOVATE_USERNAME is not set, so the server is a simulator at {}", server.base_url());
        http = http.proxy(None); // the system's proxy can't reach the simulator
        (server.environment(), server.credentials())
    };
    let name = credentials.name().to_owned();

    let tokens = TokenSource::new(environment, credentials);
    let token = tokens.token()?; // logs in
    println!("logged in as {name}");

    match Client::new(Environment::clone(&tokens.environment())).me(token.access_token()) {
        Ok(me) => println!(
            "the server knows the user as {} (id {})",
            me.value.full_name.or(me.value.name).unwrap_or_else(|| "(no name)".into()),
            me.value.user_id.map_or_else(|| "not known yet".into(), |id| id.to_string()),
        ),
        Err(CallError::Server(
            ServerError::WrongEnvironment { .. } | ServerError::Unauthorized { .. } | ServerError::Forbidden { .. },
        )) => println!("only Live says who the user is: continuing without it"),
        Err(error) => return Err(error.into()),
    }

    let token = tokens.token()?; // ask before each call: the token may have been renewed
    let call = http.build().new_agent().get(tokens.url("/account/list")?).header("Authorization", token.header());
    let mut accounts = call.call()?;
    let status = accounts.status();
    if !status.is_success() {
        // The body says whether the token is dead or the call is forbidden. `rejected` repeats no call.
        let verdict = tokens.rejected(&token, status, &accounts.body_mut().read_to_vec()?);
        return Err(format!("the server answered /account/list with {status}, verdict: {verdict:?}").into());
    }
    println!("the server answered /account/list with {status}");
    println!("the token expires at {:.0}", token.expires_at());
    Ok(())
}

/// Logs the targets of `tradovate_auth` as `RUST_LOG` says, and no others: at trace level, HTTP clients log bearer
/// tokens.
fn show_own_logs() {
    let levels = env::var("RUST_LOG").unwrap_or_default().parse::<Targets>().unwrap_or_default();
    let own = filter_fn(|metadata| metadata.target().starts_with("tradovate_auth"));
    let format = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_span_events(FmtSpan::CLOSE);
    tracing_subscriber::registry().with(format.with_filter(levels.and(own))).init();
}
