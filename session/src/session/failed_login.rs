//! What follows from a login that failed: another try, a later try with the same credentials, or a stop.

use jiff::Timestamp;
use tradovate_auth_core::Error;

use super::classify_answer::Meaning;
use super::in_flight::Exchange;
use super::{EventKind, Session, StopReason, Trouble};
use crate::network_budget::{Operation, RateBudget};

impl Session {
    pub(super) fn login_failed(
        &mut self,
        now: Timestamp,
        exchange: &Exchange,
        meaning: Meaning,
        trouble: Trouble,
        budget: &mut RateBudget,
    ) {
        match (meaning, trouble) {
            (Meaning::NotHandled, trouble) => {
                self.opened_none(exchange);
                self.try_again(now, exchange, trouble);
            }
            (Meaning::OtherUser, Trouble::Server(error)) => self.stop(now, StopReason::Refused(error)),
            (Meaning::Refused, Trouble::Server(error)) => {
                self.opened_none(exchange);
                self.ticket_is_spent();
                self.credentials_refused(now, error);
            }
            (Meaning::Malformed, Trouble::Server(error)) => {
                self.opened_none(exchange);
                self.ticket_is_spent();
                self.persistence.changed();
                self.stop_stored(now, StopReason::Refused(error));
            }
            (_, trouble) => {
                if matches!(&trouble, Trouble::Server(Error::Status { .. })) {
                    budget.give_back(exchange.sent, Operation::LogIn);
                }
                if let Some(attempt) = exchange.attempt {
                    self.record.log_ins.outcome_unknown(now, attempt, &mut self.jitter);
                }
                self.persistence.dirty = true;
                self.try_again(now, exchange, trouble);
            }
        }
    }

    //= R-LOGIN-13
    fn credentials_refused(&mut self, now: Timestamp, error: Error) {
        let text = match &error {
            Error::Refused(refusal) => Some(refusal.text.as_str()),
            Error::WrongEnvironment { text } => Some(text.as_str()),
            _ => None,
        };
        self.persistence.dirty |= text.is_some() || self.persistence.is_shared();
        self.has_another_try = false;
        match self.record.log_ins.refused(now, text) {
            Some(retry_at) => {
                self.persistence.dirty = true;
                let usable_until = self.token_usable_until(now);
                self.report(now, EventKind::Refused { error, retry_at, usable_until });
            }
            None => self.stop_stored(now, StopReason::Refused(error)),
        }
    }
}
