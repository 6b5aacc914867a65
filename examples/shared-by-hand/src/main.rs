//! Several programs share one login, each with a session that it drives by hand: `poll`, your own HTTP client, a store in
//! files, `receive` and `store_answered`. Start it in two terminals: one logs in, the other uses what that one has stored.
//!
//! `shared-by-hand DIRECTORY` reads the same variables as `quickstart`, and ends at the first token. The directory must be
//! closed to other users (`mkdir -m 700 DIRECTORY`).

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

/// How often the store is looked at. A program that runs on has a thread for `Store::changed` instead.
const LOOK_EVERY: Duration = Duration::from_millis(250);

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

    // The seed spreads pauses and renewals: each process needs another one.
    let mut session = Session::new(environment, credentials, getrandom::u64()?).with_shared_store(MayLogIn::WhenNeeded);
    let mut budget = RateBudget::default(); // one for all sessions behind the same network address
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
                thread::sleep(time.min(LOOK_EVERY));
                session.store_changed();
            }
            Action::Stopped { reason, .. } => return Err(reason.into()),
            _ => return Err("the session asks for something that this program can't do".into()),
        }
        while let Some(event) = session.next_event() {
            println!("{:.0} {event}", event.at);
        }
        let now = Timestamp::now();
        // A lease that is kept would hold up the others.
        if let (Some(token), LeaseHolder::Nobody | LeaseHolder::AnotherProcess) =
            (session.token(now), session.lease_holder(now))
        {
            // The token to call with: `token.access_token.header()`.
            println!("the token is good until {:.0}", token.usable_until);
            return Ok(());
        }
    }
}

/// Your HTTP client: no redirects, responses of every status, and a time-out that is shorter than the session's.
fn client() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).max_redirects(0).max_redirects_will_error(false);
    config.timeout_global(Some(Duration::from_secs(30))).build().new_agent()
}

/// Sends a request once, and says what came of it.
fn exchange(agent: &Agent, request: &Request<RequestBody>) -> Result<Response<Vec<u8>>, Failure> {
    let (parts, ()) = request.clone().map(drop).into_parts();
    let is_plain = parts.uri.scheme_str() == Some("http"); // for this machine only: a proxy must not see it
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

/// Whether the server can have received a request that failed. If that is unknown, it can.
fn failure(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::Timeout(Timeout::Connect) => {
            Failure::NotSent
        }
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => Failure::NotSent,
        _ => Failure::MaybeSent,
    }
}
