//! Several programs, one login: start it in three terminals, watch one of them log in and renew while the others use
//! what it stores; kill that one, and watch another take over. One line for each event, with its time.
//!
//! Reads the same variables as `quickstart`, and demands them: a simulator inside the program would be this program's
//! alone. `cargo run -p tradovate-auth-simulator -- --lifetime 2m` starts one for all, and prints the variables.
//!
//! `--store file` keeps the session in the user's own directory, `--store file:DIRECTORY` in another one, and
//! `--store redis://HOST:PORT/` in Redis (build it with `--features redis`). `TRADOVATE_STORE` is used if `--store` is not
//! given; a URL with a password must come from there, because other users of the machine can see arguments.
//! `--for SECONDS` ends it; without it, it runs until Ctrl-C. `TRADOVATE_SEALING_KEY`, 64 hexadecimal digits, seals what is
//! stored. What is stored remembers credentials that the server refused: correct them, then give `--another-try` once.
//!
//! The exit code is 0 if a token is held at the end, 1 if none is, and 2 if the session has stopped for good. A sentence
//! says why.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

#[cfg(feature = "redis")]
use tradovate_auth::redis::RedisStore;
use tradovate_auth::store::{FileStore, SealingKey, SessionName, Store};
use tradovate_auth::ureq::{TokenSource, from_env};
use tradovate_auth::{Event, EventKind, StopReason};

mod arguments;

use arguments::{Arguments, Place};

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
    let arguments = Arguments::parse(env::args().skip(1), env::var("TRADOVATE_STORE").ok())?;
    let end = arguments.time.and_then(|time| Instant::now().checked_add(time));
    let (environment, credentials) = from_env()?;
    let name = SessionName::of_user(&environment, &credentials);
    let key = env::var("TRADOVATE_SEALING_KEY").ok().map(|text| SealingKey::parse(&text)).transpose()?;

    let (sender, events) = mpsc::channel();
    // A send fails once the program ends, and then nobody receives.
    let on_event = move |event: &Event| drop(sender.send(event.clone()));
    // The keeper logs in and renews. Nothing here waits for it, so `token` answers at once.
    let builder = TokenSource::builder(environment, credentials).token_timeout(Duration::ZERO).on_event(on_event);
    let builder = if arguments.another_try { builder.another_try() } else { builder };
    let store: Box<dyn Store> = match arguments.store {
        Place::User => Box::new(file(FileStore::user()?, key)),
        Place::Directory(path) => Box::new(file(FileStore::in_directory(path)?, key)),
        #[cfg(feature = "redis")]
        Place::Redis(url) => Box::new(redis(RedisStore::new(&url)?, key)),
    };
    let tokens = builder.shared(store, name).build();
    let keeper = tokens.keep_alive()?;
    let stopped = print_events(&events, end);
    let held = tokens.token();
    // Stores what has come, and gives back the lease, which other processes would have to wait for.
    keeper.stop();
    if let Some(reason) = stopped {
        eprintln!("{reason}");
        return Ok(ExitCode::from(2));
    }
    held?;
    Ok(ExitCode::SUCCESS)
}

/// Prints events until the end, or until the session stops.
fn print_events(events: &Receiver<Event>, end: Option<Instant>) -> Option<StopReason> {
    loop {
        let left = end.map_or(Duration::from_secs(3600), |end| end.saturating_duration_since(Instant::now()));
        match events.recv_timeout(left) {
            Ok(Event { at, kind, .. }) => {
                println!("{at:.0} {kind}");
                if let EventKind::Stopped(reason) = kind {
                    return Some(reason);
                }
            }
            Err(RecvTimeoutError::Timeout) if end.is_none_or(|end| Instant::now() < end) => {}
            Err(_) => return None,
        }
    }
}

fn file(store: FileStore, key: Option<SealingKey>) -> FileStore {
    match key {
        Some(key) => store.sealed(key),
        None => store,
    }
}

#[cfg(feature = "redis")]
fn redis(store: RedisStore, key: Option<SealingKey>) -> RedisStore {
    match key {
        Some(key) => store.sealed(key),
        None => store,
    }
}
