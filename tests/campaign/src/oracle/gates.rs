//! Gates: what stops the requests of all sessions of a program. These are lock-outs, captchas (law 5) and the requests
//! of the hour.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::Found;
use crate::wire::Operation;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// How long a session may count a request: the server's hour, one per cent of it, and more by a slow clock.
pub(super) const COUNTED_FOR: SignedDuration = SignedDuration::from_millis(3_639_600);

/// The number of requests per hour after which a session may wait.
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
    /// The renewals that the server counts.
    renewals: VecDeque<Timestamp>,
    /// The logins that the server has refused.
    refused: VecDeque<Timestamp>,
}

impl Gates {
    pub(super) fn lock_out(&mut self, now: Timestamp, wait: SignedDuration) {
        // The longest wait is bounded by the session's own clock.
        let drift = if wait >= HOUR * 24 { wait / 5000 } else { SignedDuration::ZERO };
        self.silent_until = self.silent_until.max(Some(now + wait - drift));
    }

    pub(super) fn close(&mut self, operation: Operation, now: Timestamp) {
        self.closed_until.insert(operation, now + HOUR);
    }

    /// Merges the gates of a snapshot. Of the sent requests, only logins are stored.
    pub(super) fn merge(&mut self, mut other: Self) {
        if let Some(sent) = other.sent.remove(&Operation::LogIn) {
            let known = self.sent.entry(Operation::LogIn).or_default();
            // Several logins can have the same time, for example by a clock that was set back.
            let mut unmatched = known.clone();
            for at in sent {
                match unmatched.iter().position(|known| *known == at) {
                    Some(index) => drop(unmatched.remove(index)),
                    None => known.push_back(at),
                }
            }
            known.make_contiguous().sort_unstable();
        }
        self.silent_until = self.silent_until.max(other.silent_until);
        for (operation, until) in other.closed_until {
            let closed = self.closed_until.entry(operation).or_insert(until);
            *closed = (*closed).max(until);
        }
    }

    /// The gates by a wall clock that was set. If it was set ahead, waits are shorter. If it was set back, sent
    /// requests count longer.
    pub(super) fn stepped(&self, by: SignedDuration, now: Timestamp) -> Self {
        let mut gates = self.clone();
        let sent = gates.sent.values_mut().flatten();
        sent.chain(&mut gates.renewals).for_each(|at| *at = (*at - by).min(now));
        let by = by.max(SignedDuration::ZERO);
        gates.silent_until.iter_mut().chain(gates.closed_until.values_mut()).for_each(|until| *until -= by);
        gates
    }

    /// Checks whether a request may leave.
    pub(super) fn check(&self, operation: Operation, now: Timestamp) -> Option<Found> {
        // A clock that runs fast is off by less than the one per cent that a session adds.
        if let Some(until) = self.silent_until.filter(|until| now < *until) {
            return Some((5, format!("sends a request during a lock-out that lasts until {until:.3}")));
        }
        let until = self.closed_until.get(&operation).filter(|until| now < **until)?;
        Some((5, format!("sends a request to an endpoint that a captcha has closed until {until:.3}")))
    }

    /// The server has refused a login (law 8). Of the five failed logins per hour, one stays in reserve.
    pub(super) fn refuse(&mut self, now: Timestamp) -> Option<Found> {
        self.refused.push_back(now);
        self.refused.retain(|at| *at + HOUR > now);
        let refused = self.refused.len();
        (refused > 4).then(|| (8, format!("causes {refused} failed logins within an hour at one address")))
    }

    /// The lowest and the highest number of renewals of the hour that the server may count.
    pub(super) fn renewals(&self, now: Timestamp) -> (usize, usize) {
        (
            self.renewals.iter().filter(|at| **at + HOUR > now).count(),
            self.sent.get(&Operation::Renew).map_or(0, VecDeque::len),
        )
    }

    /// The server has not counted a renewal.
    pub(super) fn discount(&mut self, sent: Timestamp) {
        self.renewals.retain(|at| *at != sent);
    }

    /// Whether a captcha has closed an endpoint, or may have.
    pub(super) fn is_closed(&self, operation: Operation, now: Timestamp) -> bool {
        self.closed_until.get(&operation).is_some_and(|until| now < *until + HOUR / 50)
    }

    /// The logins of the hour, sent and learnt from snapshots.
    pub(super) fn logins(&self) -> impl Iterator<Item = Timestamp> {
        self.sent.get(&Operation::LogIn).into_iter().flatten().copied()
    }

    /// Whether a lock-out or a captcha has stopped requests since a time.
    pub(super) fn are_closed_since(&self, time: Timestamp) -> bool {
        self.silent_until.iter().chain(self.closed_until.values()).any(|until| *until > time)
    }

    pub(super) fn count(&mut self, operation: Operation, now: Timestamp) {
        if operation == Operation::Renew {
            self.renewals.push_back(now);
        }
        self.renewals.retain(|at| *at + HOUR > now);
        let sent = self.sent.entry(operation).or_default();
        sent.push_back(now);
        sent.retain(|at| *at + COUNTED_FOR > now);
    }

    /// The time until which the next request of a kind may wait, if the requests of the hour are used up.
    pub(super) fn used_up(&self, operation: Operation) -> Option<Timestamp> {
        let sent = self.sent.get(&operation)?;
        Some(*sent.get(sent.len().checked_sub(per_hour(operation))?)? + COUNTED_FOR)
    }
}
