//! One network address of a set: its budget, the sessions that wait for a request, and the pace of its renewals and
//! refreshes.

use alloc::collections::BTreeSet;

use jiff::Timestamp;

use super::renewal_pace::{Pace, Pending};
use crate::network_budget::{Operation, RateBudget};

/// The operations that extend tokens.
const PACED: [Operation; 2] = [Operation::Renew, Operation::Refresh];

/// What a session that has nothing to do now waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) operation: Operation,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The session waits until the budget allows its request.
    Waiting { urgency: Timestamp },
    /// The token of the session is extended when it is due, or earlier.
    Pending(Pending),
}

#[derive(Debug)]
pub(super) struct Network<N> {
    pub(super) key: N,
    /// What all sessions of the address have sent, and the lock-outs that all of them keep.
    //= R-LIMIT-7
    //= R-PENALTY-8
    pub(super) budget: RateBudget,
    /// The time of its entry in the agenda.
    pub(super) at: Option<Timestamp>,
    /// The number of sessions that use this address.
    pub(super) sessions: usize,
    /// How many of them have announced a login that is sent once it is stored.
    pub(super) announced_logins: usize,
    /// The time of its entry among the networks without sessions.
    pub(super) forgotten_at: Option<Timestamp>,
    /// The waiting sessions by operation, the most urgent first.
    waiting: [BTreeSet<(Timestamp, u32)>; 4],
    renewals: Pace,
    refreshes: Pace,
    /// Whether the set has reported that there are too many sessions.
    has_reported_excess: bool,
}

impl<N> Network<N> {
    pub(super) fn new(key: N, number: u32) -> Self {
        Self {
            key,
            budget: RateBudget::default(),
            at: None,
            sessions: 0,
            announced_logins: 0,
            forgotten_at: None,
            waiting: Default::default(),
            renewals: Pace::new(Operation::Renew.shortest_interval(), number),
            refreshes: Pace::new(Operation::Refresh.shortest_interval(), number),
            has_reported_excess: false,
        }
    }

    pub(super) fn enter(&mut self, now: Timestamp, index: u32, place: Place) {
        match place.kind {
            Kind::Waiting { urgency } => {
                if let Some(waiting) = self.waiting.get_mut(place.operation.index()) {
                    waiting.insert((urgency, index));
                }
            }
            Kind::Pending(token) => {
                if let Some(pace) = self.pace(place.operation) {
                    pace.add(now, index, token);
                }
            }
        }
        self.reserve_renewals();
    }

    pub(super) fn leave(&mut self, index: u32, place: Place) {
        match place.kind {
            Kind::Waiting { urgency } => {
                if let Some(waiting) = self.waiting.get_mut(place.operation.index()) {
                    waiting.remove(&(urgency, index));
                }
            }
            Kind::Pending(token) => {
                if let Some(pace) = self.pace(place.operation) {
                    pace.remove(index, token);
                }
            }
        }
        self.reserve_renewals();
    }

    /// Sessions that can also refresh leave renewals for these tokens, and for the sessions that wait for their login.
    fn reserve_renewals(&mut self) {
        let waiting_for_login = self.waiting.get(Operation::LogIn.index()).map_or(0, BTreeSet::len);
        self.budget.need_renewals(self.renewals.per_hour(), waiting_for_login);
    }

    /// A session has announced a login, or its announcement no longer counts. The budget keeps a login for each.
    pub(super) fn count_announced(&mut self, before: bool, after: bool) {
        self.announced_logins = self.announced_logins.saturating_add(after.into()).saturating_sub(before.into());
        self.budget.keep_for_announced(self.announced_logins);
    }

    /// Counts a request that leaves now.
    pub(super) fn count_request(&mut self, now: Timestamp, operation: Operation, extends: bool) {
        if let Some(pace) = self.pace(operation) {
            pace.count_request(now, extends);
        }
    }

    /// The time at which this network acts by itself: a waiting session may send, or its pace extends the next token.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let place = |operation: &Operation| {
            let waits = self.waiting.get(operation.index()).is_some_and(|waiting| !waiting.is_empty());
            waits.then(|| self.budget.earliest(now, *operation))
        };
        let full_until = self.budget.second_is_full_until(now).unwrap_or(Timestamp::MIN);
        let next_extension = |operation| Some(self.paced(operation)?.next(self.gate(operation))?.max(full_until));
        let places = Operation::ALL.iter().filter_map(place);
        places.chain(PACED.into_iter().filter_map(next_extension)).min()
    }

    /// The session that may use the request that is free now.
    pub(super) fn next_waiting(&self, now: Timestamp) -> Option<u32> {
        let is_free = |operation: &&Operation| self.budget.earliest(now, **operation) <= now;
        let first = |operation: &Operation| self.waiting.get(operation.index())?.first();
        Operation::ALL.iter().filter(is_free).find_map(first).map(|(_, index)| *index)
    }

    /// The session whose token is to be extended early.
    pub(super) fn next_pending(&self, now: Timestamp) -> Option<u32> {
        if self.budget.second_is_full_until(now).is_some() {
            return None;
        }
        PACED.into_iter().find_map(|operation| {
            let pace = self.paced(operation)?;
            pace.first().filter(|_| pace.next(self.gate(operation)).is_some_and(|next| next <= now))
        })
    }

    /// Whether the network could choose a session with this place now.
    pub(super) fn may_choose(&self, now: Timestamp, place: Place) -> bool {
        match place.kind {
            Kind::Waiting { .. } => self.budget.earliest(now, place.operation) <= now,
            Kind::Pending(_) => true,
        }
    }

    /// The operation that the tokens need more often per hour than allowed, unless that was reported already.
    pub(super) fn new_excess(&mut self) -> Option<(Operation, u64)> {
        let excess = |operation| self.paced(operation)?.excess().map(|per_hour| (operation, per_hour));
        let found = PACED.into_iter().find_map(excess).filter(|_| !self.has_reported_excess)?;
        self.has_reported_excess = true;
        Some(found)
    }

    /// Allows another report after a session has left.
    pub(super) fn shrink(&mut self) {
        self.has_reported_excess = false;
    }

    /// The time from which the limits per hour allow a request.
    fn gate(&self, operation: Operation) -> Timestamp {
        self.budget.opens_at(operation)
    }

    fn pace(&mut self, operation: Operation) -> Option<&mut Pace> {
        match operation {
            Operation::Renew => Some(&mut self.renewals),
            Operation::Refresh | Operation::ExchangeCode => Some(&mut self.refreshes),
            Operation::LogIn | Operation::Identify => None,
        }
    }

    fn paced(&self, operation: Operation) -> Option<&Pace> {
        match operation {
            Operation::Renew => Some(&self.renewals),
            Operation::Refresh | Operation::ExchangeCode => Some(&self.refreshes),
            Operation::LogIn | Operation::Identify => None,
        }
    }
}
