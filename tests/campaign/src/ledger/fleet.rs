//! What is known of a fleet: what its store holds, and what any of its programs has learnt.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::{Answer, Kept, Ledger, Outcome, Record, Says, What};
use crate::names::Name;

/// As long as a lease that a store has lost may be held by one who believes in it.
const LEASE: SignedDuration = SignedDuration::from_secs(70);

/// What is known of a fleet.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Whatever its store has ever held.
    pub stored: BTreeSet<Name>,
    /// What its store holds and its end, by what it has acknowledged.
    pub access: Option<(Name, Timestamp)>,
    /// The refresh token its store holds.
    pub refresh: Option<Name>,
    /// Refresh tokens in whose place the store holds a newer one.
    pub replaced: BTreeSet<Name>,
    /// Tokens of which one of its programs was told that they are dead.
    pub lost: BTreeSet<Name>,
    /// The user, where an answer has said who it is.
    pub user: Option<i64>,
    /// By which exchange each token came.
    pub brought_by: HashMap<Name, Brought>,
    /// The exchange that has brought a token last.
    pub newest: Option<usize>,
    /// Whether the store holds something older than what its programs may hold, since it was rolled back.
    pub is_behind: bool,
    /// Until when nothing can be said of who leads.
    pub unsettled_until: Option<Timestamp>,
}

/// How a token came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Brought {
    /// By which exchange.
    pub exchange: usize,
    /// When the server gave it.
    pub served: Timestamp,
    /// How long the exchange took.
    pub took: SignedDuration,
}

impl Shared {
    /// Whether the store has just lost a lease, perhaps.
    #[must_use]
    pub(crate) fn is_unsettled(&self, record: &Record) -> bool {
        self.unsettled_until.is_some_and(|until| record.at < until)
    }
}

impl Ledger {
    /// What is known of the fleet of the program that a record is about.
    #[must_use]
    pub(crate) fn fleet_of(&self, record: &Record) -> Option<&Shared> {
        self.of(record).fleet.map(|fleet| &self.fleets[fleet])
    }

    /// To the server a fleet is one client: whom a record is about, programs first, then fleets.
    #[must_use]
    pub(crate) fn subject(&self, record: &Record) -> usize {
        self.of(record).fleet.map_or(record.program, |fleet| self.programs.len() + fleet)
    }

    /// The time by the clock of the program; of a fleet, whose programs have clocks of their own, the true time.
    #[must_use]
    pub(crate) fn time(&self, record: &Record) -> Timestamp {
        if self.of(record).fleet.is_some() { record.at } else { record.local }
    }

    /// When an exchange left, by the same clock.
    #[must_use]
    pub(crate) fn sent_at(&self, record: &Record, exchange: usize) -> Timestamp {
        let exchange = &self.exchanges[exchange];
        if self.of(record).fleet.is_some() { exchange.at } else { exchange.local }
    }

    /// Whether what a fleet has learnt may be lost to it by this: with one who has not saved it, or with the store; or
    /// whether it may take the time to be another.
    #[must_use]
    pub(crate) fn forgets(&self, record: &Record) -> bool {
        let forgets = match record.what {
            What::Crashed(_)
            | What::Jumped(_)
            | What::NotStored(_)
            | What::StoreLost
            | What::Paused(_)
            | What::Consented => true,
            What::Synchronized { is_stale, .. } => is_stale,
            _ => false,
        };
        forgets && self.of(record).fleet.is_some()
    }

    /// Whether others can know of an outcome before they may send: it comes while the lease surely lasts.
    #[must_use]
    pub(crate) fn is_shared(&self, record: &Record, exchange: usize) -> bool {
        let is_prompt = self.exchanges[exchange].at + super::DEADLINE > record.at;
        self.fleet_of(record).is_none_or(|fleet| is_prompt && !fleet.is_behind && !fleet.is_unsettled(record))
    }

    /// Whether the program, or its fleet, was told that the token it holds is dead.
    #[must_use]
    pub(crate) fn is_lost(&self, record: &Record) -> bool {
        let known = self.of(record);
        let is_dead = |fleet: &Shared| known.holds.is_some_and(|(name, _)| fleet.lost.contains(&name));
        known.is_lost || self.fleet_of(record).is_some_and(is_dead)
    }

    /// The exchange that another program of the fleet awaits.
    #[must_use]
    pub(crate) fn pending_of_mate(&self, record: &Record) -> Option<usize> {
        let fleet = self.of(record).fleet?;
        let others = self.programs.iter().enumerate().filter(|(number, _)| *number != record.program);
        others.filter(|(_, known)| known.fleet == Some(fleet)).filter_map(|(_, known)| known.pending).max()
    }

    /// Whether one of its fleet has tried to renew this token, and failed or waits.
    #[must_use]
    pub(crate) fn has_been_tried(&self, record: &Record, token: Name) -> bool {
        let known = self.of(record);
        let is_mate = |other: &&super::Known| other.fleet == known.fleet && known.fleet.is_some();
        let tried = |other: &super::Known| {
            other.renewals.iter().any(|number| self.exchanges[*number].asked.bearer == Some(token))
        };
        !known.renewals.is_empty() || self.programs.iter().filter(is_mate).any(tried)
    }

    pub(super) fn apply_to_fleet(&mut self, record: &Record) {
        let Some(fleet) = self.of(record).fleet else { return };
        let holds = self.of(record).holds;
        let is_loss = self.is_loss(record);
        let shared = &mut self.fleets[fleet];
        match &record.what {
            What::Served(exchange, Answer { says: Says::Grant(grant), .. }) => {
                for name in [Some(grant.access), grant.refresh].into_iter().flatten() {
                    let took = SignedDuration::ZERO;
                    shared.brought_by.insert(name, Brought { exchange: *exchange, served: record.at, took });
                }
                shared.lost.remove(&grant.access);
                shared.newest = Some(*exchange);
            }
            What::AnswerAdopted(Answer { says: Says::Grant(grant), .. }) => {
                let next = self.exchanges.len();
                let took = SignedDuration::ZERO;
                shared.brought_by.insert(grant.access, Brought { exchange: next, served: record.at, took });
            }
            What::Delivered { exchange, outcome: Outcome::Answer(answer), .. } => {
                if is_loss {
                    shared.lost.extend(holds.map(|(name, _)| name));
                }
                let took = record.at.duration_since(self.exchanges[*exchange].at);
                if let Some(brought) = answer.good_grant().and_then(|grant| shared.brought_by.get_mut(&grant.access)) {
                    brought.took = took;
                }
            }
            What::Saved(_, Kept { access, refresh }) => {
                shared.stored.extend(access.map(|(name, _)| name).into_iter().chain(*refresh));
                match (shared.access, access) {
                    // Whoever says that it is lost has a reason: see the law.
                    (Some((name, _)), None) => {
                        shared.lost.insert(name);
                    }
                    (_, Some((name, _))) => {
                        let brought = shared.brought_by.get(name).map(|brought| brought.exchange);
                        shared.is_behind &= brought < shared.newest;
                    }
                    _ => {}
                }
                shared.access = *access;
                let before = std::mem::replace(&mut shared.refresh, *refresh);
                shared.replaced.extend(before.filter(|before| Some(*before) != *refresh));
                shared.replaced.retain(|replaced| Some(*replaced) != *refresh);
            }
            What::StoreLost => {
                (shared.access, shared.refresh, shared.is_behind) = (None, None, true);
                shared.replaced.clear();
                shared.unsettled_until = Some(record.at + LEASE);
            }
            What::Consented => shared.access = None,
            _ => {}
        }
    }
}
