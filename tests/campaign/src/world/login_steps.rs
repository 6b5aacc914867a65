//! Crashes programs with their own stores at the steps of a login.

use jiff::SignedDuration;

use super::World;
use crate::scenario::LoginStep;
use crate::wire::Kept;

impl World<'_> {
    /// A program offers a snapshot to its own store. Returns whether it crashes now.
    pub(super) fn offers(&mut self, number: usize, kept: &Kept) -> bool {
        match self.programs[number].login_step {
            _ if kept.announces_login => self.reaches(number, LoginStep::Announcing),
            Some(LoginStep::Answered) => self.reaches(number, LoginStep::Saving),
            _ => false,
        }
    }

    /// A program's own store has saved a snapshot.
    pub(super) fn is_kept(&mut self, number: usize) -> bool {
        match self.programs[number].login_step {
            Some(LoginStep::Announcing) => self.reaches(number, LoginStep::Announced),
            Some(LoginStep::Saving) => self.reaches(number, LoginStep::Saved),
            _ => false,
        }
    }

    /// A program learns that its own store has saved a snapshot.
    pub(super) fn knows_that_it_is_kept(&mut self, number: usize) -> bool {
        match self.programs[number].login_step {
            Some(LoginStep::Announced) => self.reaches(number, LoginStep::Confirmed),
            _ => false,
        }
    }

    /// The login of a program has got this far. Returns whether the program crashes now.
    pub(super) fn reaches(&mut self, number: usize, step: LoginStep) -> bool {
        let program = &mut self.programs[number];
        if program.plan.member.is_some() || !program.plan.has_store {
            return false;
        }
        program.login_step = Some(step);
        let Some((_, is_whole, down)) = program.login_crashes.front().copied().filter(|(at, ..)| *at == step) else {
            return false;
        };
        program.login_crashes.pop_front();
        program.last_fault = name(step);
        self.tally.count_fault(name(step));
        if is_whole {
            self.crash_process(number, down);
        } else {
            self.crash(number, down, false);
        }
        true
    }

    /// Crashes the process of a program, with all its sessions.
    fn crash_process(&mut self, number: usize, down: SignedDuration) {
        let machine = |program: usize| self.machines[self.scenario.programs[program].address];
        let of_it = self.scenario.present().map(|(other, _)| other).filter(|other| machine(*other) == machine(number));
        for program in of_it.collect::<Vec<_>>() {
            self.crash(program, down, true);
        }
    }
}

/// The kind of the fault, for the tally.
fn name(step: LoginStep) -> &'static str {
    match step {
        LoginStep::Announcing => "crash: login announcing",
        LoginStep::Announced => "crash: login announced",
        LoginStep::Confirmed => "crash: login confirmed",
        LoginStep::Sent => "crash: login sent",
        LoginStep::Answered => "crash: login answered",
        LoginStep::Saving => "crash: login saving",
        LoginStep::Saved => "crash: login saved",
    }
}
