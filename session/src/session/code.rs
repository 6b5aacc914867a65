//! The code of a consent: how long it is worth presenting, and what ends it.
//!
//! A code is good once and for minutes. One that the server has seen is not sent again: sent twice, it would have the
//! server revoke what it has brought (RFC 6749, section 4.1.2).

use core::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use tradovate_auth_core::internal::later;
use tradovate_auth_core::{AuthorizedCode, Error};

use super::refusal::is_turned_away;
use super::{Session, StopReason, Trouble};
use crate::budget::Operation;

/// The longest life that RFC 6749 (section 4.1.2) allows a code: what has not been exchanged by then never will be.
const LIFE: Duration = Duration::from_secs(600);

/// A code that has neither brought tokens nor been of no use yet.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) code: AuthorizedCode,
    /// Known from the first moment on that the session is told.
    good_until: Option<Timestamp>,
}

impl Code {
    pub(super) fn new(code: AuthorizedCode) -> Self {
        Self { code, good_until: None }
    }

    /// Begins its life, unless that has begun.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.good_until.get_or_insert(later(now, LIFE));
    }

    /// Whether its life is over by then.
    pub(super) fn is_over_by(&self, then: Timestamp) -> bool {
        self.good_until.is_some_and(|end| end <= then)
    }
}

impl Session {
    /// What came instead of tokens: only where the code can't have reached the server is it sent again.
    pub(super) fn code_refused(&mut self, now: Timestamp, status: StatusCode, error: Error) {
        if is_turned_away(status) {
            return self.try_again(now, Operation::Refresh, Trouble::Server(error));
        }
        self.stop_with_code(now, StopReason::Refused(error));
    }

    pub(super) fn stop_with_code(&mut self, now: Timestamp, reason: StopReason) {
        self.ticket = None;
        if self.code.take().is_some() {
            self.stop(now, reason);
        }
    }
}
