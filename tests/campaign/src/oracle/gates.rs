//! What keeps all sessions of a program quiet: lock-outs, captchas (law 5), and the hour's requests.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::Found;
use crate::wire::Operation;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Requests of an hour after which a session may wait for the next one.
fn per_hour(operation: Operation) -> usize {
    match operation {
        Operation::LogIn => 3,
        Operation::Renew => 15,
        Operation::Refresh => 950,
    }
}

/// The gates of a program.
#[derive(Debug, Clone, Default)]
pub(super) struct Gates {
    silent_until: Option<Timestamp>,
    closed_until: BTreeMap<Operation, Timestamp>,
    sent: BTreeMap<Operation, VecDeque<Timestamp>>,
}

impl Gates {
    pub(super) fn lock_out(&mut self, until: Timestamp) {
        self.silent_until = self.silent_until.max(Some(until));
    }

    pub(super) fn close(&mut self, operation: Operation, now: Timestamp) {
        self.closed_until.insert(operation, now + HOUR);
    }

    /// What a snapshot knows of them.
    pub(super) fn merge(&mut self, other: Self) {
        self.silent_until = self.silent_until.max(other.silent_until);
        for (operation, until) in other.closed_until {
            let closed = self.closed_until.entry(operation).or_insert(until);
            *closed = (*closed).max(until);
        }
    }

    /// The same by a wall clock that was set: ahead, the waits are shorter.
    pub(super) fn stepped(&self, by: SignedDuration) -> Self {
        let by = by.max(SignedDuration::ZERO);
        let mut gates = self.clone();
        gates.silent_until.iter_mut().chain(gates.closed_until.values_mut()).for_each(|until| *until -= by);
        gates
    }

    /// Whether a request may leave.
    pub(super) fn check(&self, operation: Operation, now: Timestamp) -> Option<Found> {
        // A clock that runs fast takes less than the hundredth that a session adds.
        if let Some(until) = self.silent_until.filter(|until| now < *until) {
            return Some((5, format!("sent during a lock-out, which lasts to {until:.3}")));
        }
        let until = self.closed_until.get(&operation).filter(|until| now < **until)?;
        Some((5, format!("sent to an endpoint that a captcha has closed to {until:.3}")))
    }

    /// Counts a request: until when the next one may have to wait, if the hour's are used up.
    pub(super) fn count(&mut self, operation: Operation, now: Timestamp) -> Option<Timestamp> {
        let sent = self.sent.entry(operation).or_default();
        sent.push_back(now);
        sent.retain(|at| *at + HOUR > now);
        let oldest = sent.len().checked_sub(per_hour(operation)).and_then(|index| sent.get(index))?;
        Some(*oldest + HOUR)
    }
}
