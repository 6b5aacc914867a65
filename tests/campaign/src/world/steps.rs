//! Performs the actions of the sessions, step by step, and observes the tokens that they hand out.

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_session::{Action, StopReason};

use super::World;
use super::program::Program;
use super::queue::Event;
use crate::journal::{Seen, What};
use crate::names::Kind;

/// The number of actions without a wait after which a session is said to spin.
pub(super) const ACTIONS_AT_ONCE: usize = 50;

impl World<'_> {
    /// Polls a session, or the set that has it, until it waits.
    pub(super) fn step(&mut self, number: usize) {
        if let Some(set) = self.programs[number].plan.set {
            return self.step_set(set);
        }
        for _ in 0..ACTIONS_AT_ONCE {
            let local = self.local(number);
            let program = &mut self.programs[number];
            if program.tamper.is_dead()
                || program.tamper.is_silent(self.now)
                || program.paused_until.is_some()
                || self.is_asleep(number)
            {
                return;
            }
            let program = &mut self.programs[number];
            let Some(session) = &mut program.session else { return };
            let budget = &mut self.addresses[program.plan.address].budget;
            let action = session.poll(local, budget);
            self.observe(number);
            match action {
                Action::Send { id, request } => self.send(number, Some(id), request),
                Action::Store { id, request } => self.ask_store(number, id, request),
                Action::Wait { until } => {
                    let program = &mut self.programs[number];
                    let until = program.tamper.wait(local, until);
                    program.stamp += 1;
                    let stamp = program.stamp;
                    let at = self.machine(number).clock.when(until, self.now);
                    // As the transports do: the answer to another session's request may free a request of the budget.
                    let soon = self.now + SignedDuration::from_secs(1);
                    let at = if at > soon && self.is_unsettled(number) { soon } else { at };
                    self.record(number, What::Waits(until));
                    if until > local {
                        self.queue.push(at, Event::Wake { program: number, stamp });
                    }
                    return;
                }
                Action::Stopped { reason, check_at } => {
                    self.stopped(number, &reason);
                    if let Some(at) = check_at {
                        self.wake_at(number, at);
                    }
                    return;
                }
                _ => return,
            }
        }
        self.record(number, What::Spins);
    }

    /// Wakes a program when its clock shows at least this time, unless it is woken before.
    pub(super) fn wake_at(&mut self, number: usize, until: Timestamp) {
        let program = &mut self.programs[number];
        program.stamp += 1;
        let stamp = program.stamp;
        let at = self.machine(number).clock.when(until, self.now);
        self.queue.push(at, Event::Wake { program: number, stamp });
    }

    /// Wakes a program. A program without a keeper is woken by callers that find no token.
    pub(super) fn wake(&mut self, number: usize, stamp: u64) {
        let is_kept = self.programs[number].plan.member.is_none_or(|member| member.keeps);
        match self.look(number) {
            Some(seen) if !is_kept => {
                self.publish(number);
                let at = self.machine(number).clock.when(seen.usable_until, self.now);
                self.queue.push(at, Event::Wake { program: number, stamp });
            }
            _ => self.step(number),
        }
    }

    /// Whether another program behind the address has a request in flight.
    pub(super) fn is_unsettled(&self, number: usize) -> bool {
        let address = self.programs[number].plan.address;
        let others = self.programs.iter().enumerate().filter(|(other, _)| *other != number);
        let waits = |program: &Program| program.under_way.is_some_and(|until| self.now < until);
        others.into_iter().any(|(_, program)| program.plan.address == address && waits(program))
    }

    pub(super) fn stopped(&mut self, number: usize, reason: &StopReason) {
        let program = &mut self.programs[number];
        program.stamp += 1;
        if !program.is_stopped {
            program.is_stopped = true;
            self.record(number, What::Stopped(reason.to_string()));
        }
        if !self.programs[number].is_helped {
            self.programs[number].is_helped = true;
            self.queue.push(self.now + SignedDuration::from_mins(10), Event::Help { program: number });
        }
    }

    /// Records the token that a session hands out if the token or its end has changed.
    pub(super) fn observe(&mut self, number: usize) {
        let before = self.programs[number].seen;
        let seen = self.look(number);
        self.publish(number);
        if before != seen {
            self.record(number, What::Handed(seen));
        }
    }

    /// After a change, callers take the token that the session hands out, without asking again.
    pub(super) fn publish(&mut self, number: usize) {
        let local = self.local(number);
        let token = self.session(number).and_then(|session| session.token(local));
        let program = &mut self.programs[number];
        if !program.tamper.misses(program.published.as_ref(), token.as_ref()) {
            program.published = program.tamper.token(token);
        }
    }

    pub(super) fn look(&mut self, number: usize) -> Option<Seen> {
        let local = self.local(number);
        let token = self.session(number).and_then(|session| session.token(local));
        let program = &self.programs[number];
        let seen = program.tamper.token(token).map(|token| {
            let known = program.seen.filter(|seen| seen.generation == token.generation);
            let name =
                known.map_or_else(|| self.names.of(Kind::Access, token.access_token.expose()), |seen| seen.token);
            Seen { token: name, generation: token.generation, usable_until: token.usable_until }
        });
        self.programs[number].seen = seen;
        seen
    }
}
