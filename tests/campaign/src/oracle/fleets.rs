//! Fleets: what the programs that share a session know of each other, and that to the server they are one client (law 14).
//!
//! Each program is judged by what it was told, and whoever loads a snapshot has been told what its writer had been told. No
//! crash and no pause excuses anything beyond that. A fleet as a whole is judged by what its store has acknowledged:
//!
//! - one program at a time has a request in flight, up to its deadline;
//! - none logs in while the store has acknowledged a token that is good, unless it was told that the token is dead;
//! - none presents a refresh token in whose place the store holds a newer one;
//! - none saves a token over one that was asked for later, or saves without a reason that a token is lost.
//!
//! Exceptions:
//!
//! - A store that has forgotten a lease may give it to another program while its holder has a request in flight: for
//!   [`LEASE`]. Unless it has lost its record too, no login is sent while another one is in flight.
//! - A store that has lost a record, or can't read it, holds nothing for these rules until the next save. A login follows if
//!   no program holds what was lost that is awake and watches the store; such a program saves it within [`GIVEN_BACK`].
//! - A store that shows an earlier record misleads the program that has loaded it until that loads again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::causes::Cause;
use super::memory::{Held, Memory, Opened, Order};
use super::stored::Storage;
use super::{DEADLINE, Found, Oracle, Subject};
use crate::journal::{Loss, Record};
use crate::names::Name;
use crate::wire::{Asked, Kept, Operation};

/// A lease lasts one and a half times as long as a request may take.
const LEASE: SignedDuration = SignedDuration::from_secs(68);

/// Within this time a program that watches saves again what the store has lost: a second until it learns of it, and three
/// questions whose words take up to three seconds each way.
const GIVEN_BACK: SignedDuration = SignedDuration::from_secs(20);

/// What is known of a fleet.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    pub(super) storage: Storage,
    /// What its store has acknowledged last.
    access: Option<(Name, Timestamp)>,
    refresh: Option<Name>,
    /// All tokens that answers to its programs have brought.
    pub(super) issued: BTreeMap<Name, Order>,
    /// Refresh tokens in whose place the store holds a newer one.
    replaced: BTreeSet<Name>,
    /// How and when the store has lost that.
    lost: Option<(Loss, Timestamp)>,
    /// When the store has last forgotten who holds the lease, and what else.
    unleased_at: Option<(Loss, Timestamp)>,
}

impl Fleet {
    /// Whether a token was asked for, and given, before another one was asked for.
    fn is_older(&self, new: Name, old: Name) -> Option<Found> {
        let (one, other) = (self.issued.get(&new)?, self.issued.get(&old)?);
        let is_older = (one.lineage, one.asked + one.trip) < (other.lineage, other.asked);
        is_older.then(|| (14, format!("saves {new} in the place of {old}, which is newer")))
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

    /// The other programs of its fleet.
    pub(super) fn mates(&self, program: usize) -> impl Iterator<Item = usize> + use<> {
        let fleet = self.fleet_of(program);
        let is_mate = move |(number, other): (usize, Option<usize>)| {
            (number != program && fleet.is_some() && other == fleet).then_some(number)
        };
        let fleets: Vec<_> = self.subjects.iter().map(|subject| subject.fleet).enumerate().collect();
        fleets.into_iter().filter_map(is_mate)
    }

    /// What keeps a program from a token keeps its fleet from it.
    pub(super) fn share_causes(&mut self, program: usize) {
        let shared = self.subjects[program].allowances.of_fleet();
        for mate in self.mates(program) {
            for (cause, until) in &shared {
                self.subjects[mate].allowances.open_until(*cause, *until);
            }
        }
    }

    /// A cause for a program and its fleet, up to a time.
    pub(super) fn open_for_fleet(&mut self, program: usize, cause: Cause, until: Timestamp) {
        for number in self.mates(program).chain([program]) {
            self.subjects[number].allowances.open_until(cause, until);
        }
    }

    /// A program that may hold the lease does nothing, or nothing any more. If it has sent a login and not saved what came of
    /// it, the others only know that it may have opened a session.
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

    /// A program of a fleet sends.
    pub(super) fn judge_sending(&self, record: &Record, asked: &Asked, server_now: Timestamp) -> Option<Found> {
        let fleet = &self.fleets[self.fleet_of(record.program)?];
        let subject = &self.subjects[record.program];
        let is_in_flight = |number: &usize| self.exchanges.get(number).is_some_and(|it| it.at + DEADLINE > record.at);
        let other = self.mates(record.program).find_map(|mate| self.subjects[mate].in_flight.filter(is_in_flight));
        let lost = fleet.unleased_at.filter(|(_, at)| record.at < *at + LEASE).map(|(loss, _)| loss);
        // What the store has not forgotten is that a login is announced.
        let asks_for = |number: &usize| self.exchanges.get(number).map(|sent| sent.asked.operation);
        let are_logins =
            asked.operation == Operation::LogIn && other.as_ref().and_then(asks_for) == Some(Operation::LogIn);
        let is_excused = lost == Some(Loss::RolledBack) || lost == Some(Loss::Lease) && !are_logins;
        if let Some(other) = other.filter(|_| !is_excused) {
            return Some((14, format!("sends while {other} of another program of its fleet is in flight")));
        }
        if subject.is_misled {
            return None;
        }
        if let Some(refresh) = asked.refresh.filter(|refresh| fleet.replaced.contains(refresh)) {
            return Some((14, format!("presents {refresh}, in whose place a newer one is stored")));
        }
        let (token, end) = fleet.access.filter(|_| asked.operation == Operation::LogIn)?;
        let memory = &subject.memory;
        let is_known = memory.held.is_some_and(|held| held.grant.access == token);
        if is_known || end <= server_now + super::memory::UNSURE + memory.ahead {
            return None;
        }
        match fleet.lost {
            None => Some((14, format!("logs in, although {token} is stored and good"))),
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
                Some((14, format!("logs in, although {token} is good, which s{mate} has not given back to the store")))
            }
        }
    }

    /// A login or a refresh has left, which the store was told of before: whoever loads that knows that it may have.
    pub(super) fn announced(&mut self, program: usize, exchange: usize, operation: Operation, now: Timestamp) {
        let (Some(_), Some(number)) = (self.fleet_of(program), self.subjects[program].synchronized) else { return };
        let knows = |memory: &mut Memory| match operation {
            Operation::LogIn => {
                memory.logins.insert(exchange, (now, Opened::Unknown));
                memory.unknown_at = memory.unknown_at.max(Some(now));
            }
            Operation::Refresh => memory.kept_out = Some(operation),
            Operation::Renew => {}
        };
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

    /// The store of a fleet holds a snapshot of a program.
    pub(super) fn save(&mut self, record: &Record, number: usize, kept: &Kept, server_now: Timestamp) -> Option<Found> {
        let found = self.judge_saving(record, kept, server_now);
        let fleet = self.fleet_of(record.program)?;
        let subject = &mut self.subjects[record.program];
        (subject.synchronized, subject.has_unsaved_login) = (Some(number), false);
        // Whoever gives up a token for a reason tells the others.
        let may_be_over = |held: &Held| subject.memory.may_be_over(held, record.at, server_now);
        if kept.access.is_none() && subject.memory.held.as_ref().is_some_and(may_be_over) {
            let of_snapshot = self.snapshots.get_mut(&number).map(|snapshot| &mut snapshot.memory);
            for held in [Some(&mut subject.memory), of_snapshot].into_iter().flatten().filter_map(|it| it.held.as_mut())
            {
                held.is_lost = true;
            }
        }
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
                (!may_be_over).then(|| (14, format!("saves nothing in the place of {old}, which can be renewed")))
            }
            // A token may be older that comes with a newer refresh token, as in an answer that is late.
            Some((new, _)) if kept.refresh == fleet.refresh && server_now < end => fleet.is_older(new, old),
            Some(_) => None,
        }
        .or_else(|| fleet.is_older(kept.refresh?, fleet.refresh?))
    }

    /// The store of a fleet has lost what it had acknowledged.
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
        // Whoever has what was lost saves it again when it looks.
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

    /// A program is in step with what the store holds.
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
        subject.synchronized = Some(number);
        let had_token = subject.memory.held.is_some();
        let is_another = subject.memory.join(&snapshot.memory, kept.access.is_some());
        let (memory, of_writer) = (&mut subject.memory, &snapshot.memory);
        // A first token is confirmed by one renewal.
        memory.may_verify_start |= !had_token && subject.last_sent.is_none();
        if of_writer.knows_time() || of_writer.is_time_hinted {
            let own = if memory.knows_time() || memory.is_time_hinted { memory.misled } else { SignedDuration::ZERO };
            memory.misled = own.max(of_writer.misled + late);
            memory.is_time_hinted = true;
        }
        memory.ahead = memory.ahead.max(of_writer.ahead);
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
