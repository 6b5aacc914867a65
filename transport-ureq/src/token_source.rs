//! [`TokenSource`]: a valid token for any number of threads, by one login that is kept.
//!
//! A thread that finds no token has the session's next request carried by a thread of its own, and waits for what comes
//! of it; so a caller that stops waiting loses no answer. Nobody waits while a token is held.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tradovate_auth_core::{AccessToken, Credentials, Environment};
use tradovate_auth_session::{Event, Login, MayLogIn, Session, StoredSession};
use tradovate_auth_store::{SessionName, Store};
use tradovate_auth_token_source::sync::{Condvar, Instant, Mutex, MutexGuard, thread};
use tradovate_auth_token_source::{
    Change, Idle, LONGEST_SLEEP, Permit, Seen, Settings, Shared, Task, Token, TokenError, TokenTimeout, fixed,
};

use crate::client::Client;
use crate::keeper::Keeper;
use crate::middleware::BearerMiddleware;
use crate::storage::Storage;

/// A valid token whenever one is asked for. Cheap to clone; clones are the same source.
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

/// Counts the changes of a session: whoever sleeps is woken by another number than it went to sleep with.
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

    /// Sleeps until something changes or the time is over.
    pub(crate) fn sleep(&self, seen: u64, time: Duration) {
        let unchanged = |count: &mut u64| *count == seen;
        drop(self.changed.wait_timeout_while(self.lock(), time.min(LONGEST_SLEEP), unchanged));
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenSource {
    /// A source for a user's [`Credentials`] or another [`Login`]. It sends nothing until it is first asked for a token.
    #[must_use]
    pub fn new(environment: Environment, login: impl Into<Login>) -> Self {
        Self::builder(environment, login).build()
    }

    /// A source for a user with a password whose session is that of all processes with the same store: see
    /// [`TokenSourceBuilder::shared`]. The host of the login and the user's name are the [name](SessionName::of_user) of the
    /// session. The session of an OAuth app has no user name, so it needs a name of yours:
    /// `TokenSource::builder(environment, login).shared(store, name)`.
    ///
    /// ```no_run
    /// use tradovate_auth_store::FileStore;
    /// use tradovate_auth_ureq::{TokenSource, from_env};
    ///
    /// let (environment, credentials) = from_env()?;
    /// let tokens = TokenSource::shared(FileStore::user()?, environment, credentials);
    /// let _keeper = tokens.keep_alive()?; // learns of what others do, and renews where none of them has
    /// let authorization = tokens.token()?.header();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn shared(store: impl Into<Box<dyn Store>>, environment: Environment, credentials: Credentials) -> Self {
        let name = SessionName::of_user(&environment, &credentials);
        Self::builder(environment, credentials).shared(store, name).build()
    }

    /// A source for the tests of your own program: it hands out this token, at the hosts of the environment, and sends
    /// nothing. If it is [`rejected`](Self::rejected) as dead, there is no token any more.
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

    /// A source with settings.
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
    /// [`Login::app`] brings no token. The source uses the one of the snapshot that it [resumes](TokenSourceBuilder::resume),
    /// or of the store that it [shares](TokenSourceBuilder::shared).
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

    /// A valid token: at once where one is held, else as soon as there is one.
    ///
    /// # Errors
    /// [`TokenError::NotYet`] if that takes longer than the source's `token_timeout`, at once if this is known before;
    /// [`TokenError::Stopped`] where only the owner can help.
    pub fn token(&self) -> Result<Token, TokenError> {
        self.inner.verify();
        match self.inner.shared.token() {
            Some(token) => Ok(token),
            None => self.inner.wait_for_token(),
        }
    }

    tradovate_auth_token_source::token_source_methods!();

    /// Watches for changes: another token, the end of the token, other hosts, a stop. For sockets and pools of connections.
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
        Watch { seen: Seen::now(&self.inner.shared), source: Arc::clone(&self.inner) }
    }

    /// Forgets all tokens and stops. A source that [shares](TokenSourceBuilder::shared) its session saves this, and all other
    /// processes stop too. The server has no log-out, so a token that somebody has kept works until its expiry.
    pub fn forget(&self) {
        self.inner.shared.forget();
        if self.inner.storage.is_shared() {
            self.inner.drive();
        }
    }

    /// A middleware for an agent of yours that adds the bearer to its calls.
    #[must_use]
    pub fn middleware(&self) -> BearerMiddleware {
        BearerMiddleware::new(self.clone())
    }

    /// Renews ahead of expiry, on a thread of its own, for as long as the handle lives.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn keep_alive(&self) -> std::io::Result<Keeper> {
        Keeper::start(Arc::clone(&self.inner))
    }
}

/// Sees the changes of a [`TokenSource`]: see [`TokenSource::watch`]. It does not renew: see [`TokenSource::keep_alive`].
#[derive(Debug)]
pub struct Watch {
    source: Arc<Inner>,
    seen: Seen,
}

impl Watch {
    /// Waits for a change since the watch was created, or since the last change. Several changes in a row are one.
    /// `None` if nothing has changed in this time.
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

    /// Has what callers report verified, with or without a keeper. It doesn't wait.
    fn verify(self: &Arc<Self>) {
        if self.shared.is_verifying() {
            self.drive();
        }
    }

    /// Has the next thing done, by a thread of its own, unless one is at it or nothing is to be done yet.
    pub(crate) fn drive(self: &Arc<Self>) -> Idle {
        match self.shared.next() {
            Ok((permit, task)) => {
                let source = Arc::clone(self);
                let carrier = thread::Builder::new().name("tradovate-auth".into());
                // Without a thread to be had the permit is dropped, which tells the session; it tries again.
                drop(carrier.spawn(move || source.carry(permit, task)));
                self.shared.busy()
            }
            Err(idle) => idle,
        }
    }

    /// Does one thing, and what follows from it at once: what has come is stored, whether or not anybody still waits.
    fn carry(self: &Arc<Self>, mut permit: Permit, mut task: Task) {
        let _carrier = self.shared.carrier();
        loop {
            permit.begin();
            match task {
                Task::Send(request) => {
                    let endpoint = request.uri().path().rsplit('/').next().unwrap_or_default();
                    permit.answered(self.client.carry(endpoint, &request));
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

/// Settings of a [`TokenSource`].
#[must_use]
pub struct TokenSourceBuilder {
    session: Session,
    client: Client,
    storage: Storage,
    may_log_in: MayLogIn,
    settings: Settings,
}

impl TokenSourceBuilder {
    /// Uses a client of yours: its agent, time-out and limits.
    pub fn client(mut self, client: Client) -> Self {
        self.client = client;
        self
    }

    tradovate_auth_token_source::builder_methods!();

    /// Stores each new session before it is used: a crash loses nothing that had been received and stored. Where it
    /// fails, by an error or a panic, or takes longer than the policy's deadline, it is asked again after a pause, and
    /// the new token waits. As in [`Self::on_event`], no token of this source is waited for inside of it.
    pub fn store<E: Into<Box<dyn Error + Send + Sync>>>(
        mut self,
        save: impl Fn(&StoredSession) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.storage = Storage::Hook(Box::new(move |snapshot| save(snapshot).map_err(Into::into)));
        self
    }

    /// Shares the session with all processes that use the same store and name: to Tradovate they are one client.
    ///
    /// Any of them may log in or renew; while one does, the others wait, and use what it has stored. So nothing is sent
    /// without the store: while it can't be reached, the token that is held is used as long as it is good. A source with a
    /// [keeper](TokenSource::keep_alive) learns of what others do within a second; one without looks when it has no token.
    /// It takes the place of [`Self::store`].
    pub fn shared(mut self, store: impl Into<Box<dyn Store>>, name: SessionName) -> Self {
        self.settings.user_key.get_or_insert_with(|| name.to_string());
        self.storage = Storage::Shared(store.into(), name);
        self
    }

    /// Calls back with each event, in the order in which they happened and one at a time, on a thread that uses or drives
    /// the source. What happens during a callback is delivered after it, so a slow callback delays the next events, but
    /// no token. The callback may use the source, but no token is waited for in it: it is there, or
    /// [`TokenError::NotYet`] says that it isn't. A panic ends in the callback.
    pub fn on_event(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.settings.on_event = Some(Arc::new(observer));
        self
    }

    /// The source. Nothing is sent yet.
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
