//! Several programs share one login, and each drives its session by hand: with `poll`, its own HTTP client, a file
//! store, `receive` and `store_answered`. Start it in two terminals: one process logs in, and the other uses the stored
//! session.
//!
//! `shared-by-hand DIRECTORY` reads the same variables as `quickstart`, and ends at the first token. Other users must
//! have no access to the directory (`mkdir -m 700 DIRECTORY`).

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, io, thread};

use jiff::Timestamp;
use tradovate_auth::http::{Request, Response, StatusCode};
use tradovate_auth::store::{FileStore, SessionName, ask};
use tradovate_auth::{
    Action, Credentials, Environment, Failure, LeaseHolder, MayLogIn, RateBudget, RequestBody, ResponseBody, Session,
};
use ureq::{Agent, Timeout};

/// How often the program reads the store. A long-running program would have a thread that waits in `Store::changed`.
const STORE_POLL_INTERVAL: Duration = Duration::from_millis(250);

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
    let (environment, credentials) = (Environment::from_variables(variable)?, Credentials::from_variables(variable)?);
    let name = SessionName::of_user(&environment, &credentials);
    let directory = env::args_os().nth(1).ok_or("usage: shared-by-hand DIRECTORY")?;
    let store = FileStore::in_directory(PathBuf::from(directory))?;

    // The seed spreads waits and renewals, so each process needs a different one.
    let mut session = Session::new(environment, credentials, getrandom::u64()?).with_shared_store(MayLogIn::WhenNeeded);
    let mut budget = RateBudget::default(); // all sessions behind the same network address share one
    let agent = client();
    loop {
        match session.poll(Timestamp::now(), &mut budget) {
            Action::Send { id, request } => match exchange(&agent, &request) {
                Ok(response) => session.receive(Timestamp::now(), id, response, &mut budget),
                Err(failure) => session.failed(Timestamp::now(), id, failure, &mut budget),
            },
            Action::Store { id, request } => {
                let answer = ask(&store, &name, &request);
                session.store_answered(Timestamp::now(), id, answer, &mut budget);
            }
            Action::Wait { until } => {
                let time = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
                thread::sleep(time.min(STORE_POLL_INTERVAL));
                session.store_changed();
            }
            Action::Stopped { reason, .. } => return Err(reason.into()),
            _ => return Err("the session returned an action that this program does not support".into()),
        }
        while let Some(event) = session.next_event() {
            println!("{:.0} {event}", event.at);
        }
        let now = Timestamp::now();
        // The program ends only without the lease, because other processes would have to wait for the lease to expire.
        if let (Some(token), LeaseHolder::Nobody | LeaseHolder::AnotherProcess) =
            (session.token(now), session.lease_holder(now))
        {
            // Call the API with `token.access_token.header()`.
            println!("the token is good until {:.0}", token.usable_until);
            return Ok(());
        }
    }
}

/// Your HTTP client: no redirects, responses of every status, and a timeout that is shorter than the session's.
fn client() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).max_redirects(0).max_redirects_will_error(false);
    config.timeout_global(Some(Duration::from_secs(30))).build().new_agent()
}

/// Sends a request once. A failure says how far the request got.
fn exchange(agent: &Agent, request: &Request<RequestBody>) -> Result<Response<Vec<u8>>, Failure> {
    let (parts, ()) = request.clone().map(drop).into_parts();
    let is_plain = parts.uri.scheme_str() == Some("http"); // stays on this machine, so a proxy must not see it
    let sent = match request.body().as_ref() {
        [] => send(agent, Request::from_parts(parts, ()), is_plain), // a GET, without `Content-Length`
        body => send(agent, Request::from_parts(parts, body), is_plain),
    };
    let (parts, mut body) = sent.map_err(|error| failure(&error))?.into_parts();
    let limit = u64::try_from(ResponseBody::DEFAULT_LIMIT).unwrap_or(u64::MAX);
    match body.with_config().limit(limit).read_to_vec() {
        Ok(body) => Ok(Response::from_parts(parts, body)),
        Err(_) if parts.status != StatusCode::OK => Ok(Response::from_parts(parts, Vec::new())),
        Err(ureq::Error::BodyExceedsLimit(_)) => Err(Failure::Oversized),
        Err(_) => Err(Failure::Truncated),
    }
}

fn send<B: ureq::AsSendBody>(
    agent: &Agent,
    request: Request<B>,
    is_plain: bool,
) -> Result<Response<ureq::Body>, ureq::Error> {
    let config = agent.configure_request(request);
    agent.run(if is_plain { config.proxy(None).build() } else { config.https_only(true).build() })
}

/// Whether the server may have received a failed request. If that is unknown, it may have.
fn failure(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::Timeout(Timeout::Connect) => {
            Failure::NotSent
        }
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => Failure::NotSent,
        _ => Failure::MaybeSent,
    }
}
