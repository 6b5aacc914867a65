//! The oracle. It knows what was sent, what the server has issued, what the store has saved and what was placed, and asks no
//! session. It excuses nothing by itself: what a fault excuses is in this table, and nothing else.
//!
//! | what is forbidden | what excuses it |
//! |---|---|
//! | a login while the server takes a token of this fleet that is stored | a rollback after the login was announced, within 68 seconds: the store has forgotten the lease of the process, and given it to another one |
//! | a login while it takes a token that was never stored | a crash, a pause, a lost answer or a lost confirmation of the process that asked for the token, or a store that was away or rolled back, between the announcement of the request and the save of the token: nobody else could know of the token; a clock that was set ahead while the request was in flight: its answer seems to be older than the token's life |
//! | a login while it takes a token that the store has lost by a rollback | no process holds the token that is awake and watches the store: nobody could write it back; or the store has lost it less than a second ago, and had failed before, or a clock was set ahead since: the second in which others write back has passed |
//! | a request while another process has one in flight | a rollback within the last 68 seconds: the store has forgotten the lease; a clock of that process that was set ahead meanwhile: by its clock the request is overdue |
//! | a third login within 15 minutes, if an outcome is unknown, and a fourth within an hour | a rollback, a clock that was set ahead, no store, or a crash between a request and the save of its answer of a process with a store of its own, which announces nothing: the logins before are not known |
//! | a token that is handed out and was never stored | a store that has failed, while no other token is left (law 11), or no store |
//! | a refresh token that is presented, and is not the stored one | a rollback |
//! | a refresh token that is presented a second time | a renewal or a refusal in between, a token that has ended, a rollback, or that same crash: it is not known that it was presented |
//! | a token that is handed out after its end | a clock that was set back before a restart, until the first answer |
//! | at the end, a refresh token in the store that is not the newest | as for a token that was never stored, or was lost |
//! | no good token for longer than [`Oracle::bound`] after the last fault, or again later | nothing |
//! | a session that stops | a store that holds no refresh token any more, or shows a process an older record without one |
//! | a session that waits for what has passed | nothing |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tradovate_auth_core::RequestBody;

use crate::episode::{Kind, Shape};
use crate::plan::Fault;
use crate::store::Record;
use crate::world::{Process, World};

/// How long a session waits for an answer, and how long its lease lasts.
pub(crate) const DEADLINE: SignedDuration = SignedDuration::from_secs(45);
const LEASE: SignedDuration = SignedDuration::from_secs(68);
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const QUARTER: SignedDuration = SignedDuration::from_mins(15);

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The number of the law in `docs/laws.md`.
    pub law: u8,
    /// How it is broken.
    pub what: String,
}

impl Violation {
    pub(crate) fn new(law: u8, what: &str) -> Self {
        Self { law, what: what.to_owned() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "law {}: {}", self.law, self.what)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    LogIn,
    Renew,
    Refresh,
}

/// A request that was sent.
#[derive(Debug, Clone)]
struct Asked {
    operation: Operation,
    at: Timestamp,
    /// The step since which the store knows of it.
    from: usize,
}

/// A fault that was placed.
#[derive(Debug, Clone, Copy)]
struct Placed {
    step: usize,
    process: usize,
    fault: Fault,
    at: Timestamp,
    /// Whether the process had a request in flight.
    is_in_flight: bool,
    /// Whether it had one, or a token that was not stored.
    is_open: bool,
}

/// A token that the server has issued.
#[derive(Debug, Clone)]
struct Token {
    text: String,
    process: usize,
    from: usize,
    stored: Option<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// Whether what the episode begins with has happened.
    has_begun: bool,
    placed: Vec<Placed>,
    /// By process: the step of its last save, and its request in flight.
    saved: [usize; 3],
    in_flight: [Option<Asked>; 3],
    access: Vec<Token>,
    refresh: Vec<Token>,
    stored: BTreeSet<String>,
    /// How far logins got, by what was stored of them.
    attempts: BTreeMap<u64, String>,
    /// When logins were sent, and from which step on.
    logins: Vec<(Timestamp, usize, usize)>,
    /// Refresh tokens that were presented, and not renewed or refused since.
    presented: BTreeSet<String>,
    /// By process: what it has handed out last.
    handed: [Option<String>; 3],
    well_at: Option<Timestamp>,
}

impl Oracle {
    /// What was before was no part of the episode.
    pub(crate) fn begin(&mut self) {
        self.has_begun = true;
        self.logins.clear();
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    pub(crate) fn placed(&mut self, step: usize, process: usize, fault: Fault, now: Timestamp) {
        let is_in_flight = self.in_flight[process].is_some();
        let is_unstored = |token: &Token| token.process == process && token.stored.is_none();
        let is_open = is_in_flight || self.access.last().is_some_and(is_unstored);
        self.placed.push(Placed { step, process, fault, at: now, is_in_flight, is_open });
    }

    pub(crate) fn was_shown_stale(&self, process: usize) -> bool {
        self.has(|it| it.fault == Fault::Stale && it.process == process)
    }

    pub(crate) fn crashed(&mut self, process: usize) {
        self.in_flight[process] = None;
    }

    pub(crate) fn answered(&mut self, process: usize) {
        self.in_flight[process] = None;
    }

    pub(crate) fn is_well(&mut self, now: Timestamp) {
        self.well_at = Some(now);
    }

    pub(crate) fn saved(&mut self, step: usize, process: usize, record: Option<&Record>) {
        self.saved[process] = step;
        self.attempts.extend(record.into_iter().flat_map(|record| record.attempts.clone()));
        let texts = record.map(|record| (record.access.as_deref(), record.refresh.as_deref())).unwrap_or_default();
        for (tokens, text) in [(&mut self.access, texts.0), (&mut self.refresh, texts.1)] {
            let Some(text) = text else { continue };
            self.stored.insert(text.to_owned());
            tokens.iter_mut().filter(|token| token.text == text).for_each(|token| _ = token.stored.get_or_insert(step));
        }
    }

    pub(crate) fn sends(
        &mut self,
        world_step: usize,
        is_announced: bool,
        process: usize,
        now: Timestamp,
        request: &Request<RequestBody>,
    ) {
        let (operation, refresh) = read(request);
        let is_announced = is_announced && operation != Operation::Renew;
        let from = if is_announced { self.saved[process] } else { world_step };
        if operation == Operation::LogIn {
            self.logins.push((now, process, from));
        }
        self.presented.extend(refresh.clone());
        self.in_flight[process] = Some(Asked { operation, at: now, from });
    }

    pub(crate) fn served(&mut self, process: usize, response: &Response<Vec<u8>>) {
        let Some(asked) = self.in_flight[process].clone() else { return };
        let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let token = |text| Token { text, process, from: asked.from, stored: None };
        let access = text("accessToken").or(text("access_token"));
        if access.is_some() && asked.operation == Operation::Renew || text("error").is_some() {
            self.presented.clear();
        }
        self.access.extend(access.map(token));
        self.refresh.extend(text("refresh_token").map(token));
    }

    /// A process wants to send.
    pub(crate) fn judge_request(
        &self,
        world: &World<'_>,
        process: usize,
        request: &Request<RequestBody>,
    ) -> Result<(), Violation> {
        let now = world.now;
        let (operation, refresh) = read(request);
        let is_in_flight = |asked: &Asked| asked.at + DEADLINE > now;
        let is_over = |other: usize| self.has(|it| it.fault == Fault::Ahead && it.process == other && it.is_in_flight);
        let other = (0..3)
            .filter(|other| !is_over(*other))
            .find(|other| *other != process && self.in_flight[*other].as_ref().is_some_and(is_in_flight));
        let is_unleased = self.has(|it| it.fault == Fault::Rollback && now < it.at + LEASE);
        if let Some(other) = other.filter(|_| !is_unleased) {
            return Err(Violation::new(14, &format!("p{process} sends while a request of p{other} is in flight")));
        }
        if operation == Operation::LogIn {
            self.judge_login(world, process)?;
        }
        let Some(refresh) = refresh.filter(|_| world.episode.shape != Shape::Alone) else { return Ok(()) };
        let stored = world.store.record.as_ref().and_then(|record| record.refresh.as_ref());
        if stored != Some(&refresh) && !self.has(|it| it.fault == Fault::Rollback) {
            return Err(Violation::new(13, &format!("p{process} presents a refresh token that is not the stored one")));
        }
        let is_renewable = world.store.holds(|text| world.server.accepts(text));
        let knows = !self.has(|it| it.fault == Fault::Rollback) && !self.was_unannounced(world);
        if self.presented.contains(&refresh) && is_renewable && knows {
            return Err(Violation::new(13, &format!("p{process} presents a refresh token again, and has not renewed")));
        }
        Ok(())
    }

    fn judge_login(&self, world: &World<'_>, process: usize) -> Result<(), Violation> {
        let now = world.now;
        // It holds a lease that the store has forgotten since.
        let has_forgotten =
            |it: &Placed| it.fault == Fault::Rollback && it.step > self.saved[process] && now < it.at + LEASE;
        if self.has(has_forgotten) {
            return Ok(());
        }
        if self.well_at.is_some() {
            return Err(Violation::new(3, "logs in after all was well again"));
        }
        let is_good = |text: &str| world.server.accepts(text);
        if world.episode.shape != Shape::Alone && world.store.holds(is_good) {
            return Err(Violation::new(3, "logs in while a good token is stored"));
        }
        for token in self.access.iter().filter(|token| is_good(&token.text)) {
            self.excuse_absence(world, token).map_err(|what| Violation::new(3, &format!("logs in {what}")))?;
        }
        let is_forgotten = self.has(|it| matches!(it.fault, Fault::Rollback | Fault::Ahead));
        let knows = world.episode.shape != Shape::Alone && !is_forgotten && !self.was_unannounced(world);
        let within = |time| self.logins.iter().filter(move |(at, ..)| *at + time > now);
        let is_unknown = within(QUARTER).any(|(_, process, from)| self.is_disturbed(*process, *from, None));
        if knows && is_unknown && within(QUARTER).count() >= 2 {
            return Err(Violation::new(17, "logs in a third time within 15 minutes, though an outcome is unknown"));
        }
        if knows && within(SignedDuration::from_hours(1)).count() >= 3 {
            return Err(Violation::new(8, "logs in a fourth time within an hour"));
        }
        Ok(())
    }

    /// Whether a process with a store of its own has crashed with a request in flight, or with its answer, of which
    /// nothing is stored.
    fn was_unannounced(&self, world: &World<'_>) -> bool {
        world.episode.shape == Shape::Stored && self.has(|it| it.fault == Fault::Crash && it.is_open)
    }

    /// Whether the store has lost the refresh token, and nobody could help it.
    pub(crate) fn has_lost_consent(&self, world: &World<'_>) -> bool {
        let is_stored = world.store.record.as_ref().is_some_and(|record| record.refresh.is_some());
        !is_stored && self.refresh.last().is_some_and(|newest| self.excuse_absence(world, newest).is_ok())
    }

    /// Why a token that the server has issued is not in the store.
    fn excuse_absence(&self, world: &World<'_>, token: &Token) -> Result<(), String> {
        let Some(stored) = token.stored else {
            let is_disturbed = self.is_disturbed(token.process, token.from, None);
            return if is_disturbed { Ok(()) } else { Err("while a token is good that no fault has kept".into()) };
        };
        let lost = self.placed.iter().filter(|it| it.fault == Fault::Rollback && it.step >= stored);
        let Some(at) = lost.map(|it| it.at).max() else {
            return Err("while a token is good that was stored".into());
        };
        let hurries = |it: &&Placed| it.fault.is_of_store() || matches!(it.fault, Fault::Stale | Fault::Ahead);
        let is_twice = self.placed.iter().filter(hurries).count() > 1;
        if is_twice && world.now < at + SECOND {
            return Ok(());
        }
        let holds = |process: &&Process| {
            let is_held = |held: tradovate_auth_session::SessionToken| held.access_token.expose() == token.text;
            process.watches && !process.is_paused && process.token(world.now).is_some_and(is_held)
        };
        match world.processes.iter().position(|process| holds(&process)) {
            Some(holder) => Err(format!("while p{holder} holds a good token and has not written it back")),
            None => Ok(()),
        }
    }

    /// Whether a fault has met a process or the store between two steps.
    fn is_disturbed(&self, process: usize, from: usize, to: Option<usize>) -> bool {
        self.has(|it| {
            let is_met = match it.fault {
                Fault::Rollback | Fault::Away => true,
                Fault::Stale | Fault::Back => false,
                Fault::Ahead => it.process == process && it.is_in_flight,
                _ => it.process == process,
            };
            is_met && it.step >= from && to.is_none_or(|to| it.step <= to)
        })
    }

    fn has(&self, is_one: impl Fn(&Placed) -> bool) -> bool {
        self.placed.iter().any(is_one)
    }

    /// What a process hands out.
    pub(crate) fn judge_use(&self, world: &World<'_>, number: usize) -> Result<(), Violation> {
        let Some(token) = world.processes[number].token(world.now) else { return Ok(()) };
        let is_known = self.handed[number].as_deref() == Some(token.access_token.expose());
        let is_set_back = self.has(|it| it.fault == Fault::Back && it.process == number);
        if token.expires_at <= world.now && !is_set_back {
            return Err(Violation::new(2, &format!("p{number} hands out a token after its end")));
        }
        if is_known || world.episode.shape == Shape::Alone || self.stored.contains(token.access_token.expose()) {
            return Ok(());
        }
        let is_failure = |fault| matches!(fault, Fault::ConfirmationLost | Fault::ConfirmationSilent);
        let has_failed = self.has(|it| it.fault.is_of_store() || it.process == number && is_failure(it.fault));
        let is_ahead = self.has(|it| it.fault == Fault::Ahead && it.process == number);
        let before = self.handed[number].as_deref();
        let has_other = || before.is_some_and(|text| world.server.accepts(text)) && !is_ahead;
        if has_failed && world.episode.is_shared() && !has_other() {
            return Ok(());
        }
        Err(Violation::new(11, &format!("p{number} hands out a token that was never stored")))
    }

    pub(crate) fn hands_out(&mut self, number: usize, token: Option<&str>) {
        if let Some(token) = token.filter(|token| self.handed[number].as_deref() != Some(token)) {
            self.handed[number] = Some(token.to_owned());
        }
    }

    /// A minute in which a process has no token that is good.
    pub(crate) fn judge_minute(&self, number: usize) -> Result<(), Violation> {
        if self.well_at.is_none() {
            return Ok(());
        }
        Err(Violation::new(10, &format!("p{number} has no good token after all was well")))
    }

    /// How long after the last fault all may take to be well: three minutes in which leases end and the store is asked again.
    /// If a login may have opened a session, its pauses come on top (law 17): a quarter of an hour, or the hour in which there
    /// are three (law 8). After a crash, the renewal that verifies a token may have been asked for just before: the next one
    /// is asked for after a quarter of an hour (law 12). A session whose renewals are
    /// answered 408 is given up after three of them and two minutes. A crash forgets them, and the hour has 15 renewals, so
    /// that it may last until the token ends.
    fn bound(&self, kind: Kind) -> SignedDuration {
        let is_unknown = |status: &&String| matches!(status.as_str(), "announced" | "unknown");
        let unknown = self.attempts.values().filter(is_unknown).count().max(self.logins.len().saturating_sub(1));
        // What is stored nowhere is not counted there: the login before the episode.
        let before = usize::from(self.attempts.is_empty() && kind != Kind::FirstLogin);
        let opened = self.attempts.values().filter(|status| *status == "opened").count().max(before);
        let is_verified = matches!(kind, Kind::Forbidden | Kind::Dead | Kind::Kick | Kind::HostMove);
        let minutes = match (unknown, unknown + opened) {
            (0, _) if is_verified && self.has(|it| it.fault == Fault::Crash) => 16,
            (0, _) => 3,
            (_, ..3) => 16,
            _ => 65,
        };
        let more = match kind {
            Kind::Kick if self.has(|it| it.fault == Fault::Crash) => 80,
            Kind::Kick => 5,
            _ => 0,
        };
        SignedDuration::from_mins(minutes + more)
    }

    pub(crate) fn judge_recovery(&self, kind: Kind, took: SignedDuration) -> Result<(), Violation> {
        let bound = self.bound(kind);
        if took <= bound {
            return Ok(());
        }
        Err(Violation::new(10, &format!("is not well within {bound:?} after the last fault")))
    }

    /// All is long over.
    pub(crate) fn judge_end(&self, world: &World<'_>) -> Result<(), Violation> {
        let stored = world.store.record.as_ref();
        for (number, process) in world.processes.iter().enumerate() {
            let Some(token) = process.token(world.now) else { continue };
            let is_stored = stored.and_then(|it| it.access.as_deref()) == Some(token.access_token.expose());
            if process.watches && world.episode.shape != Shape::Alone && !is_stored {
                return Err(Violation::new(14, &format!("p{number} hands out another token than the stored one")));
            }
        }
        let Some(newest) = self.refresh.last() else { return Ok(()) };
        if stored.and_then(|it| it.refresh.as_ref()) == Some(&newest.text) {
            return Ok(());
        }
        self.excuse_absence(world, newest)
            .map_err(|_| Violation::new(11, "the newest refresh token is lost, and no fault has lost it"))
    }
}

fn read(request: &Request<RequestBody>) -> (Operation, Option<String>) {
    match request.uri().path() {
        "/v1/auth/accesstokenrequest" => (Operation::LogIn, None),
        "/v1/auth/renewaccesstoken" => (Operation::Renew, None),
        _ => {
            let body: Value = serde_json::from_slice(request.body().as_ref()).unwrap_or_default();
            (Operation::Refresh, body.get("refresh_token").and_then(Value::as_str).map(str::to_owned))
        }
    }
}
