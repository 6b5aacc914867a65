//! [`Session`]: the state machine that logs in, stays logged in, and follows the server's rules.
//!
//! It does no I/O and has no clock. [`poll`](Session::poll) returns the next action, and the driver reports the result.
//! Each call has the time as an argument. The time never goes back. A seed replaces randomness.
//!
//! ```text
//!                   next_request.rs                  receive · failed
//!   resting ─────── Action::Send ────► in flight ────────────────► classify_answer.rs: what does it mean?
//!   │ ▲ ▲                                  │                           │
//!   │ │ │                                  └ no answer in time ──► act_on_answer.rs: what follows?
//!   │ │ └────────── a pause, a gate, another host, a token ────────────┤
//!   │ │                                                                │
//!   │ └── stored ── storing ◄──── a token, if there is a store ────────┤
//!   │               Action::Store                                      │
//!   │                 ▲                       refused, no consent left │
//!   └─ a fact to store, an announcement                                ▼
//!   resting ◄────── replace_credentials · adopt · a late refresh ─── stopped ◄── forget
//! ```
//!
//! No field holds the state. The state follows from `stopped`, from the exchange in flight, and from the snapshot that
//! is being stored. In each state except *stopped*, [`Action::Wait`] lasts until the earliest time in `wake_up_times.rs`,
//! and [`token`](Session::token) returns the held token until shortly before its expiry, unless the server told a
//! caller that it is dead.
//!
//! The [`Record`] has all facts that outlive the process. A session without a store uses a new token at once. With a
//! store, the session announces a login: it stores the announcement before it sends the request. If processes share the
//! store, it announces a refresh in the same way.
//!
//! The file `docs/laws.md` of the repository states the seventeen laws that a session follows, and
//! `docs/architecture.md` shows how the files of this folder work together.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use core::time::Duration;

use http::Response;
use jiff::Timestamp;
use tradovate_auth_core::workspace_only::line;
use tradovate_auth_core::{Environment, Error, Failure, ServerClock};

use crate::network_budget::{Operation, RateBudget};
use crate::record::{Jitter, Record, Refresh};
use crate::store::MayLogIn;
#[cfg(doc)]
use crate::stored_session::StoredSession;
use crate::time_arithmetic::{LATE, later};

mod accept_tokens;
mod account_notices;
mod act_on_answer;
mod action;
mod adopt_snapshot;
mod announced_requests;
mod classify_answer;
mod event;
mod failed_login;
mod followed_hosts;
mod forget;
mod in_flight;
mod lock_outs;
mod login_method;
mod next_request;
mod oauth_code;
mod persistence;
mod policy;
mod refresh;
mod rejected_calls;
mod renewal;
mod repeat_with_ticket;
mod replace_credentials;
mod retry;
mod send_request;
mod server_time;
mod shared_store;
mod snapshot;
mod store_answers;
mod token_health;
mod wake_up_times;

pub use action::{Action, ExchangeId, SessionToken};
pub use event::{Event, EventKind, StopReason, Trouble};
pub use login_method::Login;
pub use policy::Policy;
pub use rejected_calls::Verdict;
pub use wake_up_times::WakeUp;

pub(crate) use next_request::Outlook;
use next_request::Step;

use classify_answer::{Known, Outcome};
use followed_hosts::{Hosts, Via};
use in_flight::{Exchange, Exchanges, Use};
use lock_outs::Gates;
use login_method::Start;
use oauth_code::Code;
use persistence::{Persistence, Store, Waiting};
use shared_store::{Permitted, Wanted};
use token_health::TokenHealth;

/// A state machine that logs in, keeps the token valid, and follows the server's rules.
///
/// Call [`poll`](Self::poll), carry out the [`Action`] that it returns, and report the result. Give a copy of
/// [`token`](Self::token) to the code that calls the API. Each `now` is the local time. A `now` before the last one
/// counts as the last one.
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
#[cfg_attr(feature = "clone", derive(Clone))]
pub struct Session {
    /// A password, or an app.
    login: Start,
    /// The caller's own key of the user of an app.
    user_key: Option<Box<str>>,
    hosts: Hosts,
    policy: Policy,
    jitter: Jitter,
    /// Random ids of logins. A separate generator, so that an id does not change the pauses.
    ids: Jitter,
    clock: ServerClock,
    now: Timestamp,
    /// The latest time at which the driver should poll again.
    expected_by: Timestamp,
    /// What the last poll waits for.
    waits_for: Option<WakeUp>,
    record: Record,
    /// Lock-outs and closed endpoints, by the session's own clock.
    gates: Gates,
    token: TokenHealth,
    exchanges: Exchanges,
    persistence: Persistence,
    code: Option<Box<Code>>,
    /// The refusal that blames the app or its settings. With these settings, no refresh token is sent again.
    app_refused: Option<Box<Error>>,
    reminded_within_days: Option<u8>,
    /// The program asked for another try, and the server has not answered one yet. Until then, refusals in a snapshot
    /// don't count.
    has_another_try: bool,
    /// The session was created with a refresh token, and has adopted no snapshot since.
    has_supplied_token: bool,
    stopped: Option<Box<StopReason>>,
    events: VecDeque<Event>,
}

/// The next step of a session that no other process shares.
enum Next {
    Send(Operation),
    Save,
    Wait(WakeUp, Timestamp),
    Stopped(StopReason),
}

impl Next {
    fn wanted(&self) -> Wanted {
        match self {
            Self::Send(operation) => Wanted::Send(*operation),
            Self::Save => Wanted::Save,
            Self::Wait(..) | Self::Stopped(_) => Wanted::Nothing,
        }
    }
}

/// How long a session waits at most for its first load of a shared store.
const FIRST_LOAD: Duration = Duration::from_secs(1);

/// How many unread events are kept. Older ones are dropped.
const EVENTS_KEPT: usize = 256;

impl Session {
    /// Creates a session. `seed` is the seed of all random choices, such as the length of a pause: use a different seed
    /// for each session.
    #[must_use]
    pub fn new(environment: Environment, login: impl Into<Login>, seed: u64) -> Self {
        let mut session = Self {
            login: login.into().0,
            user_key: None,
            hosts: Hosts::new(environment),
            policy: Policy::default(),
            jitter: Jitter::new(seed),
            ids: Jitter::new(!seed),
            clock: ServerClock::default(),
            now: Timestamp::MIN,
            expected_by: Timestamp::MAX,
            waits_for: None,
            record: Record::default(),
            gates: Gates::default(),
            token: TokenHealth::default(),
            exchanges: Exchanges::default(),
            persistence: Persistence::default(),
            code: None,
            app_refused: None,
            reminded_within_days: None,
            has_another_try: false,
            has_supplied_token: false,
            stopped: None,
            events: VecDeque::new(),
        };
        session.take_from_login();
        session
    }

    /// Takes the code, token or grant from the login.
    fn take_from_login(&mut self) {
        let Some(app) = self.login.app().cloned() else { return };
        match core::mem::replace(&mut self.login, Start::App(app)) {
            Start::Password(_) | Start::App(_) => {}
            Start::Code(_, code) => self.code = Some(Box::new(Code::new(code))),
            Start::RefreshToken(_, token) => {
                self.record.tokens.refresh = Some(Refresh::new(token, None, None));
                self.has_supplied_token = true;
            }
            Start::Grant(_, grant) => {
                self.clock.learn(&grant.exchange);
                self.accept(grant.exchange.received, Via::Configured, *grant, Some(Operation::Refresh), true);
                self.persistence.dirty = true;
            }
        }
    }

    /// Sets when the session renews and how long it waits: see [`Policy`].
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets your own key of the user who authorized the OAuth app, such as the id of a row in your database. The key is
    /// not secret.
    ///
    /// Snapshots contain the key. From a snapshot with another key or without a key, the session adopts only the limits
    /// of the network address: see [`StoredSession`]. Without keys, the session can't distinguish the users of one app,
    /// because OAuth answers often don't name the user. A session that logs in with a password ignores the key.
    ///
    /// ```
    /// use jiff::Timestamp;
    /// use tradovate_auth_core::{Environment, OAuthApp, RefreshToken};
    /// use tradovate_auth_session::{EventKind, Login, OwnerMismatch, RateBudget, Session};
    ///
    /// let now: Timestamp = "2026-11-24T14:20:30Z".parse()?;
    /// let (mut budget, app) = (RateBudget::default(), OAuthApp::new("client"));
    /// let seven = Session::new(Environment::live(), Login::refresh_token(app.clone(), RefreshToken::new("rt")), 1);
    /// let snapshot = seven.with_user_key("user 7").snapshot(now, &budget);
    ///
    /// let mut eight = Session::new(Environment::live(), Login::app(app), 2).with_user_key("user 8");
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

    /// Allows one more try of credentials that the server has refused: earlier refusals in a snapshot don't count. Call
    /// this after you have corrected the credentials, and not at each start. After five failed logins in an hour, the
    /// server postpones all logins of the network address (page *Rate Limits*).
    ///
    /// A snapshot contains the fact that the server refused the credentials. It contains nothing of the credentials,
    /// because even a hash would help to guess the password. So a program that starts again with the same snapshot
    /// stops with [`StopReason::RefusedBefore`], even if the password is now correct. A refusal does not apply to
    /// another user name or login host. [`replace_credentials`](Self::replace_credentials) allows another try too. A
    /// program that stores no snapshot tries its credentials at each start.
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
    /// assert!(matches!(second.poll(now, &mut budget), Action::Stopped { reason: StopReason::RefusedBefore { .. }, .. }));
    ///
    /// let mut third = session("corrected").with_another_try();
    /// third.adopt(now, snapshot, &mut budget);
    /// assert!(matches!(third.poll(now, &mut budget), Action::Send { .. }));
    /// # Ok::<(), jiff::Error>(())
    /// ```
    #[must_use]
    pub fn with_another_try(mut self) -> Self {
        self.has_another_try = true;
        self
    }

    /// Makes the session use a new token only after a snapshot with it has been stored. [`poll`](Self::poll) then
    /// returns [`StoreRequest::Keep`](crate::StoreRequest::Keep) with each snapshot. The session also stores a snapshot
    /// before it sends a login: if the program crashes before it has stored the answer, the next start knows that the
    /// login may have opened a server session. This changes nothing in a session that already has a shared store.
    #[must_use]
    pub fn with_store(self) -> Self {
        if self.persistence.is_shared() { self } else { self.stored_by(Persistence::hook()) }
    }

    /// Makes the session share its login with other processes through a store. To the server, all these processes are
    /// one client.
    ///
    /// Before the session sends or saves, it acquires the lease of the store and loads the record. The rest of the
    /// time, it uses the tokens that the other processes save. It also saves failures and pauses, so that the other
    /// processes keep to them.
    ///
    /// Use the same store, login host and user in all processes. [`poll`](Self::poll) returns [`Action::Store`] with
    /// the requests to the store. Call [`store_changed`](Self::store_changed) if the store reports a change. Without
    /// these calls, the session loads the record only before it sends or saves, and every ten seconds while it has no
    /// token, or every half second while another process logs in.
    #[must_use]
    pub fn with_shared_store(self, may_log_in: MayLogIn) -> Self {
        self.stored_by(Persistence::shared(may_log_in))
    }

    fn stored_by(mut self, persistence: Persistence) -> Self {
        let is_unstored = self.persistence.dirty && self.record.tokens.access.is_some();
        if let Some(waiting) = core::mem::replace(&mut self.persistence, persistence).waiting {
            self.hold_back(self.now, *waiting);
        }
        if is_unstored {
            // The tokens that the session started with are not stored yet.
            self.events.clear();
            self.token.generation = 0;
            let tokens = core::mem::take(&mut self.record.tokens);
            let operation = Some(Operation::Refresh);
            let (user_id, assumed_offset) = (self.record.user_id, self.token.assumed_offset);
            self.hold_back(self.now, Waiting { tokens, user_id, operation, assumed_offset });
        }
        self
    }

    /// Returns the next action. Call this after each input, and at the time in the last [`Action::Wait`]. If sessions
    /// share a budget, an input to one session can unblock the others: poll them too.
    ///
    /// `now` must come from a clock that never goes back and counts the time in which the machine sleeps. If the driver
    /// polls more than a minute late, the session can't know whether the machine slept or the clock was set. A token
    /// that has expired by this clock may then still be valid. So the session tries to renew it before it logs in,
    /// until an answer of the server shows the time.
    pub fn poll(&mut self, now: Timestamp, budget: &mut RateBudget) -> Action {
        let action = self.next_action(now, budget);
        self.expected_by = match &action {
            Action::Wait { until } => *until,
            Action::Send { .. } | Action::Store { .. } => later(self.now, self.policy.deadline()),
            Action::Stopped { check_at, .. } => check_at.unwrap_or(Timestamp::MAX),
        };
        action
    }

    fn next_action(&mut self, now: Timestamp, budget: &mut RateBudget) -> Action {
        let now = self.observe(now);
        self.gates.see(now, budget);
        loop {
            let Some(next) = self.next_step(now, budget) else { continue };
            match (self.permit(now, next.wanted()), next) {
                (_, Next::Wait(wake_up @ (WakeUp::AnswerOverdue | WakeUp::StoreOverdue), until)) => {
                    return self.wait_until(now, wake_up, until);
                }
                (Permitted::Ask(what), _) => return self.ask(now, what),
                (Permitted::NotBefore(until), _) => return self.wait_until(now, WakeUp::StoreDue, until),
                (Permitted::Wanted, Next::Wait(wake_up, until)) => return self.wait_until(now, wake_up, until),
                (Permitted::Wanted, Next::Save) => return self.offer(now, budget),
                (Permitted::Wanted, Next::Send(operation)) if self.is_to_be_announced(now, operation) => {
                    self.announce(now, operation);
                }
                (Permitted::Wanted, Next::Send(operation)) => {
                    if let Some(action) = self.send(now, operation, budget) {
                        return action;
                    }
                }
                (Permitted::Wanted, Next::Stopped(reason)) => {
                    let check_at = match reason {
                        StopReason::Forgotten => self.persistence.save_due(),
                        StopReason::Refused(_) => {
                            self.load_due(now).into_iter().chain(self.persistence.save_due()).min()
                        }
                        _ => self.load_due(now),
                    };
                    return Action::Stopped { reason, check_at };
                }
            }
        }
    }

    /// The next step without regard to other processes. `None` if the state changed: call it again.
    fn next_step(&mut self, now: Timestamp, budget: &mut RateBudget) -> Option<Next> {
        let in_flight = self.exchanges.in_flight.as_ref().filter(|_| self.stopped.is_none());
        match in_flight.map(|exchange| exchange.deadline) {
            Some(deadline) if deadline <= now => {
                self.give_up(now, budget);
                self.lose_if_given_up(now);
                return None;
            }
            // While a request is in flight, the session stores only tokens.
            Some(deadline) if self.persistence.waiting.is_none() => {
                return Some(Next::Wait(WakeUp::AnswerOverdue, deadline));
            }
            _ => {}
        }
        match self.persistence.next(now) {
            Store::Asked(until) => return Some(Next::Wait(WakeUp::StoreOverdue, until)),
            Store::Overdue => {
                self.store_is_overdue(now, budget);
                self.use_unstored(now);
                return None;
            }
            Store::Paused(until) => return Some(Next::Wait(WakeUp::SaveDue, until)),
            Store::Offer if self.has_news() => return Some(Next::Save),
            Store::Offer | Store::Idle => {}
        }
        if let Some(reason) = &self.stopped {
            return Some(Next::Stopped(StopReason::clone(reason)));
        }
        match self.plan(now, budget) {
            Step::Send(operation) => Some(Next::Send(operation)),
            Step::Wait(until) => Some(Next::Wait(WakeUp::RequestDue, until)),
            // Nothing is known of the refresh token before the store has said what it holds.
            Step::Stop(StopReason::ConsentRequired) if self.has_yet_to_load() => {
                let until = self.load_due(now).filter(|at| *at > now).unwrap_or_else(|| later(now, FIRST_LOAD));
                Some(Next::Wait(WakeUp::StoreDue, until))
            }
            Step::Stop(reason) => {
                self.stop(now, reason);
                None
            }
        }
    }

    /// Whether a change has to be saved although the session stopped: the program called `forget`, or the server
    /// refused the login.
    fn has_news(&self) -> bool {
        match self.stopped.as_deref() {
            None | Some(StopReason::Forgotten | StopReason::Refused(_)) => true,
            Some(_) => self.persistence.holds_lease(),
        }
    }

    /// Waits until `until`, or until an earlier wake-up.
    fn wait_until(&mut self, now: Timestamp, wake_up: WakeUp, until: Timestamp) -> Action {
        let (wake_up, until) = self.next_wake_up(now).filter(|(_, at)| *at < until).unwrap_or((wake_up, until));
        self.waits_for = Some(wake_up);
        match &self.stopped {
            Some(reason) => Action::Stopped { reason: StopReason::clone(reason), check_at: Some(until) },
            None => Action::Wait { until },
        }
    }

    /// What the last [`Action::Wait`] waits for.
    #[must_use]
    pub fn waits_for(&self) -> Option<WakeUp> {
        self.waits_for
    }

    /// The request that a penalty has postponed, and until when. `None` if none is postponed at `now`.
    #[must_use]
    pub fn postponed_until(&self, now: Timestamp) -> Option<(Operation, Timestamp)> {
        let ticket = self.record.postponed.get().filter(|ticket| ticket.until > now)?;
        Some((if self.code.is_some() { Operation::ExchangeCode } else { ticket.operation }, ticket.until))
    }

    /// Reports that the clock behind `now` was set forward, or may have been. A token that has expired by this clock
    /// may then still be valid. So the session tries to renew it before it logs in, until an answer of the server shows
    /// the time. Without this call, the session notices the change only if the driver polls more than a minute late.
    pub fn clock_was_set(&mut self) {
        self.clock.local_clock_may_have_stepped();
    }

    /// Applies the changes that the time alone causes.
    fn observe(&mut self, now: Timestamp) -> Timestamp {
        let now = self.advance(now);
        self.remind(now);
        self.verify_what_is_due(now);
        if let Some(code) = &mut self.code {
            code.begin(now);
        }
        self.lose_if_given_up(now);
        self.use_unstored(now);
        now
    }

    fn lose_if_given_up(&mut self, now: Timestamp) {
        if self.is_given_up(now) {
            self.token_is_lost(now);
        }
    }

    /// Reports the response to a request. Pass every response, whatever its status. A response with an unknown id
    /// changes nothing. A response that arrives after [`Policy::deadline`] may still be used.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the answer contains secrets, and the caller does not need it afterwards"
    )]
    pub fn receive<B: AsRef<[u8]>>(
        &mut self,
        now: Timestamp,
        id: ExchangeId,
        response: Response<B>,
        budget: &mut RateBudget,
    ) {
        let now = self.advance(now);
        self.gates.see(now, budget);
        let Some((exchange, is_current)) = self.exchanges.take(id) else { return };
        // A late answer brought another token since. An answer to a refresh can still contain the newest refresh token.
        let has_other_token = exchange.operation != Operation::Refresh && exchange.generation != self.token.generation;
        let is_overtaken = has_other_token || self.persistence.waiting.is_some();
        let usable = if is_current && !is_overtaken { Use::Current } else { self.use_of(&exchange) };
        self.host_is_reached(exchange.via, true);
        let times = self.learn_time(now, &exchange, &response);
        self.correct_assumed_times();
        let known = Known { exchange: &exchange, times, clock: &self.clock, user_id: self.user_id() };
        let (outcome, account) = Outcome::of(&known, &response);
        if let Some(account) = account.filter(|_| usable != Use::Superseded) {
            self.learn_of_account(now, account);
        }
        self.apply(now, &exchange, outcome, usable, budget);
    }

    /// Reports that a request brought no complete response.
    pub fn failed(&mut self, now: Timestamp, id: ExchangeId, failure: Failure, budget: &mut RateBudget) {
        self.failed_because(now, id, failure, "", budget);
    }

    /// Does the same as [`failed`](Self::failed), and adds the cause, such as `connection refused`. [`Trouble::Io`]
    /// shows at most 200 characters of it, and nothing after the first part that could be a secret.
    pub fn failed_because(
        &mut self,
        now: Timestamp,
        id: ExchangeId,
        failure: Failure,
        cause: &str,
        budget: &mut RateBudget,
    ) {
        let now = self.advance(now);
        self.gates.see(now, budget);
        match self.exchanges.take(id) {
            Some((exchange, true)) => {
                let cause = Some(line(cause)).filter(|cause| !cause.is_empty());
                self.no_answer(now, &exchange, failure, cause, budget);
            }
            // The session has given up this request before.
            Some((exchange, false)) if failure == Failure::NotSent => self.never_arrived(&exchange, budget),
            _ => {}
        }
    }

    fn no_answer(
        &mut self,
        now: Timestamp,
        exchange: &Exchange,
        failure: Failure,
        cause: Option<String>,
        budget: &mut RateBudget,
    ) {
        if failure == Failure::NotSent {
            self.host_is_reached(exchange.via, false);
        }
        let outcome = Outcome::of_failure(exchange, failure, cause);
        self.apply(now, exchange, outcome, Use::Current, budget);
    }

    /// The deadline is over. The session continues without the answer, but still accepts it if it arrives.
    fn give_up(&mut self, now: Timestamp, budget: &mut RateBudget) {
        let Some(exchange) = self.exchanges.in_flight.take() else { return };
        self.no_answer(now, &exchange, Failure::MaybeSent, None, budget);
        self.exchanges.in_flight = Some(exchange);
        self.exchanges.give_up();
    }

    /// The token for API calls, if the session holds one that can be used at `now`. `None` before the first token, from
    /// [`Policy::margin`] before the expiry on, while a renewal verifies a token that the server has called dead, and
    /// after a stop.
    #[must_use]
    pub fn token(&self, now: Timestamp) -> Option<SessionToken> {
        let access = self.record.tokens.access.as_ref();
        let access = access.filter(|_| !self.token.is_reported_dead && self.stopped.is_none())?;
        let now = now.max(self.now);
        let market_data = access.market_data.as_ref().filter(|it| it.expires_at > self.clock.server_time(now));
        // A market data token that was kept over a renewal expires before the access token. The session returns both
        // until then, and the access token alone afterwards.
        let end = self.usable_until(access);
        let end = market_data.map_or(end, |market_data| market_data.expires_at.min(end));
        let usable_until = self.clock.local_time(end);
        (now < usable_until).then(|| SessionToken {
            access_token: access.token.clone(),
            generation: self.token.generation,
            expires_at: access.expires_at,
            usable_until,
            //= R-SOCKET-8
            market_data_token: market_data.map(|market_data| market_data.token.clone()),
        })
    }

    /// Until when the access token can be used, by the local clock. `None` if there is none that can be used at `now`.
    fn token_usable_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.token(now)?;
        // If the market data token expires earlier, the access token can still be used.
        let access = self.record.tokens.access.as_ref()?;
        Some(self.clock.local_time(self.usable_until(access)))
    }

    /// The user's id, if an answer or a snapshot has named it.
    #[must_use]
    pub fn user_id(&self) -> Option<i64> {
        self.persistence.waiting.as_ref().and_then(|waiting| waiting.user_id).or(self.record.user_id)
    }

    /// The environment with the hosts that the session now uses: the configured ones, or those that the server has
    /// named.
    pub fn environment(&self) -> &Environment {
        &self.hosts.in_force
    }

    /// Removes and returns the oldest unread event. The session keeps the newest 256 unread events.
    pub fn next_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if self.events.is_empty() {
            // Events are rare. An empty queue with capacity would cost memory in each of many sessions.
            self.events = VecDeque::new();
        }
        event
    }

    /// Why the session stopped. `None` if it has not stopped.
    #[must_use]
    pub fn stop_reason(&self) -> Option<&StopReason> {
        self.stopped.as_deref()
    }

    /// The driver serves other sessions first and polls this one by `time`.
    pub(crate) fn expect_by(&mut self, time: Timestamp) {
        self.expected_by = self.expected_by.max(time);
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The operation that is in flight.
    pub(crate) fn sending(&self) -> Option<Operation> {
        self.exchanges.in_flight.as_ref().map(|exchange| exchange.operation)
    }

    /// Whether the renewal in flight was sent only to get a market data token.
    pub(crate) fn sends_for_market_data(&self) -> bool {
        self.exchanges.in_flight.as_ref().is_some_and(|exchange| self.is_for_market_data(exchange))
    }

    fn is_resting(&self) -> bool {
        self.stopped.is_none() && self.exchanges.in_flight.is_none() && !self.persistence.is_saving()
    }

    /// Moves the session's time forward, never back. If the driver is more than a minute late, its clock may have been
    /// set.
    fn advance(&mut self, now: Timestamp) -> Timestamp {
        if now > later(self.expected_by, LATE) {
            self.clock.local_clock_may_have_stepped();
            self.expected_by = Timestamp::MAX;
        }
        self.now = self.now.max(now);
        self.now
    }

    /// Ends pauses, and makes a stopped session continue.
    fn resume_work(&mut self) {
        self.record.pause.end(self.moment(self.now));
        self.go_on();
    }

    fn go_on(&mut self) {
        self.persistence.stops_with = None;
        self.stopped = None;
    }

    fn report(&mut self, at: Timestamp, kind: EventKind) {
        if self.events.len() >= EVENTS_KEPT {
            self.events.pop_front();
        }
        self.events.push_back(Event { at, kind });
    }

    fn stop(&mut self, now: Timestamp, reason: StopReason) {
        self.persistence.stops_with = None;
        self.persistence.abandon();
        self.report(now, EventKind::Stopped(reason.clone()));
        self.stopped = Some(Box::new(reason));
    }
}

#[cfg(test)]
mod tests;
