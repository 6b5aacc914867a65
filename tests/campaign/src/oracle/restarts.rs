//! Crashes and starts of programs: what each program knows afterwards, and what may keep it from a token.

use jiff::{SignedDuration, Timestamp};

use super::causes::Cause;
use super::gates::Gates;
use super::memory::{Memory, Opened, Owed};
use super::{Oracle, Subject};
use crate::journal::Record;
use crate::wire::{Kept, Operation};

/// What a session had been told when it stored a snapshot.
pub(super) struct Snapshot {
    /// The time at which the session offered it to its store.
    pub at: Timestamp,
    /// The remaining time of each cause.
    pub left: Vec<(Cause, SignedDuration)>,
    pub memory: Memory,
    pub gates: Gates,
    pub kept: Kept,
    /// The sum of all steps of the wall clock when the program last started.
    pub stepped: SignedDuration,
}

impl Oracle {
    /// A starting program reads its wall clock.
    pub(super) fn come_up(&mut self, program: usize) {
        let Some(subject) = self.subjects.get_mut(program) else { return };
        let address = subject.address;
        subject.is_up = true;
        if subject.set.is_some() {
            let machine = self.machines[address];
            if !std::mem::replace(&mut self.is_set_up[machine], true) {
                self.anchored[machine] = self.stepped[machine];
            }
            return;
        }
        let up = self.subjects.iter().filter(|subject| subject.address == address && subject.is_up).count();
        if up == 1 {
            self.anchored[address] = self.stepped[address];
        }
    }

    pub(super) fn start(&mut self, record: &Record, stored: Option<(usize, Kept)>) {
        let Some(subject) = self.subjects.get_mut(record.program) else { return };
        let address = subject.address;
        let snapshot = stored.and_then(|(number, kept)| Some((self.snapshots.get(&number)?, kept)));
        let Some((snapshot, kept)) = snapshot else {
            let memory = subject.knows_logins(Memory::default(), Timestamp::MIN);
            return subject.start(memory, record.at);
        };
        let stepped = self.anchored[self.machines[address]] - snapshot.stepped;
        let mut memory = subject.knows_logins(snapshot.memory.clone(), snapshot.at);
        if kept.announces_login {
            // The program can't know whether it has sent the login, and the ticket in it.
            memory.answered = memory.owed.filter(|owed| owed.operation == Operation::LogIn).or(memory.answered);
            memory.owed = memory.owed.filter(|owed| owed.operation != Operation::LogIn);
            subject.allowances.open(Cause::UnknownLogin, record.at);
            if !subject.sent_logins.values().any(|at| *at >= snapshot.at) {
                subject.unsent_logins.push(snapshot.at);
            }
        }
        subject.start(memory.restarted(stepped), record.at);
        subject.waits_for_own_logins(record.at);
        // A token that the program had not stored ended these causes. It is lost, so they last as long as before.
        subject.allowances.wait_from(&snapshot.left, snapshot.at);
        // The store may have acknowledged the snapshot too late.
        subject.storage.holds(&kept);
        // Hosts belong to their token. A program without a token asks the configured host, which names the hosts again. What
        // was known about the followed host says nothing about this one.
        match kept.access {
            None => (subject.memory.followed, subject.memory.host_signals) = (None, 0),
            Some((token, _)) if subject.memory.held.is_none_or(|held| held.grant.access != token) => {
                subject.memory.hold(token);
            }
            Some(_) => {}
        }
        subject.memory.may_verify_start = subject.memory.held.is_some();
        let (owed, owed_at) = (subject.memory.owed, subject.memory.owed_at);
        // The snapshot is older than the settings of the program, and what it has of a postponed request contains no secret.
        let owed = owed.filter(|owed| match owed.operation {
            Operation::Refresh => owed_at < subject.corrected_at,
            Operation::LogIn => owed_at < subject.password_given_at && !subject.is_corrected,
            Operation::Renew => false,
        });
        if std::mem::take(&mut subject.is_corrected) {
            subject.memory.operator_has_acted(record.at);
        } else if subject.memory.refusals.0 > 0 {
            // The program remembers a refusal, and its operator has not asked for another try.
            subject.allowances.open(Cause::Refused, record.at);
        }
        if let Some(owed) = owed {
            subject.memory.owes(Some(Owed { has_other_secret: true, ..owed }), record.at);
        }
        if stepped.is_negative() {
            let losses = &mut subject.memory.losses;
            losses.values_mut().max_by_key(|loss| loss.at).into_iter().for_each(|last| last.is_undated = true);
            for loss in losses.values_mut() {
                loss.latest = (loss.latest - stepped).min(record.at).max(loss.latest);
            }
            subject.allowances.wait_from(&snapshot.left, record.at);
            let of_all = subject.allowances.of_all();
            for other in self.subjects.iter_mut().filter(|subject| subject.address == address) {
                for (cause, until) in &of_all {
                    other.allowances.open_until(*cause, *until);
                }
            }
        }
        self.gates[address].merge(snapshot.gates.stepped(stepped, record.at));
        self.wait_for_budget(address, Operation::LogIn);
    }

    /// A program starts with the snapshot of another program. It may take over the lock-outs of that program's address,
    /// by whatever clock that program has.
    pub(super) fn start_foreign(&mut self, record: &Record, number: usize) {
        let Some(subject) = self.subjects.get_mut(record.program) else { return };
        subject.start(Memory::default(), record.at);
        let (address, of_all) = (subject.address, [Cause::LockOut, Cause::Captcha, Cause::Rate]);
        let left = self.snapshots.get(&number).into_iter().flat_map(|snapshot| &snapshot.left);
        let left: Vec<_> = left.copied().filter(|(cause, _)| of_all.contains(cause)).collect();
        let sessions = self.subjects.iter_mut().filter(|other| other.address == address);
        sessions.for_each(|other| other.allowances.wait_from(&left, record.at));
    }

    pub(super) fn crash(&mut self, record: &Record, is_whole: bool) {
        let Some(subject) = self.subjects.get_mut(record.program) else { return };
        let address = subject.address;
        subject.is_up = false;
        if subject.set.is_some() {
            // A removed session leaves the limits of its address behind.
            if is_whole {
                self.is_set_up[self.machines[address]] = false;
                self.gates[address] = Gates::default();
            }
            return;
        }
        let is_last = || !self.subjects.iter().any(|other| other.address == address && other.is_up);
        // The programs of a fleet behind one address keep their shared state.
        if is_whole || self.fleet_of(record.program).is_none() && is_last() {
            self.gates[address] = Gates::default();
        }
        self.loses_holder(record.program, record.at);
    }
}

impl Subject {
    /// Adds the logins that a program with its own store has sent since it took a snapshot. Each of them was announced
    /// in the store before. So the next start knows that they may have opened a session, whatever they have done.
    fn knows_logins(&self, mut memory: Memory, since: Timestamp) -> Memory {
        for (number, at) in self.sent_logins.iter().filter(|(_, at)| **at >= since) {
            memory.logins.entry(*number).or_insert((*at, Opened::Unknown(*at)));
        }
        memory
    }

    /// A session opens at most three server sessions per hour (law 8). The logins that it may have sent count too. It may
    /// count an announced login from 90 s after the announcement.
    pub(super) fn waits_for_own_logins(&mut self, now: Timestamp) {
        let (hour, late) = (SignedDuration::from_hours(1), SignedDuration::from_secs(90));
        self.unsent_logins.retain(|at| *at + hour + late > now);
        let opened = self.memory.logins.values().filter(|(_, opened)| *opened != Opened::None).map(|(at, _)| *at);
        let mut all: Vec<_> = opened.chain(self.unsent_logins.iter().copied()).collect();
        all.sort_unstable_by(|one, other| other.cmp(one));
        if let Some(third) = all.get(2) {
            self.allowances.open_until(Cause::Rate, *third + hour + late);
        }
    }

    pub(super) fn start(&mut self, memory: Memory, now: Timestamp) {
        self.memory = memory;
        (self.last_sent, self.in_flight, self.refreshed_by) = (None, None, None);
        self.generation += 1;
        (self.ended, self.newest) = (None, 0);
        self.allowances.open(Cause::Start, now);
    }
}
