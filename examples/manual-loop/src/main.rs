//! A session driven by hand: `poll`, your own I/O, `receive`. For programs with their own runtime or client.
//!
//! Without `TRADOVATE_USERNAME` it starts a simulator inside the process, whose tokens live four seconds, and ends after
//! two renewals. With it, it reads the same variables as `quickstart`, and ends at the first token.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, io, thread};

use jiff::Timestamp;
use tradovate_auth::http::{Request, Response, StatusCode};
use tradovate_auth::{
    Action, Credentials, Environment, EventKind, Failure, RateBudget, RequestBody, ResponseBody, Session,
};
use tradovate_auth_simulator::Simulator;
use ureq::{Agent, Timeout};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let variable = |name: &str| env::var(name).ok();
    let mut simulator = None; // runs until this is dropped
    let (environment, credentials, generations) = if variable("TRADOVATE_USERNAME").is_some() {
        (Environment::from_variables(variable)?, Credentials::from_variables(variable)?, 1)
    } else {
        let server = simulator.insert(Simulator::builder().lifetime(Duration::from_secs(4)).serve()?);
        println!("TRADOVATE_USERNAME is not set, so the server is a simulator at {}", server.base_url());
        (server.environment(), server.credentials(), 3)
    };

    // The seed spreads pauses and renewals: each session needs another one.
    let mut session = Session::new(environment, credentials, getrandom::u64()?);
    let mut budget = RateBudget::default(); // one for all sessions behind the same network address
    let agent = client();
    loop {
        match session.poll(Timestamp::now(), &mut budget) {
            Action::Send { id, request } => match exchange(&agent, &request) {
                Ok(response) => session.receive(Timestamp::now(), id, response, &mut budget),
                Err(failure) => session.failed(Timestamp::now(), id, failure, &mut budget),
            },
            Action::Wait { until } => {
                let time = until.duration_since(Timestamp::now());
                thread::sleep(Duration::try_from(time).unwrap_or_default());
            }
            Action::Stopped { reason, .. } => return Err(reason.into()),
            _ => return Err("the session has no store, and asks to store something".into()),
        }
        while let Some(event) = session.next_event() {
            println!("{:.0} {event}", event.at);
            if let EventKind::LoggedIn { .. } | EventKind::Renewed { .. } = event.kind
                && let Some(token) = session.token(Timestamp::now())
            {
                // The token to call with: `token.access_token.header()`.
                println!("     token {} is good until {:.0}", token.generation, token.usable_until);
            }
        }
        if session.token(Timestamp::now()).is_some_and(|token| token.generation >= generations) {
            return Ok(());
        }
    }
}

/// Your HTTP client: no redirects, responses of every status, and a time-out.
fn client() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).max_redirects(0).max_redirects_will_error(false);
    config.timeout_global(Some(Duration::from_secs(30))).build().new_agent()
}

/// Sends a request once, and says what came of it.
fn exchange(agent: &Agent, request: &Request<RequestBody>) -> Result<Response<Vec<u8>>, Failure> {
    let (parts, ()) = request.clone().map(drop).into_parts();
    let is_plain = parts.uri.scheme_str() == Some("http");
    let response = match request.body().as_ref() {
        [] => send(agent, Request::from_parts(parts, ()), is_plain), // a GET, without `Content-Length`
        body => send(agent, Request::from_parts(parts, body), is_plain),
    };
    let (parts, mut body) = response.map_err(|error| sending(&error))?.into_parts();
    let limit = u64::try_from(ResponseBody::DEFAULT_LIMIT).unwrap_or(u64::MAX);
    match body.with_config().limit(limit).read_to_vec() {
        Ok(body) => Ok(Response::from_parts(parts, body)),
        // A refusal counts even if its text is lost.
        Err(_) if parts.status != StatusCode::OK => Ok(Response::from_parts(parts, Vec::new())),
        Err(ureq::Error::BodyExceedsLimit(_)) => Err(Failure::Oversized),
        Err(_) => Err(Failure::Truncated),
    }
}

/// Plain http is for this machine only: a proxy must not see it.
fn send(
    agent: &Agent,
    request: Request<impl ureq::AsSendBody>,
    is_plain: bool,
) -> Result<Response<ureq::Body>, ureq::Error> {
    let config = agent.configure_request(request);
    let request = if is_plain { config.proxy(None).build() } else { config.https_only(true).build() };
    agent.run(request)
}

/// Whether the server can have received a request that failed. If that is unknown, it can.
fn sending(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => Failure::NotSent,
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => Failure::NotSent,
        _ => Failure::MaybeSent,
    }
}
