//! Several programs share one login. Start it in three terminals: one process logs in and renews, and the others use
//! the stored session. Kill that process, and another one takes over. The async version of `shared`, with the same
//! variables, arguments and exit codes. Both can share a session.

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

use arguments::{Arguments, StoreLocation};

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
    // A send fails only when the program ends and nobody receives.
    let on_event = move |event: &Event| drop(sender.send(event.clone()));
    // The keeper logs in and renews. With a timeout of zero, `token` returns at once.
    let builder = TokenSource::builder(environment, credentials).token_timeout(Duration::ZERO).on_event(on_event);
    let builder = if arguments.another_try { builder.another_try() } else { builder };
    let store: Box<dyn AsyncStore> = match arguments.store {
        StoreLocation::User => Box::new(file(FileStore::user()?, key)),
        StoreLocation::Directory(path) => Box::new(file(FileStore::in_directory(path)?, key)),
        #[cfg(feature = "redis")]
        StoreLocation::Redis(url) => Box::new(redis(RedisStore::new(&url)?, key)),
    };
    let tokens = builder.shared(store, name).build()?;
    let keeper = tokens.keep_alive();

    let over = async {
        match arguments.time {
            Some(time) => sleep(time).await,
            // An error means that Ctrl-C can't be awaited.
            None => drop(tokio::signal::ctrl_c().await),
        }
    };
    let stopped = tokio::select! {
        reason = print_events(&mut events) => reason,
        () = over => None,
    };
    let held = tokens.token().await;
    // Stores the result of the exchange in flight and releases the lease, so that other processes don't have to wait.
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
