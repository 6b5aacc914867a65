//! [`Announcement`]: if there is a store, a login is stored before it is sent. If processes share the store, a refresh
//! is also stored before it is sent.

use alloc::boxed::Box;
use core::time::Duration;

use jiff::Timestamp;

use super::Session;
use crate::network_budget::Operation;
use crate::record::{AttemptId, Ticket};

/// A login or a refresh that is stored before it is sent. This proves that the store can be written to. After a crash,
/// the next process knows that the request may have been sent.
#[derive(Debug, Clone)]
pub(super) struct Announcement {
    pub(super) at: Timestamp,
    pub(super) operation: Operation,
    pub(super) attempt: Option<AttemptId>,
    /// The ticket that the request sends. In the stored record it is spent.
    pub(super) ticket: Option<Box<Ticket>>,
    pub(super) is_stored: bool,
}

impl Session {
    /// Whether a login or a refresh has to be announced first.
    pub(super) fn is_to_be_announced(&self, now: Timestamp, operation: Operation) -> bool {
        // The exchange of a code may fail, so it does not replace the stored record.
        let is_announced = match operation {
            Operation::LogIn => !self.persistence.is_none(),
            Operation::Refresh => self.persistence.is_shared(),
            _ => false,
        };
        is_announced
            && self.code.is_none()
            && !self.persistence.has_announced(operation, now, self.announcement_lasts())
    }

    /// A request that is not sent within this time after its announcement is announced again.
    fn announcement_lasts(&self) -> Duration {
        self.policy.deadline().saturating_mul(2)
    }

    /// The session has adopted what an earlier run has stored in its own store. That run may have sent a login that it
    /// announced, up to the end of its announcement.
    pub(super) fn adopt_announced_logins(&mut self, now: Timestamp) {
        if self.persistence.is_hook() {
            let (own, lasts) = (self.persistence.announced_attempt(), self.announcement_lasts());
            self.record.log_ins.sent_by_earlier_run(now, own, lasts, &mut self.jitter);
        }
    }

    /// Whether a login is announced and its announcement is not stored yet.
    pub(crate) fn is_announcing_login(&self) -> bool {
        self.persistence.announcement().is_some_and(|it| it.operation == Operation::LogIn && !it.is_stored)
    }

    pub(super) fn announce(&mut self, now: Timestamp, operation: Operation) {
        self.withdraw_announcement();
        let attempt = match operation {
            Operation::LogIn => Some(self.record.log_ins.announce(now, &mut self.ids)),
            _ => None,
        };
        if let (None, Some(refresh)) = (attempt, &mut self.record.tokens.refresh) {
            refresh.announced.set();
        }
        let ticket = self.take_ticket(now, operation);
        let announcement = Announcement { at: now, operation, attempt, ticket, is_stored: false };
        self.persistence.announced = Some(Box::new(announcement));
        self.save(now);
    }

    /// Takes the announcement of the request that is sent now.
    pub(super) fn take_announcement(&mut self, operation: Operation) -> Option<Box<Announcement>> {
        if self.persistence.announcement().is_some_and(|announced| announced.operation != operation) {
            self.withdraw_announcement();
        }
        self.persistence.announced.take()
    }

    /// The announced request is not sent.
    pub(super) fn withdraw_announcement(&mut self) {
        let Some(announced) = self.persistence.announced.take() else {
            return;
        };
        if announced.is_stored {
            self.record.postponed.set_if_some(announced.ticket);
        } else {
            // Another process may have stored that it has sent the ticket.
            self.record.postponed.restore(announced.ticket);
        }
        if let Some(attempt) = announced.attempt {
            self.record.log_ins.opened_none(attempt);
        } else if let Some(refresh) = &mut self.record.tokens.refresh {
            if announced.is_stored {
                refresh.announced.clear();
            } else {
                // Another process may have announced the same, and presented the token.
                refresh.announced.unset();
            }
        }
    }
}
