//! A web server whose users log in with Tradovate: OAuth with a confidential client, several users at once.
//!
//! Each user's browser goes to the vendor's page and comes back with a code. The server exchanges it, keeps the tokens
//! alive and never shows them to the browser, which has nothing but a cookie. `cargo run -p oauth-web-server`, then
//! open the URL it prints; Ctrl-C ends it.
//!
//! Without `TRADOVATE_CLIENT_ID` the vendor is a simulator inside the process, with two users to sign in as. With it,
//! these are read: `TRADOVATE_CLIENT_SECRET` or `TRADOVATE_CLIENT_SECRET_FILE`; `TRADOVATE_ENVIRONMENT` or
//! `TRADOVATE_API_URL`, `TRADOVATE_AUTHORIZE_URL`, `TRADOVATE_TOKEN_URL` (Live where nothing is set).
//! `TRADOVATE_REDIRECT_HOST` (127.0.0.1) and `TRADOVATE_REDIRECT_PORT` (8080; 0 is any free one) make the redirect URI, `http://HOST:PORT/callback`, which must be registered to the letter;
//! HOST is 127.0.0.1, `localhost` or `[::1]`.
//! `--form` sends forms in place of JSON to the token endpoint. `--store FILE` keeps the database in a file, so that
//! logins and sessions live through a restart.
//!
//! For production: serve https, by a proxy in front, and say so with `TRADOVATE_PUBLIC_URL=https://app.example` (the
//! cookies are `Secure` then, the redirect URI begins with it, and the proxy comes to 127.0.0.1); put your database in the place of `database.rs`,
//! and encrypt what is in it, since whoever reads it can trade. A user who logs in from a second browser gets a second
//! source here; the vendor keeps one refresh token for each user, so that the first one lives by renewals from then on.
//! Where you know your users by yourself, have all browsers of one share a source.

mod database;
mod loopback;
mod pages;
mod serve;
mod setup;

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tradovate_auth::reqwest::{
    Client, Keeper, SharedBudget, Token, TokenError, TokenSource, TokenSourceBuilder, app_from_env, entropy,
};
use tradovate_auth::{
    AuthorizationRequest, CallError, Environment, Error as ServerError, Login, OAuthApp, Operation, RedirectError,
};

use database::Database;
use loopback::variable;
use pages::{Cookies, Problem, see_other};

/// What all requests share.
struct Site {
    environment: Environment,
    app: OAuthApp,
    login: AuthorizationRequest,
    /// One for all users: their calls share its settings, and setting up TLS takes time.
    client: Client,
    /// One for all users: the vendor counts what comes from this machine, whoever it is for.
    budget: SharedBudget,
    database: Database,
    cookies: Cookies,
    /// Where browsers reach it, unless a proxy stands in front, which knows the names of its site.
    direct_url: Option<String>,
    /// The sessions this process has in memory, by the secret of their cookie.
    sessions: Mutex<HashMap<String, Session>>,
}

/// A user who is logged in: a source of tokens, kept alive for as long as this lives.
#[derive(Clone)]
struct Session {
    tokens: TokenSource,
    _keeper: Arc<Keeper>,
}

type Answer = Result<Response, Problem>;

async fn home(State(site): State<Arc<Site>>, headers: HeaderMap) -> Answer {
    let session = site.cookies.session(&headers).and_then(|id| Some((id, site.session(id)?)));
    let Some((id, session)) = session else { return Ok(pages::connect()) };
    Ok(match timeout(Duration::ZERO, session.tokens.token()).await {
        Ok(Ok(_)) => pages::welcome(site.database.user(id).as_deref()),
        _ => see_other("/me", &[]), // waits for a token, or says why there is none
    })
}

/// Begins a login: remembers it for this browser alone, and sends the browser to the vendor's page.
async fn connect(State(site): State<Arc<Site>>, headers: HeaderMap) -> Answer {
    site.cookies.check_origin(&headers)?;
    let (url, pending) = site.login.begin(&site.environment, entropy()?)?;
    let browser = pages::secret()?;
    site.database.begin_login(&browser, site.cookies.login(&headers), &pending.snapshot())?;
    Ok(see_other(url.as_str(), &[site.cookies.set_login(&browser)]))
}

/// Where the vendor's page sends the browser back to. The keeper exchanges the code, however long the vendor has it
/// wait, and whatever the browser does meanwhile.
async fn callback(State(site): State<Arc<Site>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    let browser = site.cookies.login(&headers).unwrap_or_default();
    let code = match site.database.answer_login(browser, &query.unwrap_or_default())? {
        Some(Ok(code)) => code,
        Some(Err(RedirectError::Denied(denial))) => {
            eprintln!("{denial}"); // may be for the site's owner
            return Ok(pages::denied(&denial));
        }
        Some(Err(error)) => return Ok(pages::bad_redirect(&error)),
        None => return Ok(pages::no_login()),
    };
    if let Some(former) = site.cookies.session(&headers) {
        site.end(former)?; // nobody could get at it any more
    }
    // A new secret at each login: one that somebody has planted in the browser before never becomes a session.
    let id = pages::secret()?;
    site.database.open_session(&id)?;
    let source = TokenSource::builder(site.environment.clone(), Login::code(site.app.clone(), code));
    let session = Session::new(site.source(&id, source)?);
    site.sessions().insert(id.clone(), session);
    Ok(see_other("/me", &[site.cookies.set_session(&id), site.cookies.end_login()]))
}

async fn me(State(site): State<Arc<Site>>, headers: HeaderMap) -> Answer {
    let session = site.cookies.session(&headers).and_then(|id| Some((id, site.session(id)?)));
    let Some((id, session)) = session else { return Ok(pages::stranger()) };
    match session.tokens.token().await {
        // In place of this page: your calls, with `token.header()`, to `session.tokens.url("/account/list")`.
        Ok(token) => {
            let user = match site.database.user(id) {
                Some(user) => Some(user),
                None => site.name_user(id, &session.tokens, &token).await?,
            };
            Ok(pages::me(user.as_deref(), token.expires_at()))
        }
        // Only another consent helps.
        Err(TokenError::Stopped(reason)) if site.end(id)? => {
            Ok(pages::with_cookies(pages::stopped(&reason), &[site.cookies.end_session()]))
        }
        // It was ended while this request waited; the browser may have another one.
        Err(TokenError::Stopped(_)) => Ok(see_other("/me", &[])),
        Err(error) => Ok(pages::not_yet(&error, site.database.snapshot(id).is_none())),
    }
}

async fn log_out(State(site): State<Arc<Site>>, headers: HeaderMap) -> Answer {
    site.cookies.check_origin(&headers)?;
    if let Some(id) = site.cookies.session(&headers) {
        site.end(id)?;
    }
    Ok(see_other("/", &[site.cookies.end_session()]))
}

/// Sends those to the start who come by another name of this machine: the cookies would stay with that name, and the
/// way back from the vendor's page leads to the one that is registered.
async fn by_its_name(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    match &site.direct_url {
        Some(url) if !site.cookies.is_for_us(request.headers()) => see_other(url, &[]),
        _ => next.run(request).await,
    }
}

impl Site {
    /// The sessions in memory. Those whose time is over end here, with their keepers.
    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, session) in sessions.extract_if(|id, _| !self.database.is_open(id)) {
            session.tokens.forget();
        }
        sessions
    }

    /// The session behind a cookie: from memory, or else resumed from what this process or one before it has stored.
    fn session(&self, id: &str) -> Option<Session> {
        let mut sessions = self.sessions();
        if let Some(session) = sessions.get(id) {
            return Some(session.clone());
        }
        let stored = self.database.snapshot(id)?;
        let source = TokenSource::builder(self.environment.clone(), Login::app(self.app.clone())).resume(stored);
        let session = Session::new(self.source(id, source).ok()?);
        sessions.insert(id.to_owned(), session.clone());
        Some(session)
    }

    /// Forgets a session here and in the database; whether there was one. No request can resume it in between.
    fn end(&self, id: &str) -> io::Result<bool> {
        let mut sessions = self.sessions();
        if let Some(session) = sessions.remove(id) {
            session.tokens.forget();
        }
        self.database.close_session(id)
    }

    /// What is the same for each user's source.
    fn source(&self, id: &str, source: TokenSourceBuilder) -> Result<TokenSource, Problem> {
        let (database, key) = (self.database.clone(), id.to_owned());
        let label = self.database.number(id);
        let source = source
            .client(self.client.clone())
            .budget(self.budget.clone())
            .token_timeout(Duration::from_secs(20)) // a browser is waiting
            .store(move |snapshot| {
                let saved = database.save(&key, &snapshot);
                async move { saved }
            })
            .on_event(move |event| println!("{:.0} session {label}: {event}", event.at));
        Ok(source.build()?)
    }

    /// Asks who has logged in, and writes it down. The vendor may not know it right after the consent, and the login is
    /// good without it.
    async fn name_user(&self, id: &str, tokens: &TokenSource, token: &Token) -> io::Result<Option<String>> {
        let now = tradovate_auth::reqwest::now();
        let is_allowed = self.budget.with(|budget| {
            let is_allowed = budget.earliest(now, Operation::Identify) <= now;
            if is_allowed {
                budget.take(now, Operation::Identify);
            }
            is_allowed
        });
        if !is_allowed {
            return Ok(None);
        }
        match self.client.me(token.access_token()).await {
            Ok(answer) => {
                self.budget.with(|budget| budget.give_back(now, Operation::Identify)); // the vendor counts failures
                let me = answer.value;
                let name = me.full_name.or(me.name).or(me.user_id.map(|id| format!("user {id}")));
                if let Some(name) = &name {
                    self.database.name_user(id, name)?;
                }
                return Ok(name);
            }
            // Every session has to know.
            Err(CallError::Server(ServerError::LockedOut { status, .. })) => drop(tokens.rejected(token, status, b"")),
            Err(_) => {}
        }
        Ok(None)
    }
}

impl Session {
    fn new(tokens: TokenSource) -> Self {
        let keeper = Arc::new(tokens.keep_alive());
        Self { tokens, _keeper: keeper }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    setup::show_own_logs();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let (format, store) = setup::arguments()?;
    let proxied_url = variable("TRADOVATE_PUBLIC_URL");
    let host = if proxied_url.is_some() { None } else { variable("TRADOVATE_REDIRECT_HOST") };
    let (listeners, local_url) = loopback::listen(host, 8080).await?;
    let direct_url = proxied_url.is_none().then(|| format!("{local_url}/"));
    let public_url = proxied_url.unwrap_or(local_url).trim_end_matches('/').to_owned();
    let redirect_uri = format!("{public_url}/callback");

    // The simulator lives as long as this variable.
    let simulator = match variable("TRADOVATE_CLIENT_ID") {
        Some(_) => None,
        None => Some(setup::simulate(&redirect_uri)?),
    };
    let (environment, app) = match &simulator {
        Some((simulator, app)) => (simulator.environment(), app.clone()),
        None => app_from_env()?,
    };
    let app = app.with_body_format(format);
    let login = AuthorizationRequest::new(&app, redirect_uri);
    login.begin(&environment, entropy()?)?; // better now than at the first user's click

    let site = Arc::new(Site {
        client: Client::new(environment.clone())?,
        environment,
        app,
        login,
        budget: SharedBudget::default(),
        database: Database::open(store)?,
        cookies: Cookies::new(&public_url),
        direct_url,
        sessions: Mutex::default(),
    });
    let router = Router::new()
        .route("/", get(home))
        .route("/connect", post(connect))
        // axum would answer a HEAD by `callback` too, which uses the code up.
        .route("/callback", get(callback).head(pages::get_only).fallback(pages::get_only))
        .route("/me", get(me))
        .route("/logout", post(log_out))
        .fallback(async || pages::not_found())
        .layer(from_fn_with_state(Arc::clone(&site), by_its_name))
        .layer(map_response(pages::guard))
        .with_state(site);
    let places = Arc::new(Semaphore::new(serve::MOST_CONNECTIONS));
    let mut servers = JoinSet::new();
    for listener in listeners {
        servers.spawn(serve::serve(listener, router.clone(), Arc::clone(&places)));
    }
    println!("open {public_url}/");
    tokio::select! {
        Some(Err(failed)) = servers.join_next() => Err(failed.into()),
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}
