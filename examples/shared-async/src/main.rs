//! Several programs, one login: start it in three terminals, watch one of them log in and renew while the others use
//! what it stores; kill that one, and watch another take over. The async version of `shared`, with the same variables,
//! arguments and exit codes; the two can share a session.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::sleep;
#[cfg(feature = "redis")]
use tradovate_auth::redis::RedisStore;
use tradovate_auth::reqwest::{TokenSource, from_env};
use tradovate_auth::store::{AsyncStore, FileStore, SealingKey, SessionName};
use tradovate_auth::{Event, EventKind, StopReason};

mod arguments;

use arguments::{Arguments, Place};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse(env::args().skip(1), env::var("TRADOVATE_STORE").ok())?;
    let (environment, credentials) = from_env()?;
    let name = SessionName::of_user(&environment, &credentials);
    let key = env::var("TRADOVATE_SEALING_KEY").ok().map(|text| SealingKey::parse(&text)).transpose()?;

    let (sender, mut events) = mpsc::unbounded_channel();
    // A send fails once the program ends, and then nobody receives.
    let on_event = move |event: &Event| drop(sender.send(event.clone()));
    // The keeper logs in and renews. Nothing here waits for it, so `token` answers at once.
    let builder = TokenSource::builder(environment, credentials).token_timeout(Duration::ZERO).on_event(on_event);
    let builder = if arguments.another_try { builder.another_try() } else { builder };
    let store: Box<dyn AsyncStore> = match arguments.store {
        Place::User => Box::new(file(FileStore::user()?, key)),
        Place::Directory(path) => Box::new(file(FileStore::in_directory(path)?, key)),
        #[cfg(feature = "redis")]
        Place::Redis(url) => Box::new(redis(RedisStore::new(&url)?, key)),
    };
    let tokens = builder.shared(store, name).build()?;
    let keeper = tokens.keep_alive();

    let over = async {
        match arguments.time {
            Some(time) => sleep(time).await,
            // An error means that there is no Ctrl-C to wait for.
            None => drop(tokio::signal::ctrl_c().await),
        }
    };
    let stopped = tokio::select! {
        reason = print_events(&mut events) => reason,
        () = over => None,
    };
    let held = tokens.token().await;
    // Stores what has come, and gives back the lease, which other processes would have to wait for.
    keeper.stop().await;
    if let Some(reason) = stopped {
        eprintln!("{reason}");
        return Ok(ExitCode::from(2));
    }
    held?;
    Ok(ExitCode::SUCCESS)
}

/// Prints events until the session stops.
async fn print_events(events: &mut UnboundedReceiver<Event>) -> Option<StopReason> {
    while let Some(Event { at, kind, .. }) = events.recv().await {
        println!("{at:.0} {kind}");
        if let EventKind::Stopped(reason) = kind {
            return Some(reason);
        }
    }
    None
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
