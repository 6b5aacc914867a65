//! Receives the messages of the channel for all threads that wait for a change. A store uses one connection and one
//! thread for this, whatever the number of sessions. Both end some seconds after the last thread has stopped waiting.

use std::sync::{Arc, Mutex, Weak};
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use redis::{Connection, Value};
use tradovate_auth_store::SessionName;

use super::connect;
use crate::error::Failure;
use crate::settings::Settings;
use crate::waiters::{Attempts, Waiter, Waiters, lock};

#[derive(Default)]
pub(crate) struct Watch {
    /// The waiters of the current subscription. The thread that listens owns them.
    current: Mutex<Weak<Waiters>>,
    /// Locked while a thread subscribes, so that no other thread does.
    subscribing: Mutex<()>,
    attempts: Attempts,
}

impl Watch {
    /// Waits for messages about a name, on the existing subscription or on a new one.
    pub(crate) fn waiter(&self, name: &SessionName, settings: &Settings) -> Result<Waiter, Failure> {
        let current = || lock(&self.current).upgrade()?.waiter(name.as_str());
        let before = self.attempts.ended();
        if let Some(waiter) = current() {
            return Ok(waiter);
        }
        let _one = lock(&self.subscribing);
        if let Some(waiter) = current() {
            return Ok(waiter);
        }
        if let Some(failure) = self.attempts.failed_since(before) {
            return Err(failure);
        }
        let waiters = Waiters::new();
        // Waits already when the thread starts, so that the thread does not end for lack of callers.
        let waiter = waiters.waiter(name.as_str()).ok_or_else(|| settings.lost())?;
        self.attempts.end(subscribe(settings, &waiters))?;
        *lock(&self.current) = Arc::downgrade(&waiters);
        Ok(waiter)
    }
}

/// Wakes a waiting thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits until another message has arrived (`Some(true)`), the time is over (`Some(false)`), or no message can arrive
/// any more (`None`). `seen` is the number of messages so far.
pub(crate) fn wait(waiter: &Waiter, seen: u64, over: Option<Instant>) -> Option<bool> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(has_come) = waiter.poll(seen, &waker) {
            return has_come.then_some(true);
        }
        let left = over.map_or(Duration::MAX, |over| over.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Some(false);
        }
        thread::park_timeout(left);
    }
}

fn subscribe(settings: &Settings, waiters: &Arc<Waiters>) -> Result<(), Failure> {
    let mut connection = connect(settings)?;
    let mut subscribe = || {
        let command = redis::cmd("SUBSCRIBE").arg(settings.keys.channel()).get_packed_command();
        connection.send_packed_command(&command)?;
        connection.recv_response()?.extract_error()
    };
    subscribe().map_err(|error| settings.failure(&error))?;
    let (listening, times) = (Arc::clone(waiters), Times::of(settings));
    let spawned = thread::Builder::new().name("tradovate-redis".into()).spawn(move || {
        listen(&listening, connection, times);
        listening.close();
    });
    match spawned {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::closed(&settings.address(), &format!("no thread to listen to it: {error}"))),
    }
}

/// The times of the settings that the thread uses.
#[derive(Clone, Copy)]
struct Times {
    answer: Duration,
    longest_quiet: Duration,
    tried_every: Duration,
}

impl Times {
    fn of(settings: &Settings) -> Self {
        let Settings { answer_time: answer, longest_quiet, tried_every, .. } = *settings;
        Self { answer, longest_quiet, tried_every }
    }
}

/// Listens until the connection is lost or no thread waits.
fn listen(waiters: &Waiters, mut connection: Connection, times: Times) {
    let mut messages = connection.as_pubsub();
    while !waiters.closes_after(times.longest_quiet) {
        let next = messages.set_read_timeout(Some(times.tried_every)).and_then(|()| messages.get_message());
        if let Ok(message) = next {
            waiters.tell(message.get_payload_bytes());
            continue;
        }
        // The time is over or the connection is lost. Only an answer shows which of the two it is.
        let answer = messages.set_read_timeout(Some(times.answer)).and_then(|()| messages.ping::<Value>());
        if answer.is_err() {
            return;
        }
    }
}
