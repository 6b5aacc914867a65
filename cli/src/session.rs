//! The shared session: its owner, its store, and its token source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tradovate_auth::jiff::Timestamp;
use tradovate_auth::store::SessionName;
use tradovate_auth::ureq::{Token, TokenError, TokenSource, TokenSourceBuilder, now};
use tradovate_auth::{
    Credentials, Environment, EventKind, Login, MayLogIn, OAuthApp, Purpose, RateBudget, Session, StoredSession,
};

use crate::Failure;
use crate::arguments::{StoreArguments, WaitArguments};
use crate::store::SelectedStore;
use crate::variables::{CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME, Variables};

/// Advises the user to log in.
const LOGIN_ADVICE: &str = "log in with `tradovate-auth login`";

/// How long a single call waits for a token. Between calls, the program checks whether it should stop waiting.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A token that expired at least this long ago can't be renewed. If it seems to have expired more recently, the local
/// clock may be wrong.
const SURELY_EXPIRED: Duration = Duration::from_secs(15 * 60);

/// The owner of a shared session, with what it needs to log in: a user with a password, or an OAuth app.
pub(crate) enum Owner {
    User(Credentials),
    App(OAuthApp),
}

/// A session in a store that processes share.
pub(crate) struct SharedSession {
    pub(crate) store: SelectedStore,
    pub(crate) environment: Environment,
    pub(crate) owner: Owner,
    pub(crate) name: SessionName,
    /// Whether a variable has the password.
    has_password: bool,
}

impl SharedSession {
    /// The session that the arguments, the variables or the last login name. Fails if none of them names one.
    pub(crate) fn find(arguments: &StoreArguments) -> Result<Self, Failure> {
        Self::find_if_any(arguments)?.ok_or_else(|| {
            format!("no login is stored, and neither TRADOVATE_USERNAME nor TRADOVATE_CLIENT_ID is set: {LOGIN_ADVICE}")
                .into()
        })
    }

    /// Like `find`, but `None` if nothing names a session.
    pub(crate) fn find_if_any(arguments: &StoreArguments) -> Result<Option<Self>, Failure> {
        let mut variables = Variables::read()?;
        let store = SelectedStore::open(arguments, &variables)?;
        let has_app = variables.is_given(CLIENT_ID);
        if let Some(directory) = store.directory() {
            variables.add_last_login(directory)?;
        }
        let is_app = arguments.oauth || (!variables.is_given(USERNAME) && variables.is_given(CLIENT_ID));
        if !arguments.oauth && !is_app && !variables.is_given(USERNAME) {
            return Ok(None);
        }
        if is_app && !has_app && variables.get(CLIENT_SECRET).is_none() {
            return Err(format!(
                "{CLIENT_SECRET} is not set: set it, because the app of the last login has a client secret"
            )
            .into());
        }
        Self::of(store, is_app, &variables).map(Some)
    }

    /// The session of the user or the app that the variables name.
    pub(crate) fn of(store: SelectedStore, is_app: bool, variables: &Variables) -> Result<Self, Failure> {
        let lookup = |name: &str| variables.get(name);
        let has_password = variables.is_given(PASSWORD);
        let (environment, owner) = if is_app {
            (
                Environment::from_variables_or(Environment::live(), lookup)?,
                Owner::App(OAuthApp::from_variables(lookup)?),
            )
        } else {
            let credentials = if has_password {
                Credentials::from_variables(lookup)?
            } else {
                Credentials::new(lookup(USERNAME).unwrap_or_default(), "")
            };
            (Environment::from_variables(lookup)?, Owner::User(credentials))
        };
        let name = match &owner {
            Owner::User(credentials) => SessionName::of_user(&environment, credentials),
            Owner::App(app) => SessionName::new(app.client_id(), "tradovate-auth"),
        };
        Ok(Self { store, environment, owner, name, has_password })
    }

    /// The login with which a token source of this session starts.
    pub(crate) fn login(&self) -> Login {
        match &self.owner {
            Owner::User(credentials) => credentials.clone().into(),
            Owner::App(app) => Login::app(app.clone()),
        }
    }

    /// The user's login name; `None` for an app.
    pub(crate) fn user(&self) -> Option<&str> {
        match &self.owner {
            Owner::User(credentials) => Some(credentials.name()),
            Owner::App(_) => None,
        }
    }

    /// Whether this is a user's session and the program has no password, so that it can't log in.
    fn only_renews(&self) -> bool {
        matches!(self.owner, Owner::User(_)) && !self.has_password
    }

    pub(crate) fn builder(&self, login: Login, no_login: bool) -> TokenSourceBuilder {
        let may_log_in = if self.user().is_some() && (no_login || !self.has_password) {
            MayLogIn::Never
        } else {
            MayLogIn::default()
        };
        TokenSource::builder(self.environment.clone(), login)
            .shared(self.store.boxed(), self.name.clone())
            .may_log_in(may_log_in)
    }

    /// Waits for a token until the timeout. Returns it with its source.
    pub(crate) fn token(&self, arguments: &WaitArguments) -> Result<(TokenSource, Token), Failure> {
        let no_login = arguments.source.no_login;
        let only_renews = no_login && self.user().is_some() || self.only_renews();
        if only_renews {
            self.check_renewable()?;
        }
        let give_up_at = now().checked_add(arguments.timeout).unwrap_or(Timestamp::MAX);
        let is_lost = Arc::new(AtomicBool::new(false));
        let set_lost = Arc::clone(&is_lost);
        let tokens = self.builder(self.login(), no_login).token_timeout(POLL_INTERVAL).on_event(move |event| {
            if matches!(event.kind, EventKind::SessionLost) {
                set_lost.store(true, Ordering::Relaxed);
            }
        });
        let tokens = tokens.build();
        let token = wait(&tokens, arguments.timeout, || {
            gives_up(only_renews, is_lost.load(Ordering::Relaxed), self.locked_until(&tokens), give_up_at)
        });
        match token {
            Ok(token) => Ok((tokens, token)),
            Err(error) => {
                finish(&tokens)?;
                Err(explain(error, only_renews, self.locked_until(&tokens)))
            }
        }
    }

    /// When the lock-out of the network address ends; `None` if there is none.
    fn locked_until(&self, tokens: &TokenSource) -> Option<Timestamp> {
        self.read(tokens.snapshot()).1.locked_until(now())
    }

    /// The stored session, and the limits of its network address. It sends nothing unless it is polled.
    pub(crate) fn read(&self, stored: StoredSession) -> (Session, RateBudget) {
        let mut budget = RateBudget::default();
        let session = Session::new(self.environment.clone(), self.login(), 0);
        // The session's name distinguishes the users of an app, as in a token source.
        let mut session = session.with_user_key(self.name.to_string());
        session.adopt(now(), stored, &mut budget);
        (session, budget)
    }

    /// Fails if the store holds no token that a renewal could extend.
    fn check_renewable(&self) -> Result<(), Failure> {
        let Some(stored) = self.store.load(&self.name)? else {
            return Err(format!("no session is stored: {LOGIN_ADVICE}").into());
        };
        let end = stored.expires_at();
        let (session, _) = self.read(stored);
        let is_over =
            end.is_none_or(|end| Duration::try_from(now().duration_since(end)).is_ok_and(|ago| ago >= SURELY_EXPIRED));
        if is_over && session.token(now()).is_none() {
            let why =
                end.map_or("the stored session has no token".into(), |end| format!("the token expired at {end:.0}"));
            return Err(format!("{why}: {LOGIN_ADVICE}").into());
        }
        Ok(())
    }
}

/// Whether a wait for a token is useless: this program can't log in again, or the lock-out lasts longer than the wait.
fn gives_up(only_renews: bool, is_lost: bool, locked_until: Option<Timestamp>, give_up_at: Timestamp) -> bool {
    (only_renews && is_lost) || locked_until.is_some_and(|end| end >= give_up_at)
}

/// Why there is no token, and what the user can do.
fn explain(error: TokenError, only_renews: bool, locked_until: Option<Timestamp>) -> Failure {
    match (error, locked_until) {
        (TokenError::NotYet { .. }, Some(end)) => {
            format!("the server locked out this network address: nothing is sent before {end:.0}").into()
        }
        (error @ TokenError::NotYet { .. }, None) if only_renews => format!(
            "{error}; this process can only renew, because no variable has the password or `--no-login` is given: \
                 {LOGIN_ADVICE}"
        )
        .into(),
        (error, _) => error.into(),
    }
}

/// Waits for a token until the timeout ends or `is_over` returns true.
pub(crate) fn wait(tokens: &TokenSource, timeout: Duration, is_over: impl Fn() -> bool) -> Result<Token, TokenError> {
    let begun = Instant::now();
    let mut keeper = None;
    loop {
        match tokens.token() {
            Err(TokenError::NotYet { retry_after, .. })
                if retry_after <= timeout.saturating_sub(begun.elapsed()) && !is_over() =>
            {
                // Follows the store. Otherwise a token that another process stores can be found up to ten seconds later.
                let _ = keeper.get_or_insert_with(|| tokens.keep_alive());
                thread::sleep(retry_after.min(POLL_INTERVAL));
            }
            result => return result,
        }
    }
}

/// Waits until the request in flight is done and its result stored, then releases the lease.
pub(crate) fn finish(tokens: &TokenSource) -> Result<(), Failure> {
    tokens.keep_alive()?.stop();
    Ok(())
}

/// The hosts and URLs for each purpose, as JSON.
pub(crate) fn purposes(environment: &Environment) -> Value {
    let name = |purpose| match purpose {
        Purpose::Login => "login",
        Purpose::Identity => "identity",
        Purpose::Trading => "trading",
        Purpose::MarketData => "marketData",
        Purpose::Replay => "replay",
        _ => "reporting",
    };
    let known = Purpose::ALL.into_iter().filter_map(|purpose| {
        let base = environment.base_url(purpose)?;
        let websocket = environment.websocket_url(purpose);
        let value = json!({"host": base.host(), "url": base.to_string(), "webSocketUrl": websocket});
        Some((name(purpose).to_owned(), value))
    });
    Value::Object(known.collect::<Map<_, _>>())
}

#[cfg(test)]
#[cfg(unix)]
pub(crate) mod tests;
