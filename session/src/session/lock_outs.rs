//! The lock-outs and closed endpoints (gates) of a budget, in times of the session's own clock.
//!
//! Sessions with different clocks may share a budget. If the session finds a new gate, the gate was learnt since the
//! session last read the budget. If the time in the gate is in this period, the clocks agree, and the gate opens at the
//! time it names. Otherwise the clocks differ, and the session waits for the whole length of the gate from now on.

use alloc::vec::Vec;
use core::time::Duration;

use jiff::Timestamp;

use super::{EventKind, Session};
use crate::network_budget::{Gate, Operation, RateBudget};
use crate::time_arithmetic::{LONGEST_WAIT, after, later, with_room};

/// What a session has seen of the gates of its budget.
#[derive(Debug, Clone, Default)]
pub(super) struct Gates {
    seen_at: Option<Timestamp>,
    /// Usually empty.
    gates: Vec<Seen>,
}

/// The largest difference between threads that read the same clock.
const ROOM: Duration = Duration::from_secs(5);

/// A gate of the budget, and its end by the session's clock.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// `None` if the gate closes all endpoints.
    operation: Option<Operation>,
    gate: Gate,
    end: Timestamp,
}

impl Gates {
    /// Reads the gates of the budget.
    pub(super) fn see(&mut self, now: Timestamp, budget: &RateBudget) {
        let seen_at = self.seen_at.replace(now);
        if self.gates.is_empty() && gates(budget).next().is_none() {
            return;
        }
        self.gates = gates(budget).map(|(operation, gate)| self.seen(now, seen_at, operation, gate)).collect();
    }

    fn seen(&self, now: Timestamp, seen_at: Option<Timestamp>, operation: Option<Operation>, gate: Gate) -> Seen {
        let is_known = |seen: &&Seen| seen.operation == operation && seen.gate == gate;
        self.gates.iter().find(is_known).copied().unwrap_or_else(|| {
            let since = seen_at.unwrap_or(Timestamp::MIN);
            let clocks_agree = since <= later(gate.learnt_at, ROOM) && gate.learnt_at <= later(now, ROOM);
            let learnt_at = if clocks_agree { gate.learnt_at.max(since).min(now) } else { now };
            Seen { operation, gate, end: later(learnt_at, gate.holds_for) }
        })
    }

    /// When an operation may be sent again. `Timestamp::MIN` if no gate closes it.
    pub(super) fn end(&self, operation: Operation) -> Timestamp {
        let concerns = |seen: &&Seen| seen.operation.is_none_or(|closed| closed == operation);
        self.gates.iter().filter(concerns).map(|seen| seen.end).max().unwrap_or(Timestamp::MIN)
    }

    /// The gates that are closed at `now`, with times of the session's clock.
    pub(super) fn closed_at(&self, now: Timestamp, budget: &RateBudget) -> Vec<(Option<Operation>, Gate)> {
        let seen = gates(budget).map(|(operation, gate)| self.seen(now, self.seen_at, operation, gate));
        let closed = seen.filter(|seen| seen.end > now);
        closed.map(|Seen { operation, gate, end }| (operation, gate.shifted(end.duration_since(gate.end())))).collect()
    }
}

/// The gates of a budget, and what they close.
fn gates(budget: &RateBudget) -> impl Iterator<Item = (Option<Operation>, Gate)> + '_ {
    let closing = |operation| budget.closing(operation).map(|gate| (Some(operation), gate));
    budget.lock().map(|gate| (None, gate)).into_iter().chain(Operation::ALL.into_iter().filter_map(closing))
}

impl Session {
    /// Sends nothing for an hour, or for the longer wait that the answer asks for. A session with the same budget sends
    /// nothing either.
    //= R-STATUS-8
    //= R-STATUS-9
    pub(super) fn lock_out(
        &mut self,
        now: Timestamp,
        wait: Duration,
        until: Option<Timestamp>,
        budget: &mut RateBudget,
    ) {
        let named = until.map(|until| after(self.clock.local_time(until), now)).unwrap_or_default();
        let holds_for = named.max(with_room(wait)).min(LONGEST_WAIT);
        budget.lock_out(now, holds_for);
        self.persistence.dirty = true;
        let usable_until = self.token_usable_until(now);
        self.report(now, EventKind::LockedOut { until: later(now, holds_for), usable_until });
    }
}
