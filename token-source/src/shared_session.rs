//! A session that threads or tasks share.
//!
//! The lock is held only while the session takes an input or says what to do, never while a request
//! is under way or a callback runs. The token in force is published besides, so that callers who need no more don't
//! wait for the lock.

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
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{ArcSwap, ArcSwapOption, Mutex, MutexGuard};
use crate::token::Token;
use crate::user_callback;

/// A session behind a lock, the token it has published, and the caller that drives it.
pub struct Shared {
    session: Mutex<Session>,
    token: ArcSwapOption<Published>,
    environment: ArcSwap<Environment>,
    driver: Mutex<Driver>,
    /// Threads or tasks that do one thing for the session after another.
    carriers: AtomicUsize,
    changed: Box<dyn Fn() + Send + Sync>,
    /// Callers' reports wait to be verified. Whoever finds it so asks the session, so no order with other memory is needed.
    is_verifying: AtomicBool,
    events: Events,
    clock: Clock,
    pub(crate) settings: Settings,
}

/// The token in force, and what each caller reads before it takes the token: kept apart from the count of the token's
/// holders, which all callers write to.
struct Published {
    usable_until: Timestamp,
    token: Arc<SessionToken>,
}

/// What there is to do.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it arrives, and most are requests")]
pub enum Task {
    /// Send this request, then call [`Permit::answered`].
    Send(Request<RequestBody>),
    /// Ask the store, then call [`Permit::store_answered`].
    Store(StoreRequest),
}

/// Where a session is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Nowhere.
    None,
    /// By a hook of the owner's, for this process alone.
    Hook,
    /// In a store that other processes use too.
    Shared(MayLogIn),
}

/// A thread or task that does one thing for the session after another. Until it is dropped the session is busy, also between
/// two permits.
#[derive(Debug)]
#[must_use = "the session is busy as long as this lives"]
pub struct Carrier(Arc<Shared>);

impl Drop for Carrier {
    fn drop(&mut self) {
        self.0.carriers.fetch_sub(1, Ordering::SeqCst);
        (self.0.changed)();
    }
}

/// What a source answers to a question for a store that it does not have.
#[must_use]
pub fn no_store() -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, "there is no such store")
}

/// Why there is nothing to do.
#[derive(Debug, Clone)]
pub enum Idle {
    /// Another caller drives the session, for at most this long.
    Busy(Duration),
    /// There is nothing to do for this long, unless something changes.
    Wait(Duration),
    /// There is nothing more to do, unless something changes.
    Stopped(StopReason),
}

/// While others of the budget wait for answers, what it allows may change with each of them.
const UNSETTLED: SignedDuration = SignedDuration::from_secs(1);

impl Shared {
    /// Shares a session. `changed` is called whenever callers that wait should check again.
    #[must_use]
    pub fn new(
        session: Session,
        storage: Storage,
        mut settings: Settings,
        changed: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let clock = settings.clock.clone();
        // The session must not give up a request that the HTTP client may still send.
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
            is_verifying: AtomicBool::new(false),
            events: Events::default(),
            clock,
            settings,
        };
        shared.with(|_, _| ());
        shared
    }

    /// The token in force, without a lock: nothing where none is good at this moment.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        let published = self.token.load();
        let published = published.as_ref().filter(|published| self.clock.now() < published.usable_until)?;
        Some(Token(Arc::clone(&published.token)))
    }

    /// How long the token in force can still be used.
    pub(crate) fn token_ends_in(&self) -> Option<Duration> {
        let usable_until = self.token.load().as_ref()?.usable_until;
        Some(between(self.clock.now(), usable_until)).filter(|time| !time.is_zero())
    }

    /// Why the session has stopped, if it has.
    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        lock(&self.session).stop_reason().cloned()
    }

    /// Who the user is, if an answer or what was stored has said so.
    #[must_use]
    pub fn user_id(&self) -> Option<i64> {
        lock(&self.session).user_id()
    }

    /// Whether what callers report waits to be verified: whoever uses the source drives it then, also with a token.
    #[must_use]
    pub fn is_verifying(&self) -> bool {
        self.is_verifying.load(Ordering::Relaxed)
    }

    /// The environment with the hosts in force.
    #[must_use]
    pub fn environment(&self) -> Arc<Environment> {
        self.environment.load_full()
    }

    /// How long an exchange may take.
    #[must_use]
    pub fn longest_exchange(&self) -> Duration {
        self.settings.longest_exchange()
    }

    /// To be held while one thing after another is done for the session.
    pub fn carrier(self: &Arc<Self>) -> Carrier {
        self.carriers.fetch_add(1, Ordering::SeqCst);
        Carrier(Arc::clone(self))
    }

    /// What the next caller finds while this one drives the session.
    #[must_use]
    pub fn busy(&self) -> Idle {
        Idle::Busy(self.settings.longest_exchange())
    }

    /// What there is to do, for whoever asks.
    ///
    /// # Errors
    /// [`Idle`] if another caller drives the session, or nothing is to be done now.
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
            let soon = now.saturating_add(UNSETTLED).unwrap_or(Timestamp::MAX);
            let rest = match self.poll() {
                (Action::Send { id, request }, _) => {
                    return Ok((permit.awaiting(Awaited::Response(id)), Task::Send(request)));
                }
                (Action::Store { id, request }, _) => {
                    return Ok((permit.awaiting(Awaited::StoreAnswer(id)), Task::Store(request)));
                }
                (Action::Stopped { reason, check_at }, _) => Rest::Stopped(reason, check_at),
                (Action::Wait { until }, is_unsettled) => {
                    Rest::Until(if is_unsettled { until.min(soon) } else { until })
                }
                _ => Rest::Until(soon),
            };
            permit.rest(rest.clone());
            if !lock(&self.driver).is_outdated(claim) {
                return Err(idle(now, rest));
            }
        }
    }

    /// The store may hold another record than the one that is [known](Self::known_revision).
    pub fn store_has_changed(&self) {
        self.update(|session, _| session.store_changed());
        self.wake();
    }

    /// The record of the store that the session is in step with.
    #[must_use]
    pub fn known_revision(&self) -> Option<Revision> {
        lock(&self.session).known_revision()
    }

    /// What the session wants done, and whether what the budget allows may soon be more.
    fn poll(&self) -> (Action, bool) {
        self.with(|session, now| {
            let budget = &self.settings.budget;
            let mut guard = budget.lock();
            let action = session.poll(now, &mut guard);
            match &action {
                Action::Send { .. } => budget.count(),
                Action::Wait { until } => {
                    if let Some(deadline) = session.waits_for() {
                        tracing::debug!(target: "tradovate_auth::session", "waits until {until:.0}: {deadline}");
                    }
                }
                _ => {}
            }
            let closed = guard.locked_until(now).or(guard.closed_until(now, Operation::LogIn));
            let unsettled = budget.is_unsettled() && closed.is_none();
            (action, unsettled)
        })
    }

    /// What a caller saw when it used a token.
    pub fn rejected(&self, token: &Token, status: StatusCode, body: &[u8]) -> Verdict {
        let verdict = self.update(|session, now| {
            session.rejected(now, token.generation(), status, body, &mut self.settings.budget.lock())
        });
        self.wake();
        verdict
    }

    /// What has to be kept to go on after a restart.
    #[must_use]
    pub fn snapshot(&self) -> StoredSession {
        self.with(|session, now| session.snapshot(now, &self.settings.budget.lock()))
    }

    /// Takes over what another process has stored.
    pub fn adopt(&self, stored: StoredSession) {
        self.update(|session, now| session.adopt(now, stored, &mut self.settings.budget.lock()));
        self.wake();
    }

    /// Takes over the answer to a change of password, or to another login: see [`Session::adopt_answer`].
    ///
    /// # Errors
    /// As [`Session::adopt_answer`].
    pub fn adopt_answer(&self, answer: Answer<AccessTokenResponse>) -> Result<(), CallError> {
        let result = self.with(|session, now| session.adopt_answer(now, answer));
        self.wake();
        result
    }

    /// Takes other credentials; a session that has stopped because of the old ones goes on.
    pub fn replace_credentials(&self, credentials: Credentials) {
        self.update(|session, _| session.replace_credentials(credentials));
        self.wake();
    }

    /// Forgets all tokens and stops.
    pub fn forget(&self) {
        self.update(Session::forget);
        self.wake();
    }

    /// Whether something is under way: a request, or something to do with a store, whose lease is given back at the end; or
    /// whether something waits to be stored, or an event to be delivered.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let now = self.clock.now();
        let is_driven = lock(&self.driver).is_busy(now);
        let session = lock(&self.session);
        let holds_lease = matches!(session.lease_holder(now), LeaseHolder::ThisProcess { .. });
        is_driven
            || self.carriers.load(Ordering::SeqCst) > 0
            || holds_lease
            || session.has_unstored_grant()
            || self.events.is_waiting()
    }

    /// Whether this thread runs a callback of this session: what it waited for might be waiting for it.
    #[must_use]
    pub fn is_calling_back(&self) -> bool {
        user_callback::runs_for(self)
    }

    /// Runs a callback of this session.
    pub fn call_back<T>(&self, callback: impl FnOnce() -> T) -> T {
        user_callback::run_for(self, callback)
    }

    /// The error for a caller who would have to wait this long.
    #[must_use]
    pub fn not_yet(&self, retry_after: Duration) -> TokenError {
        TokenError::NotYet { retry_after, reason: self.events.last_trouble() }
    }

    /// Tells the session something, or asks it, and passes on what came of it.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Session, Timestamp) -> T) -> T {
        let result = self.update(act);
        self.deliver();
        result
    }

    /// The same, but the events wait for the next delivery. Waiting callers are woken if something was published: they
    /// need not wait for a callback.
    pub(crate) fn update<T>(&self, act: impl FnOnce(&mut Session, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut session = lock(&self.session);
        let result = act(&mut session, now);
        self.events.take(&mut session);
        let has_published = self.publish(&session, now);
        self.is_verifying.store(session.is_verifying(), Ordering::Relaxed);
        drop(session);
        if has_published {
            (self.changed)();
        }
        result
    }

    /// Publishes again if the published token has ended. The session may hold the access token for longer than its market
    /// data token, and hands it out alone then.
    pub(crate) fn replace_ended_token(&self) {
        let has_ended = |published: &Arc<Published>| published.usable_until <= self.clock.now();
        if self.token.load().as_ref().is_some_and(has_ended) {
            self.update(|_, _| ());
        }
    }

    /// Changes who drives the session, and wakes all that wait. Events are delivered afterwards: meanwhile others may drive
    /// the session.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Driver)) {
        change(&mut lock(&self.driver));
        (self.changed)();
        self.deliver();
    }

    /// Whoever waits until the source is no longer busy waits for the last event too.
    fn deliver(&self) {
        if self.events.deliver(|event| self.report(event)) {
            (self.changed)();
        }
    }

    fn wake(&self) {
        self.change(Driver::wake);
    }

    /// Whether the token or the environment is another than before.
    fn publish(&self, session: &Session, now: Timestamp) -> bool {
        let token = session.token(now);
        // A token may be good for another time than was thought, once more is known of the server's clock.
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

/// A panic of another thread leaves what is behind a lock as it was between two calls, which is a good state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
