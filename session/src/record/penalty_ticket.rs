//! [`Ticket`]: a request that a penalty postponed, and the ticket with which it is sent again.

use alloc::string::String;

use http::uri::Authority;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tradovate_auth_core::PenaltyTicket;

use super::merge::{Key, Value};
use super::tokens::secret;
use crate::network_budget::Operation;

/// A postponed request.
#[derive(Debug, Clone, Serialize, Deserialize)]
//= R-PENALTY-9
pub(crate) struct Ticket {
    /// The earliest time at which the request may be sent again.
    pub(crate) until: Timestamp,
    pub(crate) operation: Operation,
    /// A hash of the request without secrets that could be guessed. The ticket is sent with this request only.
    pub(crate) request: String,
    #[serde(rename = "ticket", with = "secret")]
    pub(crate) secret: PenaltyTicket,
    /// The host that issued the ticket, if the request would go to another one. It is not stored, because no request
    /// goes to a host only because a store names it.
    #[serde(skip)]
    pub(crate) host: Option<Authority>,
}

impl Value for Ticket {
    fn key(&self) -> Key<'_> {
        (self.until, Some(self.operation), [self.secret.expose(), &self.request])
    }

    fn wait(&mut self) -> Option<&mut Timestamp> {
        Some(&mut self.until)
    }
}
