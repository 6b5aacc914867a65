//! The OAuth code of a consent, and how long the session may send it.
//!
//! A code is valid once, for a few minutes. A code that the server may have seen is not sent again: if a code is sent
//! twice, the server revokes the tokens that it issued for it (RFC 6749, section 4.1.2).

use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::AuthorizedCode;

use super::classify_answer::Meaning;
use super::in_flight::Exchange;
use super::{Session, StopReason, Trouble};
use crate::time_arithmetic::later;

/// The longest lifetime of a code that RFC 6749 (section 4.1.2) recommends.
const LIFE: Duration = Duration::from_secs(600);

/// A code that has not been exchanged and not been refused.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) authorized: AuthorizedCode,
    /// Set by the first call that has a time.
    good_until: Option<Timestamp>,
    /// The start of the newest lineage in a snapshot. The tokens of the code are newer.
    pub(super) known_start: Option<Timestamp>,
}

impl Code {
    pub(super) fn new(code: AuthorizedCode) -> Self {
        Self { authorized: code, good_until: None, known_start: None }
    }

    /// Starts the lifetime of the code at the first call.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.good_until.get_or_insert(later(now, LIFE));
    }

    /// Whether the code has expired at `then`.
    pub(super) fn is_over_by(&self, then: Timestamp) -> bool {
        self.good_until.is_some_and(|end| end <= then)
    }
}

impl Session {
    pub(super) fn stop_with_code(&mut self, now: Timestamp, reason: StopReason) {
        self.record.postponed.clear();
        if self.code.take().is_some() {
            self.stop(now, reason);
        }
    }

    /// The exchange of a code failed. The code is sent again only if it can't have reached the server.
    pub(super) fn code_failed(&mut self, now: Timestamp, exchange: &Exchange, meaning: Meaning, trouble: Trouble) {
        match (meaning, trouble) {
            (Meaning::NotHandled, trouble) => self.try_again(now, exchange, trouble),
            (_, Trouble::Server(error)) => self.stop_with_code(now, StopReason::Refused(error)),
            (_, Trouble::Io { .. }) => self.stop_with_code(now, StopReason::CodeLost),
        }
    }
}
