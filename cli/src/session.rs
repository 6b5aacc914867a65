//! The session that this program shares: whose it is, where it is stored, and its token source.

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
use crate::arguments::{PlaceArguments, SourceArguments};
use crate::place::Place;
use crate::variables::{CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME, Variables};

/// Says that somebody has to log in.
const LOG_IN: &str = "log in with `tradovate-auth login`";

/// A token is asked for in slices, so that what happens meanwhile can end the wait.
pub(crate) const SLICE: Duration = Duration::from_millis(100);

/// A token that has expired for this long, by the local clock and what is known of the server's, is not tried any more.
const SURELY_EXPIRED: Duration = Duration::from_secs(15 * 60);

/// Who logs in.
pub(crate) enum Who {
    User(Credentials),
    App(OAuthApp),
}

/// A session in a store.
pub(crate) struct SharedSession {
    pub(crate) place: Place,
    pub(crate) environment: Environment,
    pub(crate) who: Who,
    pub(crate) name: SessionName,
    /// Whether a password is there.
    has_password: bool,
}

impl SharedSession {
    /// The session that arguments and variables name.
    pub(crate) fn find(arguments: &PlaceArguments) -> Result<Self, Failure> {
        Self::find_if_any(arguments)?
            .ok_or_else(|| format!("nobody has logged in here, and no variable says who does: {LOG_IN}").into())
    }

    /// The same, or nothing if nothing says whose session it is.
    pub(crate) fn find_if_any(arguments: &PlaceArguments) -> Result<Option<Self>, Failure> {
        let mut variables = Variables::read()?;
        let place = Place::open(arguments, &variables)?;
        let has_app = variables.is_given(CLIENT_ID);
        if let Some(directory) = place.directory() {
            variables.add_last_login(directory)?;
        }
        let is_app = arguments.oauth || (!variables.is_given(USERNAME) && variables.is_given(CLIENT_ID));
        if !arguments.oauth && !is_app && !variables.is_given(USERNAME) {
            return Ok(None);
        }
        if is_app && !has_app && variables.get(CLIENT_SECRET).is_none() {
            return Err(format!("{CLIENT_SECRET} is not set, and the last login was by an app that has one").into());
        }
        Self::of(place, is_app, &variables).map(Some)
    }

    /// The session of a user, or of an app.
    pub(crate) fn of(place: Place, is_app: bool, variables: &Variables) -> Result<Self, Failure> {
        let lookup = |name: &str| variables.get(name);
        let has_password = variables.is_given(PASSWORD);
        let (environment, who) = if is_app {
            (Environment::from_variables_or(Environment::live(), lookup)?, Who::App(OAuthApp::from_variables(lookup)?))
        } else {
            let credentials = if has_password {
                Credentials::from_variables(lookup)?
            } else {
                Credentials::new(lookup(USERNAME).unwrap_or_default(), "")
            };
            (Environment::from_variables(lookup)?, Who::User(credentials))
        };
        let name = match &who {
            Who::User(credentials) => SessionName::of_user(&environment, credentials),
            Who::App(app) => SessionName::new(app.client_id(), "tradovate-auth"),
        };
        Ok(Self { place, environment, who, name, has_password })
    }

    /// What a session of its own starts from.
    pub(crate) fn login(&self) -> Login {
        match &self.who {
            Who::User(credentials) => credentials.clone().into(),
            Who::App(app) => Login::app(app.clone()),
        }
    }

    /// The name that the user logs in by.
    pub(crate) fn user(&self) -> Option<&str> {
        match &self.who {
            Who::User(credentials) => Some(credentials.name()),
            Who::App(_) => None,
        }
    }

    /// Whether it is a user's, and this program has no password of theirs.
    fn only_renews(&self) -> bool {
        matches!(self.who, Who::User(_)) && !self.has_password
    }

    pub(crate) fn builder(&self, login: Login, no_login: bool) -> TokenSourceBuilder {
        let may_log_in = if self.user().is_some() && (no_login || !self.has_password) {
            MayLogIn::Never
        } else {
            MayLogIn::default()
        };
        TokenSource::builder(self.environment.clone(), login)
            .shared(self.place.store(), self.name.clone())
            .may_log_in(may_log_in)
    }

    /// A token within a time, and its source.
    pub(crate) fn token(&self, arguments: &SourceArguments) -> Result<(TokenSource, Token), Failure> {
        let only_renews = arguments.no_login && self.user().is_some() || self.only_renews();
        if only_renews {
            self.check_renewable()?;
        }
        let give_up_at = now().checked_add(arguments.timeout).unwrap_or(Timestamp::MAX);
        let is_lost = Arc::new(AtomicBool::new(false));
        let losing = Arc::clone(&is_lost);
        let tokens = self.builder(self.login(), arguments.no_login).token_timeout(SLICE).on_event(move |event| {
            if matches!(event.kind, EventKind::SessionLost) {
                losing.store(true, Ordering::Relaxed);
            }
        });
        let tokens = tokens.build();
        let token = wait(&tokens, arguments.timeout, || {
            (only_renews && is_lost.load(Ordering::Relaxed))
                || self.locked_until(&tokens).is_some_and(|end| end > give_up_at)
        });
        match token {
            Ok(token) => Ok((tokens, token)),
            Err(error) => {
                finish(&tokens)?;
                let advice = format!("; this program has no password, so it can only renew: {LOG_IN}");
                if let (TokenError::NotYet { .. }, Some(end)) = (&error, self.locked_until(&tokens)) {
                    return Err(format!("locked out: nothing is sent before {end:.0}").into());
                }
                match error {
                    TokenError::NotYet { .. } if only_renews => Err(format!("{error}{advice}").into()),
                    error => Err(error.into()),
                }
            }
        }
    }

    /// The end of a lock-out of the network address, by what a source knows.
    fn locked_until(&self, tokens: &TokenSource) -> Option<Timestamp> {
        self.read(tokens.snapshot()).1.locked_until(now())
    }

    /// What is stored, as a session that sends nothing, and what its network address may send.
    pub(crate) fn read(&self, stored: StoredSession) -> (Session, RateBudget) {
        let mut budget = RateBudget::default();
        let session = Session::new(self.environment.clone(), self.login(), 0);
        // The name tells the users of an app apart, as in a shared session.
        let mut session = session.with_user_key(self.name.to_string());
        session.adopt(now(), stored, &mut budget);
        (session, budget)
    }

    /// Whether there is something that a renewal can extend.
    fn check_renewable(&self) -> Result<(), Failure> {
        let Some(stored) = self.place.load(&self.name)? else {
            return Err(format!("no session is stored: {LOG_IN}").into());
        };
        let end = stored.expires_at();
        let (session, _) = self.read(stored);
        let is_over =
            end.is_none_or(|end| Duration::try_from(now().duration_since(end)).is_ok_and(|ago| ago > SURELY_EXPIRED));
        if is_over && session.token(now()).is_none() {
            let when = end.map(|end| format!(" at {end:.0}")).unwrap_or_default();
            return Err(format!("the session has ended{when}: {LOG_IN}").into());
        }
        Ok(())
    }
}

/// Waits for a token, until a time is over or something says that none will come.
pub(crate) fn wait(tokens: &TokenSource, timeout: Duration, is_over: impl Fn() -> bool) -> Result<Token, TokenError> {
    let begun = Instant::now();
    loop {
        match tokens.token() {
            Err(TokenError::NotYet { retry_after, .. })
                if retry_after <= timeout.saturating_sub(begun.elapsed()) && !is_over() =>
            {
                thread::sleep(retry_after.min(SLICE));
            }
            result => return result,
        }
    }
}

/// Waits until what is under way is stored, and gives back the lease.
pub(crate) fn finish(tokens: &TokenSource) -> Result<(), Failure> {
    tokens.keep_alive()?.stop();
    Ok(())
}

/// Hosts and URLs by purpose.
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
