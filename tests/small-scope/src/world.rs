//! A run: the processes of an episode, their store and the server, step by step in one thread.
//!
//! In a step, an action arrives at the store or the server, or an answer arrives at a session, which then acts until it
//! waits; or a session wakes up. A process continues until it waits. Then the process that is due first continues. Each
//! message takes ten milliseconds one way.

use http::{Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{Failure, Purpose, RequestBody};
use tradovate_auth_session::{
    Action, ExchangeId, RateBudget, Revision, Session, SessionToken, StoreAnswer, StoreRequest, StoredRecord,
};
use tradovate_auth_simulator::{ApiHosts, Simulator};

use crate::episode::{Episode, Kind, Shape, USER};
use crate::mutant::Mutant;
use crate::oracle::{DEADLINE, Oracle, Violation};
use crate::plan::{Choice, Fault, Plan};
use crate::store::{Answered, Store, unreachable};

const WAY: SignedDuration = SignedDuration::from_millis(10);

/// A process that is due within this time can continue instead of another one.
const SOON: SignedDuration = SignedDuration::from_secs(1);

/// A process that watches its store learns of a change after this time.
const WATCHED: SignedDuration = SignedDuration::from_millis(200);

const RESTART: SignedDuration = SignedDuration::from_secs(2);
const PAUSE: SignedDuration = SignedDuration::from_secs(100);
const AWAY: SignedDuration = SignedDuration::from_secs(90);
const STEP: SignedDuration = SignedDuration::from_hours(2);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// The time without faults before an episode. A login in that time is no part of the episode.
const BEFORE: SignedDuration = SignedDuration::from_mins(20);

/// The time that a run continues after its recovery. Every token is renewed in it.
const AFTERWARDS: SignedDuration = SignedDuration::from_mins(75);

/// After this many steps, no further fault is placed.
const PLACED_AT_MOST: usize = 400;

/// Faults are placed in the actions of a process only until the store has had nothing new for it this many times in a
/// row.
const IDLE_AT_MOST: u32 = 3;

/// A run with this many steps counts as endless.
const STEPS_AT_MOST: usize = 20_000;

/// The host of the user after the move.
const HOST: &str = "acme-demo.eval.ninjatrader.com";

/// The result of a run.
#[derive(Debug, Default)]
pub struct End {
    /// The choices that were possible at each step, in addition to those of the plan.
    pub choices: Vec<(usize, Choice)>,
    /// The first violation.
    pub violation: Option<Violation>,
    /// The trace, one line per step, if it was requested.
    pub trace: Vec<String>,
    /// Whether the run reached the step limit for faults before it had recovered.
    pub is_cut: bool,
    /// The time from the last fault to the recovery.
    pub recovery: SignedDuration,
}

/// What a process does next.
#[derive(Debug)]
enum Next {
    Start,
    Wake,
    Ask(ExchangeId, StoreRequest),
    Stored(ExchangeId, Answered),
    Send(ExchangeId, Request<RequestBody>),
    Receive(ExchangeId, Response<Vec<u8>>),
}

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
    /// How far the clock of its session is ahead, and that of its machine.
    pub(crate) ahead: SignedDuration,
    wall: SignedDuration,
    /// How many times in a row the store had nothing new for the process: another process has the lease, or the record
    /// is known.
    idle: u32,
    /// The last loaded record.
    loaded: Option<StoredRecord>,
}

impl Process {
    pub(crate) fn local(&self, now: Timestamp) -> Timestamp {
        now + self.ahead
    }

    /// The token that the process hands out, with its end.
    pub(crate) fn token(&self, now: Timestamp) -> Option<SessionToken> {
        self.session.as_ref()?.token(self.local(now))
    }

    fn due(&self) -> Timestamp {
        match self.next {
            Next::Wake if !self.is_paused => self.changes.map_or(self.due, |at| at.min(self.due)),
            _ => self.due,
        }
    }

    fn is_waiting(&self) -> bool {
        self.is_paused || matches!(self.next, Next::Wake | Next::Start)
    }
}

pub(crate) struct World<'p> {
    pub(crate) episode: Episode,
    plan: &'p Plan,
    mutant: Option<Mutant>,
    pub(crate) now: Timestamp,
    pub(crate) server: Simulator,
    pub(crate) store: Store,
    pub(crate) processes: Vec<Process>,
    oracle: Oracle,
    step: usize,
    goes_on: Option<usize>,
    next_call: Timestamp,
    /// The time of the last effect of a fault.
    pub(crate) calm_since: Timestamp,
    is_placing: bool,
    places: usize,
    has_sent: bool,
    is_traced: bool,
    end: End,
}

/// Runs an episode with the choices of a plan.
#[must_use]
pub fn run(episode: Episode, plan: &Plan, mutant: Option<Mutant>, is_traced: bool) -> End {
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
    };
    let mut world = World {
        episode,
        plan,
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
        is_placing: false,
        places: 0,
        has_sent: false,
        is_traced,
        end: End::default(),
    };
    world.run();
    world.end
}

impl World<'_> {
    fn run(&mut self) {
        if self.episode.kind != Kind::FirstLogin {
            self.go_on_until_well();
            let settled = self.now + BEFORE;
            self.go_on_until(|world| world.now >= settled);
            self.begin();
        }
        self.oracle.begin();
        (self.is_placing, self.has_sent) = (true, self.episode.kind == Kind::FirstLogin);
        self.calm_since = self.now;
        self.go_on_until_well();
        if self.end.violation.is_none() && self.is_well() {
            self.end.recovery = self.now.duration_since(self.calm_since);
            self.found(self.oracle.judge_recovery(self.episode.kind, self.end.recovery));
            self.oracle.is_well(self.now);
            let last = self.now + AFTERWARDS;
            self.go_on_until(|world| world.now >= last);
        }
        let found = if self.end.violation.is_none() { self.oracle.judge_end(self) } else { Ok(()) };
        self.found(found);
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
        if matches!(process.next, Next::Wake) && !process.is_paused {
            process.due = now;
        }
        self.line(number, || format!("a call is answered {status}"));
    }

    fn go_on_until_well(&mut self) {
        let from = self.calm_since;
        self.go_on_until(|world| world.has_sent && world.now >= from && world.is_well());
        if !self.is_well() && self.end.violation.is_none() && !self.oracle.has_lost_consent(self) {
            self.found(Err(Violation::new(10, "it never gets well")));
        }
        self.is_placing = false;
    }

    fn go_on_until(&mut self, is_over: impl Fn(&Self) -> bool) {
        let limit = self.now + SignedDuration::from_hours(12);
        while self.end.violation.is_none() && !is_over(self) && self.now < limit {
            let number = self.whose();
            let at = self.processes[number].due().max(self.now);
            if self.next_call <= at {
                self.now = self.next_call.max(self.now);
                self.next_call = self.now + MINUTE;
                self.call();
            } else {
                self.take_step(number);
            }
        }
    }

    /// Whether all processes wait and hand out a token that the server accepts at its host.
    fn is_well(&self) -> bool {
        let is_well = |process: &Process| {
            matches!(process.next, Next::Wake)
                && !process.is_paused
                && process.due() > self.now
                && process.session.as_ref().is_some_and(|session| !session.has_unstored_grant())
                && self.is_served(process)
        };
        self.processes.iter().all(is_well) && self.calm_since <= self.now
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

    fn take_step(&mut self, mut number: usize) {
        let at = self.processes[number].due().max(self.now);
        let mut fault = None;
        // A process that repeats its actions without news does the same each time.
        if self.is_placing && self.processes[number].idle <= IDLE_AT_MOST {
            for other in 0..self.processes.len() {
                let process = &self.processes[other];
                if other != number && !process.is_paused && process.due() <= at + SOON {
                    self.end.choices.push((self.step, Choice::Switch(other)));
                }
            }
            for choice in self.chosen() {
                match choice {
                    Choice::Switch(other) if other < self.processes.len() => number = other,
                    Choice::Switch(_) => {}
                    Choice::Fault(chosen) => fault = Some(chosen),
                }
            }
            let faults = self.possible(number);
            self.end.choices.extend(faults.into_iter().map(|fault| (self.step, Choice::Fault(fault))));
            self.places += 1;
            self.end.is_cut = self.places >= PLACED_AT_MOST;
            self.is_placing = !self.end.is_cut;
        }
        self.goes_on = Some(number);
        self.now = self.processes[number].due().max(self.now);
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

    fn chosen(&self) -> Vec<Choice> {
        self.plan.0.iter().filter(|(step, _)| *step == self.step).map(|(_, choice)| *choice).collect()
    }

    /// The faults that can affect a process at this step.
    fn possible(&self, number: usize) -> Vec<Fault> {
        let process = &self.processes[number];
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
            Fault::AnswerSilent | Fault::ConfirmationSilent => now + DEADLINE,
            _ => now,
        };
        self.calm_since = self.calm_since.max(over);
    }

    fn happen(&mut self, number: usize, fault: Option<Fault>) {
        let (now, process) = (self.now, &mut self.processes[number]);
        process.is_paused = false;
        let local = process.local(now);
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
                self.processes[number].next = Next::Stored(id, answer);
                self.processes[number].due = now + WAY;
                return;
            }
            Next::Send(id, request) => {
                process.idle = 0;
                let response = self.server.handle(now, request);
                self.oracle.served(number, &response);
                self.line(number, || format!("served {}", response.status()));
                self.processes[number].next = Next::Receive(id, response);
                self.processes[number].due = now + WAY;
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
                (Next::Send(id, request), now + WAY)
            }
            Action::Store { id, request } => {
                self.line(number, || format!("asks {request:?}").chars().take(60).collect());
                (Next::Ask(id, request), now + WAY)
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
                let has_consent = has_consent && !self.oracle.was_shown_stale(number);
                if self.episode.kind != Kind::Refresh || has_consent {
                    self.found(Err(Violation::new(10, &format!("p{number} has stopped: {reason}"))));
                }
                self.line(number, || format!("has stopped, until {at}"));
                (Next::Wake, at)
            }
            _ => return,
        };
        let process = &mut self.processes[number];
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
            let holds = || process.session.as_ref().is_some_and(Session::has_unstored_grant);
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
        self.hands_out(number);
    }

    /// Callers take the token that a process hands out.
    fn hands_out(&mut self, number: usize) {
        let found = self.oracle.judge_use(self, number);
        self.found(found);
        let token = self.processes[number].token(self.now);
        self.oracle.hands_out(number, token.as_ref().map(|token| token.access_token.expose()));
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
