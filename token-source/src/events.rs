//! The queue of a session's events for the program's callback.
//!
//! The source takes events under the session's lock, in their order, and delivers them after it has released the lock.
//! So a callback may use the session. One thread delivers at a time. It also delivers the events that arrive meanwhile.

use std::collections::VecDeque;
use std::sync::PoisonError;

use tradovate_auth_session::{Event, EventKind, Session};

use crate::sync_primitives::{Mutex, MutexGuard};

/// Events that were taken from a session and are not delivered yet.
#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Event>,
    is_delivering: bool,
    /// The last failure since the last success.
    last_failure: Option<String>,
}

/// The right to deliver events. It is released on drop, also after a panic, so that the next caller delivers the rest.
struct Delivery<'e>(&'e Events);

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        self.0.lock().is_delivering = false;
    }
}

impl Events {
    /// Takes all new events from the session. The caller holds the session's lock, so the order of events is kept.
    pub(crate) fn take(&self, session: &mut Session) {
        let mut queue = self.lock();
        while let Some(event) = session.next_event() {
            if is_success(&event.kind) {
                queue.last_failure = None;
            } else if let Some(text) = failure(&event.kind) {
                queue.last_failure = Some(text);
            }
            queue.waiting.push_back(event);
        }
    }

    /// Delivers all waiting events in order. Does nothing if a delivery is running, in another thread or further up
    /// this call stack: that delivery includes these events. No lock is held during a callback. Returns whether this
    /// call delivered an event.
    pub(crate) fn deliver(&self, deliver: impl Fn(&Event)) -> bool {
        let mut has_delivered = false;
        loop {
            let mut queue = self.lock();
            if queue.is_delivering || queue.waiting.is_empty() {
                return has_delivered;
            }
            queue.is_delivering = true;
            drop(queue);
            let delivery = Delivery(self);
            while let Some(event) = self.next() {
                deliver(&event);
                has_delivered = true;
            }
            // An event that arrived after the last `next` is found in another round of the loop.
            drop(delivery);
        }
    }

    /// Whether an event waits to be delivered or is being delivered.
    pub(crate) fn is_waiting(&self) -> bool {
        let queue = self.lock();
        queue.is_delivering || !queue.waiting.is_empty()
    }

    /// The last failure, if no success followed it.
    pub(crate) fn last_failure(&self) -> Option<String> {
        self.lock().last_failure.clone()
    }

    fn next(&self) -> Option<Event> {
        self.lock().waiting.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the event means that there is a new token.
fn is_success(event: &EventKind) -> bool {
    matches!(
        event,
        EventKind::LoggedIn { .. }
            | EventKind::Renewed { .. }
            | EventKind::Refreshed { .. }
            | EventKind::Adopted { .. }
    )
}

/// The text that explains to a caller why there is no token. The event may have happened while there was a token. So the
/// text always says that there is none.
fn failure(event: &EventKind) -> Option<String> {
    let mut event = event.clone();
    match &mut event {
        EventKind::Failed { usable_until, .. }
        | EventKind::Postponed { usable_until, .. }
        | EventKind::CaptchaAsked { usable_until, .. }
        | EventKind::LockedOut { usable_until, .. }
        | EventKind::Refused { usable_until, .. }
        | EventKind::RefreshRefused { usable_until, .. }
        | EventKind::AppRefused { usable_until, .. }
        | EventKind::StoreFailed { usable_until, .. } => *usable_until = None,
        EventKind::PossiblyKicked { .. } => {}
        _ => return None,
    }
    Some(event.to_string())
}
