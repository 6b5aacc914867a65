//! Sends a postponed request again: with its ticket, if it is the same request.

use alloc::boxed::Box;
use alloc::string::String;

use jiff::Timestamp;
use tradovate_auth_core::workspace_only::{hash_of, login_hash};

use super::Session;
use crate::network_budget::Operation;
use crate::record::Ticket;
use crate::time_arithmetic::{ONE_HOUR, later};

impl Session {
    /// The ticket for the next request, if that request is the postponed one. A ticket whose wait ended an hour ago is too
    /// old: the violations of a limit count for an hour, and a server that has forgotten a ticket postpones the request
    /// again.
    //= R-PENALTY-3
    pub(super) fn postponed(&self, now: Timestamp, operation: Operation) -> Option<&Ticket> {
        let announced = self.persistence.announcement().and_then(|announced| announced.ticket.as_ref());
        let ticket = announced.or(self.record.postponed.get()).filter(|ticket| ticket.operation == operation)?;
        let is_young = now < later(ticket.until, ONE_HOUR);
        (is_young && self.request_hash(operation) == ticket.request).then_some(&**ticket)
    }

    /// Takes the ticket for the next request. Other processes see it as spent.
    pub(super) fn take_ticket(&mut self, now: Timestamp, operation: Operation) -> Option<Box<Ticket>> {
        let ticket = self.postponed(now, operation).cloned().map(Box::new)?;
        self.record.postponed.clear();
        Some(ticket)
    }

    /// A hash of the request without passwords and client secrets: a stored hash of them would help to guess them.
    pub(super) fn request_hash(&self, operation: Operation) -> String {
        match (operation, self.login.credentials(), self.login.app()) {
            (Operation::LogIn, Some(credentials), _) => login_hash(credentials),
            (Operation::Refresh, _, Some(app)) => {
                let refresh = self.record.tokens.refresh.as_ref().map_or("", |refresh| refresh.token.expose());
                hash_of([app.client_id(), refresh])
            }
            // A renewal is repeated without its ticket.
            //= R-PENALTY-7
            _ => String::new(),
        }
    }

    /// The server has judged a request with the ticket. The ticket is never sent again, also not after a restart.
    //= R-PENALTY-9
    pub(super) fn ticket_is_spent(&mut self) {
        if self.record.postponed.get().is_some() {
            self.persistence.changed();
        }
        self.record.postponed.clear();
    }
}
