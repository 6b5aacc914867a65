//! [`TokenSource`]: a valid token for any number of tasks, by one login that is kept.
//!
//! A task that finds no token has the session's next request carried by a task of its own, and waits for what comes of
//! it; so a caller that is cancelled cancels no exchange. Nobody waits while a token is held.

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
use crate::sync::tokio;
use crate::sync::tokio::runtime::Handle;
use crate::sync::tokio::sync::watch;
use crate::sync::tokio::time::timeout;

/// A valid token whenever one is asked for. Cheap to clone; clones are the same source. It lives on tokio, with any
/// number of threads.
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
/// What the server thinks of a token is reported in two lines, and nothing is sent twice. (With the feature `middleware`,
/// `TokenSource::middleware` does this for clients of `reqwest-middleware`.)
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
    /// Sees each change of the session.
    changes: watch::Receiver<()>,
    client: Client,
    pub(crate) storage: Storage,
}

impl TokenSource {
    /// A source for a user's [`Credentials`] or another [`Login`]. It sends nothing until it is first asked for a token.
    ///
    /// # Errors
    /// [`CallError::Io`] when TLS can't be set up.
    pub fn new(environment: Environment, login: impl Into<Login>) -> Result<Self, CallError> {
        Self::builder(environment, login).build()
    }

    /// A source for a user with a password whose session is that of all processes with the same store: see
    /// [`TokenSourceBuilder::shared`]. The host of the login and the user's name are the [name](SessionName::of_user) of the
    /// session. The session of an OAuth app has no user name, so it needs a name of yours:
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
    /// [`CallError::Io`] when TLS can't be set up.
    pub fn shared(
        store: impl Into<Box<dyn AsyncStore>>,
        environment: Environment,
        credentials: Credentials,
    ) -> Result<Self, CallError> {
        let name = SessionName::of_user(&environment, &credentials);
        Self::builder(environment, credentials).shared(store, name).build()
    }

    /// A source for the tests of your own program: it hands out this token, at the hosts of the environment, and sends
    /// nothing. If it is [`rejected`](Self::rejected) as dead, there is no token any more.
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

    /// A source with settings.
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
    /// [`Login::app`] brings no token. The source uses the one of the snapshot that it [resumes](TokenSourceBuilder::resume),
    /// or of the store that it [shares](TokenSourceBuilder::shared).
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

    /// A valid token: at once where one is held, else as soon as there is one. Dropping the future loses no answer.
    ///
    /// # Errors
    /// [`TokenError::NotYet`] if that takes longer than the source's `token_timeout`, at once if this is known before;
    /// [`TokenError::Stopped`] where only the owner can help.
    ///
    /// # Panics
    /// Outside of tokio, as all of [`reqwest`] does.
    pub async fn token(&self) -> Result<Token, TokenError> {
        self.inner.verify();
        match self.inner.shared.token() {
            Some(token) => Ok(token),
            None => self.inner.wait_for_token().await,
        }
    }

    tradovate_auth_token_source::token_source_methods!();

    /// Watches for changes: another token, the end of the token, other hosts, a stop. For sockets and pools of connections.
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
        Watch { seen: Seen::now(&self.inner.shared), source: Arc::clone(&self.inner) }
    }

    /// Forgets all tokens and stops. A source that [shares](TokenSourceBuilder::shared) its session saves this, and all other
    /// processes stop too. The server has no log-out, so a token that somebody has kept works until its expiry.
    pub fn forget(&self) {
        self.inner.shared.forget();
        if self.inner.storage.is_shared() && Handle::try_current().is_ok() {
            self.inner.drive();
        }
    }

    /// A middleware that adds the bearer to the calls of a client of yours.
    #[cfg(feature = "middleware")]
    #[cfg_attr(docsrs, doc(cfg(feature = "middleware")))]
    #[must_use]
    pub fn middleware(&self) -> crate::BearerMiddleware {
        crate::BearerMiddleware::new(self.clone())
    }

    /// Renews ahead of expiry, in a task of its own, for as long as the handle lives.
    ///
    /// # Panics
    /// Outside of tokio.
    pub fn keep_alive(&self) -> Keeper {
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
    /// Waits for a change since the watch was created, or since the last change. Several changes in a row are one. No change
    /// is lost if the future is dropped.
    pub async fn changed(&mut self) -> Change {
        loop {
            let mut changes = self.source.changes();
            match self.seen.update(&self.source.shared) {
                Ok(change) => return change,
                // Over or changed, the loop checks again.
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
            // Over or changed, the loop looks again.
            let _ = timeout(token_timeout.sleep(&self.shared, idle)?, changes.changed()).await;
        }
    }

    /// Has what callers report verified, with or without a keeper. It doesn't wait. Outside of tokio it is left to the
    /// next caller.
    fn verify(self: &Arc<Self>) {
        if self.shared.is_verifying() && Handle::try_current().is_ok() {
            self.drive();
        }
    }

    /// Has the next thing done, by a task of its own, unless one is at it or nothing is to be done yet.
    pub(crate) fn drive(self: &Arc<Self>) -> Idle {
        match self.shared.next() {
            Ok((permit, task)) => {
                tokio::spawn(Arc::clone(self).carry(permit, task));
                self.shared.busy()
            }
            Err(idle) => idle,
        }
    }

    /// What changes from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        let mut changes = self.changes.clone();
        changes.mark_unchanged();
        changes
    }

    /// Does one thing, and what follows from it at once: what has come is stored, whether or not anybody still waits.
    async fn carry(self: Arc<Self>, mut permit: Permit, mut task: Task) {
        let _carrier = self.shared.carrier();
        loop {
            permit.begin();
            match task {
                Task::Send(request) => {
                    let endpoint = request.uri().path().rsplit('/').next().unwrap_or_default();
                    permit.answered(self.client.carry(endpoint, &request).await);
                }
                Task::Store(request) => permit.store_answered(self.storage.ask(request).await),
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
    environment: Environment,
    client: Option<Client>,
    storage: Storage,
    may_log_in: MayLogIn,
    settings: Settings,
}

impl TokenSourceBuilder {
    /// Uses a client of yours: its connections, time-out and limits.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    tradovate_auth_token_source::builder_methods!();

    /// Stores each new session before it is used: a crash loses nothing that had been received and stored. Where it
    /// fails, by an error or a panic, or takes longer than the policy's deadline, it is asked again after a pause, and
    /// the new token waits. It must not wait for a token of this source, which may be waiting for it.
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

    /// Shares the session with all processes that use the same store and name: to Tradovate they are one client.
    ///
    /// Any of them may log in or renew; while one does, the others wait, and use what it has stored. So nothing is sent
    /// without the store: while it can't be reached, the token that is held is used as long as it is good. A source with a
    /// [keeper](TokenSource::keep_alive) learns of what others do within a second; one without looks when it has no token.
    /// It takes the place of [`Self::store`].
    pub fn shared(mut self, store: impl Into<Box<dyn AsyncStore>>, name: SessionName) -> Self {
        self.settings.user_key.get_or_insert_with(|| name.to_string());
        self.storage = Storage::Shared(store.into(), name);
        self
    }

    /// Calls back with each event, in the order in which they happened and one at a time, in a task that uses or drives
    /// the source. What happens during a callback is delivered after it. The callback may use the source; it should not
    /// block. A panic ends in the callback.
    pub fn on_event(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.settings.on_event = Some(Arc::new(observer));
        self
    }

    /// The source. Nothing is sent yet.
    ///
    /// # Errors
    /// [`CallError::Io`] when TLS can't be set up.
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
