//! A session under judgement: what it does is held against the laws, and what has to be known for that is kept.

use alloc::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;

/// What is known of a request that has left.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) id: ExchangeId,
    pub(super) operation: Operation,
    pub(super) at: Timestamp,
    pub(super) server_time: Timestamp,
    pub(super) body: Value,
    pub(super) generation: u64,
}

/// A session, and what has to be known to judge it.
#[expect(clippy::struct_excessive_bools)]
pub(super) struct Lab {
    pub(super) session: Session,
    pub(super) is_app: bool,
    pub(super) has_store: bool,
    pub(super) budget: RateBudget,
    pub(super) now: Timestamp,
    /// How far the server's clock is ahead.
    pub(super) ahead: SignedDuration,
    pub(super) replies: Vec<Reply>,
    pub(super) store_works: Vec<u8>,
    pub(super) served: usize,
    pub(super) in_flight: Option<Sent>,
    pub(super) given_up: Vec<Sent>,
    pub(super) last_sent: Option<ExchangeId>,
    /// Nothing may be sent before.
    pub(super) silent_until: Timestamp,
    pub(super) closed_until: BTreeMap<Operation, Timestamp>,
    /// By the ticket: the body it is for, and when it may go out.
    pub(super) tickets: BTreeMap<String, (Value, Timestamp)>,
    /// The ticket the next request of this kind has to carry.
    pub(super) owed: Option<(Operation, String)>,
    /// Logins that opened a session, or may have; and those that failed, or may have.
    pub(super) opened: Vec<Timestamp>,
    pub(super) failed: Vec<Timestamp>,
    /// Logins that may have opened a session whose token the session doesn't hold.
    pub(super) unknown: Vec<Timestamp>,
    pub(super) last_refused: String,
    pub(super) barred_until: BTreeMap<String, Timestamp>,
    pub(super) stored_texts: BTreeSet<String>,
    pub(super) snapshots: Vec<String>,
    pub(super) unanswered_stores: Vec<(ExchangeId, String)>,
    /// By the token: its expiry and its life.
    pub(super) lives: BTreeMap<String, Vec<(Timestamp, Duration)>>,
    pub(super) generation: u64,
    pub(super) is_lost: bool,
    pub(super) is_said_dead: bool,
    pub(super) renewals: Vec<Timestamp>,
    pub(super) last_verified: Option<Timestamp>,
    pub(super) of_another_user: BTreeSet<String>,
}

impl Lab {
    pub(super) fn new(is_app: bool, has_store: bool, ahead: i64, replies: Vec<Reply>, store_works: Vec<u8>) -> Self {
        Self {
            session: Self::session(is_app, has_store),
            is_app,
            has_store,
            budget: RateBudget::default(),
            now: start(),
            ahead: SignedDuration::from_secs(ahead),
            replies,
            store_works,
            served: 0,
            in_flight: None,
            given_up: Vec::new(),
            last_sent: None,
            silent_until: Timestamp::MIN,
            closed_until: BTreeMap::new(),
            tickets: BTreeMap::new(),
            owed: None,
            opened: Vec::new(),
            failed: Vec::new(),
            unknown: Vec::new(),
            last_refused: String::new(),
            barred_until: BTreeMap::new(),
            stored_texts: BTreeSet::from(["rt-0".into()]),
            snapshots: Vec::new(),
            unanswered_stores: Vec::new(),
            lives: BTreeMap::new(),
            generation: 0,
            is_lost: false,
            is_said_dead: false,
            renewals: Vec::new(),
            last_verified: None,
            of_another_user: BTreeSet::new(),
        }
    }

    pub(super) fn session(is_app: bool, has_store: bool) -> Session {
        let session = if is_app {
            Session::from_refresh_token(Environment::live(), OAuthApp::new("client"), RefreshToken::new("rt-0"), 7)
        } else {
            Session::new(Environment::demo(), Credentials::new("trader", "password"), 7)
        };
        if has_store { session.with_store() } else { session }
    }

    pub(super) fn server_now(&self) -> Timestamp {
        self.now.saturating_add(self.ahead).unwrap()
    }

    /// What has to hold whatever has just happened.
    pub(super) fn check(&mut self) {
        while let Some(event) = self.session.next_event() {
            if let EventKind::RefreshRefused { .. } = event.kind {
                self.barred_until.insert(self.last_refused.clone(), later(self.now, minutes(360)));
            }
        }
        if self.session.generation != self.generation {
            self.generation = self.session.generation;
            (self.is_lost, self.is_said_dead) = (false, false);
            self.renewals.clear();
        }
        let Some(token) = self.session.token(self.now) else { return };
        let text = token.access_token.expose();
        let lives = &self.lives[text];
        // A refresh tells no expiry but a lifetime; its token's text comes once.
        let (expires_at, life) = *lives.iter().find(|(end, _)| *end == token.expires_at).unwrap_or(&lives[0]);
        // Less what a `Date` of whole seconds and the smoothing of the clock leave open.
        let margin = Duration::from_secs(30).min(life / 10).saturating_sub(Duration::from_secs(3));
        assert!(later(self.server_now(), margin) <= expires_at, "law 2: {text} is handed out past its margin");
        assert!(!self.of_another_user.contains(text), "law 6: {text} is for another user");
        assert!(!self.is_lost, "law 3: {text} is handed out although it can't be renewed");
        assert!(
            !self.has_store || self.stored_texts.contains(text),
            "law 11: {text} is handed out before it is stored"
        );
    }

    pub(super) fn count_within_the_hour(&self, times: &[Timestamp]) -> usize {
        times.iter().filter(|time| later(**time, minutes(60)) > self.now).count()
    }

    pub(super) fn judge(&mut self, id: ExchangeId, request: &Request<RequestBody>) -> Sent {
        let operation = match request.uri().path() {
            "/v1/auth/accesstokenrequest" => Operation::LogIn,
            "/v1/auth/renewaccesstoken" => Operation::Renew,
            "/v1/auth/oauthtoken" => Operation::Refresh,
            other => panic!("{other}"),
        };
        let host = request.uri().host().unwrap();
        assert!(tradovate_auth_core::is_trusted_host(host), "law 7: {host}");
        assert!(self.in_flight.is_none(), "law 1: two requests in flight");
        assert!(self.now >= self.silent_until, "law 5: sent during a lock-out");
        let closed = self.closed_until.get(&operation).copied().unwrap_or(Timestamp::MIN);
        assert!(self.now >= closed, "law 5: sent to a closed endpoint");
        let mut body: Value = serde_json::from_slice(request.body().as_ref()).unwrap_or(Value::Null);
        let ticket = body.as_object_mut().and_then(|body| body.remove("p-ticket"));
        if let Some(ticket) = ticket.as_ref().and_then(Value::as_str) {
            let (original, not_before) = &self.tickets[ticket];
            assert_eq!(&body, original, "law 4: another body with the ticket");
            assert!(self.now >= *not_before, "law 4: before the ticket allows");
        }
        if let Some((_, owed)) = self.owed.take_if(|(postponed, _)| *postponed == operation)
            && operation != Operation::Renew
        {
            assert_eq!(ticket.as_ref().and_then(Value::as_str), Some(owed.as_str()), "law 4: without the ticket");
        }
        match operation {
            Operation::LogIn => {
                assert!(!self.is_app);
                assert!(self.count_within_the_hour(&self.opened) < 3, "law 8: a fourth session within an hour");
                assert!(self.count_within_the_hour(&self.failed) < 4, "law 8: a fifth failure within an hour");
                let recent = |sent: &&Timestamp| later(**sent, minutes(15)) > self.now;
                let unknown = self.unknown.iter().filter(recent).max();
                if let Some(unknown) = unknown {
                    assert!(later(*unknown, Duration::from_secs(15)) <= self.now, "law 17: within 15 s of a login");
                    let opened = self.opened.iter().filter(recent).count();
                    assert!(opened < 2, "law 17: a third login within a quarter of an hour");
                }
                self.opened.push(self.now);
                self.failed.push(self.now);
                self.unknown.push(self.now);
                let held = self.session.held.as_ref().map(|held| held.grant.expires_at);
                // Each answer moves the clock a little.
                let server_now = later(self.session.clock.server_time(self.now), Duration::from_secs(3));
                let is_alive = held.is_some_and(|end| end > server_now) && !self.is_lost;
                let first = self.renewals.first();
                let is_given_up = self.is_said_dead
                    && self.renewals.len() >= 3
                    && first.is_some_and(|first| later(*first, minutes(2)) <= self.now);
                assert!(!is_alive || is_given_up, "law 3: a login while the session can be renewed");
                let is_proved = held.is_none() || self.is_lost || self.session.clock.is_learnt();
                assert!(is_proved || !self.renewals.is_empty(), "law 3: a login because of a local clock alone");
            }
            Operation::Refresh => {
                let token = body["refresh_token"].as_str().unwrap();
                let barred = self.barred_until.get(token).copied().unwrap_or(Timestamp::MIN);
                assert!(self.now >= barred, "law 13: {token} is presented within six hours");
                assert!(!self.has_store || self.stored_texts.contains(token), "law 11: {token} is presented unstored");
            }
            _ => {
                let server_now = later(self.session.clock.server_time(self.now), Duration::from_secs(3));
                let is_early = self.session.held.as_ref().is_some_and(|held| server_now < held.renew_at);
                if is_early && self.renewals.is_empty() {
                    let last = self.last_verified.replace(self.now);
                    let ration = last.is_none_or(|last| later(last, minutes(15)) <= self.now);
                    assert!(ration, "law 12: a second verifying renewal within a quarter of an hour");
                }
                self.renewals.push(self.now);
            }
        }
        let (server_time, generation) = (self.server_now(), self.generation);
        self.last_sent = Some(id);
        Sent { id, operation, at: self.now, server_time, body, generation }
    }

    /// Drives the session for a time.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = later(self.now, time);
        for _ in 0..5000 {
            let deadline_passed = |sent: &mut Sent| later(sent.at, Duration::from_secs(45)) <= self.now;
            self.given_up.extend(self.in_flight.take_if(deadline_passed));
            let action = self.session.poll(self.now, &mut self.budget);
            self.check();
            match action {
                Action::Send { id, request } => {
                    let sent = self.judge(id, &request);
                    let reply = self.replies[self.served % self.replies.len()].clone();
                    self.served += 1;
                    self.in_flight = Some(sent.clone());
                    self.answer(&sent, &reply, self.server_now());
                }
                Action::Store { id, snapshot } => self.store(id, &snapshot),
                Action::Wait { until } => {
                    assert!(until > self.now, "law 9: a wait that is over");
                    let just_before = crate::moments::earlier(until, Duration::from_millis(1)).max(self.now);
                    let handed_out = |at| {
                        let token = self.session.token(at)?;
                        Some((token.generation, token.usable_until, token.market_data_token.is_some()))
                    };
                    assert_eq!(handed_out(just_before), handed_out(self.now), "law 15: the token changes by itself");
                    if until > end {
                        self.now = end;
                        return;
                    }
                    self.now = until;
                }
                Action::Stopped(_) => {
                    self.now = end;
                    return;
                }
            }
            self.check();
        }
        panic!("law 9: the session spins");
    }

    pub(super) fn store(&mut self, id: ExchangeId, snapshot: &StoredSession) {
        let text = serde_json::to_string(snapshot).unwrap();
        let works = self.store_works[self.served % self.store_works.len()];
        self.served += 1;
        match works {
            0 => self.session.store_failed(self.now, id),
            1 => self.unanswered_stores.push((id, text)),
            _ => self.has_stored(id, text),
        }
    }

    pub(super) fn has_stored(&mut self, id: ExchangeId, text: String) {
        let value: Value = serde_json::from_str(&text).unwrap();
        let texts = [&value["access"]["token"], &value["refresh"]["token"]];
        self.stored_texts.extend(texts.into_iter().filter_map(Value::as_str).map(String::from));
        self.snapshots.push(text);
        self.session.stored(self.now, id);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.session.stop_reason().is_some()
    }
}
