//! A session driven by hand: `poll`, own I/O, `receive`. For programs with their own runtime or client.
//!
//! Runs against a simulator inside the process whose tokens live four seconds, and ends after two renewals.

use std::error::Error;
use std::thread;
use std::time::Duration;

use http::{Request, Response};
use jiff::Timestamp;
use tradovate_auth::{Action, EventKind, Failure, RateBudget, RequestBody, Session};
use tradovate_auth_simulator::Simulator;
use ureq::Agent;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Simulator::builder().lifetime(Duration::from_secs(4)).serve()?;
    let mut session = Session::new(server.environment(), server.credentials(), seed());
    let mut budget = RateBudget::default(); // one for all sessions behind the same network address
    let agent = client();
    let mut renewals = 0;

    while renewals < 2 {
        match session.poll(Timestamp::now(), &mut budget) {
            Action::Send { id, request } => match carry(&agent, &request) {
                Ok(response) => session.receive(Timestamp::now(), id, response, &mut budget),
                Err(failure) => session.failed(Timestamp::now(), id, failure, &mut budget),
            },
            Action::Wait { until } => {
                let time = until.duration_since(Timestamp::now());
                thread::sleep(Duration::try_from(time).unwrap_or_default());
            }
            Action::Stopped(reason) => return Err(reason.into()),
            other => unreachable!("a session without a store asks for nothing else: {other:?}"),
        }
        while let Some(event) = session.next_event() {
            println!("{:.0} {event}", event.at);
            renewals += i32::from(matches!(event.kind, EventKind::Renewed { .. }));
        }
        if let Some(token) = session.token(Timestamp::now()) {
            // The token to call with: `token.access_token.header()`.
            println!("     token {} is good until {:.0}", token.generation, token.usable_until);
        }
    }
    Ok(())
}

/// Your HTTP client: no redirects, responses of every status, a time-out, and no proxy for plain http.
fn client() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
    config.timeout_global(Some(Duration::from_secs(30))).proxy(None).build().new_agent()
}

fn carry(agent: &Agent, request: &Request<RequestBody>) -> Result<Response<Vec<u8>>, Failure> {
    let (parts, _) = request.clone().into_parts();
    let response = match request.body().as_ref() {
        [] => agent.run(Request::from_parts(parts, ())),
        body => agent.run(Request::from_parts(parts, body)),
    };
    let (parts, mut body) = response.map_err(|_| Failure::MaybeSent)?.into_parts();
    let body = body.read_to_vec().map_err(|_| Failure::Truncated)?;
    Ok(Response::from_parts(parts, body))
}

/// Spreads pauses and renewals: give each session another number, from your source of randomness.
fn seed() -> u64 {
    7
}
