//! Each program makes an API call once a minute, to check that it has a token and that the server accepts it.
//!
//! A program reports the answer to its session, as callers do. A minute counts if the server is available to the
//! program: no storm, no maintenance, no wait that the server has asked for, and good credentials and consent.

use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use tradovate_auth_session::{Operation, SessionToken};

use super::World;
use super::queue::Event;
use super::server::network;
use crate::journal::{Minute, Record, What};
use crate::names::Kind;
use crate::scenario::Storm;

/// The time in which a program of a fleet has to be usable again, with a password and as an app, and the time for a
/// single program. The oracle checks a single program's times without a token.
const BOUNDS: [SignedDuration; 3] =
    [SignedDuration::from_hours(3), SignedDuration::from_hours(7), SignedDuration::from_hours(50)];

impl World<'_> {
    pub(super) fn probe(&mut self) {
        self.queue.push(self.now + SignedDuration::from_mins(1), Event::Probe);
        self.server.simulator.set_time(self.now);
        for number in 0..self.programs.len() {
            let program = &self.programs[number];
            if program.is_running() && program.paused_until.is_none() && !self.is_asleep(number) {
                self.judge_minute(number);
                self.call(number);
                self.drive_to_save(number);
            }
        }
        self.look_for_the_end();
    }

    /// Records what the oracle needs: the token that callers hold, and what the server and the operator know about it.
    fn judge_minute(&mut self, number: usize) {
        let local = self.local(number);
        let program = &self.programs[number];
        let Some(session) = self.session(number) else { return };
        let direct = program.tamper.token(session.token(local));
        let held = program.published.as_ref().filter(|token| local < token.usable_until);
        let facts = |token: &SessionToken| (token.generation, token.market_data_token.is_some());
        let is_current = direct.as_ref().map(facts) == held.map(facts);
        let text = held.map(|token| token.access_token.expose());
        let is_accepted = text.is_some_and(|text| self.server.simulator.accepts(text));
        let token = text.map(|text| self.names.of(Kind::Access, text));
        let has_good_settings = self.has_good_settings(number);
        self.record(number, What::Minute(Minute { token, is_accepted, is_current, has_good_settings }));
    }

    /// Whether the server accepts the password of a program, or its secret and its consent.
    fn has_good_settings(&self, number: usize) -> bool {
        let program = &self.programs[number];
        if program.is_app() {
            program.secret.as_deref() == self.server.secret(program.plan.user) && self.has_good_refresh(number)
        } else {
            program.password == self.server.password(program.plan.user)
        }
    }

    /// A call drives the session until its token is saved, even if it finds a token.
    fn drive_to_save(&mut self, number: usize) {
        if self.programs[number].session.as_ref().is_some_and(tradovate_auth_session::Session::has_unstored_token) {
            self.step(number);
        }
    }

    fn call(&mut self, number: usize) {
        let local = self.local(number);
        let program = &self.programs[number];
        let token = program.published.clone().filter(|token| local < token.usable_until);
        let before = self.programs[number].seen;
        let seen = self.look(number);
        let is_news = before.map(|seen| seen.generation) != seen.map(|seen| seen.generation);
        if seen.is_some() || is_news {
            // This is recorded every minute, because clocks may have been set.
            self.court.record(&Record { at: self.now, local, program: number, what: What::Handed(seen) }, is_news);
        }
        let is_accepted =
            token.as_ref().is_some_and(|token| self.server.simulator.accepts(token.access_token.expose()));
        // In a program without a keeper, a call that finds no token waits for one.
        let is_kept = self.programs[number].plan.member.is_none_or(|member| member.keeps);
        let is_well = self.is_well(number) && (is_kept || token.is_some());
        let weather = self.server.storm_at(self.now);
        let is_fair = weather.is_none() && !self.server.is_in_maintenance(self.now);
        let program = &mut self.programs[number];
        if is_well && self.calm_since.is_none() {
            self.tally.count_probe(is_accepted, token.is_some(), program.last_fault);
            if !is_accepted {
                self.note(number, || "a minute without a good token, though the server is well".to_owned());
            }
        }
        let program = &mut self.programs[number];
        program.is_usable |= self.calm_since.is_some() && is_accepted;
        self.miss_consent(number, token.is_some());
        let Some(token) = token.filter(|_| !(is_accepted && is_fair)) else { return };
        let is_postponed = self.programs[number].call_after.is_some_and(|after| self.now < after);
        if self.is_silenced(number) || is_postponed {
            // Callers that were told to wait send nothing either.
            return;
        }
        let (status, body) = match weather {
            Some(Storm::NoConnection | Storm::Silence) => return,
            Some(Storm::Status(status)) => (status, Vec::new()),
            Some(Storm::Html | Storm::Gateway(_)) => (502, Vec::new()),
            None => {
                let mut request = Request::new(Vec::new());
                *request.uri_mut() = self.api_url(number);
                request.headers_mut().insert(header::AUTHORIZATION, token.access_token.header());
                request.extensions_mut().insert(network(self.programs[number].plan.address));
                let response = self.server.simulator.handle(self.now, request);
                (response.status().as_u16(), response.into_body())
            }
        };
        let penalty = serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default();
        if let Some(wait) = penalty.get("p-time").and_then(serde_json::Value::as_i64) {
            let after = self.now + SignedDuration::from_secs(wait);
            self.programs[number].call_after = Some(after);
            self.record(number, What::CallPostponed(after));
        }
        if !(200..300).contains(&status) || penalty.get("p-ticket").is_some() {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            self.reject(number, token.generation, status, &body);
            self.step(number);
        }
    }

    /// Asks the user of an app for consent after half an hour without a token and without a valid refresh token.
    fn miss_consent(&mut self, number: usize, has_token: bool) {
        let has_good_refresh = self.has_good_refresh(number);
        let program = &mut self.programs[number];
        let is_missing = program.is_app() && !has_token && !has_good_refresh;
        program.missing = if is_missing { program.missing + 1 } else { 0 };
        if program.missing > 30 {
            program.missing = 0;
            self.help_app(number);
        }
    }

    fn api_url(&self, number: usize) -> http::Uri {
        let session = self.session(number);
        let url = session
            .and_then(|session| session.environment().url(tradovate_auth_core::Purpose::Trading, "/account/list").ok());
        url.map(|url| url.as_uri().clone()).unwrap_or_default()
    }

    /// Whether the server is available to a program.
    fn is_well(&self, number: usize) -> bool {
        let program = &self.programs[number];
        let is_fair = self.server.storm_at(self.now).is_none() && !self.server.is_in_maintenance(self.now);
        let has_good_login = self.has_good_settings(number);
        let is_waiting = self.mates(number).any(|mate| {
            let waits = [self.programs[mate].postponed_until, self.programs[mate].refused_until];
            let local = self.local(mate);
            waits.into_iter().flatten().any(|until| local < until) || self.is_gated(mate)
        });
        let has_store = program.plan.member.is_none_or(|member| {
            let store = &self.stores[member.fleet];
            !store.is_down(self.now) && !store.is_damaged()
        });
        is_fair && has_good_login && has_store && !is_waiting && !program.is_stopped
    }

    /// A program and those that share its session.
    fn mates(&self, number: usize) -> impl Iterator<Item = usize> {
        let fleet = self.programs[number].plan.member.map(|member| member.fleet);
        let of_fleet = move |(mate, program): (usize, &crate::scenario::Program)| {
            let is_mate = mate == number || fleet.is_some() && program.member.map(|member| member.fleet) == fleet;
            is_mate.then_some(mate)
        };
        self.scenario.present().filter_map(of_fleet)
    }

    /// Whether a lock-out stops the requests of a program's address.
    pub(super) fn is_silenced(&self, number: usize) -> bool {
        let local = self.local(number);
        let address = &self.addresses[self.programs[number].plan.address];
        match self.programs[number].plan.member {
            Some(_) => address.budget.locked_until(local).is_some(),
            None => address.quiet_until.is_some_and(|until| self.now < until),
        }
    }

    /// Whether a lock-out or a captcha stops requests of a program.
    pub(super) fn is_gated(&self, number: usize) -> bool {
        let local = self.local(number);
        let budget = self.budget(number);
        let operations = [Operation::LogIn, Operation::Renew, Operation::Refresh];
        self.is_silenced(number)
            || operations
                .into_iter()
                .any(|operation| budget.is_some_and(|budget| budget.closed_until(local, operation).is_some()))
    }

    /// After the faults have ended, the scenario ends when all programs are usable, or when one has taken too long.
    fn look_for_the_end(&mut self) {
        let Some(since) = self.calm_since else { return };
        let passed = self.now.duration_since(since);
        let waiting: Vec<usize> = self
            .scenario
            .present()
            .map(|(number, _)| number)
            .filter(|number| !self.programs[*number].is_usable)
            .collect();
        self.tally.longest_recovery = self.tally.longest_recovery.max(passed);
        let bound = |program: &super::program::Program| match program.plan.member {
            Some(_) => BOUNDS[usize::from(program.is_app())],
            None => BOUNDS[2],
        };
        let late = waiting.iter().copied().find(|number| passed > bound(&self.programs[*number]));
        if let Some(program) = late {
            self.record(program, What::Unusable);
        }
        self.is_over = waiting.is_empty() || late.is_some();
        if self.is_over {
            self.close_sets();
        }
    }
}
