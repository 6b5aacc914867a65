//! The code of a consent: how long it is worth presenting.
//!
//! A code is good once and for minutes. One that the server has seen is not sent again: sent twice, it would have the server
//! revoke what it has brought (RFC 6749, section 4.1.2).

use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::AuthorizedCode;

use super::{Session, StopReason};
use crate::moments::later;

/// The longest life that RFC 6749 (section 4.1.2) allows a code.
const LIFE: Duration = Duration::from_secs(600);

/// A code that has neither brought tokens nor been refused.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) authorized: AuthorizedCode,
    /// Known since the first call that brought a time.
    good_until: Option<Timestamp>,
    /// The newest lineage that a snapshot has named. What the code brings is newer.
    pub(super) known_start: Option<Timestamp>,
}

impl Code {
    pub(super) fn new(code: AuthorizedCode) -> Self {
        Self { authorized: code, good_until: None, known_start: None }
    }

    /// Its life begins, unless it has begun.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.good_until.get_or_insert(later(now, LIFE));
    }

    /// Whether its life is over by then.
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
}
