//! The events of a session on their way to its owner.
//!
//! They are taken in the order in which they happened, under the session's lock, and delivered after its release, so that
//! a callback may use the session. One thread at a time delivers; what happens meanwhile waits for it.

use std::collections::VecDeque;
use std::sync::PoisonError;

use tradovate_auth_session::{Event, EventKind, Session};

use crate::sync::{Mutex, MutexGuard};

/// Events that were taken from a session and not delivered yet.
#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Event>,
    is_delivering: bool,
    /// The last thing that went wrong since the last success, of the events that were taken.
    last_trouble: Option<String>,
}

/// The right to deliver. Dropped by a panic, it leaves the rest to whoever comes next.
struct Delivery<'e>(&'e Events);

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        self.0.lock().is_delivering = false;
    }
}

impl Events {
    /// Takes what the session has to say. Its lock must be held, so that the order is that of the session.
    pub(crate) fn take(&self, session: &mut Session) {
        let mut queue = self.lock();
        while let Some(event) = session.next_event() {
            if is_success(&event.kind) {
                queue.last_trouble = None;
            } else if is_trouble(&event.kind) {
                queue.last_trouble = Some(event.to_string());
            }
            queue.waiting.push_back(event);
        }
    }

    /// Delivers all that waits, in order, unless another thread or a caller of this one is delivering: that one goes on
    /// with it. No lock is held while an event is delivered. Returns whether this call has delivered anything.
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
            // What has come between the last look and this is looked for once more.
            drop(delivery);
        }
    }

    /// Whether an event waits to be delivered, or is being delivered.
    pub(crate) fn is_waiting(&self) -> bool {
        let queue = self.lock();
        queue.is_delivering || !queue.waiting.is_empty()
    }

    /// What went wrong, where nothing has succeeded since.
    pub(crate) fn last_trouble(&self) -> Option<String> {
        self.lock().last_trouble.clone()
    }

    fn next(&self) -> Option<Event> {
        self.lock().waiting.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// There is a token.
fn is_success(event: &EventKind) -> bool {
    matches!(
        event,
        EventKind::LoggedIn { .. }
            | EventKind::Renewed { .. }
            | EventKind::Refreshed { .. }
            | EventKind::Adopted { .. }
    )
}

/// Something that callers without a token should know of.
fn is_trouble(event: &EventKind) -> bool {
    matches!(
        event,
        EventKind::Failed { .. }
            | EventKind::Postponed { .. }
            | EventKind::CaptchaAsked { .. }
            | EventKind::LockedOut { .. }
            | EventKind::Refused { .. }
            | EventKind::RefreshRefused { .. }
            | EventKind::AppRefused { .. }
            | EventKind::PossiblyKicked { .. }
            | EventKind::StoreFailed { .. }
    )
}
