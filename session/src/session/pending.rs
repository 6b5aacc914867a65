//! What a shared session would do if it were polled.
//!
//! Whoever drives a shared session asks what is [`pending`](Session::pending), takes the store's lease, has the session
//! [`synchronize`](Session::synchronize) with what is stored, and only then polls. So what others have done meanwhile is not done
//! again.

use alloc::string::String;

use jiff::Timestamp;

use super::persistence::Store;
use super::plan::Step;
use super::{EventKind, Session, StopReason};
use crate::budget::{Operation, RateBudget};
use crate::stored_session::StoredSession;

/// What a session would do if it were polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pending {
    /// Send a request.
    Send(Operation),
    /// Store a snapshot.
    Store,
}

impl Session {
    /// What the next poll would have done, if it were now; nothing if it would only wait.
    pub fn pending(&mut self, now: Timestamp, budget: &RateBudget) -> Option<Pending> {
        let now = self.observe(now);
        self.gates.see(now, budget);
        let is_in_flight = self.exchanges.in_flight.as_ref().is_some_and(|exchange| now < exchange.deadline);
        if self.stopped.is_some() || is_in_flight {
            return None;
        }
        let request = || match self.plan(now, budget) {
            Step::Send(operation) => Some(Pending::Send(operation)),
            Step::Wait(_) | Step::Stop(_) => None,
        };
        match self.persistence.next(now) {
            Store::Wait(_) => None,
            // If nothing waits to be stored, the session continues without an answer of the store.
            Store::Overdue if self.persistence.waiting.is_none() => request().or(Some(Pending::Store)),
            Store::Offer | Store::Overdue => Some(Pending::Store),
            Store::Idle => request(),
        }
    }

    /// Whether the only copy of a token waits to be stored: until it is, the lease must not be given away.
    #[must_use]
    pub fn has_unstored_grant(&self) -> bool {
        self.persistence.waiting.is_some()
    }

    /// The store can't be reached, or what it holds can't be read: it is read again at `retry_at`. The reason is for the user.
    pub fn store_unusable(&mut self, now: Timestamp, reason: String, retry_at: Timestamp) {
        let now = self.advance(now);
        self.report(now, EventKind::StoreUnusable { reason, retry_at });
    }

    /// The snapshot of a session that has stopped because it was refused, so that other processes learn of the refusal. It is
    /// returned once, and only by a session with a shared store.
    pub fn final_snapshot(&mut self, now: Timestamp, budget: &RateBudget) -> Option<StoredSession> {
        let is_refused = matches!(self.stopped, Some(StopReason::Refused(_)));
        let has_news = is_refused && self.persistence.is_shared() && core::mem::take(&mut self.persistence.dirty);
        has_news.then(|| self.snapshot(now, budget))
    }
}
