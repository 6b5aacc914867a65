//! Drives a session with ureq. It blocks, so a program runs it on a thread of its own.

use std::io::ErrorKind;
use std::thread;
use std::time::Duration;

use drive::{Program, time_until};
use tradovate_auth::http::{Request, Response, StatusCode};
use tradovate_auth::{Action, Failure, RateBudget, RequestBody, ResponseBody, Session, StopReason};
use ureq::{Agent, Timeout};

/// Drives a session until the session stops or the program ends the loop.
pub fn drive(session: &mut Session, program: &mut dyn Program) -> Option<StopReason> {
    let mut budget = RateBudget::default(); // all sessions behind the same network address share one
    let agent = agent();
    loop {
        match session.poll(program.now(), &mut budget) {
            Action::Send { id, request } => match exchange(&agent, program.prepare(request)) {
                Ok(response) => session.receive(program.now(), id, response, &mut budget),
                Err(failure) => session.failed(program.now(), id, failure, &mut budget),
            },
            Action::Wait { until } => thread::sleep(time_until(until, program.now())),
            Action::Stopped { reason, .. } => return Some(reason),
            _ => return None, // `Store`: only a session with a store returns it
        }
        while let Some(event) = session.next_event() {
            if program.on_event(&event, session, &mut budget).is_break() {
                return None;
            }
        }
    }
}

/// Creates an agent without redirects and idle connections, and with a total and a connect timeout. It returns
/// responses of every status.
fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).max_redirects(0).max_redirects_will_error(false);
    let config = config.timeout_connect(Some(Duration::from_secs(10))).timeout_global(Some(Duration::from_secs(30)));
    config.max_idle_connections(0).build().new_agent()
}

/// Sends a request once. A failure says how far the request got.
fn exchange(agent: &Agent, request: Request<RequestBody>) -> Result<Response<Vec<u8>>, Failure> {
    let (parts, body) = request.into_parts();
    let is_plain = parts.uri.scheme_str() == Some("http");
    let response = match body.as_ref() {
        [] => send(agent, Request::from_parts(parts, ()), is_plain), // a GET, without `Content-Length`
        body => send(agent, Request::from_parts(parts, body), is_plain),
    };
    let (parts, mut body) = response.map_err(|error| failure(&error))?.into_parts();
    let limit = u64::try_from(ResponseBody::DEFAULT_LIMIT).unwrap_or(u64::MAX);
    match body.with_config().limit(limit).read_to_vec() {
        Ok(body) => Ok(Response::from_parts(parts, body)),
        Err(_) if parts.status != StatusCode::OK => Ok(Response::from_parts(parts, Vec::new())), // the status suffices
        Err(ureq::Error::BodyExceedsLimit(_)) => Err(Failure::Oversized),
        Err(_) => Err(Failure::Truncated),
    }
}

/// Sends a request. Plain http stays on this machine, so it uses no proxy, which could read it.
fn send(
    agent: &Agent,
    request: Request<impl ureq::AsSendBody>,
    is_plain: bool,
) -> Result<Response<ureq::Body>, ureq::Error> {
    let config = agent.configure_request(request);
    agent.run(if is_plain { config.proxy(None).build() } else { config.https_only(true).build() })
}

/// Whether the server may have received a failed request. If that is unknown, it may have.
fn failure(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => Failure::NotSent,
        ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => Failure::NotSent,
        _ => Failure::MaybeSent,
    }
}
