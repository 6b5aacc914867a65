//! The messages of the channel, for all threads that wait for one: one connection and one thread for a store, whatever
//! the number of sessions. Both are there while somebody waits, and for a moment after.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Connection, Value};
use tradovate_auth_store::SessionName;

use super::{connect, lock};
use crate::error::RedisStoreError;
use crate::settings::{LONGEST_QUIET, Settings, TRIED_EVERY};

#[derive(Default)]
pub(crate) struct Watch {
    state: Mutex<State>,
    /// Held while somebody subscribes; the failure of who did so last.
    subscribing: Mutex<Option<RedisStoreError>>,
    /// How often somebody tried to subscribe.
    attempts: AtomicU64,
}

#[derive(Default)]
struct State {
    names: HashMap<String, Watched>,
    /// Which subscription there is, if there is one.
    subscription: Option<u64>,
    /// Since when nobody waits.
    idle_since: Option<Instant>,
}

#[derive(Default)]
struct Watched {
    watchers: usize,
    messages: u64,
    told: Arc<Condvar>,
}

/// A thread that waits for messages about a name. Messages are counted from its beginning.
pub(crate) struct Watcher<'a> {
    watch: &'a Watch,
    name: &'a str,
    told: Arc<Condvar>,
    subscription: u64,
    address: String,
}

impl Watch {
    /// # Errors
    /// When there is no subscription, and none can be had.
    pub(crate) fn watcher<'a>(
        watch: &'a Arc<Self>,
        name: &'a SessionName,
        settings: &Settings,
    ) -> Result<Watcher<'a>, RedisStoreError> {
        let name = name.as_str();
        let told = {
            let mut state = lock(&watch.state);
            state.idle_since = None;
            let watched = state.names.entry(name.to_owned()).or_default();
            watched.watchers += 1;
            Arc::clone(&watched.told)
        };
        let mut watcher = Watcher { watch, name, told, subscription: 0, address: settings.address() };
        watcher.subscription = watch.subscription(settings)?;
        Ok(watcher)
    }

    /// The subscription there is, or a new one.
    fn subscription(self: &Arc<Self>, settings: &Settings) -> Result<u64, RedisStoreError> {
        let before = self.attempts.load(Ordering::SeqCst);
        let mut failure = lock(&self.subscribing);
        if let Some(subscription) = lock(&self.state).subscription {
            return Ok(subscription);
        }
        let attempts = self.attempts.load(Ordering::SeqCst);
        if attempts != before
            && let Some(failure) = &*failure
        {
            // Who waited for another's attempt waits for no second one.
            return Err(failure.clone());
        }
        let subscribed = subscribe(settings);
        self.attempts.store(attempts + 1, Ordering::SeqCst);
        let connection = match subscribed {
            Ok(connection) => connection,
            Err(error) => return Err(failure.insert(error).clone()),
        };
        *failure = None;
        let subscription = attempts + 1;
        lock(&self.state).subscription = Some(subscription);
        let (watch, answer_time) = (Arc::clone(self), settings.answer_time);
        let listen = move || listen(&watch, subscription, connection, answer_time);
        let spawned = thread::Builder::new().name("tradovate-redis".into()).spawn(listen);
        spawned.map(|_| subscription).map_err(|error| {
            self.end(subscription);
            RedisStoreError::Other(format!("no thread to listen to it: {error}"))
        })
    }

    fn tell(&self, name: &[u8]) {
        let mut state = lock(&self.state);
        if let Some(watched) = str::from_utf8(name).ok().and_then(|name| state.names.get_mut(name)) {
            watched.messages += 1;
            watched.told.notify_all();
        }
    }

    fn end(&self, subscription: u64) {
        let mut state = lock(&self.state);
        if state.subscription == Some(subscription) {
            state.subscription = None;
        }
        for watched in state.names.values() {
            watched.told.notify_all();
        }
    }

    /// Ends the subscription where nobody has waited for a while.
    fn ends_idle(&self) -> bool {
        let mut state = lock(&self.state);
        let is_idle = state.idle_since.is_some_and(|since| since.elapsed() > LONGEST_QUIET);
        if is_idle {
            state.subscription = None;
        }
        is_idle
    }
}

impl Watcher<'_> {
    /// How many messages there have been.
    pub(crate) fn messages(&self) -> u64 {
        lock(&self.watch.state).names.get(self.name).map_or(0, |watched| watched.messages)
    }

    /// Waits for more messages than there have been; says whether there are, or the time is over.
    ///
    /// # Errors
    /// When the connection is lost.
    pub(crate) fn wait(&self, messages: u64, over: Option<Instant>) -> Result<bool, RedisStoreError> {
        let mut state = lock(&self.watch.state);
        loop {
            if state.subscription != Some(self.subscription) {
                return Err(RedisStoreError::lost(self.address.clone()));
            }
            if state.names.get(self.name).is_some_and(|watched| watched.messages != messages) {
                return Ok(true);
            }
            let left = over.map_or(Duration::MAX, |over| over.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(false);
            }
            state = match self.told.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.watch.state);
        if let Some(watched) = state.names.get_mut(self.name) {
            watched.watchers -= 1;
            if watched.watchers == 0 {
                state.names.remove(self.name);
            }
        }
        if state.names.is_empty() {
            state.idle_since = Some(Instant::now());
        }
    }
}

fn subscribe(settings: &Settings) -> Result<Connection, RedisStoreError> {
    let mut connection = connect(settings)?;
    let mut subscribe = || {
        let command = redis::cmd("SUBSCRIBE").arg(settings.keys.channel()).get_packed_command();
        connection.send_packed_command(&command)?;
        connection.recv_response()?.extract_error()
    };
    subscribe().map_err(|error| settings.error(&error))?;
    Ok(connection)
}

/// Listens until the connection is lost, or nobody listens to it.
fn listen(watch: &Watch, subscription: u64, mut connection: Connection, answer_time: Duration) {
    let mut messages = connection.as_pubsub();
    while !watch.ends_idle() {
        let next = messages.set_read_timeout(Some(TRIED_EVERY)).and_then(|()| messages.get_message());
        let alive = match next {
            Ok(message) => {
                watch.tell(message.get_payload_bytes());
                Ok(())
            }
            Err(error) if error.is_timeout() => {
                messages.set_read_timeout(Some(answer_time)).and_then(|()| messages.ping::<Value>()).map(drop)
            }
            Err(error) => Err(error),
        };
        if alive.is_err() {
            break;
        }
    }
    watch.end(subscription);
}
