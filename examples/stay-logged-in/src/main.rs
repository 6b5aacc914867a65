//! Logs in, stays logged in, and prints one line with a time for each event.
//!
//! It reads the same variables as `quickstart`. Without `TRADOVATE_USERNAME`, it starts a simulator inside the process,
//! whose tokens are valid for a minute. `--for SECONDS` limits how long it runs; otherwise it runs until Ctrl-C.
//!
//! The exit code is 0 if there is a token at the end, 1 if there is none, and 2 if the session has stopped. A sentence
//! on stderr says why.

use std::error::Error;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{env, io};

use tradovate_auth::ureq::{TokenSource, from_env};
use tradovate_auth::{Event, EventKind};
use tradovate_auth_simulator::Simulator;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let end = running_time()?.and_then(|time| Instant::now().checked_add(time));
    let simulator = match env::var_os("TRADOVATE_USERNAME") {
        Some(_) => None,
        None => Some(Simulator::builder().lifetime(Duration::from_secs(60)).serve()?),
    };
    let (environment, credentials) = match &simulator {
        Some(simulator) => {
            println!("TRADOVATE_USERNAME is not set, so the server is a simulator at {}", simulator.base_url());
            (simulator.environment(), simulator.credentials())
        }
        None => from_env()?,
    };

    let (sender, events) = mpsc::channel();
    // A send fails only when the program ends and nobody receives.
    let on_event = move |event: &Event| drop(sender.send(event.clone()));
    // The keeper logs in and renews. With a timeout of zero, `token` returns at once.
    let tokens =
        TokenSource::builder(environment, credentials).token_timeout(Duration::ZERO).on_event(on_event).build();
    let _keeper = tokens.keep_alive()?;

    loop {
        let left = end.map_or(Duration::from_secs(3600), |end| end.saturating_duration_since(Instant::now()));
        match events.recv_timeout(left) {
            Ok(Event { at, kind, .. }) => {
                println!("{at:.0} {kind}");
                if let EventKind::Stopped(reason) = kind {
                    eprintln!("{reason}");
                    return Ok(ExitCode::from(2));
                }
            }
            Err(RecvTimeoutError::Timeout) if end.is_none_or(|end| Instant::now() < end) => {}
            Err(_) => break,
        }
    }
    tokens.token()?; // returns an error if there is no token
    Ok(ExitCode::SUCCESS)
}

/// The duration of `--for`, if it is given.
fn running_time() -> io::Result<Option<Duration>> {
    let usage = || io::Error::other("usage: stay-logged-in [--for SECONDS]");
    let mut arguments = env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(None),
        (Some("--for"), Some(seconds)) => {
            seconds.parse().map(|seconds| Some(Duration::from_secs(seconds))).map_err(|_| usage())
        }
        _ => Err(usage()),
    }
}
