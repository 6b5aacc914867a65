//! One network address of a set: its budget, who waits for a place in it, and the pace of its renewals and refreshes.

use alloc::collections::BTreeSet;
use core::time::Duration;

use jiff::Timestamp;

use super::renewal_pace::{Pace, Pending};
use crate::budget::{Operation, RateBudget};

/// From one renewal to the next, so that an hour holds fifteen at the most (page *Rate Limits*), with a hundredth of room
/// for the server's clock.
const BETWEEN_RENEWALS: Duration = Duration::from_millis(242_400);

/// From one refresh to the next: for the 950 of an hour that a [`RateBudget`] has, with the same room.
const BETWEEN_REFRESHES: Duration = Duration::from_millis(3_828);

/// The operations that extend tokens.
const PACED: [Operation; 2] = [Operation::Renew, Operation::Refresh];

/// What a resting session of a network is in line for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) operation: Operation,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It waits for a place in the budget.
    Waiting { urgency: Timestamp },
    /// Its token is extended when it is due, or before.
    Pending(Pending),
}

#[derive(Debug)]
pub(super) struct Network<N> {
    pub(super) key: N,
    pub(super) budget: RateBudget,
    /// Its entry in the agenda.
    pub(super) at: Option<Timestamp>,
    /// How many sessions leave by it.
    pub(super) sessions: usize,
    /// Its entry among the networks without sessions.
    pub(super) forgotten_at: Option<Timestamp>,
    /// By operation, the most urgent first.
    waiting: [BTreeSet<(Timestamp, u32)>; 4],
    renewals: Pace,
    refreshes: Pace,
    /// Whether it was reported that there are too many sessions.
    has_complained: bool,
}

impl<N> Network<N> {
    pub(super) fn new(key: N, number: u32) -> Self {
        Self {
            key,
            budget: RateBudget::default(),
            at: None,
            sessions: 0,
            forgotten_at: None,
            waiting: Default::default(),
            renewals: Pace::new(BETWEEN_RENEWALS, number),
            refreshes: Pace::new(BETWEEN_REFRESHES, number),
            has_complained: false,
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
        self.budget.need_renewals(self.renewals.per_hour());
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
        self.budget.need_renewals(self.renewals.per_hour());
    }

    /// A request leaves.
    pub(super) fn beat(&mut self, now: Timestamp, operation: Operation, extends: bool) {
        if let Some(pace) = self.pace(operation) {
            pace.beat(now, extends);
        }
    }

    /// When this network has something to do by itself: a place for one that waits, or the next beat of a pace.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let place = |operation: &Operation| {
            let waits = self.waiting.get(operation.index()).is_some_and(|waiting| !waiting.is_empty());
            waits.then(|| self.budget.earliest(now, *operation))
        };
        let beat = |operation| self.paced(operation)?.next(self.gate(operation));
        let places = Operation::ALL.iter().filter_map(place);
        places.chain(PACED.into_iter().filter_map(beat)).min()
    }

    /// Whoever gets the place that is free now.
    pub(super) fn next_waiting(&self, now: Timestamp) -> Option<u32> {
        let is_free = |operation: &&Operation| self.budget.earliest(now, **operation) <= now;
        let first = |operation: &Operation| self.waiting.get(operation.index())?.first();
        Operation::ALL.iter().filter(is_free).find_map(first).map(|(_, index)| *index)
    }

    /// Whoever's token is to be extended before its time.
    pub(super) fn next_pending(&self, now: Timestamp) -> Option<u32> {
        PACED.into_iter().find_map(|operation| {
            let pace = self.paced(operation)?;
            pace.first().filter(|_| pace.next(self.gate(operation)).is_some_and(|next| next <= now))
        })
    }

    /// The operation of which there have to be more an hour than there may be, if that was not reported yet.
    pub(super) fn complaint(&mut self) -> Option<(Operation, u64)> {
        let excess = |operation| self.paced(operation)?.excess().map(|per_hour| (operation, per_hour));
        let complaint = PACED.into_iter().find_map(excess).filter(|_| !self.has_complained)?;
        self.has_complained = true;
        Some(complaint)
    }

    /// Fewer sessions may fit again.
    pub(super) fn shrink(&mut self) {
        self.has_complained = false;
    }

    /// The moment from which on the budget lets a request leave.
    fn gate(&self, operation: Operation) -> Timestamp {
        self.budget.opens(operation)
    }

    fn pace(&mut self, operation: Operation) -> Option<&mut Pace> {
        match operation {
            Operation::Renew => Some(&mut self.renewals),
            Operation::Refresh => Some(&mut self.refreshes),
            Operation::LogIn | Operation::Identify => None,
        }
    }

    fn paced(&self, operation: Operation) -> Option<&Pace> {
        match operation {
            Operation::Renew => Some(&self.renewals),
            Operation::Refresh => Some(&self.refreshes),
            Operation::LogIn | Operation::Identify => None,
        }
    }
}
