//! A session that threads or tasks share.
//!
//! The lock is held for the moments in which the session is told something or asked what to do, never while a request
//! is under way or a callback runs. The token in force is published besides, so that callers who need no more don't
//! wait for the lock.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{Credentials, Environment, RequestBody};
use tradovate_auth_session::{Action, Event, Operation, Session, SessionToken, StopReason, StoredSession, Verdict};
use tradovate_auth_store::{Revision, Stored};

use crate::callback;
use crate::clock::Clock;
use crate::error::TokenError;
use crate::events::Events;
use crate::fleet::{Fleet, Lease, LogIn, Seen, Step, lease_time};
use crate::settings::Settings;
use crate::token::Token;
use crate::turn::{Open, Turn};
use crate::turns::{NoTurn, Rest, Turns};

/// A session behind a lock, the token it has published, and whose turn it is to drive it.
pub struct Shared {
    session: Mutex<Session>,
    fleet: Option<Mutex<Fleet>>,
    token: ArcSwapOption<Published>,
    environment: ArcSwap<Environment>,
    turns: Mutex<Turns>,
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
    /// Send this request, then call [`Turn::answered`].
    Send(Request<RequestBody>),
    /// Store this snapshot, then call [`Turn::stored`].
    Store(StoredSession),
    /// Take the store's lease for this long, giving back one that is held; load; then call [`Turn::led`].
    Lead(Duration),
    /// Load from the store, then call [`Turn::looked`].
    Look,
    /// Save this snapshot if the record is the one that is known, then call [`Turn::saved`].
    Save(StoredSession, Option<Revision>),
    /// Give the lease back, then call [`Turn::released`].
    Release,
}

/// Where a session is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Nowhere.
    None,
    /// By a hook of the owner's, for this process alone.
    Hook,
    /// In a store that other processes use too.
    Shared(LogIn),
}

/// Why there is nothing to do.
#[derive(Debug, Clone)]
pub enum Idle {
    /// Somebody else is at it, and may be for this long.
    Led(Duration),
    /// There is nothing for this long, unless something changes.
    Wait(Duration),
    /// There is nothing more, unless something changes.
    Stopped(StopReason),
}

/// While others of the budget wait for answers, what it allows may change with each of them.
const UNSETTLED: SignedDuration = SignedDuration::from_secs(1);

impl Shared {
    /// Shares a session. `changed` is called whenever those who wait should look again.
    #[must_use]
    pub fn new(
        session: Session,
        storage: Storage,
        mut settings: Settings,
        changed: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let clock = settings.clock.clone();
        let mut session = session.with_policy(settings.policy);
        if let Some(key) = settings.user_key.take() {
            session = session.with_user_key(key);
        }
        if settings.another_try {
            session = session.with_another_try();
        }
        let mut fleet = None;
        match storage {
            Storage::None => {}
            Storage::Hook => session = session.with_store(),
            Storage::Shared(log_in) => {
                session = session.with_shared_store();
                fleet = Some(Mutex::new(Fleet::new(log_in)));
            }
        }
        if let Some(stored) = settings.resume.take() {
            session.adopt(clock.now(), stored, &mut settings.budget.lock());
        }
        let environment = ArcSwap::from_pointee(session.environment().clone());
        let shared = Self {
            session: Mutex::new(session),
            fleet,
            token: ArcSwapOption::empty(),
            environment,
            turns: Mutex::default(),
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

    /// The longest that something under way is waited for.
    #[must_use]
    pub fn longest_turn(&self) -> Duration {
        self.settings.longest_turn()
    }

    /// What somebody finds who has just taken up something.
    #[must_use]
    pub fn led(&self) -> Idle {
        Idle::Led(self.settings.longest_turn())
    }

    /// What there is to do, for whoever asks.
    ///
    /// # Errors
    /// [`Idle`] where somebody else is at it, or nothing is to be done now.
    pub fn next(self: &Arc<Self>) -> Result<(Turn, Task), Idle> {
        let now = self.clock.now();
        let overdue_at = now.saturating_add(self.settings.longest_turn()).unwrap_or(Timestamp::MAX);
        let claim = match lock(&self.turns).claim(now, overdue_at) {
            Ok(claim) => claim,
            Err(no_turn) => {
                self.replace_ended_token();
                return Err(match no_turn {
                    NoTurn::Taken(overdue_at) => Idle::Led(between(now, overdue_at)),
                    NoTurn::Rest(rest) => idle(now, rest),
                });
            }
        };
        let turn = Turn::new(Arc::clone(self), claim);
        match self.step() {
            Step::Poll => {}
            Step::Lead => {
                let time = lease_time(self.settings.longest_turn());
                return Ok((turn.opening(Open::Lead { begun: now, time }), Task::Lead(time)));
            }
            Step::Look => return Ok((turn.opening(Open::Look), Task::Look)),
            Step::Save(snapshot, known) => return Ok((turn.opening(Open::LastWord), Task::Save(snapshot, known))),
            Step::Release => return Ok((turn.opening(Open::Release), Task::Release)),
            Step::Rest(until) => {
                turn.rest(Rest::Until(until));
                return Err(idle(now, Rest::Until(until)));
            }
        }
        let rest = match self.poll() {
            (Action::Send { id, request }, _) => return Ok((turn.opening(Open::Answer(id)), Task::Send(request))),
            (Action::Store { id, snapshot }, _) => {
                let task = match &self.fleet {
                    Some(fleet) => Task::Save(snapshot, lock(fleet).known()),
                    None => Task::Store(snapshot),
                };
                return Ok((turn.opening(Open::Store(id)), task));
            }
            (Action::Stopped(reason), _) => {
                let fleet = self.fleet.as_ref().filter(|_| !matches!(reason, StopReason::Forgotten));
                Rest::Stopped(reason, fleet.map(|fleet| lock(fleet).rest(now, Timestamp::MAX, false)))
            }
            (Action::Wait { until }, unsettled) if unsettled => {
                Rest::Until(until.min(now.saturating_add(UNSETTLED).unwrap_or(until)))
            }
            (Action::Wait { until }, _) => match &self.fleet {
                Some(fleet) => Rest::Until(lock(fleet).rest(now, until, self.token().is_some())),
                None => Rest::Until(until),
            },
            _ => Rest::Until(now.saturating_add(UNSETTLED).unwrap_or(Timestamp::MAX)),
        };
        // What was pending when the lease was taken no longer is.
        if self.leads_for_nothing() {
            return Ok((turn.opening(Open::Release), Task::Release));
        }
        turn.rest(rest.clone());
        Err(idle(now, rest))
    }

    fn leads_for_nothing(&self) -> bool {
        self.fleet
            .as_ref()
            .is_some_and(|fleet| self.with(|session, _| lock(fleet).leads() && !session.has_unstored_grant()))
    }

    /// What has to be done about the store before the session may be polled.
    fn step(&self) -> Step {
        let Some(fleet) = &self.fleet else { return Step::Poll };
        self.with(|session, now| {
            let budget = self.settings.budget.lock();
            let pending = session.pending(now, &budget);
            let mut fleet = lock(fleet);
            if fleet.leads()
                && let Some(snapshot) = session.final_snapshot(now, &budget)
            {
                return Step::Save(snapshot, fleet.known());
            }
            fleet.step(now, pending, session.has_unstored_grant(), self.settings.longest_turn())
        })
    }

    /// Whether the lease is ours now, where it was asked for, and what was loaded.
    pub(crate) fn heard(&self, lease: Option<Lease>, loaded: Result<Option<Stored>, String>) {
        self.with_fleet(|fleet, session, now| {
            let seen = match loaded {
                Ok(stored) => {
                    if let Some(lease) = lease {
                        fleet.led(now, lease);
                    }
                    fleet.loaded(now, stored)
                }
                Err(reason) => {
                    fleet.released();
                    fleet.has_failed(now, lease.is_some(), reason)
                }
            };
            match seen {
                Seen::Record(stored) => session.synchronize(now, stored, &mut self.settings.budget.lock()),
                Seen::Trouble { reason, is_new, retry_at } if is_new => session.store_unusable(now, reason, retry_at),
                Seen::Trouble { .. } | Seen::Known => {}
            }
        });
    }

    /// The store may hold another record than the one that is [known](Self::known_revision).
    pub fn store_has_changed(&self) {
        self.with_fleet(|fleet, _, _| fleet.has_changed());
        self.wake();
    }

    /// The record of the store that the session is in step with.
    #[must_use]
    pub fn known_revision(&self) -> Option<Revision> {
        self.fleet.as_ref().and_then(|fleet| lock(fleet).known())
    }

    pub(crate) fn with_fleet(&self, act: impl FnOnce(&mut Fleet, &mut Session, Timestamp)) {
        if let Some(fleet) = &self.fleet {
            self.update(|session, now| act(&mut lock(fleet), session, now));
        }
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
        // Others may have a newer one already.
        self.with_fleet(|fleet, _, _| fleet.has_changed());
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
        let leads = || self.fleet.as_ref().is_some_and(|fleet| lock(fleet).leads_at(now));
        lock(&self.turns).is_taken(now)
            || leads()
            || self.events.is_waiting()
            || lock(&self.session).has_unstored_grant()
    }

    /// Whether this thread runs a callback of this session: what it waited for might be waiting for it.
    #[must_use]
    pub fn is_calling_back(&self) -> bool {
        callback::runs_for(self)
    }

    /// Runs a callback of this session.
    pub fn call_back<T>(&self, callback: impl FnOnce() -> T) -> T {
        callback::run_for(self, callback)
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
    fn replace_ended_token(&self) {
        let has_ended = |published: &Arc<Published>| published.usable_until <= self.clock.now();
        if self.token.load().as_ref().is_some_and(has_ended) {
            self.update(|_, _| ());
        }
    }

    /// Changes whose turn it is, and has those who wait look again. Events are delivered afterwards: meanwhile others may
    /// drive the session.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Turns)) {
        change(&mut lock(&self.turns));
        (self.changed)();
        self.deliver();
    }

    fn deliver(&self) {
        self.events.deliver(|event| self.tell(event));
    }

    fn wake(&self) {
        self.change(Turns::wake);
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

    fn tell(&self, event: &Event) {
        tracing::info!(target: "tradovate_auth::session", "{event}");
        if let Some(observer) = &self.settings.on_event {
            callback::observe(self, || observer(event));
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
