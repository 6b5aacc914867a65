//! The operator of the programs: starts and crashes them, gives them a new password, and helps stopped ones.

use http::Response;
use jiff::SignedDuration;
use tradovate_auth_core::{AccessTokenRequest, Answer, Endpoint as _, Exchange};
use tradovate_auth_session::{RateBudget, StoredSession};

use super::World;
use super::queue::Event;
use super::server::network;
use super::sets::Set;
use super::spoil;
use crate::journal::What;
use crate::wire::Kept;

impl World<'_> {
    /// Starts a program with the snapshot in its store. An app without one asks for consent.
    pub(super) fn start(&mut self, number: usize, life: u32) {
        let program = &mut self.programs[number];
        if program.life != life || program.is_running() {
            return;
        }
        (program.is_stopped, program.is_helped) = (false, false);
        (program.postponed_until, program.refused_until) = (None, None);
        program.knows_user = false;
        let address = program.plan.address;
        let quiet_until = self.addresses[address].quiet_until.filter(|until| self.now < *until);
        let machine = &mut self.addresses[self.machines[address]];
        if !machine.is_up {
            machine.is_up = true;
            let before = machine.clock.at(self.now);
            machine.clock = machine.wall.anchored(self.now);
            let set_back = before.duration_since(machine.clock.at(self.now));
            if let Some(quiet_until) = quiet_until {
                self.programs[number].tamper.comes_up(quiet_until, set_back);
            }
        }
        if let Some(of) = self.programs[number].foreign.take() {
            return self.start_from_foreign(number, of);
        }
        let program = &mut self.programs[number];
        let is_alone = program.plan.member.is_none();
        let found = program.stored.clone().filter(|_| program.plan.has_store && is_alone);
        let local = self.local(number);
        let tamper = &self.programs[number].tamper;
        let snapshot = found.and_then(|(snapshot, text)| {
            let text = tamper.snapshot(text, None, local);
            let stored: StoredSession = serde_json::from_str(&text).ok()?;
            let value = serde_json::from_str(&text).ok()?;
            Some((snapshot, Kept::read(&value, &mut self.names), stored))
        });
        match snapshot {
            Some((snapshot, kept, stored)) => {
                let program = &mut self.programs[number];
                let session = program.blank();
                program.knows_user = stored.user_id().is_some();
                program.refresh = kept.refresh;
                let corrected = std::mem::take(&mut program.is_corrected) && !program.is_app();
                let corrected = corrected.then(|| program.credentials());
                self.put(number, session);
                self.with(number, |session, budget| {
                    session.adopt(local, stored, budget);
                    if let Some(credentials) = corrected {
                        session.replace_credentials(credentials);
                    }
                });
                self.record(number, What::Started(Some((snapshot, kept))));
            }
            None if self.programs[number].is_app() && !self.waits_for_fleet(number) => return self.consent(number),
            None => {
                let session = self.programs[number].blank();
                self.put(number, session);
                self.programs[number].refresh = None;
                self.record(number, What::Started(None));
            }
        }
        self.observe(number);
        self.step(number);
    }

    /// Starts a program with the snapshot of another one.
    fn start_from_foreign(&mut self, number: usize, of: usize) {
        let local = self.local(number);
        let found = self.programs[of].stored.clone();
        let (snapshot, text) = found.unwrap_or_default();
        let program = &self.programs[number];
        let own = program.stored.as_ref().map(|(_, text)| text.as_str());
        let text = program.tamper.snapshot(text, own, local);
        let stored = serde_json::from_str::<StoredSession>(&text).ok();
        let program = &mut self.programs[number];
        let session = program.blank();
        program.refresh = None;
        self.put(number, session);
        if let Some(stored) = stored {
            self.with(number, |session, budget| session.adopt(local, stored, budget));
        }
        self.record(number, What::StartedForeign(snapshot));
        self.observe(number);
        self.step(number);
    }

    /// The user consents again. In a fleet this happens once, and the other programs are restarted to load the result.
    pub(super) fn help_app(&mut self, number: usize) {
        let Some(member) = self.programs[number].plan.member else { return self.consent(number) };
        let consented = self.stores[member.fleet].consented_at;
        let is_new = consented.is_some_and(|at| self.now < at + SignedDuration::from_mins(20));
        if is_new || self.has_good_refresh(number) {
            self.crash(number, SignedDuration::from_secs(1), false);
        } else {
            self.consent(number);
        }
    }

    /// Whether a program of an app waits for the record of its fleet, because the first program asks for the consent.
    fn waits_for_fleet(&self, number: usize) -> bool {
        self.programs[number].plan.member.is_some_and(|member| {
            let is_first = self.scenario.members(member.fleet).next().is_some_and(|(first, _)| first == number);
            !is_first || self.stores[member.fleet].record.is_some()
        })
    }

    /// Whether a program, or its fleet, has the refresh token that the server knows.
    pub(super) fn has_good_refresh(&self, number: usize) -> bool {
        let plan = &self.programs[number].plan;
        let Some((valid, end)) = self.refresh_tokens[plan.user] else { return false };
        if end <= self.server_now() {
            return false;
        }
        let Some(member) = plan.member else { return self.programs[number].refresh == Some(valid) };
        self.scenario
            .members(member.fleet)
            .any(|(mate, _)| self.programs[mate].is_running() && self.programs[mate].refresh == Some(valid))
    }

    /// The user of an app consents, and a new session begins.
    pub(super) fn consent(&mut self, number: usize) {
        self.server.simulator.set_time(self.now);
        self.take(number);
        let consented = self.programs[number].consented(&mut self.server);
        if let Some(session) = consented {
            self.put(number, session);
        }
        let program = &mut self.programs[number];
        program.life += 1;
        program.paused_until = None;
        program.knows_user = false;
        program.refresh = None;
        (program.refused_until, program.refusals) = (None, 0);
        program.is_stopped = false;
        self.tally.consents += 1;
        if let Some(member) = self.programs[number].plan.member {
            self.stores[member.fleet].consented_at = Some(self.now);
        }
        self.record(number, What::Consented);
        self.observe(number);
        self.step(number);
    }

    pub(super) fn crash(&mut self, number: usize, down: SignedDuration, with_all: bool) {
        if !self.take(number) {
            return;
        }
        let program = &mut self.programs[number];
        program.life += 1;
        program.stamp += 1;
        program.paused_until = None;
        program.seen = None;
        program.published = None;
        (program.under_way, program.login_step) = (None, None);
        let (life, address, is_member) = (program.life, program.plan.address, program.plan.member.is_some());
        let set = program.plan.set;
        // A process ends with its last session. A set waits for others.
        let is_last = !is_member
            && set.is_none()
            && !self.programs.iter().any(|other| other.plan.address == address && other.session.is_some());
        if with_all || is_last {
            self.addresses[address].budget = RateBudget::default();
            self.addresses[self.machines[address]].is_up = false;
            if let Some(set) = set {
                self.sets[set] = Set::default();
            }
        }
        self.record(number, What::Crashed(with_all));
        self.queue.push(self.now + down, Event::Start { program: number, life });
    }

    /// Gives a stopped program its credentials again, or the consent of its user.
    pub(super) fn help(&mut self, number: usize) {
        let program = &mut self.programs[number];
        program.is_helped = false;
        if !program.is_stopped || !program.is_running() || program.awaits_correction {
            return;
        }
        program.is_stopped = false;
        if program.is_app() { self.help_app(number) } else { self.replace_credentials(number) }
    }

    fn replace_credentials(&mut self, number: usize) {
        let program = &mut self.programs[number];
        self.server.password(program.plan.user).clone_into(&mut program.password);
        program.refused_until = None;
        let credentials = program.credentials();
        if self.with(number, |session, _| session.replace_credentials(credentials)).is_none() {
            return;
        }
        self.programs[number].is_stopped = false;
        self.record(number, What::CredentialsReplaced);
        self.observe(number);
        self.step(number);
    }

    /// Gives the new password to the programs of a user. The first one may also receive the answer to the change.
    pub(super) fn tell(&mut self, user: usize, by_answer: bool) {
        let concerned: Vec<usize> = self.scenario.present().map(|(number, _)| number).collect();
        let mut by_answer = by_answer;
        for number in concerned {
            let program = &mut self.programs[number];
            let knows = program.password == self.server.password(user) && !program.is_stopped;
            if program.plan.user != user || program.is_app() || knows || program.awaits_correction {
                continue;
            }
            if !program.is_running() {
                self.server.password(user).clone_into(&mut program.password);
                self.record(number, What::PasswordGiven);
                continue;
            }
            self.replace_credentials(number);
            if std::mem::take(&mut by_answer) {
                self.adopt(number);
            }
        }
    }

    /// Gives a program the answer to a password change, which has the form of a login answer.
    fn adopt(&mut self, number: usize) {
        let program = &self.programs[number];
        let (user, address) = (program.plan.user, program.plan.address);
        // The request for the change passes the gates of the address like any other request.
        let is_kept_out = self.server.storm_at(self.now).is_some() || self.server.is_in_maintenance(self.now);
        if is_kept_out || self.is_gated(number) {
            return;
        }
        let response = self.server.log_in(self.now, user, &network(address));
        let facts = spoil::read(&response, self.server_now(), &mut self.names);
        let local = self.local(number);
        let server_time = facts.server_time;
        let Ok(reply) = AccessTokenRequest::parse(response as Response<Vec<u8>>) else { return };
        let exchange = Exchange { sent: local, received: local, server_time };
        let answer = Answer { value: reply.value, exchange };
        let adopted = self.with(number, |session, _| session.adopt_answer(local, answer));
        if adopted.is_some_and(|adopted| adopted.is_ok()) {
            self.record(number, What::AnswerAdopted(facts));
            self.observe(number);
            self.step(number);
        }
    }
}
