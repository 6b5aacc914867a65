//! A run: the processes of an episode, their store and the server, step by step in one thread.
//!
//! In a step, an action arrives at the store or the server, or an answer arrives at a session, which then acts until it
//! waits; or a session wakes up. A process continues until it waits. Then the process that is due first continues.
//! Messages take no time: what matters is the order in which they arrive, and switches vary that order.

use std::hash::Hash;

use http::{Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{Failure, Purpose, RequestBody};
use tradovate_auth_session::{
    Action, ExchangeId, RateBudget, Revision, Session, SessionToken, StoreAnswer, StoreRequest, StoredRecord,
};
use tradovate_auth_simulator::{ApiHosts, Simulator};

use crate::digest::Digest;
use crate::episode::{Episode, Kind, Shape, USER};
use crate::mutant::Mutant;
use crate::oracle::{DEADLINE, HALF_A_SECOND, Oracle, SECOND, Violation};
use crate::plan::{Choices, Fault, Plan};
use crate::store::{Answered, Store, unreachable};

/// A process that is due within this time can continue instead of another one.
const SOON: SignedDuration = SignedDuration::from_secs(1);

/// A process that watches its store learns of a change after this time.
const WATCHED: SignedDuration = SignedDuration::from_millis(200);

/// How long a run may take.
const GIVEN_UP: SignedDuration = SignedDuration::from_hours(12);

const RESTART: SignedDuration = SignedDuration::from_secs(2);
const PAUSE: SignedDuration = SignedDuration::from_secs(100);
const AWAY: SignedDuration = SignedDuration::from_secs(90);
const STEP: SignedDuration = SignedDuration::from_hours(2);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// The time without faults before an episode. A login in that time is no part of the episode.
const BEFORE: SignedDuration = SignedDuration::from_mins(20);

/// The time that a run continues after its recovery. Every token is renewed in it.
const AFTERWARDS: SignedDuration = SignedDuration::from_mins(75);

/// Faults are placed in the actions of a process only until the store has had nothing new for it this many times in a
/// row.
const IDLE_AT_MOST: u32 = 3;

/// A run with this many steps counts as endless.
const STEPS_AT_MOST: usize = 20_000;

/// The host of the user after the move.
const HOST: &str = "acme-demo.eval.ninjatrader.com";

/// The result of a run.
#[derive(Debug, Clone, Default)]
pub struct End {
    /// The first violation.
    pub violation: Option<Violation>,
    /// The trace, one line per step, if it was requested.
    pub trace: Vec<String>,
    /// The time from the last fault to the recovery.
    pub recovery: SignedDuration,
}

/// What a process does next.
#[derive(Debug, Clone)]
enum Next {
    Start,
    Wake,
    Ask(ExchangeId, StoreRequest),
    Stored(ExchangeId, Answered),
    Send(ExchangeId, Request<RequestBody>),
    Receive(ExchangeId, Response<Vec<u8>>),
}

#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) session: Option<Session>,
    budget: RateBudget,
    next: Next,
    due: Timestamp,
    /// The time at which the process learns that the store has changed.
    changes: Option<Timestamp>,
    pub(crate) watches: bool,
    pub(crate) is_paused: bool,
    has_crashed: bool,
    /// Until then, the process can't be expected to have saved what the store has lost: switches have delayed it, or the
    /// confirmation of its last save never came.
    pub(crate) hindered_until: Timestamp,
    /// How far the clock of its session is ahead, and that of its machine.
    pub(crate) ahead: SignedDuration,
    wall: SignedDuration,
    /// How many times in a row the store had nothing new for the process: another process has the lease, or the record
    /// is known.
    idle: u32,
    /// The last loaded record.
    loaded: Option<StoredRecord>,
    /// Stands for everything that its session was given since it started, and so for the state of the session.
    given: Digest,
}

impl Process {
    pub(crate) fn local(&self, now: Timestamp) -> Timestamp {
        now + self.ahead
    }

    /// The token that the process hands out, with its end.
    pub(crate) fn token(&self, now: Timestamp) -> Option<SessionToken> {
        self.session.as_ref()?.token(self.local(now))
    }

    pub(crate) fn due(&self) -> Timestamp {
        match self.next {
            Next::Wake if !self.is_paused => self.changes.map_or(self.due, |at| at.min(self.due)),
            _ => self.due,
        }
    }

    /// Whether the process has yet to learn that the store has changed. One that does not watch the store never learns
    /// of it.
    pub(crate) fn has_yet_to_learn(&self) -> bool {
        !self.watches || self.changes.is_some()
    }

    fn is_waiting(&self) -> bool {
        self.is_paused || matches!(self.next, Next::Wake | Next::Start)
    }
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) episode: Episode,
    mutant: Option<Mutant>,
    pub(crate) now: Timestamp,
    pub(crate) server: Simulator,
    pub(crate) store: Store,
    pub(crate) processes: Vec<Process>,
    oracle: Oracle,
    pub(crate) step: usize,
    goes_on: Option<usize>,
    next_call: Timestamp,
    /// The time of the last effect of a fault.
    pub(crate) calm_since: Timestamp,
    /// When the run is given up.
    limit: Timestamp,
    has_sent: bool,
    /// Stands for all requests that the server has handled, and so for the state of the server.
    handled: Digest,
    is_traced: bool,
    end: End,
}

/// Runs an episode with the choices of a plan.
#[must_use]
pub fn run(episode: Episode, plan: &Plan, mutant: Option<Mutant>, is_traced: bool) -> End {
    let mut world = World::new(episode, mutant, is_traced);
    while world.has_choice() {
        world.choose(plan.at(world.step));
    }
    world.end()
}

impl World {
    /// The world at the start of the episode.
    pub(crate) fn new(episode: Episode, mutant: Option<Mutant>, is_traced: bool) -> Self {
        let now = Timestamp::from_second(1_795_525_200).unwrap_or_default();
        let mut server = episode.server();
        server.set_time(now);
        let process = |number: usize| Process {
            session: None,
            budget: RateBudget::default(),
            next: Next::Start,
            due: now + episode.starts(number),
            changes: None,
            watches: number < 2,
            is_paused: false,
            has_crashed: false,
            ahead: SignedDuration::ZERO,
            wall: SignedDuration::ZERO,
            idle: 0,
            loaded: None,
            hindered_until: Timestamp::MIN,
            given: Digest::default(),
        };
        let mut world = Self {
            episode,
            mutant,
            now,
            server,
            store: Store::default(),
            processes: (0..episode.processes()).map(process).collect(),
            oracle: Oracle::default(),
            step: 0,
            goes_on: None,
            next_call: now + MINUTE,
            calm_since: now,
            limit: now + GIVEN_UP,
            has_sent: false,
            handled: Digest::default(),
            is_traced,
            end: End::default(),
        };
        if episode.kind != Kind::FirstLogin {
            world.go_on_until(Self::is_well);
            let settled = world.now + BEFORE;
            world.go_on_until(|world| world.now >= settled);
            world.begin();
        }
        world.oracle.begin();
        world.has_sent = episode.kind == Kind::FirstLogin;
        (world.calm_since, world.limit) = (world.now, world.now + GIVEN_UP);
        world
    }

    /// Goes on to the next step at which a fault or a switch can be placed. There is none any more once the processes
    /// have recovered.
    pub(crate) fn has_choice(&mut self) -> bool {
        // A process that repeats its actions without news does the same each time.
        self.go_on_until(|world| world.is_well() || !world.is_call_due() && world.regular().idle <= IDLE_AT_MOST);
        self.end.violation.is_none() && !self.is_well() && self.now < self.limit
    }

    /// Runs the rest after the last choice.
    pub(crate) fn end(mut self) -> End {
        self.go_on_until(Self::is_well);
        if self.is_well() {
            self.end.recovery = self.now.duration_since(self.calm_since);
            self.found(self.oracle.judge_recovery(self.episode.kind, self.end.recovery));
            self.oracle.is_well(self.now);
            let last = self.now + AFTERWARDS;
            self.go_on_until(|world| world.now >= last);
        } else if !self.oracle.has_lost_consent(&self) {
            self.found(Err(Violation::new(10, "it never gets well")));
        }
        let found = if self.end.violation.is_none() { self.oracle.judge_end(&self) } else { Ok(()) };
        self.found(found);
        self.end
    }

    /// Starts the event of the episode once all processes have a token.
    fn begin(&mut self) {
        let (status, body) = match self.episode.kind {
            Kind::FirstLogin | Kind::Renewal | Kind::Refresh => {
                // The next event is that the token is due.
                self.now = self.processes.iter().map(Process::due).min().unwrap_or(self.now);
                self.next_call = self.now + MINUTE;
                return;
            }
            Kind::Forbidden => (401, ""),
            Kind::Dead => (401, "Invalid access token"),
            Kind::Kick => (408, ""),
            Kind::HostMove => (421, ""),
        };
        if matches!(self.episode.kind, Kind::Dead | Kind::Kick) {
            self.server.close_sessions(USER);
        }
        if self.episode.kind == Kind::HostMove {
            self.server.move_hosts(USER, ApiHosts::standard().with("demo", HOST));
        }
        for number in 0..self.processes.len() {
            self.report(number, status, body);
        }
    }

    fn report(&mut self, number: usize, status: u16, body: &str) {
        let (now, process) = (self.now, &mut self.processes[number]);
        let (local, token) = (process.local(now), process.token(now));
        let (Some(token), Some(session)) = (token, &mut process.session) else { return };
        let status = StatusCode::from_u16(status).unwrap_or_default();
        session.rejected(local, token.generation, status, body.as_bytes(), &mut process.budget);
        process.given.add(&(local, status.as_u16(), body));
        if matches!(process.next, Next::Wake) && !process.is_paused {
            process.due = now;
        }
        self.line(number, || format!("a call is answered {status}"));
    }

    fn go_on_until(&mut self, is_over: impl Fn(&Self) -> bool) {
        while self.end.violation.is_none() && !is_over(self) && self.now < self.limit {
            if self.is_call_due() {
                self.now = self.next_call.max(self.now);
                self.next_call = self.now + MINUTE;
                self.call();
            } else {
                self.take_step(self.whose(), None);
            }
        }
    }

    fn is_call_due(&self) -> bool {
        self.next_call <= self.regular().due().max(self.now)
    }

    /// The process that continues if no other is chosen.
    fn regular(&self) -> &Process {
        &self.processes[self.whose()]
    }

    /// Whether all processes wait and hand out a token that the server accepts at its host.
    fn is_well(&self) -> bool {
        let is_well = |process: &Process| {
            matches!(process.next, Next::Wake)
                && !process.is_paused
                && process.due() > self.now
                && process.session.as_ref().is_some_and(|session| !session.has_unstored_token())
                && self.is_served(process)
        };
        self.has_sent && self.calm_since <= self.now && self.processes.iter().all(is_well)
    }

    fn is_served(&self, process: &Process) -> bool {
        let is_there = || {
            let base = process.session.as_ref().and_then(|session| session.environment().base_url(Purpose::Trading));
            base.is_some_and(|base| base.as_uri().host() == Some(HOST))
        };
        let token = process.token(self.now);
        token.is_some_and(|token| self.server.accepts(token.access_token.expose()))
            && (self.episode.kind != Kind::HostMove || !self.oracle.has_begun() || is_there())
    }

    /// Once a minute, callers use the token and report the answers.
    fn call(&mut self) {
        self.server.set_time(self.now);
        for number in 0..self.processes.len() {
            let process = &self.processes[number];
            if process.is_paused || process.session.is_none() {
                continue;
            }
            if self.is_served(process) {
                continue;
            }
            let found = self.oracle.judge_minute(number);
            self.found(found);
            match self.processes[number].token(self.now) {
                Some(token) if self.server.accepts(token.access_token.expose()) => self.report(number, 421, ""),
                Some(_) if self.episode.kind == Kind::Kick => self.report(number, 408, ""),
                Some(_) => self.report(number, 401, "Invalid access token"),
                None => {}
            }
        }
    }

    /// The process that continues if the plan chooses none.
    fn whose(&self) -> usize {
        let goes_on = self.goes_on.filter(|number| !self.processes[*number].is_waiting());
        let first = || self.processes.iter().enumerate().min_by_key(|(_, process)| process.due());
        goes_on.or_else(|| Some(first()?.0)).unwrap_or_default()
    }

    /// Takes a step with the choices of a plan.
    pub(crate) fn choose(&mut self, (switch, fault): Choices) {
        let number = switch.filter(|other| *other < self.processes.len());
        self.take_step(number.unwrap_or_else(|| self.whose()), fault);
    }

    /// Whether the next step concerns a session only, and neither the store nor the server.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.regular().next, Next::Stored(..) | Next::Receive(..))
    }

    /// The switches and faults that can be placed at this step.
    pub(crate) fn choices(&self) -> impl Iterator<Item = Choices> {
        let switches = std::iter::once(None).chain(self.switches().into_iter().map(Some));
        let faults = |switch| std::iter::once(None).chain(self.faults(switch).into_iter().map(Some));
        switches.flat_map(move |switch| faults(switch).map(move |fault| (switch, fault))).skip(1)
    }

    /// The processes that can continue instead of the regular one.
    fn switches(&self) -> Vec<usize> {
        let regular = self.whose();
        let soon = self.regular().due().max(self.now) + SOON;
        let is_soon = |process: &Process| !process.is_paused && process.due() <= soon;
        (0..self.processes.len()).filter(|number| *number != regular && is_soon(&self.processes[*number])).collect()
    }

    fn take_step(&mut self, number: usize, fault: Option<Fault>) {
        self.goes_on = Some(number);
        let due = self.processes[number].due();
        if due <= self.now - HALF_A_SECOND {
            self.processes[number].hindered_until = self.now + SECOND;
        }
        self.now = due.max(self.now);
        self.server.set_time(self.now);
        if self.mutant == Some(Mutant::UsesUnstored) {
            self.pretend_to_have_stored(number);
        }
        let step = self.step;
        self.line(number, || format!("step {step}"));
        if let Some(fault) = fault {
            self.line(number, || format!("*** {fault}"));
            self.oracle.placed(self.step, number, fault, self.now);
            self.apply_fault(number, fault);
        }
        if !(fault == Some(Fault::Crash) || fault == Some(Fault::Pause)) {
            self.happen(number, fault);
        }
        self.step += 1;
        if self.step > STEPS_AT_MOST {
            self.found(Err(Violation::new(9, "it goes on and on")));
        }
    }

    /// The faults that can affect a process at this step.
    fn faults(&self, switch: Option<usize>) -> Vec<Fault> {
        let process = &self.processes[switch.unwrap_or_else(|| self.whose())];
        let is_shared = self.episode.is_shared();
        let mut all = Vec::new();
        match &process.next {
            Next::Start => {
                // After a crash, changes take effect when the process starts again.
                if process.has_crashed {
                    all.extend([Fault::Ahead, Fault::Back]);
                    if self.episode.shape == Shape::Stored && self.store.record.is_some() {
                        all.push(Fault::Rollback);
                    }
                }
                return all;
            }
            Next::Wake => all.extend([Fault::Ahead]),
            Next::Send(..) => {}
            Next::Receive(..) => all.extend([Fault::AnswerLost, Fault::AnswerSilent, Fault::Ahead]),
            Next::Ask(_, request) => {
                all.push(Fault::Away);
                if is_shared && self.store.record.is_some() {
                    all.push(Fault::Rollback);
                }
                if matches!(request, StoreRequest::Load) && self.store.has_earlier() {
                    all.push(Fault::Stale);
                }
            }
            Next::Stored(_, answer) => {
                if matches!(answer, Ok(StoreAnswer::Saved(Some(_)) | StoreAnswer::Kept)) {
                    all.extend([Fault::ConfirmationLost, Fault::ConfirmationSilent]);
                }
                all.push(Fault::Ahead);
            }
        }
        all.extend([Fault::Crash, Fault::Pause]);
        all
    }

    fn apply_fault(&mut self, number: usize, fault: Fault) {
        let (now, process) = (self.now, &mut self.processes[number]);
        let over = match fault {
            Fault::Crash => {
                (process.session, process.next, process.due) = (None, Next::Start, now + RESTART);
                (process.has_crashed, process.idle) = (true, 0);
                (process.changes, process.loaded, process.budget) = (None, None, RateBudget::default());
                process.given = Digest::default();
                self.oracle.crashed(number);
                now + RESTART
            }
            Fault::Pause => {
                (process.is_paused, process.due) = (true, now + PAUSE);
                process.due
            }
            Fault::Away => {
                self.store.down_until = Some(now + AWAY);
                now + AWAY
            }
            Fault::Rollback => {
                self.store.roll_back();
                self.changed(None);
                now
            }
            Fault::Ahead => {
                process.ahead += STEP;
                process.wall += STEP;
                now
            }
            Fault::Back => {
                process.wall -= STEP;
                now
            }
            Fault::ConfirmationSilent => {
                process.hindered_until = now + DEADLINE + SECOND;
                now + DEADLINE
            }
            Fault::AnswerSilent => now + DEADLINE,
            _ => now,
        };
        self.calm_since = self.calm_since.max(over);
    }

    fn happen(&mut self, number: usize, fault: Option<Fault>) {
        let (now, process) = (self.now, &mut self.processes[number]);
        process.is_paused = false;
        let local = process.local(now);
        process.given.add(&(
            local,
            fault.filter(|fault| fault.is_of_answer()),
            process.changes.is_some_and(|at| at <= now),
        ));
        match std::mem::replace(&mut process.next, Next::Wake) {
            Next::Start => self.start(number),
            Next::Wake => {}
            Next::Ask(id, request) => {
                let answer = match (&request, self.mutant, process.loaded.clone()) {
                    (StoreRequest::Load, Some(Mutant::SkipsLoad), Some(loaded)) => {
                        Ok(StoreAnswer::Loaded(Some(loaded)))
                    }
                    _ => self.store.answer(now, &request, fault == Some(Fault::Stale), self.mutant),
                };
                let known = process.session.as_ref().and_then(Session::known_revision);
                match &answer {
                    Ok(StoreAnswer::Lease(None)) | Err(_) => process.idle += 1,
                    Ok(StoreAnswer::Loaded(record)) if record.as_ref().map(|it| it.revision) == known => {
                        process.idle += 1;
                    }
                    Ok(StoreAnswer::Released) => {}
                    Ok(_) => process.idle = 0,
                }
                if matches!(answer, Ok(StoreAnswer::Lease(Some(_)))) {
                    self.wakes_holders(number);
                }
                if matches!(answer, Ok(StoreAnswer::Saved(Some(_)) | StoreAnswer::Kept)) {
                    self.oracle.saved(self.step, number, self.store.record.as_ref());
                    self.changed(Some(number));
                }
                self.line(number, || format!("answered {}", brief(&answer)));
                self.processes[number].given.add(&self.store.content(&answer));
                self.processes[number].next = Next::Stored(id, answer);
                self.processes[number].due = now;
                return;
            }
            Next::Send(id, request) => {
                process.idle = 0;
                let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
                let headers: Vec<_> = headers.collect();
                self.handled.add(&(now, request.method(), request.uri(), headers, request.body().as_ref()));
                let response = self.server.handle(now, request);
                self.processes[number].given.add(&(self.handled, response.body()));
                self.oracle.served(number, &response);
                self.line(number, || format!("served {}", response.status()));
                self.processes[number].next = Next::Receive(id, response);
                self.processes[number].due = now;
                return;
            }
            Next::Stored(id, answer) => {
                let answer = if fault == Some(Fault::ConfirmationLost) { Err(unreachable()) } else { answer };
                if let Ok(StoreAnswer::Loaded(record)) = &answer {
                    process.loaded.clone_from(record);
                }
                if let (Some(session), false) = (&mut process.session, fault == Some(Fault::ConfirmationSilent)) {
                    session.store_answered(local, id, answer, &mut process.budget);
                }
            }
            Next::Receive(id, response) => {
                if let Some(session) = &mut process.session {
                    match fault {
                        Some(Fault::AnswerSilent) => {}
                        Some(Fault::AnswerLost) => {
                            session.failed(local, id, Failure::MaybeSent, &mut process.budget);
                        }
                        _ => session.receive(local, id, response, &mut process.budget),
                    }
                }
                if fault != Some(Fault::AnswerSilent) {
                    self.oracle.answered(number);
                }
            }
        }
        self.poll(number);
    }

    fn start(&mut self, number: usize) {
        let begins = number == 0 && !self.processes[number].has_crashed;
        let Some(mut session) = self.episode.session(&mut self.server, begins) else { return };
        let process = &mut self.processes[number];
        process.ahead = process.wall;
        if let (false, Some(stored)) = (self.episode.is_shared(), self.store.stored()) {
            process.given.add(&self.store.record);
            session.adopt(process.local(self.now), stored, &mut process.budget);
        }
        process.session = Some(session);
        // No request has to be sent any more if the report was forgotten.
        self.has_sent |= self.episode.kind == Kind::Forbidden;
    }

    /// Lets a session act until it waits for an answer or a time.
    fn poll(&mut self, number: usize) {
        let now = self.now;
        let process = &mut self.processes[number];
        let local = process.local(now);
        let Some(session) = &mut process.session else { return };
        if process.changes.take_if(|at| *at <= now).is_some() {
            session.store_changed();
        }
        let action = session.poll(local, &mut process.budget);
        let (next, due) = match action {
            Action::Send { id, request } => {
                self.has_sent = true;
                let found = self.oracle.judge_request(self, number, &request);
                self.found(found);
                let path = request.uri().path().to_owned();
                self.line(number, || format!("wants to send {path}"));
                self.oracle.sends(self.step, self.episode.is_shared(), number, now, &request);
                (Next::Send(id, request), now)
            }
            Action::Store { id, request } => {
                self.line(number, || format!("asks {request:?}").chars().take(60).collect());
                (Next::Ask(id, request), now)
            }
            Action::Wait { until } => {
                let at = until - process.ahead;
                if until <= local {
                    self.found(Err(Violation::new(9, "waits for what has passed")));
                }
                self.line(number, || format!("waits until {at}"));
                (Next::Wake, at)
            }
            Action::Stopped { reason, check_at } => {
                let at = check_at.unwrap_or(Timestamp::MAX) - process.ahead;
                let has_consent = self.store.record.as_ref().is_some_and(|record| record.refresh.is_some());
                let known = self.processes[number].session.as_ref().and_then(Session::known_revision);
                let is_shown = !self.episode.is_shared() || known == self.store.revision();
                let has_consent = has_consent && is_shown && !self.oracle.was_shown_stale(number);
                if self.episode.kind != Kind::Refresh || has_consent {
                    self.found(Err(Violation::new(10, &format!("p{number} has stopped: {reason}"))));
                }
                self.line(number, || format!("has stopped, until {at}"));
                (Next::Wake, at)
            }
            _ => return,
        };
        let process = &mut self.processes[number];
        while process.session.as_mut().and_then(Session::next_event).is_some() {}
        (process.next, process.due) = (next, due);
        self.hands_out(number);
    }

    /// The store holds another record, and every process that watches it learns of it.
    fn changed(&mut self, by: Option<usize>) {
        let at = self.store.down_until.unwrap_or(self.now).max(self.now) + WATCHED;
        for (number, process) in self.processes.iter_mut().enumerate() {
            if process.watches && process.session.is_some() && Some(number) != by && process.changes.is_none() {
                process.changes = Some(at);
            }
        }
    }

    /// A process that takes the lease may be about to log in. Every process that watches the store and has something to
    /// write back learns of it. For the others it would be no news.
    fn wakes_holders(&mut self, by: usize) {
        for (number, process) in self.processes.iter_mut().enumerate() {
            let holds = || process.session.as_ref().is_some_and(Session::has_unstored_token);
            if process.watches && number != by && holds() {
                process.changes = Some(process.changes.unwrap_or(self.now + WATCHED));
            }
        }
    }

    fn pretend_to_have_stored(&mut self, number: usize) {
        let process = &mut self.processes[number];
        let local = process.local(self.now);
        let (Next::Ask(id, request), Some(session)) = (&process.next, &mut process.session) else { return };
        let answer = match request {
            StoreRequest::Keep(_) => StoreAnswer::Kept,
            StoreRequest::Save { .. } => StoreAnswer::Saved(Some(Revision(u64::MAX))),
            _ => return,
        };
        session.store_answered(local, *id, Ok(answer), &mut process.budget);
        process.given.add(&local);
        self.hands_out(number);
    }

    /// Callers take the token that a process hands out.
    fn hands_out(&mut self, number: usize) {
        let found = self.oracle.judge_use(self, number);
        self.found(found);
        let token = self.processes[number].token(self.now);
        self.oracle.hands_out(number, token.as_ref().map(|token| token.access_token.expose()));
    }

    /// A digest of everything that influences the rest of the run, and of the choices that are left. Steps are not
    /// among it: only their order counts.
    pub(crate) fn digest(&self, left: impl Hash) -> Digest {
        let mut digest = Digest::default();
        for it in &self.processes {
            let next = std::mem::discriminant(&it.next);
            digest.add(&(
                &it.given,
                next,
                it.due,
                it.changes,
                it.is_paused,
                it.has_crashed,
                it.hindered_until.max(self.now),
                it.ahead,
                it.wall,
                it.idle,
            ));
        }
        let goes_on = self.goes_on.filter(|number| !self.processes[*number].is_waiting());
        digest.add(&(self.now, self.next_call, self.calm_since, goes_on, self.has_sent, self.handled, left));
        digest.add(&(&self.store, self.oracle.ordered()));
        digest
    }

    fn found(&mut self, found: Result<(), Violation>) {
        if let (Err(violation), None) = (found, &self.end.violation) {
            if self.is_traced {
                self.end.trace.push(format!("*** {violation}"));
            }
            self.end.violation = Some(violation);
        }
    }

    fn line(&mut self, number: usize, text: impl FnOnce() -> String) {
        if self.is_traced {
            self.end.trace.push(format!("{:.3} p{number} {}", self.now, text()));
        }
    }
}

/// The answer of a store without the content of a record.
fn brief(answer: &Answered) -> String {
    match answer {
        Ok(StoreAnswer::Loaded(record)) => format!("{:?}", record.as_ref().map(|it| (it.revision, it.age))),
        answer => format!("{answer:?}"),
    }
}
