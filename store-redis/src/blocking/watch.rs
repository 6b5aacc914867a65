//! The messages of the channel, for all threads that wait for one. A store uses one connection and one thread for this,
//! whatever the number of sessions. Both exist while a thread waits, and for a short time after.

use std::sync::{Arc, Mutex, Weak};
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use redis::{Connection, Value};
use tradovate_auth_store::SessionName;

use super::connect;
use crate::error::Failure;
use crate::settings::{LONGEST_QUIET, Settings, TRIED_EVERY};
use crate::waiters::{Attempts, Waiter, Waiters, lock};

#[derive(Default)]
pub(crate) struct Watch {
    /// Owned by the thread that listens.
    current: Mutex<Weak<Waiters>>,
    /// Held while a thread subscribes.
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
        let waiters = self.attempts.end(subscribe(settings))?;
        *lock(&self.current) = Arc::downgrade(&waiters);
        waiters.waiter(name.as_str()).ok_or_else(|| settings.lost())
    }
}

/// Wakes a waiting thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits until the number of messages changes. Returns whether it changed or the time is over. `None` if no message
/// will arrive.
pub(crate) fn wait(waiter: &Waiter, seen: u64, over: Option<Instant>) -> Option<bool> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(has_come) = waiter.poll(seen, &waker) {
            return has_come.then_some(true);
        }
        let left = over.map_or(LONGEST_QUIET, |over| over.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Some(false);
        }
        thread::park_timeout(left);
    }
}

fn subscribe(settings: &Settings) -> Result<Arc<Waiters>, Failure> {
    let mut connection = connect(settings)?;
    let mut subscribe = || {
        let command = redis::cmd("SUBSCRIBE").arg(settings.keys.channel()).get_packed_command();
        connection.send_packed_command(&command)?;
        connection.recv_response()?.extract_error()
    };
    subscribe().map_err(|error| settings.failure(&error))?;
    let (waiters, answer_time) = (Waiters::new(), settings.answer_time);
    let listening = Arc::clone(&waiters);
    let spawned = thread::Builder::new().name("tradovate-redis".into()).spawn(move || {
        listen(&listening, connection, answer_time);
        listening.close();
    });
    match spawned {
        Ok(_) => Ok(waiters),
        Err(error) => Err(Failure::closed(&settings.address(), &format!("no thread to listen to it: {error}"))),
    }
}

/// Listens until the connection is lost or no thread waits.
fn listen(waiters: &Waiters, mut connection: Connection, answer_time: Duration) {
    let mut messages = connection.as_pubsub();
    while waiters.is_open() && !waiters.closes_after(LONGEST_QUIET) {
        let next = messages.set_read_timeout(Some(TRIED_EVERY)).and_then(|()| messages.get_message());
        let alive = match next {
            Ok(message) => {
                waiters.tell(message.get_payload_bytes());
                Ok(())
            }
            Err(error) if error.is_timeout() => {
                messages.set_read_timeout(Some(answer_time)).and_then(|()| messages.ping::<Value>()).map(drop)
            }
            Err(error) => Err(error),
        };
        if alive.is_err() {
            return;
        }
    }
}
