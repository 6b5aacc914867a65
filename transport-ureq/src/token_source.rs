//! [`TokenSource`]: provides a valid token to any number of threads with one login.
//!
//! A thread that finds no token starts a worker thread for the session's next request, and waits for the result. So the
//! answer is kept even if the caller stops waiting. Callers don't wait while there is a valid token.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tradovate_auth_core::{AccessToken, Credentials, Environment};
use tradovate_auth_session::{Event, Login, MayLogIn, Session, StoredSession};
use tradovate_auth_store::{SessionName, Store};
use tradovate_auth_token_source::sync_primitives::{Condvar, Instant, Mutex, MutexGuard, thread};
use tradovate_auth_token_source::{
    Change, Idle, LONGEST_SLEEP, Permit, Seen, Settings, Shared, Task, Token, TokenError, TokenTimeout, fixed,
};

use crate::client::Client;
use crate::keeper::Keeper;
use crate::middleware::BearerMiddleware;
use crate::storage::Storage;

/// A session that the threads of a program share. It returns a valid token whenever a thread needs one. Cloning is
/// cheap: clones share the session.
///
/// ```
/// use tradovate_auth_core::Purpose;
/// use tradovate_auth_simulator::Simulator;
/// use tradovate_auth_ureq::TokenSource;
///
/// let server = Simulator::builder().serve()?;
/// let tokens = TokenSource::new(server.environment(), server.credentials());
/// let accounts = ureq::get(tokens.url("/account/list")?)
///     .header("Authorization", tokens.token()?.header())
///     .call()?;
/// assert_eq!(accounts.status(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TokenSource {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) changes: Arc<Changes>,
    client: Client,
    pub(crate) storage: Storage,
}

/// Counts the changes of a session. A sleeping thread wakes when the count differs from the one it saw.
#[derive(Default)]
pub(crate) struct Changes {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Changes {
    pub(crate) fn count(&self) -> u64 {
        *self.lock()
    }

    pub(crate) fn notify(&self) {
        let mut count = self.lock();
        *count = count.wrapping_add(1);
        self.changed.notify_all();
    }

    /// Sleeps until the count differs from `seen`, or until `time` is over.
    pub(crate) fn sleep(&self, seen: u64, time: Duration) {
        let unchanged = |count: &mut u64| *count == seen;
        drop(self.changed.wait_timeout_while(self.lock(), time.min(LONGEST_SLEEP), unchanged));
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenSource {
    /// Creates a source for a user's [`Credentials`] or another [`Login`]. It sends nothing until the first caller
    /// needs a token.
    #[must_use]
    pub fn new(environment: Environment, login: impl Into<Login>) -> Self {
        Self::builder(environment, login).build()
    }

    /// Creates a source for a user with a password that shares its session with all processes on the same store: see
    /// [`TokenSourceBuilder::shared`].
    ///
    /// The [name](SessionName::of_user) of the session consists of the login host and the user name. The session of an
    /// OAuth app has no user name, so it needs a name of your choice:
    /// `TokenSource::builder(environment, login).shared(store, name)`.
    ///
    /// ```no_run
    /// use tradovate_auth_store::FileStore;
    /// use tradovate_auth_ureq::{TokenSource, from_env};
    ///
    /// let (environment, credentials) = from_env()?;
    /// let tokens = TokenSource::shared(FileStore::user()?, environment, credentials);
    /// let _keeper = tokens.keep_alive()?; // follows renewals of other processes, or renews itself
    /// let authorization = tokens.token()?.header();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn shared(store: impl Into<Box<dyn Store>>, environment: Environment, credentials: Credentials) -> Self {
        let name = SessionName::of_user(&environment, &credentials);
        Self::builder(environment, credentials).shared(store, name).build()
    }

    /// Creates a source for tests of your program. It returns this token and the hosts of the environment, and sends
    /// nothing. If you report that the token is dead ([`rejected`](Self::rejected)), the source has no token any more.
    ///
    /// ```
    /// use tradovate_auth_core::{AccessToken, BaseUrl, Environment};
    /// use tradovate_auth_ureq::TokenSource;
    ///
    /// let environment = Environment::custom(BaseUrl::parse("http://127.0.0.1:8080/v1")?);
    /// let tokens = TokenSource::fixed(environment, AccessToken::parse("synthetic")?);
    /// assert_eq!(tokens.token()?.expose(), "synthetic");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn fixed(environment: Environment, token: AccessToken) -> Self {
        let mut settings = Settings::new(&environment);
        let login = fixed(token, &mut settings);
        TokenSourceBuilder { settings, ..Self::builder(environment, login) }.build()
    }

    /// Creates a builder, for a source with other settings than the defaults.
    ///
    /// ```
    /// use tradovate_auth_core::{Environment, OAuthApp};
    /// use tradovate_auth_session::{Login, StoredSession};
    /// use tradovate_auth_ureq::{TokenSource, TokenSourceBuilder};
    ///
    /// fn after_a_restart(app: OAuthApp, stored: StoredSession) -> TokenSourceBuilder {
    ///     TokenSource::builder(Environment::live(), Login::app(app)).resume(stored)
    /// }
    /// ```
    ///
    /// [`Login::app`] provides no token. The source then uses the token of the snapshot given to
    /// [`resume`](TokenSourceBuilder::resume), or of the store given to [`shared`](TokenSourceBuilder::shared).
    pub fn builder(environment: Environment, login: impl Into<Login>) -> TokenSourceBuilder {
        let settings = Settings::new(&environment);
        TokenSourceBuilder {
            session: Session::new(environment.clone(), login, settings.seed),
            client: Client::new(environment),
            storage: Storage::None,
            may_log_in: MayLogIn::default(),
            settings,
        }
    }

    /// Returns a valid token: at once if there is one, otherwise as soon as there is one.
    ///
    /// # Errors
    /// - [`TokenError::NotYet`] if no token becomes valid within the `token_timeout` of the source. If the source knows
    ///   this earlier, it returns the error at once.
    /// - [`TokenError::Stopped`] if the session has stopped. The reason says what to do.
    pub fn token(&self) -> Result<Token, TokenError> {
        self.inner.verify();
        match self.inner.shared.token() {
            Some(token) => Ok(token),
            None => self.inner.wait_for_token(),
        }
    }

    tradovate_auth_token_source::token_source_methods!();

    /// Creates a watch for changes: another token, no token any more, other hosts, or a stop. Use it for sockets and
    /// connection pools.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tradovate_auth_simulator::Simulator;
    /// use tradovate_auth_ureq::TokenSource;
    ///
    /// let server = Simulator::builder().serve()?;
    /// let tokens = TokenSource::new(server.environment(), server.credentials());
    /// let mut watch = tokens.watch();
    /// tokens.token()?;
    /// let change = watch.changed(Duration::from_secs(5)).expect("there is a token now");
    /// assert!(change.has_other_token && change.token.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch { seen: Seen::current(&self.inner.shared), source: Arc::clone(&self.inner) }
    }

    /// Forgets all tokens and stops the session. If the session is [shared](TokenSourceBuilder::shared), the source
    /// stores that it was forgotten, and the sessions of the other processes stop too. The server has no logout, so a
    /// copy of a token works until it expires.
    pub fn forget(&self) {
        self.inner.shared.forget();
        if self.inner.storage.is_shared() {
            self.inner.drive();
        }
    }

    /// Creates a middleware that adds the bearer token to the calls of your own agent.
    #[must_use]
    pub fn middleware(&self) -> BearerMiddleware {
        BearerMiddleware::new(self.clone())
    }

    /// Starts a thread that renews the token before it expires, until the returned [`Keeper`] is dropped.
    ///
    /// # Errors
    /// If the system can't start a thread.
    pub fn keep_alive(&self) -> std::io::Result<Keeper> {
        Keeper::start(Arc::clone(&self.inner))
    }
}

/// Waits for changes of a [`TokenSource`]: see [`TokenSource::watch`]. It does not renew the token: see
/// [`TokenSource::keep_alive`].
#[derive(Debug)]
pub struct Watch {
    source: Arc<Inner>,
    seen: Seen,
}

impl Watch {
    /// Waits for a change since the watch was created, or since the last change. Several changes in a row are returned
    /// as one. Returns `None` if nothing changes within `timeout`.
    pub fn changed(&mut self, timeout: Duration) -> Option<Change> {
        let start = Instant::now();
        loop {
            let count = self.source.changes.count();
            let sleep = match self.seen.update(&self.source.shared) {
                Ok(change) => return Some(change),
                Err(time) => time,
            };
            let left = timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero())?;
            self.source.changes.sleep(count, sleep.min(left));
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenSource").field(&self.inner).finish()
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl Inner {
    fn wait_for_token(self: &Arc<Self>) -> Result<Token, TokenError> {
        let token_timeout = TokenTimeout::new(&self.shared);
        loop {
            let seen = self.changes.count();
            let idle = self.drive();
            if let Some(token) = self.shared.token() {
                return Ok(token);
            }
            self.changes.sleep(seen, token_timeout.sleep(&self.shared, idle)?);
        }
    }

    /// Continues the verification of reported tokens and the storing of new ones, with or without a keeper. It doesn't
    /// wait.
    fn verify(self: &Arc<Self>) {
        if self.shared.wants_driver() {
            self.drive();
        }
    }

    /// Starts the next action in a thread of its own, unless another action is in flight or there is no action now.
    pub(crate) fn drive(self: &Arc<Self>) -> Idle {
        match self.shared.next() {
            Ok((permit, task)) => {
                let source = Arc::clone(self);
                let worker = thread::Builder::new().name("tradovate-auth".into());
                // If no thread can be started, dropping the permit reports the request as unsent. The session then
                // tries again.
                drop(worker.spawn(move || source.run_actions(permit, task)));
                self.shared.busy()
            }
            Err(idle) => idle,
        }
    }

    /// Carries out an action and all actions that directly follow. So an answer is stored even if no caller waits for
    /// it any more.
    fn run_actions(self: &Arc<Self>, mut permit: Permit, mut task: Task) {
        let _carrier = self.shared.carrier();
        loop {
            permit.begin();
            match task {
                Task::Send(request) => {
                    let endpoint = request.uri().path().rsplit('/').next().unwrap_or_default();
                    permit.answered(self.client.send_request(endpoint, &request));
                }
                Task::Store(request) => {
                    permit.store_answered(self.shared.call_back(|| self.storage.ask(&request)));
                }
            }
            let Ok(next) = self.shared.next() else { return };
            (permit, task) = next;
        }
    }
}

/// The settings of a [`TokenSource`] before it is built.
#[must_use]
pub struct TokenSourceBuilder {
    session: Session,
    client: Client,
    storage: Storage,
    may_log_in: MayLogIn,
    settings: Settings,
}

impl TokenSourceBuilder {
    /// Sets your own client, with its agent, time-out and limits.
    pub fn client(mut self, client: Client) -> Self {
        self.client = client;
        self
    }

    tradovate_auth_token_source::builder_methods!();

    /// Sets a hook that stores a snapshot before each login and before each new token is used. After a crash, give the
    /// last snapshot to [`Self::resume`].
    ///
    /// If the hook returns an error, panics, or takes longer than the policy's deadline, it is called again after a
    /// back-off. Until it succeeds, the login is not sent, or the new token is not used. The hook may use the source. If
    /// it asks for a token and there is none, it gets [`TokenError::NotYet`] at once.
    pub fn store<E: Into<Box<dyn Error + Send + Sync>>>(
        mut self,
        save: impl Fn(&StoredSession) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.storage = Storage::Hook(Box::new(move |snapshot| save(snapshot).map_err(Into::into)));
        self
    }

    /// Shares the session with all processes that use the same store and name. Together they act as one client.
    ///
    /// One of these processes logs in or renews. Meanwhile the others wait, and then use the stored result. While the
    /// store can't be reached, no request is sent, and the current token is used until it expires. A source with a
    /// [keeper](TokenSource::keep_alive) sees changes by other processes within a second. Without a keeper, a source
    /// reads the store when it has no token. The store replaces a hook set by [`Self::store`].
    pub fn shared(mut self, store: impl Into<Box<dyn Store>>, name: SessionName) -> Self {
        self.settings.user_key.get_or_insert_with(|| name.to_string());
        self.storage = Storage::Shared(store.into(), name);
        self
    }

    /// Sets a callback for events. Events are delivered in order and one at a time, on a thread that uses or drives the
    /// source.
    ///
    /// Events that occur during a callback are delivered after it. So a slow callback delays later events, but no
    /// token. The callback may use the source. If it asks for a token and there is none, it gets [`TokenError::NotYet`]
    /// at once. A panic in the callback is caught.
    pub fn on_event(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.settings.on_event = Some(Arc::new(observer));
        self
    }

    /// Builds the source. It sends nothing yet.
    #[must_use]
    pub fn build(self) -> TokenSource {
        let changes = Arc::new(Changes::default());
        let notified = Arc::clone(&changes);
        let settings = Settings { timeout: self.client.timeout(), ..self.settings };
        let shared = Shared::new(self.session, self.storage.kind(self.may_log_in), settings, move || notified.notify());
        let inner = Inner { shared: Arc::new(shared), changes, client: self.client, storage: self.storage };
        TokenSource { inner: Arc::new(inner) }
    }
}

impl fmt::Debug for TokenSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSourceBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
