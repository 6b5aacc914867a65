//! A session that threads or tasks share.
//!
//! The session's lock is held only while the session handles an input or decides on the next action. It is never held
//! while a request is in flight or a callback runs. The current token is also published outside the lock. A caller that
//! needs only the token reads it without the lock.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{AccessTokenResponse, Answer, CallError, Credentials, Environment, RequestBody};
use tradovate_auth_session::{
    Action, Event, LeaseHolder, MayLogIn, Operation, Revision, Session, SessionToken, StopReason, StoreError,
    StoreErrorKind, StoreRequest, StoredSession, Verdict,
};

use crate::action_permit::{Awaited, Permit};
use crate::clock::Clock;
use crate::error::TokenError;
use crate::events::Events;
use crate::settings::Settings;
use crate::single_flight::{Denied, Driver, Rest};
use crate::sync_primitives::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync_primitives::{ArcSwap, ArcSwapOption, Mutex, MutexGuard};
use crate::token::Token;
use crate::user_callback;

/// A session that threads or tasks share: the session behind a lock, its published token, and the caller that drives
/// it.
pub struct Shared {
    session: Mutex<Session>,
    token: ArcSwapOption<Published>,
    environment: ArcSwap<Environment>,
    driver: Mutex<Driver>,
    /// The number of threads or tasks that currently carry out actions of the session.
    carriers: AtomicUsize,
    changed: Box<dyn Fn() + Send + Sync>,
    /// Whether a caller's report waits to be verified, or a token waits to be stored. A caller that reads `true` then
    /// asks the session itself, so relaxed memory ordering is enough.
    wants_driver: AtomicBool,
    events: Events,
    clock: Clock,
    pub(crate) settings: Settings,
}

/// The current token, with the time that each caller checks first. The time is outside the `Arc` of the token because
/// all callers write to its reference count, which would slow down the check.
struct Published {
    usable_until: Timestamp,
    token: Arc<SessionToken>,
}

/// An action of a session that the transport carries out.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it arrives, and most are requests")]
pub enum Task {
    /// Send this request, then call [`Permit::answered`].
    Send(Request<RequestBody>),
    /// Send this request to the store, then call [`Permit::store_answered`].
    Store(StoreRequest),
}

/// Where a session is stored, and who shares the stored session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// The session is not stored.
    None,
    /// A hook of the program stores the session, for this process only.
    Hook,
    /// A store that other processes also use.
    Shared(MayLogIn),
}

/// Marks the session as busy while a thread or task carries out its actions, including the time between two permits.
/// Dropping the last carrier ends this.
#[derive(Debug)]
#[must_use = "the session is busy as long as this lives"]
pub struct Carrier(Arc<Shared>);

impl Drop for Carrier {
    fn drop(&mut self) {
        self.0.carriers.fetch_sub(1, Ordering::SeqCst);
        (self.0.changed)();
    }
}

/// The error of a store request to a source without a store: [`StoreErrorKind::Misconfigured`].
#[must_use]
pub fn no_store() -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, "there is no such store")
}

/// Why there is no action now.
#[derive(Debug, Clone)]
pub enum Idle {
    /// Another caller drives the session, for at most this long.
    Busy(Duration),
    /// There is no action for this long, unless something changes.
    Wait(Duration),
    /// The session has stopped, for this reason. There is no action unless something changes.
    Stopped(StopReason),
}

/// How soon to poll again while requests that share the budget are in flight. Each response can change what the budget
/// allows.
const RECHECK_INTERVAL: SignedDuration = SignedDuration::from_secs(1);

impl Shared {
    /// Creates a shared session. `changed` is called each time waiting callers must check the state again.
    #[must_use]
    pub fn new(
        session: Session,
        storage: Storage,
        mut settings: Settings,
        changed: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let clock = settings.clock.clone();
        // The session's deadline must not be shorter than the HTTP client's time-out: the client may still send the
        // request.
        let policy = settings.policy.with_deadline(settings.longest_exchange());
        let mut session = session.with_policy(policy);
        if let Some(key) = settings.user_key.take() {
            session = session.with_user_key(key);
        }
        if settings.another_try {
            session = session.with_another_try();
        }
        match storage {
            Storage::None => {}
            Storage::Hook => session = session.with_store(),
            Storage::Shared(may_log_in) => session = session.with_shared_store(may_log_in),
        }
        if let Some(stored) = settings.resume.take() {
            session.adopt(clock.now(), stored, &mut settings.budget.lock());
        }
        let environment = ArcSwap::from_pointee(session.environment().clone());
        let shared = Self {
            session: Mutex::new(session),
            token: ArcSwapOption::empty(),
            environment,
            driver: Mutex::default(),
            carriers: AtomicUsize::new(0),
            changed: Box::new(changed),
            wants_driver: AtomicBool::new(false),
            events: Events::default(),
            clock,
            settings,
        };
        shared.update_and_deliver(|_, _| ());
        shared
    }

    /// The current token, read without a lock. `None` if no token is valid now.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        let published = self.token.load();
        let published = published.as_ref().filter(|published| self.clock.now() < published.usable_until)?;
        Some(Token(Arc::clone(&published.token)))
    }

    /// How long the current token stays valid. `None` if no token is valid now.
    pub(crate) fn token_ends_in(&self) -> Option<Duration> {
        let usable_until = self.token.load().as_ref()?.usable_until;
        Some(between(self.clock.now(), usable_until)).filter(|time| !time.is_zero())
    }

    /// Why the session has stopped, if it has.
    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        lock(&self.session).stop_reason().cloned()
    }

    /// The user's id. `None` until an answer or a stored session contains it.
    #[must_use]
    pub fn user_id(&self) -> Option<i64> {
        lock(&self.session).user_id()
    }

    /// Whether a caller's report waits to be verified, or a token waits to be stored. If so, each use of the source
    /// drives the session, also if there is a token.
    #[must_use]
    pub fn wants_driver(&self) -> bool {
        self.wants_driver.load(Ordering::Relaxed)
    }

    /// The environment with the current hosts.
    #[must_use]
    pub fn environment(&self) -> Arc<Environment> {
        self.environment.load_full()
    }

    /// The longest time that one request may take: the longer of the policy's deadline and the client's time-out.
    #[must_use]
    pub fn longest_exchange(&self) -> Duration {
        self.settings.longest_exchange()
    }

    /// Marks the session as busy until the returned [`Carrier`] is dropped. Hold it while carrying out actions.
    pub fn carrier(self: &Arc<Self>) -> Carrier {
        self.carriers.fetch_add(1, Ordering::SeqCst);
        Carrier(Arc::clone(self))
    }

    /// The state that other callers get while this caller drives the session: busy for at most
    /// [`Self::longest_exchange`].
    #[must_use]
    pub fn busy(&self) -> Idle {
        Idle::Busy(self.settings.longest_exchange())
    }

    /// Claims the session and returns its next action.
    ///
    /// # Errors
    /// [`Idle`] if another caller drives the session, or if there is no action now.
    pub fn next(self: &Arc<Self>) -> Result<(Permit, Task), Idle> {
        if self.settings.is_fixed {
            return Err(self.stop_reason().map_or(Idle::Wait(Duration::MAX), Idle::Stopped));
        }
        loop {
            let now = self.clock.now();
            let overdue_at = now.saturating_add(self.settings.longest_exchange()).unwrap_or(Timestamp::MAX);
            let claim = match lock(&self.driver).claim(now, overdue_at) {
                Ok(claim) => claim,
                Err(denied) => {
                    self.replace_ended_token();
                    return Err(match denied {
                        Denied::Busy(overdue_at) => Idle::Busy(between(now, overdue_at)),
                        Denied::Rest(rest) => idle(now, rest),
                    });
                }
            };
            let permit = Permit::new(Arc::clone(self), claim);
            let soon = now.saturating_add(RECHECK_INTERVAL).unwrap_or(Timestamp::MAX);
            let rest = match self.poll() {
                (Action::Send { id, request }, _) => {
                    return Ok((permit.awaiting(Awaited::Response(id)), Task::Send(request)));
                }
                (Action::Store { id, request }, _) => {
                    return Ok((permit.awaiting(Awaited::StoreAnswer(id)), Task::Store(request)));
                }
                (Action::Stopped { reason, check_at }, _) => Rest::Stopped(reason, check_at),
                (Action::Wait { until }, may_allow_more) => {
                    Rest::Until(if may_allow_more { until.min(soon) } else { until })
                }
                _ => Rest::Until(soon),
            };
            permit.rest(rest.clone());
            if !lock(&self.driver).is_outdated(claim) {
                return Err(idle(now, rest));
            }
        }
    }

    /// Says that the store may contain a newer record than [`Self::known_revision`]. The session then loads the record.
    pub fn store_has_changed(&self) {
        self.update(|session, _| session.store_changed());
        self.wake();
    }

    /// The revision of the store's record that the session has loaded or saved last.
    #[must_use]
    pub fn known_revision(&self) -> Option<Revision> {
        lock(&self.session).known_revision()
    }

    /// Polls the session. The second value is true if the budget may soon allow more.
    fn poll(&self) -> (Action, bool) {
        self.update_and_deliver(|session, now| {
            let budget = &self.settings.budget;
            let mut guard = budget.lock();
            let action = session.poll(now, &mut guard);
            match &action {
                Action::Send { .. } => budget.request_sent(),
                Action::Wait { until } => {
                    if let Some(deadline) = session.waits_for() {
                        tracing::debug!(target: "tradovate_auth::session", "waits until {until:.0}: {deadline}");
                    }
                }
                _ => {}
            }
            let closed = guard.locked_until(now).or(guard.closed_until(now, Operation::LogIn));
            let may_allow_more = budget.has_requests_in_flight() && closed.is_none();
            (action, may_allow_more)
        })
    }

    /// Reports a server's answer to a call with this token. The verdict says what to do with the call.
    pub fn rejected(&self, token: &Token, status: StatusCode, body: &[u8]) -> Verdict {
        let verdict = self.update(|session, now| {
            session.rejected(now, token.generation(), status, body, &mut self.settings.budget.lock())
        });
        self.wake();
        verdict
    }

    /// Returns a snapshot, with which a later process can continue the session.
    #[must_use]
    pub fn snapshot(&self) -> StoredSession {
        self.update_and_deliver(|session, now| session.snapshot(now, &self.settings.budget.lock()))
    }

    /// Adopts a snapshot that another process has stored.
    pub fn adopt(&self, stored: StoredSession) {
        self.update(|session, now| session.adopt(now, stored, &mut self.settings.budget.lock()));
        self.wake();
    }

    /// Adopts the answer to a change of password or to another login: see [`Session::adopt_answer`].
    ///
    /// # Errors
    /// The errors of [`Session::adopt_answer`].
    pub fn adopt_answer(&self, answer: Answer<AccessTokenResponse>) -> Result<(), CallError> {
        let result = self.update_and_deliver(|session, now| session.adopt_answer(now, answer));
        self.wake();
        result
    }

    /// Replaces the credentials. A session that stopped because of the old credentials continues.
    pub fn replace_credentials(&self, credentials: Credentials) {
        self.update(|session, _| session.replace_credentials(credentials));
        self.wake();
    }

    /// Forgets all tokens and stops the session.
    pub fn forget(&self) {
        self.update(Session::forget);
        self.wake();
    }

    /// Whether the session has unfinished work: an action in flight, a lease to release, a token to store, or an event
    /// to deliver.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let now = self.clock.now();
        let is_driven = lock(&self.driver).is_busy(now);
        let session = lock(&self.session);
        let holds_lease = matches!(session.lease_holder(now), LeaseHolder::ThisProcess { .. });
        is_driven
            || self.carriers.load(Ordering::SeqCst) > 0
            || holds_lease
            || session.has_unstored_token()
            || self.events.is_waiting()
    }

    /// Whether this thread runs a callback of this session. If so, it must not wait for the session: that could be a
    /// deadlock.
    #[must_use]
    pub fn is_calling_back(&self) -> bool {
        user_callback::runs_for(self)
    }

    /// Runs a callback of this session, and marks the thread for [`Self::is_calling_back`].
    pub fn call_back<T>(&self, callback: impl FnOnce() -> T) -> T {
        user_callback::run_for(self, callback)
    }

    /// The error for a caller that would have to wait this long for a token.
    #[must_use]
    pub fn not_yet(&self, retry_after: Duration) -> TokenError {
        TokenError::NotYet { retry_after, reason: self.events.last_failure() }
    }

    /// Calls `act` with the session, then delivers the resulting events.
    pub(crate) fn update_and_deliver<T>(&self, act: impl FnOnce(&mut Session, Timestamp) -> T) -> T {
        let result = self.update(act);
        self.deliver();
        result
    }

    /// Like [`Self::update_and_deliver`], but leaves the events to the next delivery. If the token or the hosts have changed, this
    /// wakes waiting callers before a callback runs.
    pub(crate) fn update<T>(&self, act: impl FnOnce(&mut Session, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut session = lock(&self.session);
        let result = act(&mut session, now);
        self.events.take(&mut session);
        let has_published = self.publish(&session, now);
        let wants_driver = session.is_verifying() || session.has_unstored_token();
        self.wants_driver.store(wants_driver, Ordering::Relaxed);
        drop(session);
        if has_published {
            (self.changed)();
        }
        result
    }

    /// Publishes the session's token again if the published token has expired. If only the market data token has
    /// expired, the session then returns the access token alone.
    pub(crate) fn replace_ended_token(&self) {
        let has_ended = |published: &Arc<Published>| published.usable_until <= self.clock.now();
        if self.token.load().as_ref().is_some_and(has_ended) {
            self.update(|_, _| ());
        }
    }

    /// Changes the state of the driver, wakes all waiting callers, then delivers events. Another caller may drive the
    /// session during the delivery.
    pub(crate) fn change_driver(&self, change: impl FnOnce(&mut Driver)) {
        change(&mut lock(&self.driver));
        (self.changed)();
        self.deliver();
    }

    /// Delivers events, then wakes waiting callers. A caller that waits until the source is no longer busy also waits
    /// for the last event.
    fn deliver(&self) {
        if self.events.deliver(|event| self.report(event)) {
            (self.changed)();
        }
    }

    fn wake(&self) {
        self.change_driver(Driver::wake);
    }

    /// Publishes the token and the environment of the session. Returns whether the token or the environment has
    /// changed.
    fn publish(&self, session: &Session, now: Timestamp) -> bool {
        let token = session.token(now);
        // `usable_until` changes if the clock skew is measured again.
        let identity = |token: &SessionToken| (token.generation, token.usable_until, token.market_data_token.is_some());
        let published = self.token.load();
        let has_other_token =
            token.as_ref().map(identity) != published.as_ref().map(|published| identity(&published.token));
        if has_other_token {
            let publish =
                |token: SessionToken| Arc::new(Published { usable_until: token.usable_until, token: Arc::new(token) });
            self.token.store(token.map(publish));
        }
        let has_other_hosts = **self.environment.load() != *session.environment();
        if has_other_hosts {
            self.environment.store(Arc::new(session.environment().clone()));
        }
        has_other_token || has_other_hosts
    }

    fn report(&self, event: &Event) {
        tracing::info!(target: "tradovate_auth::session", "{event}");
        if let Some(observer) = &self.settings.on_event {
            user_callback::observe(self, || observer(event));
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn idle(now: Timestamp, rest: Rest) -> Idle {
    match rest {
        Rest::Until(end) => Idle::Wait(between(now, end)),
        Rest::Stopped(reason, _) => Idle::Stopped(reason),
    }
}

fn between(now: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(now)).unwrap_or_default()
}

/// Locks a mutex and ignores its poisoning: after a panic in another thread the value is still consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
