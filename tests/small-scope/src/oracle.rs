//! The oracle: checks the laws. It uses what was sent, what the server has issued, what the store has saved and which
//! faults were placed, and nothing that a session says about itself. Only the exceptions in this table are allowed.
//!
//! | Forbidden | Allowed after |
//! |---|---|
//! | a login while the server accepts a stored token | a rollback within the last 68 seconds, after which the store has lost the lease of the login. The rollback came after the announcement of the login, or another process has saved the token since the announcement. The process that logs in has yet to learn that the store has changed: once it has learnt of it, it loads the record first |
//! | a login while the server accepts a token that was never stored | a fault between the announcement of the request and the save of the token: a crash, a pause, a lost answer or a lost confirmation of the process that requested the token, or a store that was unreachable or rolled back. No other process could know of the token. Also a clock that was set ahead while the request was in flight: the answer then seems older than the token's life |
//! | a login while the server accepts a token that a rollback has removed | the rollback, if no awake process that watches the store holds the token, so that none can save it again. Also if the rollback is less than a second ago and the store had failed before or a clock was set ahead since: the second for saving again has already passed. Also if, in the last second, switches have delayed the process that holds the token by half a second or more, or it still waited for the confirmation of a save that never comes: too little of that second is left |
//! | a request while another process has one in flight | a rollback within the last 68 seconds: the store has lost the lease. Also if the clock of the other process was set ahead meanwhile: by its clock, the request is overdue |
//! | a third login within 15 minutes if an outcome is unknown, or a fourth within an hour | a rollback, a clock that was set ahead, or no store. Also a crash of a process with a store of its own between a request and the save of its answer: such a process announces nothing, so its earlier logins are not known |
//! | handing out a token that was never stored | a failure of the store while no other token is left (law 11), or no store |
//! | presenting a refresh token that is not the stored one | a rollback |
//! | presenting a refresh token twice | a renewal or a refusal in between, an expired access token, a rollback, or a crash of a process with a store of its own, which does not know that it presented the token |
//! | handing out a token after its end | a clock that was set back before a restart, until the first answer |
//! | an old refresh token in the store at the end | the same faults as for a token that was never stored, or was removed by a rollback |
//! | no good token for longer than [`Oracle::bound`] after the last fault, or again later | nothing |
//! | a session that stops | a store that has no refresh token any more, or returns an older record without one, or has received a token since the process loaded the record |
//! | a wait that ends in the past | nothing |

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

/// How long a session waits for an answer.
pub(crate) const DEADLINE: SignedDuration = SignedDuration::from_secs(45);
const LEASE: SignedDuration = SignedDuration::from_secs(68);
pub(crate) const HALF_A_SECOND: SignedDuration = SignedDuration::from_millis(500);
pub(crate) const SECOND: SignedDuration = SignedDuration::from_secs(1);
const QUARTER: SignedDuration = SignedDuration::from_mins(15);

/// A violation of a law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The number of the law in `docs/laws.md`.
    pub law: u8,
    /// The message.
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    LogIn,
    Renew,
    Refresh,
}

/// A request that was sent.
#[derive(Debug, Clone, Hash)]
struct Asked {
    operation: Operation,
    at: Timestamp,
    /// The step from which on the store knows of the request.
    from: usize,
}

/// A fault that was placed.
#[derive(Debug, Clone, Copy, Hash)]
struct Placed {
    step: usize,
    process: usize,
    fault: Fault,
    at: Timestamp,
    /// Whether a clock was set ahead while the process had a request in flight.
    is_in_flight: bool,
    /// Whether the process crashed with a request in flight, or with a token that was not stored.
    is_open: bool,
}

/// A token that the server has issued.
#[derive(Debug, Clone, Hash)]
struct Token {
    text: String,
    process: usize,
    from: usize,
    stored: Option<usize>,
}

#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Oracle {
    /// Whether the event of the episode has happened.
    has_begun: bool,
    placed: Vec<Placed>,
    /// By process: the step of its last save, and its request in flight.
    saved: [usize; 3],
    in_flight: [Option<Asked>; 3],
    access: Vec<Token>,
    refresh: Vec<Token>,
    stored: BTreeSet<String>,
    /// The stored state of each login.
    attempts: BTreeMap<u64, String>,
    /// The logins: the time, the process, and the step from which on the store knows of the login.
    logins: Vec<(Timestamp, usize, usize)>,
    /// The refresh tokens that were presented, and neither renewed nor refused since.
    presented: BTreeSet<String>,
    /// By process: the token that it handed out last.
    handed: [Option<String>; 3],
    well_at: Option<Timestamp>,
}

impl Oracle {
    /// Starts the event of the episode. Earlier logins no longer count.
    pub(crate) fn begin(&mut self) {
        self.has_begun = true;
        self.logins.clear();
    }

    /// The oracle with each step replaced by its rank: only the order of steps matters.
    pub(crate) fn ordered(&self) -> Self {
        let mut oracle = self.clone();
        let mut steps: Vec<usize> = oracle.steps().map(|step| *step).collect();
        steps.sort_unstable();
        steps.dedup();
        for step in oracle.steps() {
            *step = steps.binary_search(step).unwrap_or_default();
        }
        oracle
    }

    fn steps(&mut self) -> impl Iterator<Item = &mut usize> {
        let tokens = self.access.iter_mut().chain(&mut self.refresh);
        let tokens = tokens.flat_map(|token| [Some(&mut token.from), token.stored.as_mut()].into_iter().flatten());
        let placed = self.placed.iter_mut().map(|it| &mut it.step);
        let asked = self.in_flight.iter_mut().flatten().map(|it| &mut it.from);
        placed.chain(&mut self.saved).chain(asked).chain(tokens).chain(self.logins.iter_mut().map(|(_, _, step)| step))
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    pub(crate) fn placed(&mut self, step: usize, process: usize, fault: Fault, now: Timestamp) {
        let is_in_flight = self.in_flight[process].is_some();
        let is_unstored = |token: &Token| token.process == process && token.stored.is_none();
        let is_open = fault == Fault::Crash && (is_in_flight || self.access.last().is_some_and(is_unstored));
        let is_in_flight = fault == Fault::Ahead && is_in_flight;
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

    /// Checks a request that a process wants to send.
    pub(crate) fn judge_request(
        &self,
        world: &World,
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
            return Err(Violation::new(
                14,
                &format!("p{process} sends a request while a request of p{other} is in flight"),
            ));
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
            return Err(Violation::new(
                13,
                &format!("p{process} presents a refresh token again without a renewal in between"),
            ));
        }
        Ok(())
    }

    fn judge_login(&self, world: &World, process: usize) -> Result<(), Violation> {
        let now = world.now;
        let has_yet_to_learn = world.processes[process].has_yet_to_learn();
        // The process holds a lease that the store has lost since.
        let has_forgotten =
            |it: &Placed| it.fault == Fault::Rollback && it.step > self.saved[process] && now < it.at + LEASE;
        if has_yet_to_learn && self.has(has_forgotten) {
            return Ok(());
        }
        if self.well_at.is_some() {
            return Err(Violation::new(3, "a process logs in after the recovery"));
        }
        let is_good = |text: &str| world.server.accepts(text);
        let is_lost_lease = || self.has_saved_meanwhile(process, now) && has_yet_to_learn;
        if world.episode.shape != Shape::Alone && world.store.holds(is_good) && !is_lost_lease() {
            return Err(Violation::new(3, "a process logs in while a good token is stored"));
        }
        for token in self.access.iter().filter(|token| is_good(&token.text)) {
            self.excuse_absence(world, token)
                .map_err(|what| Violation::new(3, &format!("a process logs in {what}")))?;
        }
        let is_forgotten = self.has(|it| matches!(it.fault, Fault::Rollback | Fault::Ahead));
        let knows = world.episode.shape != Shape::Alone && !is_forgotten && !self.was_unannounced(world);
        let within = |time| self.logins.iter().filter(move |(at, ..)| *at + time > now);
        let is_unknown = within(QUARTER).any(|(_, process, from)| self.is_disturbed(*process, *from, None));
        if knows && is_unknown && within(QUARTER).count() >= 2 {
            return Err(Violation::new(
                17,
                "the processes log in a third time within 15 minutes although an outcome is unknown",
            ));
        }
        if knows && within(SignedDuration::from_hours(1)).count() >= 3 {
            return Err(Violation::new(8, "the processes log in a fourth time within an hour"));
        }
        Ok(())
    }

    /// Whether another process has saved since the announcement of this one, because the store has lost the lease. A
    /// store that has not lost it refuses such a save.
    fn has_saved_meanwhile(&self, process: usize, now: Timestamp) -> bool {
        self.saved.iter().any(|other| *other > self.saved[process])
            && self.has(|it| it.fault == Fault::Rollback && now < it.at + LEASE)
    }

    /// Whether a process with a store of its own has crashed with a request in flight or with its answer, and the store
    /// knows nothing of it.
    fn was_unannounced(&self, world: &World) -> bool {
        world.episode.shape == Shape::Stored && self.has(|it| it.fault == Fault::Crash && it.is_open)
    }

    /// Whether the store has lost the refresh token and no process could save it again.
    pub(crate) fn has_lost_consent(&self, world: &World) -> bool {
        let is_stored = world.store.record.as_ref().is_some_and(|record| record.refresh.is_some());
        !is_stored && self.refresh.last().is_some_and(|newest| self.excuse_absence(world, newest).is_ok())
    }

    /// Checks that a fault explains why an issued token is not in the store.
    fn excuse_absence(&self, world: &World, token: &Token) -> Result<(), String> {
        let Some(stored) = token.stored else {
            let is_disturbed = self.is_disturbed(token.process, token.from, None);
            return if is_disturbed {
                Ok(())
            } else {
                Err("although no fault explains why a good token is not stored".into())
            };
        };
        let lost = self.placed.iter().filter(|it| it.fault == Fault::Rollback && it.step >= stored);
        let Some(at) = lost.map(|it| it.at).max() else {
            return Err("although a good token was stored and no rollback has removed it".into());
        };
        let hurries = |it: &&Placed| it.fault.is_of_store() || matches!(it.fault, Fault::Stale | Fault::Ahead);
        let is_twice = self.placed.iter().filter(hurries).count() > 1;
        if is_twice && world.now < at + SECOND {
            return Ok(());
        }
        let holds = |process: &&Process| {
            let is_held = |held: tradovate_auth_session::SessionToken| held.access_token.expose() == token.text;
            let is_delayed = process.due() <= world.now - HALF_A_SECOND || world.now < process.hindered_until;
            process.watches && !process.is_paused && !is_delayed && process.token(world.now).is_some_and(is_held)
        };
        match world.processes.iter().position(|process| holds(&process)) {
            Some(holder) => Err(format!("although p{holder} holds a good token that it has not saved again")),
            None => Ok(()),
        }
    }

    /// Whether a fault has affected a process or the store between two steps.
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

    /// Checks the token that a process hands out.
    pub(crate) fn judge_use(&self, world: &World, number: usize) -> Result<(), Violation> {
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

    /// Checks a minute in which a process has no good token.
    pub(crate) fn judge_minute(&self, number: usize) -> Result<(), Violation> {
        if self.well_at.is_none() {
            return Ok(());
        }
        Err(Violation::new(10, &format!("p{number} has no good token after the recovery")))
    }

    /// The longest recovery after the last fault. Three minutes let leases expire and the store be asked again. If a
    /// login may have opened a session, its pauses are added (law 17): 15 minutes, or the hour that has three logins
    /// (law 8). After a crash, a verifying renewal may have been sent just before, so the next one follows after 15
    /// minutes (law 12). A session whose renewals get 408 is given up after three of them and two minutes. A crash
    /// loses that count, and the hour has 15 renewals, so this may take until the token expires.
    fn bound(&self, kind: Kind) -> SignedDuration {
        let is_unknown = |status: &&String| matches!(status.as_str(), "announced" | "unknown");
        let unknown = self.attempts.values().filter(is_unknown).count().max(self.logins.len().saturating_sub(1));
        // A login before the episode is not among the stored ones, so it is counted here.
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
        Err(Violation::new(10, &format!("the processes have not recovered within {bound:?} after the last fault")))
    }

    /// Checks the end of the run, long after all faults.
    pub(crate) fn judge_end(&self, world: &World) -> Result<(), Violation> {
        let stored = world.store.record.as_ref();
        for (number, process) in world.processes.iter().enumerate() {
            let Some(token) = process.token(world.now) else { continue };
            let is_stored = stored.and_then(|it| it.access.as_deref()) == Some(token.access_token.expose());
            if process.watches && world.episode.shape != Shape::Alone && !is_stored {
                return Err(Violation::new(14, &format!("p{number} hands out a token that is not the stored one")));
            }
        }
        let Some(newest) = self.refresh.last() else { return Ok(()) };
        if stored.and_then(|it| it.refresh.as_ref()) == Some(&newest.text) {
            return Ok(());
        }
        self.excuse_absence(world, newest)
            .map_err(|_| Violation::new(11, "the newest refresh token is lost, and no fault explains it"))
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
