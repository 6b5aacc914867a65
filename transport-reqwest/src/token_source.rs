//! [`TokenSource`]: provides a valid token to any number of tasks with one login.
//!
//! A task that finds no token starts another task for the session's next request, and waits for the result. So
//! cancelling a caller cancels no request. Callers don't wait while there is a valid token.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use tradovate_auth_core::{AccessToken, CallError, Credentials, Environment};
use tradovate_auth_session::{Event, Login, MayLogIn, Session, StoredSession};
use tradovate_auth_store::{AsyncStore, SessionName};
use tradovate_auth_token_source::{
    Change, Idle, Permit, Seen, Settings, Shared, Task, Token, TokenError, TokenTimeout, fixed,
};

use crate::client::Client;
use crate::keeper::Keeper;
use crate::storage::Storage;
use crate::sync_primitives::tokio;
use crate::sync_primitives::tokio::runtime::Handle;
use crate::sync_primitives::tokio::sync::watch;
use crate::sync_primitives::tokio::time::timeout;

/// A session that the tasks of a program share. It returns a valid token whenever a task needs one. Needs tokio, with
/// any number of threads. Cloning is cheap: clones share the session.
///
/// ```
/// use tradovate_auth_reqwest::TokenSource;
/// use tradovate_auth_simulator::Simulator;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Simulator::builder().serve()?;
/// let tokens = TokenSource::new(server.environment(), server.credentials())?;
/// let accounts = reqwest::Client::new()
///     .get(tokens.url("/account/list")?.to_string())
///     .header("Authorization", tokens.token().await?.header())
///     .send()
///     .await?;
/// assert_eq!(accounts.status(), 200);
/// # Ok(())
/// # }
/// ```
///
/// Report to the source how the server answered your API call. The source does not send the call again. (With the
/// feature `middleware`, `TokenSource::middleware` reports the answers for clients of `reqwest-middleware`.)
///
/// ```
/// # use tradovate_auth_session::Verdict;
/// # use tradovate_auth_reqwest::TokenSource;
/// # use tradovate_auth_simulator::Simulator;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Simulator::builder().serve()?;
/// # let tokens = TokenSource::new(server.environment(), server.credentials())?;
/// # let token = tokens.token().await?;
/// # server.with(|simulator| simulator.expire_sessions("synthetic-user"));
/// # let url = tokens.url("/account/list")?.to_string();
/// # let response = reqwest::Client::new().get(url).header("Authorization", token.header()).send().await?;
/// let (status, body) = (response.status(), response.bytes().await?);
/// let verdict = tokens.rejected(&token, status, &body);
/// # assert_eq!(verdict, Verdict::Dead);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TokenSource {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    /// Receives a signal for each change of the session.
    changes: watch::Receiver<()>,
    client: Client,
    pub(crate) storage: Storage,
}

impl TokenSource {
    /// Creates a source for a user's [`Credentials`] or another [`Login`]. It sends nothing until the first caller
    /// needs a token.
    ///
    /// # Errors
    /// [`CallError::Io`] if TLS can't be set up.
    pub fn new(environment: Environment, login: impl Into<Login>) -> Result<Self, CallError> {
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
    /// use tradovate_auth_reqwest::{TokenSource, from_env};
    /// use tradovate_auth_store::FileStore;
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let (environment, credentials) = from_env()?;
    /// let tokens = TokenSource::shared(FileStore::user()?, environment, credentials)?;
    /// let _keeper = tokens.keep_alive(); // follows renewals of other processes, or renews itself
    /// let authorization = tokens.token().await?.header();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallError::Io`] if TLS can't be set up.
    pub fn shared(
        store: impl Into<Box<dyn AsyncStore>>,
        environment: Environment,
        credentials: Credentials,
    ) -> Result<Self, CallError> {
        let name = SessionName::of_user(&environment, &credentials);
        Self::builder(environment, credentials).shared(store, name).build()
    }

    /// Creates a source for tests of your program. It returns this token and the hosts of the environment, and sends
    /// nothing. If you report that the token is dead ([`rejected`](Self::rejected)), the source has no token any more.
    ///
    /// ```
    /// use tradovate_auth_core::{AccessToken, BaseUrl, Environment};
    /// use tradovate_auth_reqwest::TokenSource;
    ///
    /// let environment = Environment::custom(BaseUrl::parse("http://127.0.0.1:8080/v1")?);
    /// let tokens = TokenSource::fixed(environment, AccessToken::parse("synthetic")?)?;
    /// # let _ = tokens;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`CallError::Io`] if TLS can't be set up.
    pub fn fixed(environment: Environment, token: AccessToken) -> Result<Self, CallError> {
        let mut settings = Settings::new(&environment);
        let login = fixed(token, &mut settings);
        TokenSourceBuilder { settings, ..Self::builder(environment, login) }.build()
    }

    /// Creates a builder, for a source with other settings than the defaults.
    ///
    /// ```
    /// use tradovate_auth_core::{Environment, OAuthApp};
    /// use tradovate_auth_session::{Login, StoredSession};
    /// use tradovate_auth_reqwest::{TokenSource, TokenSourceBuilder};
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
            environment,
            client: None,
            storage: Storage::None,
            may_log_in: MayLogIn::default(),
            settings,
        }
    }

    /// Returns a valid token: at once if there is one, otherwise as soon as there is one.
    ///
    /// Dropping the future cancels no request, so no answer is lost.
    ///
    /// # Errors
    /// - [`TokenError::NotYet`] if no token becomes valid within the `token_timeout` of the source. If the source knows
    ///   this earlier, it returns the error at once.
    /// - [`TokenError::Stopped`] if the session has stopped. The reason says what to do.
    ///
    /// # Panics
    /// If called outside of a tokio runtime while there is no valid token.
    pub async fn token(&self) -> Result<Token, TokenError> {
        self.inner.verify();
        match self.inner.shared.token() {
            Some(token) => Ok(token),
            None => self.inner.wait_for_token().await,
        }
    }

    tradovate_auth_token_source::token_source_methods!();

    /// Creates a watch for changes: another token, no token any more, other hosts, or a stop. Use it for sockets and
    /// connection pools.
    ///
    /// ```
    /// use tradovate_auth_reqwest::TokenSource;
    /// use tradovate_auth_simulator::Simulator;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Simulator::builder().serve()?;
    /// let tokens = TokenSource::new(server.environment(), server.credentials())?;
    /// let mut watch = tokens.watch();
    /// tokens.token().await?;
    /// let change = watch.changed().await;
    /// assert!(change.has_other_token && change.token.is_some());
    /// # Ok(())
    /// # }
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
        if self.inner.storage.is_shared() && Handle::try_current().is_ok() {
            self.inner.drive();
        }
    }

    /// Creates a middleware that adds the bearer token to the calls of your own client.
    #[cfg(feature = "middleware")]
    #[cfg_attr(docsrs, doc(cfg(feature = "middleware")))]
    #[must_use]
    pub fn middleware(&self) -> crate::BearerMiddleware {
        crate::BearerMiddleware::new(self.clone())
    }

    /// Starts a task that renews the token before it expires, until the returned [`Keeper`] is dropped.
    ///
    /// # Panics
    /// If called outside of a tokio runtime.
    pub fn keep_alive(&self) -> Keeper {
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
    /// as one. No change is lost if the future is dropped.
    pub async fn changed(&mut self) -> Change {
        loop {
            let mut changes = self.source.changes();
            match self.seen.update(&self.source.shared) {
                Ok(change) => return change,
                // The loop checks again after a change and after the time-out.
                Err(time) => drop(timeout(time, changes.changed()).await),
            }
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
    async fn wait_for_token(self: &Arc<Self>) -> Result<Token, TokenError> {
        let token_timeout = TokenTimeout::new(&self.shared);
        loop {
            let mut changes = self.changes();
            let idle = self.drive();
            if let Some(token) = self.shared.token() {
                return Ok(token);
            }
            // The loop checks again after a change and after the time-out.
            let _ = timeout(token_timeout.sleep(&self.shared, idle)?, changes.changed()).await;
        }
    }

    /// Continues the verification of reported tokens and the storing of new ones, with or without a keeper. It doesn't
    /// wait. Outside of a tokio runtime it does nothing, and the next caller inside a runtime continues.
    fn verify(self: &Arc<Self>) {
        if self.shared.wants_driver() && Handle::try_current().is_ok() {
            self.drive();
        }
    }

    /// Starts the next action in a task of its own, unless another action is in flight or there is no action now.
    pub(crate) fn drive(self: &Arc<Self>) -> Idle {
        match self.shared.next() {
            Ok((permit, task)) => {
                tokio::spawn(Arc::clone(self).run_actions(permit, task));
                self.shared.busy()
            }
            Err(idle) => idle,
        }
    }

    /// A receiver of the changes after this call.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        let mut changes = self.changes.clone();
        changes.mark_unchanged();
        changes
    }

    /// Carries out an action and all actions that directly follow. So an answer is stored even if no caller waits for
    /// it any more.
    async fn run_actions(self: Arc<Self>, mut permit: Permit, mut task: Task) {
        let _carrier = self.shared.carrier();
        loop {
            permit.begin();
            match task {
                Task::Send(request) => {
                    let endpoint = request.uri().path().rsplit('/').next().unwrap_or_default();
                    permit.answered(self.client.send_request(endpoint, &request).await);
                }
                Task::Store(request) => permit.store_answered(self.storage.ask(request).await),
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
    environment: Environment,
    client: Option<Client>,
    storage: Storage,
    may_log_in: MayLogIn,
    settings: Settings,
}

impl TokenSourceBuilder {
    /// Sets your own client, with its connections, time-out and limits.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    tradovate_auth_token_source::builder_methods!();

    /// Sets a hook that stores a snapshot before each login and before each new token is used. After a crash, give the
    /// last snapshot to [`Self::resume`].
    ///
    /// If the hook returns an error, panics, or takes longer than the policy's deadline, it is called again after a
    /// back-off. Until it succeeds, the login is not sent, or the new token is not used. The hook must not wait for a
    /// token of this source: that would be a deadlock.
    pub fn store<F, E>(mut self, save: impl Fn(StoredSession) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.storage = Storage::Hook(Box::new(move |snapshot| {
            let saving = save(snapshot);
            Box::pin(async move { saving.await.map_err(Into::into) })
        }));
        self
    }

    /// Shares the session with all processes that use the same store and name. Together they act as one client.
    ///
    /// One of these processes logs in or renews. Meanwhile the others wait, and then use the stored result. While the
    /// store can't be reached, no request is sent, and the current token is used until it expires. A source with a
    /// [keeper](TokenSource::keep_alive) sees changes by other processes within a second. Without a keeper, a source
    /// reads the store when it has no token. The store replaces a hook set by [`Self::store`].
    pub fn shared(mut self, store: impl Into<Box<dyn AsyncStore>>, name: SessionName) -> Self {
        self.settings.user_key.get_or_insert_with(|| name.to_string());
        self.storage = Storage::Shared(store.into(), name);
        self
    }

    /// Sets a callback for events. Events are delivered in order and one at a time, in a task that uses or drives the
    /// source.
    ///
    /// Events that occur during a callback are delivered after it. The callback may use the source, but it should not
    /// block. A panic in the callback is caught.
    pub fn on_event(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.settings.on_event = Some(Arc::new(observer));
        self
    }

    /// Builds the source. It sends nothing yet.
    ///
    /// # Errors
    /// [`CallError::Io`] if TLS can't be set up.
    pub fn build(self) -> Result<TokenSource, CallError> {
        let client = match self.client {
            Some(client) => client,
            None => Client::new(self.environment)?,
        };
        let (sender, changes) = watch::channel(());
        let settings = Settings { timeout: client.timeout(), ..self.settings };
        let storage = self.storage;
        let shared =
            Shared::new(self.session, storage.kind(self.may_log_in), settings, move || sender.send_replace(()));
        Ok(TokenSource { inner: Arc::new(Inner { shared: Arc::new(shared), changes, client, storage }) })
    }
}

impl fmt::Debug for TokenSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSourceBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
