//! A request that the server has postponed, and the ticket with which it is sent again.

use http::uri::Authority;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tradovate_auth_core::PenaltyTicket;

use super::fact::{LocalTimes, correct_wait};
use super::tokens::secret;
use crate::budget::Operation;
use crate::moments::shifted;

/// A postponed request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ticket {
    /// When the request may be sent again.
    pub(crate) until: Timestamp,
    pub(crate) operation: Operation,
    #[serde(with = "secret")]
    pub(crate) ticket: PenaltyTicket,
    /// The host that gave the ticket, if it isn't the one that the request would go to. It is not stored: no request goes to
    /// a host because a store says so.
    #[serde(skip)]
    pub(crate) host: Option<Authority>,
}

impl Ticket {
    fn key(&self) -> (Timestamp, Operation, &str, Option<&str>) {
        (self.until, self.operation, self.ticket.expose(), self.host.as_ref().map(Authority::as_str))
    }
}

impl PartialEq for Ticket {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Ticket {}

impl PartialOrd for Ticket {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ticket {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl LocalTimes for Ticket {
    fn shift(&mut self, by: SignedDuration) {
        self.until = shifted(self.until, by);
    }

    fn correct(&mut self, now: Timestamp) {
        correct_wait(&mut self.until, now);
    }

    fn ends(&self) -> Option<Timestamp> {
        Some(self.until)
    }
}
