//! The program around a driver. The drivers are `drive-ureq`, `drive-reqwest`, `drive-hyper`, `drive-smol` and
//! `drive-std`. Each runs the same `Session` with another client or runtime, and each file is meant to be copied.

use std::env;
use std::error::Error;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use tradovate_auth::http::Request;
use tradovate_auth::{Credentials, Environment, Event, EventKind, RateBudget, RequestBody, Session, StopReason};
use tradovate_auth_simulator::Simulator;

/// The parts of a program that its driver calls.
pub trait Program: Send {
    /// Returns the current time. A real program uses a clock that never goes back; see docs/embedding.md.
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Changes a request before it is sent, for example to add a `User-Agent`.
    fn prepare(&self, request: Request<RequestBody>) -> Request<RequestBody> {
        request
    }

    /// Handles an event: hands new tokens to callers, reports calls that the server refused, and may end the driver.
    fn on_event(&mut self, event: &Event, session: &mut Session, budget: &mut RateBudget) -> ControlFlow<()>;
}

/// How long to sleep until a time. Zero if the time is past.
#[must_use]
pub fn time_until(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

/// Prints the events, and ends the driver at the token with this generation.
struct Printer {
    last: u64,
}

impl Program for Printer {
    fn on_event(&mut self, event: &Event, session: &mut Session, _: &mut RateBudget) -> ControlFlow<()> {
        println!("{:.0} {event}", event.at);
        let is_new = matches!(event.kind, EventKind::LoggedIn { .. } | EventKind::Renewed { .. });
        let Some(token) = session.token(self.now()).filter(|_| is_new) else { return ControlFlow::Continue(()) };
        // Call the API with `token.access_token.header()`.
        println!("     token {} is good until {:.0}", token.generation, token.usable_until);
        if token.generation < self.last { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Runs a driver. Without `TRADOVATE_USERNAME`, it starts a simulator inside the process, whose tokens are valid for
/// four seconds, and ends after two renewals. Otherwise it reads the same variables as `quickstart`, and ends at the
/// first token.
pub fn run(drive: impl FnOnce(&mut Session, &mut dyn Program) -> Option<StopReason>) -> ExitCode {
    match try_run(drive) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn try_run(drive: impl FnOnce(&mut Session, &mut dyn Program) -> Option<StopReason>) -> Result<(), Box<dyn Error>> {
    let variable = |name: &str| env::var(name).ok();
    let mut simulator = None; // runs until this is dropped
    let (environment, credentials, last) = if variable("TRADOVATE_USERNAME").is_some() {
        (Environment::from_variables(variable)?, Credentials::from_variables(variable)?, 1)
    } else {
        let server = simulator.insert(Simulator::builder().lifetime(Duration::from_secs(4)).serve()?);
        println!("TRADOVATE_USERNAME is not set, so the server is a simulator at {}", server.base_url());
        (server.environment(), server.credentials(), 3)
    };
    // The seed spreads waits and renewals, so each session needs a different one.
    let mut session = Session::new(environment, credentials, getrandom::u64()?);
    drive(&mut session, &mut Printer { last }).map_or(Ok(()), |reason| Err(reason.into()))
}
