//! Several programs share one login. Start it in three terminals: one process logs in and renews, and the others use
//! the stored session. Kill that process, and another one takes over. It prints one line with a time for each event.
//!
//! It requires the same variables as `quickstart`, because processes can't share a simulator inside one of them.
//! `cargo run -p tradovate-auth-simulator -- --lifetime 2m` starts a simulator for all, and prints the variables.
//!
//! `--store file` stores the session in a directory of the user (default), `--store file:DIRECTORY` in another one, and
//! `--store redis://HOST:PORT/` in Redis (build with `--features redis`). `TRADOVATE_STORE` can be set in place of
//! `--store`. Put a URL with a password there, because other users of the machine can see arguments. `--for SECONDS`
//! limits how long it runs; otherwise it runs until Ctrl-C. `TRADOVATE_SEALING_KEY`, 64 hexadecimal digits, encrypts
//! the stored session. The store remembers credentials that the server refused: correct them, then use `--another-try`
//! once.
//!
//! The exit code is 0 if there is a token at the end, 1 if there is none, and 2 if the session has stopped. A sentence
//! on stderr says why.

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

use arguments::{Arguments, StoreLocation};

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
    // A send fails only when the program ends and nobody receives.
    let on_event = move |event: &Event| drop(sender.send(event.clone()));
    // The keeper logs in and renews. With a timeout of zero, `token` returns at once.
    let builder = TokenSource::builder(environment, credentials).token_timeout(Duration::ZERO).on_event(on_event);
    let builder = if arguments.another_try { builder.another_try() } else { builder };
    let store: Box<dyn Store> = match arguments.store {
        StoreLocation::User => Box::new(file(FileStore::user()?, key)),
        StoreLocation::Directory(path) => Box::new(file(FileStore::in_directory(path)?, key)),
        #[cfg(feature = "redis")]
        StoreLocation::Redis(url) => Box::new(redis(RedisStore::new(&url)?, key)),
    };
    let tokens = builder.shared(store, name).build();
    let keeper = tokens.keep_alive()?;
    let stopped = print_events(&events, end);
    let held = tokens.token();
    // Stores the result of the exchange in flight and releases the lease, so that other processes don't have to wait.
    keeper.stop();
    if let Some(reason) = stopped {
        eprintln!("{reason}");
        return Ok(ExitCode::from(2));
    }
    held?;
    Ok(ExitCode::SUCCESS)
}

/// Prints events until the time ends or the session stops.
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
