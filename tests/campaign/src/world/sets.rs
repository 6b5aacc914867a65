//! Sessions that a `SessionSet` drives: how the world reaches a session, with or without a set, and what a set does.

use std::collections::BTreeMap;

use http::Response;
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::Failure;
use tradovate_auth_session::{
    ExchangeId, Operation, RateBudget, Session, SessionKey, SessionSet, SetAction, SetEvent, StoreAnswer, StoreError,
};

use super::World;
use super::queue::Event;
use super::steps::ACTIONS_AT_ONCE;
use crate::journal::What;
use crate::mutants::Mutant;
use crate::wire;

/// The longest time for which a limit of an address counts.
const LIMITS_COUNT_FOR: SignedDuration = SignedDuration::from_hours(25);

/// A set of a running process. Its networks are addresses.
#[derive(Default)]
pub(super) struct Set {
    sessions: SessionSet<usize>,
    programs: BTreeMap<SessionKey, usize>,
    /// The number of the only wake-up that is still valid.
    stamp: u64,
}

impl World<'_> {
    /// The session of a program that runs.
    pub(super) fn session(&self, number: usize) -> Option<&Session> {
        let program = &self.programs[number];
        match (program.plan.set, program.key) {
            (Some(set), Some(key)) => self.sets[set].sessions.get(key),
            _ => program.session.as_ref(),
        }
    }

    /// The budget of a program's address.
    pub(super) fn budget(&self, number: usize) -> Option<&RateBudget> {
        match self.programs[number].plan.set {
            Some(set) => self.sets[set].sessions.budget(&self.network_of(number)),
            None => Some(&self.addresses[self.programs[number].plan.address].budget),
        }
    }

    /// The network under which a set has a session. Some mutants use the wrong one.
    fn network_of(&self, number: usize) -> usize {
        let program = &self.programs[number];
        let address = program.plan.address;
        let of_its_own = program.tamper.is(Mutant::SharesNoLimits)
            || program.is_app() && program.tamper.is(Mutant::IgnoresReservedRenewals);
        match (of_its_own, program.is_app()) {
            (true, true) => address + self.addresses.len(),
            (true, false) => address + self.addresses.len() * (2 + number),
            (false, _) => address,
        }
    }

    /// Calls a method of a session with the budget of its address.
    pub(super) fn with<T>(
        &mut self,
        number: usize,
        call: impl FnOnce(&mut Session, &mut RateBudget) -> T,
    ) -> Option<T> {
        let local = self.local(number);
        let program = &mut self.programs[number];
        match program.plan.set {
            Some(set) => self.sets[set].sessions.with(local, program.key?, call),
            None => Some(call(program.session.as_mut()?, &mut self.addresses[program.plan.address].budget)),
        }
    }

    /// Passes an answer to a session.
    pub(super) fn answer(&mut self, number: usize, local: Timestamp, id: ExchangeId, response: Response<Vec<u8>>) {
        match (self.programs[number].plan.set, self.programs[number].key) {
            (Some(set), Some(key)) => self.sets[set].sessions.receive(local, key, id, response),
            _ => drop(self.with(number, |session, budget| session.receive(local, id, response, budget))),
        }
    }

    /// Reports to a session that a request brought no response.
    pub(super) fn fail(&mut self, number: usize, local: Timestamp, id: ExchangeId, failure: Failure) {
        match (self.programs[number].plan.set, self.programs[number].key) {
            (Some(set), Some(key)) => self.sets[set].sessions.failed(local, key, id, failure),
            _ => drop(self.with(number, |session, budget| session.failed(local, id, failure, budget))),
        }
    }

    /// Passes the answer of a store to a session.
    pub(super) fn answer_from_store(
        &mut self,
        number: usize,
        local: Timestamp,
        id: ExchangeId,
        answer: Result<StoreAnswer, StoreError>,
    ) {
        match (self.programs[number].plan.set, self.programs[number].key) {
            (Some(set), Some(key)) => self.sets[set].sessions.store_answered(local, key, id, answer),
            _ => drop(self.with(number, |session, budget| session.store_answered(local, id, answer, budget))),
        }
    }

    /// Gives a program its session, or adds the session to the program's set.
    pub(super) fn put(&mut self, number: usize, session: Session) {
        let network = self.network_of(number);
        let program = &mut self.programs[number];
        let Some(set) = program.plan.set else {
            program.session = Some(session);
            return;
        };
        let set = &mut self.sets[set];
        let key = set.sessions.insert(network, session);
        set.programs.insert(key, number);
        program.key = Some(key);
    }

    /// Takes the session away from a program. Returns whether it had one.
    pub(super) fn take(&mut self, number: usize) -> bool {
        let program = &mut self.programs[number];
        let had_one = program.session.take().is_some();
        let (Some(set), Some(key)) = (program.plan.set, program.key.take()) else { return had_one };
        let set = &mut self.sets[set];
        set.programs.remove(&key);
        if !program.tamper.is(Mutant::KeepsRemovedSessions) {
            set.sessions.remove(key);
        }
        true
    }

    pub(super) fn wake_set(&mut self, set: usize, stamp: u64) {
        if self.sets[set].stamp == stamp {
            self.step_set(set);
        }
    }

    /// Polls a set until it waits.
    pub(super) fn step_set(&mut self, set: usize) {
        let Some(first) = self.first_of(set) else { return };
        if self.is_asleep(first) || !self.machine(first).is_up {
            return;
        }
        let local = self.local(first);
        for _ in 0..ACTIONS_AT_ONCE * (1 + self.sets[set].sessions.len()) {
            match self.sets[set].sessions.poll(local) {
                SetAction::Send { session, id, request } => {
                    let Some(number) = self.program_of(set, session) else { return };
                    self.observe(number);
                    if self.is_starved(set, number) {
                        self.fail(number, local, id, Failure::NotSent);
                    } else {
                        self.send(number, Some(id), request);
                    }
                }
                SetAction::Store { session, id, request } => {
                    let Some(number) = self.program_of(set, session) else { return };
                    self.observe(number);
                    self.ask_store(number, id, request);
                }
                SetAction::Stopped { session, reason } => {
                    let Some(number) = self.program_of(set, session) else { return };
                    self.observe(number);
                    self.stopped(number, &reason);
                }
                SetAction::Wait { until } => return self.wait_for(set, first, until),
                _ => return,
            }
            if !self.machine(first).is_up {
                // The process has crashed.
                return;
            }
        }
        self.record(first, What::Spins);
    }

    /// The set has nothing to do before this time.
    fn wait_for(&mut self, set: usize, first: usize, until: Timestamp) {
        let running: Vec<usize> = self.sets[set].programs.values().copied().collect();
        for number in running {
            self.observe(number);
        }
        self.fetch_events(set);
        self.record(first, What::Waits(until));
        self.sets[set].stamp += 1;
        let (at, stamp) = (self.machine(first).clock.when(until, self.now), self.sets[set].stamp);
        if until > self.local(first) {
            self.queue.push(at, Event::WakeSet { set, stamp });
        }
    }

    fn fetch_events(&mut self, set: usize) {
        while let Some(event) = self.sets[set].sessions.next_event() {
            match event {
                SetEvent::Session { session, .. } => drop(self.program_of(set, session)),
                SetEvent::Crowded { network, operation, .. } => {
                    let operation = match operation {
                        Operation::Renew => wire::Operation::Renew,
                        _ => wire::Operation::Refresh,
                    };
                    let behind_it = |number: &usize| self.programs[*number].plan.address == network;
                    if let Some(number) = self.sets[set].programs.values().copied().find(behind_it) {
                        self.record(number, What::Crowded(operation));
                    }
                }
                _ => {}
            }
        }
    }

    /// The program of a session. A set says nothing more about a removed session.
    fn program_of(&mut self, set: usize, session: SessionKey) -> Option<usize> {
        let number = self.sets[set].programs.get(&session).copied();
        if number.is_none()
            && let Some(first) = self.first_of(set)
        {
            self.record(first, What::Remains("a step or an event of a removed session"));
        }
        number
    }

    fn first_of(&self, set: usize) -> Option<usize> {
        self.scenario.sessions_of(set).next().map(|(number, _)| number)
    }

    /// Whether a mutant sends no further request of a session: of the last one in the set, once it has logged in.
    fn is_starved(&self, set: usize, number: usize) -> bool {
        let program = &self.programs[number];
        program.tamper.is(Mutant::StarvesASession)
            && (program.logins > 0 || program.refresh.is_some())
            && self.scenario.sessions_of(set).last().is_some_and(|(last, _)| last == number)
    }

    /// Removes all sessions at the end. After their limits no longer count, the sets have nothing left.
    pub(super) fn close_sets(&mut self) {
        for set in 0..self.sets.len() {
            let Some(first) = self.first_of(set) else { continue };
            let running: Vec<usize> = self.sets[set].programs.values().copied().collect();
            for number in running {
                self.take(number);
            }
            let local = self.local(first);
            let networks: Vec<usize> = self.scenario.sessions_of(set).map(|(_, program)| program.address).collect();
            let sessions = &mut self.sets[set].sessions;
            let mut is_quiet = |at| matches!(sessions.poll(at), SetAction::Wait { .. });
            let is_quiet = is_quiet(local) && is_quiet(local + LIMITS_COUNT_FOR);
            let waits_for = match sessions.poll(local + LIMITS_COUNT_FOR) {
                SetAction::Wait { until } => Some(until),
                _ => None,
            };
            let is_forgotten = networks.iter().all(|network| sessions.budget(network).is_none());
            if !is_quiet || waits_for != Some(Timestamp::MAX) || !sessions.is_empty() {
                self.record(first, What::Remains("a session"));
            } else if !is_forgotten {
                self.record(first, What::Remains("the limits of an address, a day after the last session"));
            } else if sessions.next_event().is_some() {
                self.record(first, What::Remains("an event"));
            }
        }
    }
}
