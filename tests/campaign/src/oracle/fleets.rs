//! Law 14: the programs of a fleet share a session, and to the server they are one client.
//!
//! Each program is checked by what it has been told. A program that loads a snapshot has been told everything that the
//! writer had been told. Crashes and pauses excuse nothing beyond that. A fleet as a whole is checked by what its store
//! has acknowledged:
//!
//! - at most one program has a request in flight, up to its deadline;
//! - no program logs in while the store has acknowledged a good token, unless it was told that the token is dead;
//! - no program presents a refresh token after the store has acknowledged a newer one;
//! - no program saves a token over one that was requested later, or saves without a token unless it had a reason to
//!   drop the token.
//!
//! Exceptions:
//!
//! - A store that has lost a lease may give it to another program while its holder has a request in flight, for
//!   [`LEASE`]. Unless the store has lost its record too, no login is sent while another login is in flight.
//! - A store that has lost a record, or cannot read it, holds nothing for these rules until the next save. A login may
//!   follow only if no program that is awake and watches the store holds the lost token. Otherwise that program saves
//!   it within [`GIVEN_BACK`].
//! - A store that returns an earlier record misleads the program that loaded it until the program loads again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::causes::Cause;
use super::memory::{Held, Memory, Opened, Order};
use super::stored::Storage;
use super::{DEADLINE, Found, Oracle, Subject};
use crate::journal::{Loss, Record};
use crate::names::Name;
use crate::wire::{Asked, Kept, Operation};

/// A lease lasts one and a half times the request deadline.
const LEASE: SignedDuration = SignedDuration::from_secs(68);

/// The time in which a watching program saves again what the store has lost: one second until it learns of the loss,
/// and three questions of up to three seconds each way.
const GIVEN_BACK: SignedDuration = SignedDuration::from_secs(20);

/// The state of a fleet, as the oracle derives it.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    pub(super) storage: Storage,
    /// The access token that the store has acknowledged last, and its expiry.
    access: Option<(Name, Timestamp)>,
    refresh: Option<Name>,
    /// All tokens that the programs have received.
    pub(super) issued: BTreeMap<Name, Order>,
    /// The refresh tokens that a newer one in the store has replaced.
    replaced: BTreeSet<Name>,
    /// How and when the store lost this state.
    lost: Option<(Loss, Timestamp)>,
    /// How and when the store last lost its lease.
    unleased_at: Option<(Loss, Timestamp)>,
}

impl Fleet {
    /// A violation if one token was requested and issued before the other one was requested.
    fn is_older(&self, new: Name, old: Name) -> Option<Found> {
        let (one, other) = (self.issued.get(&new)?, self.issued.get(&old)?);
        let is_older = (one.lineage, one.asked + one.trip) < (other.lineage, other.asked);
        is_older.then(|| (14, format!("replaces {old} in the store by the older {new}")))
    }
}

impl Oracle {
    pub(super) fn fleet_of(&self, program: usize) -> Option<usize> {
        self.subjects.get(program)?.fleet
    }

    pub(super) fn storage(&self, program: usize) -> &Storage {
        match self.fleet_of(program) {
            Some(fleet) => &self.fleets[fleet].storage,
            None => &self.subjects[program].storage,
        }
    }

    /// The other programs of the fleet.
    pub(super) fn mates(&self, program: usize) -> impl Iterator<Item = usize> + use<> {
        let fleet = self.fleet_of(program);
        let is_mate = move |(number, other): (usize, Option<usize>)| {
            (number != program && fleet.is_some() && other == fleet).then_some(number)
        };
        let fleets: Vec<_> = self.subjects.iter().map(|subject| subject.fleet).enumerate().collect();
        fleets.into_iter().filter_map(is_mate)
    }

    /// Opens the causes of a program for its whole fleet.
    pub(super) fn share_causes(&mut self, program: usize) {
        let shared = self.subjects[program].allowances.of_fleet();
        for mate in self.mates(program) {
            for (cause, until) in &shared {
                self.subjects[mate].allowances.open_until(*cause, *until);
            }
        }
    }

    /// Opens a cause for a program and its fleet, up to a time.
    pub(super) fn open_for_fleet(&mut self, program: usize, cause: Cause, until: Timestamp) {
        for number in self.mates(program).chain([program]) {
            self.subjects[number].allowances.open_until(cause, until);
        }
    }

    /// A program that may hold the lease is paused or down. If it has sent a login and not saved the result, the others
    /// only know that it may have opened a session.
    pub(super) fn loses_holder(&mut self, program: usize, now: Timestamp) {
        if self.fleet_of(program).is_none() {
            return;
        }
        self.open_for_fleet(program, Cause::LeaseHeld, now + LEASE);
        if self.subjects[program].has_unsaved_login {
            for mate in self.mates(program) {
                self.subjects[mate].allowances.open(Cause::UnknownLogin, now);
            }
        }
    }

    /// Checks a request of a program of a fleet.
    pub(super) fn judge_sending(&self, record: &Record, asked: &Asked, server_now: Timestamp) -> Option<Found> {
        let fleet = &self.fleets[self.fleet_of(record.program)?];
        let subject = &self.subjects[record.program];
        let is_in_flight = |number: &usize| self.exchanges.get(number).is_some_and(|it| it.at + DEADLINE > record.at);
        let other = self.mates(record.program).find_map(|mate| self.subjects[mate].in_flight.filter(is_in_flight));
        let lost = fleet.unleased_at.filter(|(_, at)| record.at < *at + LEASE).map(|(loss, _)| loss);
        // The store has not lost the announcement of a login.
        let asks_for = |number: &usize| self.exchanges.get(number).map(|sent| sent.asked.operation);
        let are_logins =
            asked.operation == Operation::LogIn && other.as_ref().and_then(asks_for) == Some(Operation::LogIn);
        let is_excused = lost == Some(Loss::RolledBack) || lost == Some(Loss::Lease) && !are_logins;
        if let Some(other) = other.filter(|_| !is_excused) {
            return Some((14, format!("sends a request while {other} of another program of its fleet is in flight")));
        }
        if subject.is_misled {
            return None;
        }
        if let Some(refresh) = asked.refresh.filter(|refresh| fleet.replaced.contains(refresh)) {
            return Some((14, format!("presents {refresh} although a newer refresh token is stored")));
        }
        let (token, end) = fleet.access.filter(|_| asked.operation == Operation::LogIn)?;
        let memory = &subject.memory;
        let is_known = memory.held.is_some_and(|held| held.grant.access == token);
        if is_known || end <= server_now + super::memory::UNSURE + memory.ahead {
            return None;
        }
        match fleet.lost {
            None => Some((14, format!("logs in although {token} is stored and good"))),
            Some((Loss::Unreadable, _)) => None,
            Some((_, at)) => {
                let holds =
                    |memory: &Memory| memory.held.is_some_and(|held| held.grant.access == token && !held.is_lost);
                let gives_back = |mate: &usize| {
                    let mate = &self.subjects[*mate];
                    let is_awake = mate.paused_until.is_none_or(|until| until + GIVEN_BACK < record.at);
                    mate.is_up && mate.watches && is_awake && holds(&mate.memory)
                };
                let mate = self.mates(record.program).find(gives_back).filter(|_| at + GIVEN_BACK < record.at)?;
                Some((14, format!("logs in although s{mate} holds {token}, which is good, and has not saved it again")))
            }
        }
    }

    /// Records a login or a refresh. The store knew of it before, so every program that loads knows that it may have
    /// been sent.
    pub(super) fn announced(&mut self, program: usize, exchange: usize, operation: Operation, now: Timestamp) {
        let (Some(_), Some(number)) = (self.fleet_of(program), self.subjects[program].synchronized) else { return };
        let knows = |memory: &mut Memory| match operation {
            Operation::LogIn => {
                memory.logins.insert(exchange, (now, Opened::Unknown(now)));
            }
            Operation::Refresh => memory.kept_out = Some(operation),
            Operation::Renew => {}
        };
        self.all_who_loaded(program, number, knows);
    }

    /// A save of a fleet's program was not confirmed. If it announced a refresh and has reached the store, every
    /// program that loads it knows that the refresh may have been sent, and renews first. This lasts until its next
    /// token.
    pub(super) fn may_have_announced(&mut self, program: usize, number: usize) {
        if self.fleet_of(program).is_some() && self.subjects[program].is_app {
            self.all_who_loaded(program, number, |memory| memory.kept_out = Some(Operation::Refresh));
        }
    }

    /// Changes what a snapshot tells the other programs of a fleet, also those that have loaded it before.
    fn all_who_loaded(&mut self, program: usize, number: usize, knows: impl Fn(&mut Memory)) {
        if let Some(snapshot) = self.snapshots.get_mut(&number) {
            knows(&mut snapshot.memory);
        }
        for mate in self.mates(program) {
            let mate = &mut self.subjects[mate];
            if mate.synchronized == Some(number) {
                knows(&mut mate.memory);
            }
        }
    }

    /// Checks a save of a program in the store of its fleet.
    pub(super) fn save(&mut self, record: &Record, number: usize, kept: &Kept, server_now: Timestamp) -> Option<Found> {
        let found = self.judge_saving(record, kept, server_now);
        let fleet = self.fleet_of(record.program)?;
        let subject = &mut self.subjects[record.program];
        (subject.synchronized, subject.has_unsaved_login) = (Some(number), false);
        subject.sees_announced_refresh = false;
        let fleet = &mut self.fleets[fleet];
        fleet.storage.holds(kept);
        (fleet.access, fleet.lost) = (kept.access, None);
        let before = std::mem::replace(&mut fleet.refresh, kept.refresh);
        fleet.replaced.extend(before.filter(|before| Some(*before) != kept.refresh));
        fleet.replaced.retain(|replaced| Some(*replaced) != kept.refresh);
        found
    }

    fn judge_saving(&self, record: &Record, kept: &Kept, server_now: Timestamp) -> Option<Found> {
        let fleet = &self.fleets[self.fleet_of(record.program)?];
        let memory = &self.subjects[record.program].memory;
        let (old, end) = fleet.access.filter(|_| fleet.lost.is_none())?;
        let is_known = |held: &Held| held.grant.access == old;
        match kept.access {
            None => {
                let held = memory.held.as_ref().filter(|held| is_known(held) && server_now < end)?;
                let may_be_over = memory.may_be_over(held, record.at, server_now);
                (!may_be_over).then(|| (14, format!("removes {old} from the store, which can be renewed")))
            }
            // A newer refresh token may come with an older access token, as in a late answer.
            Some((new, _)) if kept.refresh == fleet.refresh && server_now < end => fleet.is_older(new, old),
            Some(_) => None,
        }
        .or_else(|| fleet.is_older(kept.refresh?, fleet.refresh?))
    }

    /// The store of a fleet has lost acknowledged data.
    pub(super) fn lose(&mut self, program: usize, loss: Loss, now: Timestamp) {
        let Some(fleet) = self.fleet_of(program).and_then(|fleet| self.fleets.get_mut(fleet)) else { return };
        if matches!(loss, Loss::RolledBack | Loss::Lease) {
            fleet.unleased_at = Some((loss, now));
        }
        if loss == Loss::Lease {
            return;
        }
        fleet.lost = Some((loss, now));
        fleet.replaced.clear();
        let members: Vec<_> = self.mates(program).chain([program]).collect();
        // Each program that holds the lost data saves it again when it loads.
        let looks = |number: &usize| {
            let Subject { memory, watches, paused_until, is_up: true, .. } = &self.subjects[*number] else {
                return None;
            };
            let held = memory.held.filter(|held| !held.is_lost)?;
            let end = held.grant.expires? - self.skew;
            let next = if *watches { paused_until.unwrap_or(now).max(now) + GIVEN_BACK } else { end };
            Some(next).filter(|_| end > now)
        };
        let looked_at = members.iter().filter_map(looks).min();
        for number in members {
            self.subjects[number].store_lost_at = Some(now);
            if let Some(at) = looked_at {
                self.subjects[number].allowances.open_until(Cause::RecordLost, at);
            }
        }
    }

    /// A program has loaded or saved the record of the store.
    pub(super) fn synchronize(
        &mut self,
        record: &Record,
        kept: Option<(usize, Kept)>,
        is_stale: bool,
        late: SignedDuration,
    ) {
        let subject = &mut self.subjects[record.program];
        subject.is_misled = is_stale;
        let Some((number, kept)) = kept else { return };
        let Some(snapshot) = self.snapshots.get(&number) else { return };
        let is_known = subject.synchronized.replace(number) == Some(number);
        let had_token = subject.memory.held.is_some();
        let is_another = subject.memory.merge(&snapshot.memory, kept.access.is_some());
        if !is_known {
            subject.sees_announced_refresh = kept.announces_refresh;
        }
        let (memory, of_writer) = (&mut subject.memory, &snapshot.memory);
        // One renewal confirms a first token.
        memory.may_verify_start |= !had_token && subject.last_sent.is_none();
        if of_writer.knows_time() || of_writer.is_time_hinted {
            let own = if memory.knows_time() || memory.is_time_hinted { memory.misled } else { SignedDuration::ZERO };
            memory.misled = own.max(of_writer.misled + late);
            memory.is_time_hinted = true;
        }
        memory.ahead = memory.ahead.max(of_writer.ahead);
        subject.allowances.read_late(&snapshot.left, snapshot.at, late);
        if is_another {
            subject.generation += 1;
            (subject.in_flight, subject.last_sent, subject.ended) = (None, None, None);
            subject.allowances.is_granted();
        }
        let gates = snapshot.gates.clone();
        let address = subject.address;
        self.gates[address].merge(gates);
        self.wait_for_budget(address, Operation::LogIn);
    }
}
