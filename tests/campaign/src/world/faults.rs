//! Applies the faults of a scenario at their time.

use http::StatusCode;
use jiff::SignedDuration;
use tradovate_auth_simulator::{Endpoint, LockOut, Maintenance, Network};

use super::World;
use super::queue::Event;
use super::server::{name, network};
use crate::journal::{Loss, What};
use crate::scenario::{Fault, Moment, Report, StoreFault};

impl World<'_> {
    #[expect(clippy::too_many_lines, reason = "a line or two for each fault")]
    pub(super) fn apply_fault(&mut self, number: usize) {
        let fault = self.scenario.faults[number].fault.clone();
        let met: Vec<usize> = self.met(&fault);
        if let Some(program) = met.first() {
            self.note(*program, || format!("{fault:?}"));
        }
        let kind = kind(&fault);
        if !matches!(fault, Fault::Wire(..) | Fault::CrashAtLogin { .. }) {
            // A fault of the wire is counted when it affects a request, and a crash at a login when it happens.
            self.tally.count_fault(kind);
            for program in &met {
                self.programs[*program].last_fault = kind;
            }
        }
        let (now, server_now) = (self.now, self.server_now());
        match fault {
            Fault::Wire(program, trouble) => self.programs[program].troubles.push_back(trouble),
            Fault::Storm(storm, lasts) => {
                self.server.storm = Some((storm, now + lasts));
                for program in &met {
                    self.record(*program, What::Outage(now + lasts));
                }
            }
            Fault::Maintenance(is_html, lasts) => {
                let kind = if is_html { Maintenance::Html } else { Maintenance::ErrorId };
                self.server.maintained_until = self.server.maintained_until.max(Some(now + lasts));
                self.server.simulator.plan_maintenance(server_now, server_now + lasts, kind);
                for program in &met {
                    self.record(*program, What::Outage(now + lasts));
                }
            }
            Fault::Penalty(seconds) => {
                self.server.simulator.penalize_next(None, std::time::Duration::from_secs(seconds));
            }
            Fault::Captcha(is_login) => {
                let endpoint = if is_login { Endpoint::AccessTokenRequest } else { Endpoint::RenewAccessToken };
                self.server.simulator.captcha_next(endpoint);
            }
            Fault::LockOut { address, is_warning, retry_after } => {
                let mut lock_out = if is_warning { LockOut::locked() } else { LockOut::too_many_requests() };
                lock_out.network = Some(network(address));
                lock_out.retry_after = retry_after.map(std::time::Duration::from_secs);
                self.server.simulator.lock_out(lock_out);
            }
            Fault::Kick(user, times) => {
                for _ in 0..times {
                    self.server.log_in(now, user, &Network("203.0.113.0/24".to_owned()));
                }
            }
            Fault::CloseSessions(user) => {
                self.server.simulator.set_time(now);
                self.server.simulator.close_sessions(&name(user));
            }
            Fault::Expire(user) => {
                self.server.simulator.set_time(now);
                self.server.simulator.expire_sessions(&name(user));
            }
            Fault::Revoke(user) => {
                self.server.simulator.revoke(&name(user));
                self.refresh_tokens[user] = None;
            }
            Fault::ChangePassword { user, told_after, by_answer } => {
                self.server.change_password(user);
                self.queue.push(now + told_after, Event::Tell { user, by_answer });
            }
            Fault::MoveHosts(user, hosts) => self.server.move_hosts(user, hosts),
            Fault::RefuseRefreshes(times) => self.server.simulator.refuse_next_refresh(times),
            Fault::Store { program, is_silent, lasts } => {
                self.disturb_store(program, is_silent, lasts);
                self.record(program, What::StoreAway(now + lasts));
            }
            Fault::Shared(fleet, fault) => {
                if let Some(loss) = self.stores[fleet].apply_fault(now, fault) {
                    self.record_of_fleet(fleet, What::StoreLost(loss));
                    self.tell_watchers(fleet);
                }
                if let StoreFault::Down(lasts)
                | StoreFault::Stale(lasts)
                | StoreFault::Full(lasts)
                | StoreFault::Damaged(lasts) = fault
                {
                    self.record_of_fleet(fleet, What::StoreAway(now + lasts));
                }
                if let StoreFault::Damaged(lasts) = fault {
                    self.queue.push(now + lasts, Event::StoreCleared(fleet));
                }
            }
            Fault::Halt { program, moment, crashes, lasts } => self.halt(program, moment, crashes, lasts),
            Fault::CrashAtLogin { program, step, is_whole, down } => {
                self.programs[program].login_crashes.push_back((step, is_whole, down));
            }
            Fault::Crash(program, down) => self.crash(program, down, false),
            Fault::CrashAll(_, down) => {
                for program in met {
                    self.crash(program, down, true);
                }
            }
            Fault::Reported(program, report, times) => self.report(program, report, times),
            // One answer does not correct a clock that is off by more than a day.
            Fault::Step(address, by) if self.is_too_far(address, by) => {}
            Fault::Step(address, by) => {
                let machine = self.machines[address];
                self.addresses[machine].wall.set(now, by);
                if met.iter().any(|program| self.programs[*program].tamper.follows_wall_clock()) {
                    self.addresses[machine].clock.set(now, by);
                }
                // The fault counts once for all sessions of the machine.
                if let Some(program) = met.first() {
                    self.record(*program, What::Stepped(by));
                }
            }
            Fault::Sleep(address, lasts) => self.sleep(address, lasts, &met),
            Fault::CorrectAtRestart { program, restarts, every } => self.spoil_settings(program, restarts, every),
            Fault::ForeignSnapshot { program, of, down } => self.find_foreign(program, of, down),
            Fault::LeaveHosts(hosts, left) => {
                let left_behind = |program: &&usize| self.server.is_on(self.programs[**program].plan.user, hosts);
                let left_behind: Vec<usize> = met.iter().filter(left_behind).copied().collect();
                for program in left_behind {
                    self.record(program, What::HostLeft);
                }
                self.server.leave_hosts(hosts, left);
            }
            Fault::CallPenalty(seconds) => {
                let wait = std::time::Duration::from_secs(seconds);
                self.server.simulator.penalize_next(Endpoint::AccountList, wait);
            }
            Fault::Jump(address, by) => {
                self.addresses[address].wall.set(now, by);
                self.addresses[address].clock.set(now, by);
                for program in met {
                    self.record(program, What::Jumped(by));
                    // A waiting program notices the change, as the transports do.
                    self.observe(program);
                    self.step(program);
                }
            }
        }
    }

    /// The programs that a fault affects.
    fn met(&self, fault: &Fault) -> Vec<usize> {
        let meets = |number: usize| {
            let plan = &self.scenario.programs[number];
            match fault {
                Fault::Wire(program, _)
                | Fault::Store { program, .. }
                | Fault::Crash(program, _)
                | Fault::CrashAtLogin { program, .. }
                | Fault::Halt { program, .. }
                | Fault::CorrectAtRestart { program, .. }
                | Fault::ForeignSnapshot { program, .. }
                | Fault::Reported(program, ..) => *program == number,
                Fault::Shared(fleet, _) => plan.member.is_some_and(|member| member.fleet == *fleet),
                Fault::Kick(user, _)
                | Fault::CloseSessions(user)
                | Fault::Expire(user)
                | Fault::Revoke(user)
                | Fault::ChangePassword { user, .. }
                | Fault::MoveHosts(user, _) => plan.user == *user,
                Fault::LockOut { address, .. } => plan.address == *address,
                Fault::CrashAll(address, _)
                | Fault::Jump(address, _)
                | Fault::Step(address, _)
                | Fault::Sleep(address, _) => self.machines[plan.address] == self.machines[*address],
                Fault::Storm(..)
                | Fault::Maintenance(..)
                | Fault::Penalty(_)
                | Fault::Captcha(_)
                | Fault::RefuseRefreshes(_)
                | Fault::LeaveHosts(..)
                | Fault::CallPenalty(_) => true,
            }
        };
        self.scenario.present().map(|(number, _)| number).filter(|number| meets(*number)).collect()
    }

    pub(super) fn report(&mut self, program: usize, report: Report, times: u32) {
        if times > 1 {
            let again = Event::Report { program, report, times: times - 1 };
            self.queue.push(self.now + SignedDuration::from_secs(30), again);
        }
        if self.is_silenced(program) {
            return;
        }
        let (status, text) = match report {
            Report::Unclear => (401, ""),
            Report::Denied => (401, "Access is denied"),
            Report::Dead => (401, "Invalid access token"),
            Report::Status(status) => (status, ""),
        };
        let Some(seen) = self.look(program) else { return };
        self.reject(program, seen.generation, StatusCode::from_u16(status).unwrap_or_default(), text.as_bytes());
        self.step(program);
    }

    /// A caller reports an answer to the session.
    pub(super) fn reject(&mut self, number: usize, generation: u64, status: StatusCode, body: &[u8]) {
        let local = self.local(number);
        if matches!(status.as_u16(), 423 | 429) {
            self.keep_quiet(number, SignedDuration::from_hours(1));
        }
        let says_dead = status.as_u16() == 401 && body.ends_with(b"ccess token") | body.ends_with(b"ccess Token");
        let is_told = self.with(number, |session, budget| session.rejected(local, generation, status, body, budget));
        if is_told.is_none() {
            return;
        }
        self.programs[number].tamper.reported(status.as_u16(), says_dead);
        self.record(number, What::Reported { generation, status: status.as_u16(), says_dead });
        self.observe(number);
        self.improvise(number);
    }

    /// Removes a record that cannot be read.
    pub(super) fn clear_store(&mut self, fleet: usize) {
        if self.stores[fleet].remove_damaged() {
            self.record_of_fleet(fleet, What::StoreLost(Loss::Removed));
        }
        self.tell_watchers(fleet);
    }

    /// Records a fault of a whole fleet once.
    fn record_of_fleet(&mut self, fleet: usize, what: What) {
        let first = self.scenario.members(fleet).next().map(|(number, _)| number);
        if let Some(program) = first {
            self.record(program, what);
        }
    }

    /// Ends the faults and wakes the programs that they held up.
    pub(super) fn end_faults(&mut self) {
        self.calm_since = Some(self.now);
        self.server.storm = None;
        for (program, _) in self.scenario.present() {
            self.programs[program].store_trouble = None;
            self.programs[program].troubles.clear();
            self.programs[program].halts.clear();
            self.programs[program].login_crashes.clear();
            self.record(program, What::FaultsEnd);
        }
        for fleet in 0..self.stores.len() {
            self.stores[fleet].mend();
            self.clear_store(fleet);
        }
        for user in 0..self.scenario.users {
            self.queue.push(self.now + SignedDuration::from_secs(1), Event::Tell { user, by_answer: false });
        }
    }
}

/// The kind of a fault, for the tally.
fn kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::Wire(..) => "wire",
        Fault::Storm(..) => "storm",
        Fault::Maintenance(..) => "maintenance",
        Fault::Penalty(_) => "penalty",
        Fault::Captcha(_) => "captcha",
        Fault::LockOut { .. } => "lock-out",
        Fault::Kick(..) => "kick",
        Fault::CloseSessions(_) => "sessions closed",
        Fault::Expire(_) => "tokens expired",
        Fault::Revoke(_) => "tokens revoked",
        Fault::ChangePassword { .. } => "password changed",
        Fault::MoveHosts(..) => "hosts moved",
        Fault::RefuseRefreshes(_) => "refreshes refused",
        Fault::Store { .. } => "store disturbed",
        Fault::Shared(_, StoreFault::Down(_)) => "shared store down",
        Fault::Shared(_, StoreFault::Full(_)) => "shared store full",
        Fault::Shared(_, StoreFault::LosesLease) => "lease lost",
        Fault::Shared(_, StoreFault::ConfirmationLost) => "save confirmation lost",
        Fault::Shared(_, StoreFault::RollsBack(_)) => "shared store rolled back",
        Fault::Shared(_, StoreFault::Stale(_)) => "shared store stale",
        Fault::Shared(_, StoreFault::Damaged(_)) => "shared store damaged",
        Fault::Halt { crashes: true, .. } => "crash at a moment",
        Fault::Halt { moment: Moment::Now, .. } => "pause",
        Fault::Halt { .. } => "pause at a moment",
        Fault::CrashAtLogin { .. } | Fault::Crash(..) => "crash",
        Fault::CrashAll(..) => "crash of all programs",
        Fault::Reported(..) => "call rejected",
        Fault::Jump(..) => "clock set forward",
        Fault::Step(..) => "wall clock set",
        Fault::Sleep(..) => "machine asleep",
        Fault::CorrectAtRestart { .. } => "settings wrong",
        Fault::ForeignSnapshot { .. } => "foreign snapshot",
        Fault::LeaveHosts(..) => "hosts left",
        Fault::CallPenalty(_) => "penalty on a call",
    }
}
