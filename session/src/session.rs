//! [`Session`]: the state machine that logs in, stays logged in, and keeps to the server's rules.
//!
//! It does no I/O and has no clock: [`poll`](Session::poll) says what to do next, and whoever drives it tells what came
//! of it. Time enters with every call and never goes back; randomness is a seed.
//!
//! ```text
//!             new · resume
//!                  │
//!                  ▼                Send                    receive: a grant
//!      ┌──────► Resting ─────────────────────► Exchanging ──────────────────┐
//!      │   Wait │  ▲  ▲                          │  │                       │ with a store
//!      │   ┌────┘  │  │  failed · refused ·      │  │                       ▼          Store
//!      │   └───────┘  │  postponed · deadline    │  │        ┌────────── Storing ◄────────┐
//!      │              └──────────────────────────┘  │        │ stored     ▲  └────────────┘
//!      │                                            │        │            │    store_failed · no word
//!      │◄───────────────────────────────────────────┼────────┘            │
//!      │                   a grant, without a store │                     │ a late refresh, with a store
//!      │                                            ▼                     │
//!      └───────────────────────────────────────── Stopped ────────────────┘
//!           replace_credentials · adopt ·           refused · a step is asked for · consent required · forget
//!           a late refresh, without a store
//! ```
//!
//! Five edges are not drawn. A lock-out, a ticket, a login of unknown outcome or a refusal that is worth storing takes
//! *Resting* through *Storing* and back, whatever the store says; refused credentials are stored in this way before the
//! session stops. What was refused before the start stops it without a request. The answer to a request that was given up may come late, in any state, and is
//! taken unless it has been superseded. `forget` leads from every state to *Stopped*. With a store that processes share, a
//! login or a refresh goes from *Resting* through *Storing* before it is sent, so that the others know of it.
//!
//! A token that is held is handed out in every state but *Stopped*, until shortly before its expiry.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use http::uri::Authority;
use http::{Request, Response};
use jiff::Timestamp;
use tradovate_auth_core::internal::{later, line};
use tradovate_auth_core::{
    AuthorizedCode, Credentials, Environment, Error, Failure, Grant, OAuthApp, OAuthGrant, PenaltyTicket, RefreshGrant,
    RefreshToken, RequestBody, ServerClock,
};

use crate::budget::{Operation, RateBudget};
#[cfg(doc)]
use crate::stored_session::StoredSession;

mod action;
mod adoption;
mod code;
mod doubt;
mod event;
mod exchange;
mod grants;
pub(crate) mod hosts;
pub(crate) mod log_ins;
mod notices;
mod outcome;
mod owner;
pub(crate) mod pause;
pub(crate) mod plan;
mod policy;
pub(crate) mod refreshes;
mod refusal;
mod sharing;
mod silence;
mod snapshot;
mod storing;

pub use action::{Action, ExchangeId, SessionToken};
pub use doubt::Verdict;
pub use event::{Event, EventKind, StopReason, Trouble};
pub use policy::Policy;
pub use sharing::Pending;

use code::Code;
use doubt::Doubt;
use exchange::{Exchange, Standing};
use grants::Held;
use hosts::{FollowedHost, Via};
use log_ins::LogIns;
use pause::{Jitter, Pause};
use refreshes::Refreshes;
use sharing::Sharing;
use silence::Silence;
use storing::Storing;

/// A login that is kept.
///
/// ```
/// use jiff::Timestamp;
/// use tradovate_auth_core::{Credentials, Environment};
/// use tradovate_auth_session::{Action, RateBudget, Session};
///
/// let now: Timestamp = "2026-11-24T14:20:30Z".parse()?;
/// let mut budget = RateBudget::default();
/// let mut session = Session::new(Environment::demo(), Credentials::new("trader", "password"), 7);
///
/// let Action::Send { id, request } = session.poll(now, &mut budget) else { panic!() };
/// assert_eq!(request.uri().path(), "/v1/auth/accesstokenrequest");
/// let answer = r#"{"accessToken":"synthetic","expirationTime":"2026-11-24T15:40:30Z"}"#;
/// session.receive(now, id, http::Response::new(answer), &mut budget);
///
/// assert_eq!(session.token(now).unwrap().access_token.expose(), "synthetic");
/// let Action::Wait { until } = session.poll(now, &mut budget) else { panic!() };
/// assert!(until > now); // the renewal, a quarter of an hour before expiry
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug)]
pub struct Session {
    identity: Identity,
    /// The caller's own key of the user of an app.
    user_key: Option<Box<str>>,
    /// As the caller gave it; the way back if a followed host turns out to be wrong.
    home: Environment,
    /// With the hosts in force.
    environment: Environment,
    followed: FollowedHost,
    policy: Policy,
    has_store: bool,
    /// Where other processes use what is stored.
    sharing: Option<Box<Sharing>>,
    jitter: Jitter,
    clock: ServerClock,
    now: Timestamp,
    /// The driver is expected back by then.
    expected_by: Timestamp,
    state: State,
    /// Exchanges that were given up: an answer may still come, and may hold the only copy of a refresh token.
    late: Vec<Exchange>,
    next_id: u32,
    last_sent: ExchangeId,
    held: Option<Held>,
    /// Who the user is, as a snapshot has said.
    user_id: Option<i64>,
    generation: u64,
    code: Option<Box<Code>>,
    /// The refresh token to present, which outlives its access token.
    refresh: Option<RefreshGrant>,
    /// The exchange it came with: an earlier one's answer holds an older token.
    refreshed_by: ExchangeId,
    pause: Pause,
    store_pause: Pause,
    ticket: Option<Box<Postponed>>,
    /// A request that a trusted host is to get instead.
    redirected: Option<Box<Redirected>>,
    /// What its budget forbids, by its own clock.
    silence: Silence,
    log_ins: LogIns,
    refreshes: Refreshes,
    /// The refusal that blames the app and its settings: no refresh token is presented with them again.
    app_refused: Option<Box<Error>>,
    doubt: Doubt,
    password_expires_at: Option<Timestamp>,
    reminded_within_days: Option<i64>,
    /// There is something to store besides a grant: a lock-out, a ticket, a refusal.
    unsaved: bool,
    /// Why it stops once that is stored.
    stops_with: Option<Box<StopReason>>,
    events: VecDeque<Event>,
}

/// Who logs in: a user with a password, or an app that a user has given its consent.
#[derive(Debug, Clone)]
enum Identity {
    User(Credentials),
    App(OAuthApp),
}

/// What is under way. What only few sessions of many have at a time is kept apart, so that the others stay small.
#[derive(Debug)]
enum State {
    Resting,
    Exchanging(Box<Exchange>),
    Storing(Storing),
    Stopped(StopReason),
}

/// A request that a trusted host is to get instead.
#[derive(Debug)]
struct Redirected {
    operation: Operation,
    request: Request<RequestBody>,
    via: Via,
}

/// A request the server has postponed.
#[derive(Debug, Clone)]
pub(crate) struct Postponed {
    pub(crate) operation: Operation,
    pub(crate) ticket: PenaltyTicket,
    pub(crate) until: Timestamp,
    /// Where it was sent on to, if it was.
    pub(crate) host: Option<Authority>,
}

/// A driver that comes later than this after the time it was told may have a clock that was set.
const LATE: Duration = Duration::from_secs(60);

/// Events that nobody fetches; older ones are dropped.
const EVENTS_KEPT: usize = 256;

impl Session {
    /// A session of a user with a password. `seed` spreads pauses and renewals: give each session another.
    #[must_use]
    pub fn new(environment: Environment, credentials: Credentials, seed: u64) -> Self {
        Self::of(environment, Identity::User(credentials), seed)
    }

    /// A session of an OAuth app, from the code that the user's consent has brought. It exchanges the code when it is
    /// first polled, which should be at once, and keeps to penalties and lock-outs in doing so.
    ///
    /// A code is good once and for minutes: it is sent again only where the server has surely not handled it. Where it is
    /// refused, where its answer is lost, and where it has grown too old, the session stops, and the user has to consent
    /// again. It is newer than any snapshot: of one that is adopted before the exchange no token is taken over.
    #[must_use]
    pub fn from_code(environment: Environment, app: OAuthApp, code: AuthorizedCode, seed: u64) -> Self {
        Self { code: Some(Box::new(Code::new(code))), ..Self::of(environment, Identity::App(app), seed) }
    }

    /// A session of an OAuth app that goes on from a snapshot: have it [`adopt`](Self::adopt) one. Without, it stops and
    /// asks for the user's consent.
    #[must_use]
    pub fn of_app(environment: Environment, app: OAuthApp, seed: u64) -> Self {
        Self::of(environment, Identity::App(app), seed)
    }

    /// A session of an OAuth app, from the refresh token of its last answer.
    #[must_use]
    pub fn from_refresh_token(environment: Environment, app: OAuthApp, token: RefreshToken, seed: u64) -> Self {
        let refresh = Some(RefreshGrant::new(token, None, None));
        Self { refresh, ..Self::of(environment, Identity::App(app), seed) }
    }

    /// A session of an OAuth app, from the checked answer to the exchange of a code.
    #[must_use]
    pub fn from_grant(environment: Environment, app: OAuthApp, grant: Grant, seed: u64) -> Self {
        let mut session = Self::of(environment, Identity::App(app), seed);
        session.clock.learn(&grant.exchange);
        session.accept(grant.exchange.received, grant, Some(Operation::Refresh));
        session.unsaved = true;
        session
    }

    fn of(environment: Environment, identity: Identity, seed: u64) -> Self {
        Self {
            identity,
            user_key: None,
            home: environment.clone(),
            environment,
            followed: FollowedHost::default(),
            policy: Policy::default(),
            has_store: false,
            sharing: None,
            jitter: Jitter::new(seed),
            clock: ServerClock::default(),
            now: Timestamp::MIN,
            expected_by: Timestamp::MAX,
            state: State::Resting,
            late: Vec::new(),
            next_id: 0,
            last_sent: ExchangeId(0),
            held: None,
            user_id: None,
            generation: 0,
            code: None,
            refresh: None,
            refreshed_by: ExchangeId(0),
            pause: Pause::default(),
            store_pause: Pause::default(),
            ticket: None,
            redirected: None,
            silence: Silence::default(),
            log_ins: LogIns::default(),
            refreshes: Refreshes::default(),
            app_refused: None,
            doubt: Doubt::default(),
            password_expires_at: None,
            reminded_within_days: None,
            unsaved: false,
            stops_with: None,
            events: VecDeque::new(),
        }
    }

    /// The same session with another policy.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The same session with your own key of the user who has authorized the app, such as the id of a row in your database.
    /// It is not secret. Snapshots name it, and the session takes over nothing from a snapshot with another key or without
    /// one: see [`StoredSession`]. Without keys, the users of one app are told apart by nothing, since OAuth answers often
    /// don't name them. A session of a user with a password needs no key: its login name is the key.
    ///
    /// ```
    /// use jiff::Timestamp;
    /// use tradovate_auth_core::{Environment, OAuthApp, RefreshToken};
    /// use tradovate_auth_session::{EventKind, OwnerMismatch, RateBudget, Session};
    ///
    /// let now: Timestamp = "2026-11-24T14:20:30Z".parse()?;
    /// let (mut budget, app) = (RateBudget::default(), OAuthApp::new("client"));
    /// let seven = Session::from_refresh_token(Environment::live(), app.clone(), RefreshToken::new("rt"), 1);
    /// let snapshot = seven.with_user_key("user 7").snapshot(now, &budget);
    ///
    /// let mut eight = Session::of_app(Environment::live(), app, 2).with_user_key("user 8");
    /// eight.adopt(now, snapshot, &mut budget);
    /// let event = eight.next_event().unwrap().kind;
    /// assert!(matches!(event, EventKind::SnapshotNotUsed { mismatch: OwnerMismatch::UserKey }));
    /// # Ok::<(), jiff::Error>(())
    /// ```
    #[must_use]
    pub fn with_user_key(mut self, key: impl Into<String>) -> Self {
        self.user_key = Some(key.into().into_boxed_str());
        self
    }

    /// The same session with another try for credentials that were refused: refusals from before that a snapshot remembers
    /// don't count. Ask for it once you have corrected what was wrong, and not at each start: five failed logins an hour
    /// close the network address.
    ///
    /// A snapshot remembers that the server has refused the credentials, and nothing of the credentials themselves, since a
    /// hash would help to guess the password. So a program that is started again with the same snapshot stops with
    /// [`StopReason::RefusedBefore`], also if the password has been corrected meanwhile. Another login name or login host is
    /// another owner, whom the refusal doesn't concern; [`replace_credentials`](Self::replace_credentials) is another try too.
    /// A program that stores no snapshot remembers nothing, and tries its credentials at each start.
    ///
    /// ```
    /// use jiff::Timestamp;
    /// use tradovate_auth_core::{Credentials, Environment};
    /// use tradovate_auth_session::{Action, RateBudget, Session, StopReason};
    ///
    /// let now: Timestamp = "2026-11-24T14:20:30Z".parse()?;
    /// let mut budget = RateBudget::default();
    /// let session = |password: &str| Session::new(Environment::demo(), Credentials::new("trader", password), 7);
    ///
    /// let mut first = session("mistyped");
    /// let Action::Send { id, .. } = first.poll(now, &mut budget) else { panic!() };
    /// let answer = http::Response::new(r#"{"errorText":"Incorrect username or password."}"#);
    /// first.receive(now, id, answer, &mut budget);
    /// let snapshot = first.snapshot(now, &budget);
    ///
    /// let mut second = session("mistyped");
    /// second.adopt(now, snapshot.clone(), &mut budget);
    /// assert!(matches!(second.poll(now, &mut budget), Action::Stopped(StopReason::RefusedBefore { .. })));
    ///
    /// let mut third = session("corrected").with_another_try();
    /// third.adopt(now, snapshot, &mut budget);
    /// assert!(matches!(third.poll(now, &mut budget), Action::Send { .. }));
    /// # Ok::<(), jiff::Error>(())
    /// ```
    #[must_use]
    pub fn with_another_try(mut self) -> Self {
        self.log_ins.begin_anew();
        self
    }

    /// The same session with a store: from now on, a new token is used only after its snapshot has been stored.
    #[must_use]
    pub fn with_store(mut self) -> Self {
        self.has_store = true;
        // The grant it started from has been stored by nobody yet.
        if self.unsaved
            && let Some(held) = self.held.take()
        {
            self.unsaved = false;
            self.events.clear();
            let mut grant = held.grant;
            grant.refresh = self.refresh.take();
            self.accept(self.now, grant, Some(Operation::Refresh));
        }
        self
    }

    /// What to do next. Call it after every change, and when the time it named has come. Where sessions share a budget, what
    /// one of them gives back is a change for all that wait for the hour's places: poll those again soon.
    ///
    /// `now` is on a timeline that never goes back and counts the time in which the machine sleeps. If the driver comes back
    /// more than a minute later than it was told, the session can't tell a long sleep from a clock that was set. So until an
    /// answer says the server's time again, it takes an expiry for unproved and tries one renewal before it logs in.
    pub fn poll(&mut self, now: Timestamp, budget: &mut RateBudget) -> Action {
        let action = self.next_action(now, budget);
        self.expected_by = match &action {
            Action::Wait { until } => *until,
            Action::Send { .. } | Action::Store { .. } => later(self.now, self.policy.deadline()),
            Action::Stopped(_) => Timestamp::MAX,
        };
        action
    }

    fn next_action(&mut self, now: Timestamp, budget: &mut RateBudget) -> Action {
        let now = self.look(now);
        self.silence.see(now, budget);
        loop {
            match &self.state {
                State::Stopped(reason) => return Action::Stopped(reason.clone()),
                State::Exchanging(exchange) if now < exchange.deadline => {
                    return self.wait_until(now, exchange.deadline);
                }
                State::Exchanging(_) => self.give_up(now),
                State::Storing(storing) if now < storing.until => return self.wait_until(now, storing.until),
                State::Storing(storing) if storing.offered => self.not_stored(now, None),
                State::Storing(_) => return self.offer(now, budget),
                State::Resting if self.saving_due(now) => self.save(now),
                State::Resting => match self.plan(now, budget) {
                    plan::Step::Send(operation) if self.is_to_be_announced(operation) => self.announce(now, operation),
                    plan::Step::Send(operation) => {
                        if let Some(action) = self.send(now, operation, budget) {
                            return action;
                        }
                    }
                    plan::Step::Wait(until) => return self.wait_until(now, until),
                    plan::Step::Stop(reason) => self.stop(now, reason),
                },
            }
        }
    }

    /// The clock behind `now` was set forward, or may have been. Call it if you know; the session notices by itself only if
    /// the driver comes more than a minute later than it was told. Until an answer says the server's time again, the session
    /// tries one renewal before it logs in because of an expiry.
    pub fn clock_was_set(&mut self) {
        self.clock.local_clock_may_have_stepped();
    }

    /// Waits until a time, or until something changes by itself before it.
    fn wait_until(&self, now: Timestamp, until: Timestamp) -> Action {
        let change = self.next_change(now);
        Action::Wait { until: change.map_or(until, |change| change.min(until)) }
    }

    /// What the time alone has changed.
    fn look(&mut self, now: Timestamp) -> Timestamp {
        let now = self.advance(now);
        self.remind(now);
        self.doubt.catch_up(now);
        self.confirm(now);
        if let Some(code) = &mut self.code {
            code.begin(now);
        }
        if self.is_given_up(now) {
            self.lose(now);
        }
        now
    }

    /// The response to a request, of any status.
    pub fn receive<B: AsRef<[u8]>>(
        &mut self,
        now: Timestamp,
        id: ExchangeId,
        response: Response<B>,
        budget: &mut RateBudget,
    ) {
        let now = self.advance(now);
        self.silence.see(now, budget);
        if let Some((exchange, standing)) = self.take_exchange(id) {
            self.outcome(now, &exchange, response, standing, budget);
        }
    }

    /// A request that brought no response.
    pub fn failed(&mut self, now: Timestamp, id: ExchangeId, failure: Failure, budget: &mut RateBudget) {
        self.failed_because(now, id, failure, "", budget);
    }

    /// As [`failed`](Self::failed), with the cause for the owner, such as `connection refused`: it is shown in
    /// [`Trouble::Io`], at most 200 characters of it, and nothing behind the first word that could be a secret.
    pub fn failed_because(
        &mut self,
        now: Timestamp,
        id: ExchangeId,
        failure: Failure,
        cause: &str,
        budget: &mut RateBudget,
    ) {
        let now = self.advance(now);
        self.silence.see(now, budget);
        match self.take_exchange(id) {
            Some((mut exchange, Standing::Current)) => {
                exchange.cause = Some(line(cause)).filter(|cause| !cause.is_empty());
                self.no_answer(now, &exchange, failure, budget);
            }
            Some((exchange, _)) if failure == Failure::NotSent => self.forgive(&exchange, budget),
            _ => {}
        }
    }

    /// A snapshot has been stored.
    pub fn stored(&mut self, now: Timestamp, id: ExchangeId) {
        let now = self.advance(now);
        self.has_been_stored(now, id);
    }

    /// A snapshot could not be stored: it is offered again after a pause.
    pub fn store_failed(&mut self, now: Timestamp, id: ExchangeId) {
        self.has_not_been_stored(now, id, None);
    }

    /// The token to call with, where one is held and good.
    #[must_use]
    pub fn token(&self, now: Timestamp) -> Option<SessionToken> {
        let held = self
            .held
            .as_ref()
            .filter(|held| !held.lost && !self.doubt.dead && !matches!(self.state, State::Stopped(_)))?;
        let now = now.max(self.now);
        let market_data = held.grant.market_data.as_ref();
        let market_data = market_data.filter(|market_data| market_data.expires_at > self.clock.server_time(now));
        // One that was kept over a renewal ends before the access token. The two are handed out together until then, and
        // the access token alone afterwards.
        let end = market_data.map_or(held.usable_until, |market_data| market_data.expires_at.min(held.usable_until));
        let usable_until = self.clock.local_time(end);
        (now < usable_until).then(|| SessionToken {
            access_token: held.grant.access_token.clone(),
            generation: held.generation,
            expires_at: held.grant.expires_at,
            usable_until,
            market_data_token: market_data.map(|market_data| market_data.token.clone()),
        })
    }

    /// The environment with the hosts in force.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The next event, oldest first.
    pub fn next_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if self.events.is_empty() {
            // Events are rare, and each session of many would keep room for four.
            self.events = VecDeque::new();
        }
        event
    }

    /// The driver has others to serve first, and comes back by then.
    pub(crate) fn expect_by(&mut self, time: Timestamp) {
        self.expected_by = self.expected_by.max(time);
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Why the session has stopped, if it has.
    #[must_use]
    pub fn stop_reason(&self) -> Option<&StopReason> {
        match &self.state {
            State::Stopped(reason) => Some(reason),
            _ => None,
        }
    }

    /// Time never goes back, whatever the caller says. It may have been set forward if the driver is much too late.
    fn advance(&mut self, now: Timestamp) -> Timestamp {
        if now > later(self.expected_by, LATE) {
            self.clock.local_clock_may_have_stepped();
            self.expected_by = Timestamp::MAX;
        }
        self.now = self.now.max(now);
        self.now
    }

    /// What an OAuth session presents for its next tokens.
    fn presentable(&self) -> Option<OAuthGrant> {
        match (&self.refresh, &self.code) {
            (Some(refresh), _) => Some(refresh.token.clone().into()),
            (None, Some(code)) => Some(code.code.clone().into()),
            (None, None) => None,
        }
    }

    fn id(&mut self) -> ExchangeId {
        self.next_id = self.next_id.saturating_add(1);
        ExchangeId(self.next_id)
    }

    fn tell(&mut self, at: Timestamp, kind: EventKind) {
        if self.events.len() >= EVENTS_KEPT {
            self.events.pop_front();
        }
        self.events.push_back(Event { at, kind });
    }

    fn stop(&mut self, now: Timestamp, reason: StopReason) {
        self.stops_with = None;
        self.tell(now, EventKind::Stopped(reason.clone()));
        self.state = State::Stopped(reason);
    }
}

#[cfg(test)]
mod tests;
