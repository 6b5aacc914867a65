//! What both forms share: [`Attempts`] to connect, and [`Waiters`], the callers that wait for messages.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};
#[cfg(feature = "blocking")]
use std::time::Duration;
use std::time::Instant;

use crate::error::Failure;

/// How often callers tried to connect, and how the last attempt failed. A caller that waited for the attempt of another
/// caller makes no second one.
#[derive(Default)]
pub(crate) struct Attempts {
    ended: AtomicU64,
    failure: Mutex<Option<Failure>>,
}

impl Attempts {
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }

    /// The failure of an attempt that ended since the given count.
    pub(crate) fn failed_since(&self, before: u64) -> Option<Failure> {
        if self.ended() == before { None } else { lock(&self.failure).clone() }
    }

    /// An attempt has ended.
    pub(crate) fn end<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        *lock(&self.failure) = result.as_ref().err().cloned();
        self.ended.fetch_add(1, Ordering::SeqCst);
        result
    }
}

/// The callers that wait for messages on one connection, by name. The code that reads from the connection owns it.
pub(crate) struct Waiters(Mutex<State>);

struct State {
    /// `None`: the connection is lost, and no message will arrive.
    names: Option<HashMap<String, Waited>>,
    /// How many waiters there have been. The count gives each its number.
    waiters: u64,
    /// When the last caller stopped waiting, or the connection was made.
    last_left: Instant,
}

#[derive(Default)]
struct Waited {
    messages: u64,
    /// By the number of the waiter.
    wakers: HashMap<u64, Waker>,
}

/// A caller that waits for messages about a name. Messages count from its start.
pub(crate) struct Waiter {
    waiters: Weak<Waiters>,
    name: String,
    number: u64,
}

impl Waiters {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { names: Some(HashMap::new()), waiters: 0, last_left: Instant::now() })))
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn is_open(&self) -> bool {
        lock(&self.0).names.is_some()
    }

    /// A message about a name has arrived.
    pub(crate) fn tell(&self, name: &[u8]) {
        let wakers: Vec<_> = {
            let mut state = lock(&self.0);
            let name = str::from_utf8(name).ok();
            let Some(waited) = state.names.as_mut().zip(name).and_then(|(names, name)| names.get_mut(name)) else {
                return;
            };
            waited.messages += 1;
            waited.wakers.values().cloned().collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// No more messages will arrive.
    pub(crate) fn close(&self) {
        let names = lock(&self.0).names.take().unwrap_or_default();
        names.into_values().flat_map(|waited| waited.wakers.into_values()).for_each(Waker::wake);
    }

    /// Whether no caller has waited for this long. In this case this closes the waiters, so that no caller starts to
    /// wait.
    #[cfg(feature = "blocking")]
    pub(crate) fn closes_after(&self, quiet: Duration) -> bool {
        let mut state = lock(&self.0);
        let is_quiet = state.last_left.elapsed() >= quiet;
        state.names.take_if(|names| is_quiet && names.is_empty()).is_some()
    }

    /// Adds a waiter for messages about a name. `None` if no message will arrive.
    pub(crate) fn waiter(self: &Arc<Self>, name: &str) -> Option<Waiter> {
        let state = &mut *lock(&self.0);
        state.waiters += 1;
        let number = state.waiters;
        let waited = state.names.as_mut()?.entry(name.to_owned()).or_default();
        waited.wakers.insert(number, Waker::noop().clone());
        Some(Waiter { waiters: Arc::downgrade(self), name: name.to_owned(), number })
    }
}

impl Drop for Waiters {
    fn drop(&mut self) {
        self.close();
    }
}

impl Waiter {
    /// How many messages have arrived. `None` if no more will arrive.
    pub(crate) fn messages(&self) -> Option<u64> {
        let waiters = self.waiters.upgrade()?;
        let state = lock(&waiters.0);
        state.names.as_ref()?.get(&self.name).map(|waited| waited.messages)
    }

    /// `Ready(true)` if the number of messages is no longer `seen`, `Ready(false)` if no more will arrive. Otherwise
    /// the waker is woken when one of the two happens.
    pub(crate) fn poll(&self, seen: u64, waker: &Waker) -> Poll<bool> {
        let Some(waiters) = self.waiters.upgrade() else { return Poll::Ready(false) };
        let mut state = lock(&waiters.0);
        match state.names.as_mut().and_then(|names| names.get_mut(&self.name)) {
            Some(waited) if waited.messages == seen => {
                waited.wakers.insert(self.number, waker.clone());
                Poll::Pending
            }
            waited => Poll::Ready(waited.is_some()),
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let Some(waiters) = self.waiters.upgrade() else { return };
        let state = &mut *lock(&waiters.0);
        state.last_left = Instant::now();
        let Some(names) = &mut state.names else { return };
        if let Some(waited) = names.get_mut(&self.name) {
            waited.wakers.remove(&self.number);
            if waited.wakers.is_empty() {
                names.remove(&self.name);
            }
        }
    }
}

/// The data behind a lock is consistent between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_waiting_caller_is_woken_by_messages_about_its_name_and_by_the_end_of_the_connection() {
        for end in [|waiters: Arc<Waiters>| waiters.close(), drop] {
            let waiters = Waiters::new();
            let waiter = waiters.waiter("a").unwrap();
            let count = Arc::new(Count::default());
            let wakes = |seen| {
                assert_eq!(waiter.poll(seen, &Waker::from(Arc::clone(&count))), Poll::Pending);
                count.0.load(Ordering::SeqCst)
            };
            assert_eq!(wakes(0), 0);
            waiters.tell(b"b");
            assert_eq!(wakes(0), 0);
            waiters.tell(b"a");
            assert_eq!(wakes(1), 1);
            end(waiters);
            assert_eq!(count.0.load(Ordering::SeqCst), 2);
        }
    }

    #[test]
    #[cfg(feature = "blocking")]
    fn a_connection_is_closed_if_nobody_has_waited_for_long() {
        let waiters = Waiters::new();
        assert!(!waiters.closes_after(Duration::MAX));
        let waiter = waiters.waiter("a");
        assert!(!waiters.closes_after(Duration::ZERO));
        drop(waiter);
        assert!(!waiters.closes_after(Duration::MAX));
        assert!(waiters.closes_after(Duration::ZERO));
        assert!(waiters.waiter("a").is_none());
    }

    #[test]
    fn a_caller_gets_the_failure_of_the_attempt_for_which_it_waited() {
        let attempts = Attempts::default();
        let before = attempts.ended();
        assert!(attempts.failed_since(before).is_none());
        attempts.end::<()>(Err(Failure::closed("redis.example", "refused"))).unwrap_err();
        assert!(attempts.failed_since(before).is_some());
        let before = attempts.ended();
        attempts.end(Ok(())).unwrap();
        assert!(attempts.failed_since(before).is_none());
    }

    #[test]
    fn a_session_name_is_dropped_after_its_last_waiter() {
        let waiters = Waiters::new();
        let names = || lock(&waiters.0).names.as_ref().map(HashMap::len);
        let (one, other) = (waiters.waiter("a"), waiters.waiter("a"));
        assert_eq!(names(), Some(1));
        drop(one);
        assert_eq!(names(), Some(1));
        drop(other);
        assert_eq!(names(), Some(0));
        waiters.tell(b"a");
        waiters.close();
        assert!(waiters.waiter("a").is_none());
    }

    #[test]
    fn waiters_are_woken_by_a_message_for_their_session_name_or_a_close() {
        let waiters = Waiters::new();
        let waiter = waiters.waiter("a").unwrap();
        let poll = |seen| waiter.poll(seen, Waker::noop());
        waiters.tell(b"b");
        assert_eq!((waiter.messages(), poll(0)), (Some(0), Poll::Pending));
        waiters.tell(b"a");
        assert_eq!((waiter.messages(), poll(0), poll(1)), (Some(1), Poll::Ready(true), Poll::Pending));
        drop(waiters);
        assert_eq!((waiter.messages(), poll(1)), (None, Poll::Ready(false)));
    }
}
