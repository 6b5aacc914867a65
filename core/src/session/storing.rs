//! Stored before used: a snapshot is offered until it is stored, and the grant in it is held back meanwhile.
//!
//! A snapshot without a new grant, such as that of a lock-out, is offered again too, but nothing waits for it.

use alloc::boxed::Box;

use jiff::Timestamp;

use super::{Action, EventKind, ExchangeId, Pause, Session, State};
use crate::budget::{Operation, RateBudget};
use crate::clock::later;
use crate::grant::Grant;

#[derive(Debug)]
pub(super) struct Storing {
    pub(super) id: ExchangeId,
    /// Installed once it is stored; with the operation that brought it, unless it was adopted.
    pub(super) grant: Option<Box<(Grant, Option<Operation>)>>,
    /// Whether word of the store is awaited.
    pub(super) offered: bool,
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
        self.state = State::Storing(Storing { id: self.id(), grant, offered: false, until: now });
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
            storing.until = later(now, self.policy.deadline());
            id = storing.id;
        }
        Action::Store { id, snapshot }
    }

    pub(super) fn has_been_stored(&mut self, now: Timestamp, id: ExchangeId) {
        match &mut self.state {
            State::Storing(storing) if storing.id == id => {
                let grant = storing.grant.take();
                self.state = State::Resting;
                self.store_pause = Pause::default();
                if let Some((grant, operation)) = grant.map(|grant| *grant) {
                    self.install(now, grant, operation);
                }
            }
            _ => {}
        }
    }

    /// The store has failed, or says nothing.
    pub(super) fn not_stored(&mut self, now: Timestamp) {
        let longest = self.policy.longest_pause();
        let retry_at = self.store_pause.after_fault(now, core::time::Duration::ZERO, longest, &mut self.jitter);
        self.tell(now, EventKind::StoreFailed { retry_at });
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
