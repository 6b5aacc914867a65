//! Stored before used: a snapshot is offered until it is stored, and the grant in it is held back meanwhile.
//!
//! A snapshot without a new grant, such as that of a lock-out, is offered again too, but nothing waits for it.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::Grant;
use tradovate_auth_core::internal::later;

use super::sharing::Announcement;
use super::{Action, EventKind, ExchangeId, Pause, Session, State};
use crate::budget::{Operation, RateBudget};

/// A snapshot that was on its way to a shared store for longer than this, which is less than the margin of a token, is
/// stored anew.
const LATE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Storing {
    pub(super) id: ExchangeId,
    /// Installed once it is stored; with the operation that brought it, unless it was adopted.
    pub(super) grant: Option<Box<(Grant, Option<Operation>)>>,
    /// Whether word of the store is awaited.
    pub(super) offered: bool,
    /// When the snapshot was taken that was offered last.
    pub(super) taken: Option<Timestamp>,
    /// When the snapshot is offered, or the store is taken to have failed.
    pub(super) until: Timestamp,
}

impl Session {
    pub(super) fn saving_due(&self, now: Timestamp) -> bool {
        self.unsaved && self.has_store && self.store_pause.until().is_none_or(|until| until <= now)
    }

    pub(super) fn save(&mut self, now: Timestamp) {
        self.unsaved = false;
        self.store(now, None);
    }

    pub(super) fn store(&mut self, now: Timestamp, grant: Option<(Grant, Option<Operation>)>) {
        let grant = grant.map(Box::new);
        self.state = State::Storing(Storing { id: self.id(), grant, offered: false, taken: None, until: now });
    }

    /// The grant that waits to be stored.
    pub(super) fn waiting(&self) -> Option<&Grant> {
        match &self.state {
            State::Storing(storing) => storing.grant.as_deref().map(|(grant, _)| grant),
            _ => None,
        }
    }

    pub(super) fn offer(&mut self, now: Timestamp, budget: &RateBudget) -> Action {
        let snapshot = self.snapshot(now, budget);
        let mut id = ExchangeId(0);
        if let State::Storing(storing) = &mut self.state {
            storing.offered = true;
            storing.taken = Some(now);
            storing.until = later(now, self.policy.deadline());
            id = storing.id;
        }
        Action::Store { id, snapshot }
    }

    pub(super) fn has_been_stored(&mut self, now: Timestamp, id: ExchangeId) {
        match &mut self.state {
            State::Storing(storing) if storing.id == id => {
                let grant = storing.grant.take();
                let late = storing.taken.filter(|taken| later(*taken, LATE) < now);
                if let Some(sharing) = &mut self.sharing {
                    sharing.announcement.stored();
                    // Others take what it says of the clock for as young as the record. A store that is always slow is
                    // asked once more, not for ever.
                    self.unsaved |= late.is_some() && sharing.stored_late.is_none();
                    sharing.stored_late = late;
                }
                self.state = State::Resting;
                self.store_pause = Pause::default();
                if let Some((grant, operation)) = grant.map(|grant| *grant) {
                    self.install(now, grant, operation);
                }
            }
            _ => {}
        }
    }

    pub(super) fn has_not_been_stored(&mut self, now: Timestamp, id: ExchangeId, reason: Option<String>) {
        let now = self.advance(now);
        if matches!(&self.state, State::Storing(storing) if storing.id == id) {
            self.not_stored(now, reason);
        }
    }

    /// The store has failed, for a reason that is for the user where it is known, or says nothing.
    pub(super) fn not_stored(&mut self, now: Timestamp, reason: Option<String>) {
        let longest = self.policy.longest_pause();
        let retry_at = self.store_pause.after_fault(now, Duration::ZERO, longest, &mut self.jitter);
        self.tell(
            now,
            match reason {
                Some(reason) => EventKind::StoreUnusable { reason, retry_at },
                None => EventKind::StoreFailed { retry_at },
            },
        );
        if let Some(sharing) = &mut self.sharing {
            sharing.announcement = Announcement::default();
            if let State::Storing(Storing { taken: Some(taken), .. }) = &self.state
                && later(*taken, LATE) < now
            {
                // It may be there all the same.
                sharing.stored_late = Some(*taken);
            }
        }
        match &mut self.state {
            State::Storing(storing) if storing.grant.is_some() => {
                storing.offered = false;
                storing.until = retry_at;
            }
            _ => {
                self.unsaved = true;
                self.state = State::Resting;
            }
        }
    }
}
