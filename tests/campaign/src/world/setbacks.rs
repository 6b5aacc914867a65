//! Applies faults of whole programs: a machine that sleeps, settings that are corrected while the program is down, and
//! a snapshot of another program.

use jiff::SignedDuration;

use super::World;
use super::queue::Event;
use crate::journal::What;

/// The time that a supervisor takes to restart a program.
const RESTART: SignedDuration = SignedDuration::from_secs(5);

impl World<'_> {
    pub(super) fn is_asleep(&self, number: usize) -> bool {
        let until = self.machine(number).asleep_until;
        until.is_some_and(|until| self.now < until)
    }

    /// Whether setting the wall clock by this much makes it wrong by about a day.
    pub(super) fn is_too_far(&self, address: usize, by: SignedDuration) -> bool {
        let off = self.addresses[self.machines[address]].wall.at(self.now).duration_since(self.now) + by;
        off.abs() > SignedDuration::from_hours(23)
    }

    /// Puts a machine and its programs to sleep.
    pub(super) fn sleep(&mut self, address: usize, lasts: SignedDuration, met: &[usize]) {
        let until = self.now + lasts;
        let asleep = &mut self.addresses[self.machines[address]].asleep_until;
        *asleep = (*asleep).max(Some(until));
        for program in met {
            self.record(*program, What::Asleep(until));
        }
        self.queue.push(until, Event::Awake(address));
    }

    /// Wakes a machine. Its waiting programs notice the time.
    pub(super) fn awake(&mut self, address: usize) {
        for number in 0..self.programs.len() {
            if self.machines[self.programs[number].plan.address] == self.machines[address] && !self.is_asleep(number) {
                self.observe(number);
                self.step(number);
            }
        }
    }

    /// Makes the callers of a program send nothing for a time.
    pub(super) fn keep_quiet(&mut self, number: usize, wait: SignedDuration) {
        let quiet = &mut self.addresses[self.programs[number].plan.address].quiet_until;
        *quiet = (*quiet).max(Some(self.now + wait));
    }

    /// Makes the settings of a program wrong, and restarts it with them.
    pub(super) fn spoil_settings(&mut self, number: usize, restarts: u32, every: SignedDuration) {
        let program = &mut self.programs[number];
        if !program.is_running() || program.awaits_correction {
            return;
        }
        program.awaits_correction = true;
        let user = program.plan.user;
        if program.is_app() {
            self.server.change_secret(user);
        } else {
            self.server.change_password(user);
        }
        self.server.simulator.set_time(self.now);
        self.server.simulator.expire_sessions(&super::server::name(user));
        self.record(number, What::SettingsWrong);
        self.queue.push(self.now + every, Event::Restart { program: number, left: restarts, every });
    }

    pub(super) fn restart(&mut self, number: usize, left: u32, every: SignedDuration) {
        self.crash(number, RESTART, false);
        if left > 0 {
            self.queue.push(self.now + every, Event::Restart { program: number, left: left - 1, every });
        } else {
            self.correct(number);
        }
    }

    /// The operator gives the right settings to a program that is down.
    fn correct(&mut self, number: usize) {
        let program = &mut self.programs[number];
        let user = program.plan.user;
        program.awaits_correction = false;
        program.is_corrected = true;
        program.secret = self.server.secret(user).map(str::to_owned);
        self.server.password(user).clone_into(&mut program.password);
        self.record(number, What::SettingsCorrected);
        self.queue.push(self.now + SignedDuration::from_secs(1), Event::Tell { user, by_answer: false });
    }

    /// Crashes a program and puts the snapshot of another one into its store, of another user or another environment.
    pub(super) fn find_foreign(&mut self, number: usize, of: usize, down: SignedDuration) {
        let (own, other) = (&self.programs[number], &self.programs[of]);
        let is_same = own.is_app() == other.is_app()
            && own.plan.user == other.plan.user
            && own.login_host() == other.login_host();
        if is_same || !own.is_running() || other.stored.is_none() {
            return;
        }
        self.crash(number, down, false);
        self.programs[number].foreign = Some(of);
    }
}
