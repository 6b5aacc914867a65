//! A web server whose users log in with Tradovate: OAuth with a confidential client and several users at once.
//!
//! Each user's browser goes to the vendor's page and returns with a code. The server exchanges the code and keeps the
//! tokens alive. It never shows them to the browser, which only has a cookie. Start it with
//! `cargo run -p oauth-web-server` and open the URL that it prints. Ctrl-C stops it.
//!
//! Without `TRADOVATE_CLIENT_ID`, a simulator inside the process plays the vendor, with two users. Otherwise the server
//! reads these variables: `TRADOVATE_CLIENT_SECRET` or `TRADOVATE_CLIENT_SECRET_FILE`; `TRADOVATE_ENVIRONMENT` or
//! `TRADOVATE_API_URL`; `TRADOVATE_AUTHORIZE_URL`; `TRADOVATE_TOKEN_URL` (default: Live).
//!
//! The redirect URI `http://HOST:PORT/callback` must be registered exactly. HOST is `TRADOVATE_REDIRECT_HOST`:
//! 127.0.0.1 (default), `localhost` or `[::1]`. PORT is `TRADOVATE_REDIRECT_PORT` (default: 8080; 0 is any free port).
//! `--form` sends forms in place of JSON to the token endpoint. `--store FILE` keeps the database in a file, so that
//! logins and sessions survive a restart.
//!
//! For production:
//! - Serve https by a proxy, and set `TRADOVATE_PUBLIC_URL=https://app.example`. The cookies are then `Secure`, the redirect
//!   URI starts with this URL, and the proxy connects to 127.0.0.1.
//! - Replace `database.rs` by your database and encrypt it, because everybody who can read it can trade.
//! - If you know your users, let all browsers of one user share one token source. Here, a second browser gets a second
//!   source. The vendor keeps one refresh token for each user, so the first source can then only renew.

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

/// The state that all requests share.
struct Site {
    environment: Environment,
    app: OAuthApp,
    login: AuthorizationRequest,
    /// The HTTP client for all users: its settings are shared, and it sets up TLS once.
    client: Client,
    /// The rate budget for all users: the vendor counts all requests from this machine.
    budget: SharedBudget,
    database: Database,
    cookies: Cookies,
    /// The URL at which browsers reach the server; `None` behind a proxy, which knows the names of its site.
    direct_url: Option<String>,
    /// The sessions in memory, by the secret in their cookie.
    sessions: Mutex<HashMap<String, Session>>,
}

/// A logged-in user: a token source, which is kept alive until this is dropped.
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
        _ => see_other("/me", &[]), // that page waits for a token, or says why there is none
    })
}

/// Starts a login: stores it for this browser only, and redirects the browser to the vendor's page.
async fn connect(State(site): State<Arc<Site>>, headers: HeaderMap) -> Answer {
    site.cookies.check_origin(&headers)?;
    let (url, pending) = site.login.begin(&site.environment, entropy()?)?;
    let browser = pages::secret()?;
    site.database.begin_login(&browser, site.cookies.login(&headers), &pending.snapshot())?;
    Ok(see_other(url.as_str(), &[site.cookies.set_login(&browser)]))
}

/// Handles the redirect from the vendor's page. The keeper then exchanges the code, however long the vendor makes it
/// wait and whatever the browser does.
async fn callback(State(site): State<Arc<Site>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    let browser = site.cookies.login(&headers).unwrap_or_default();
    let code = match site.database.answer_login(browser, &query.unwrap_or_default())? {
        Some(Ok(code)) => code,
        Some(Err(RedirectError::Denied(denial))) => {
            eprintln!("{denial}"); // the site's operator may have to act
            return Ok(pages::denied(&denial));
        }
        Some(Err(error)) => return Ok(pages::bad_redirect(&error)),
        None => return Ok(pages::no_login()),
    };
    if let Some(previous) = site.cookies.session(&headers) {
        site.end(previous)?; // no browser has its cookie any more
    }
    // Each login has a new secret, so a cookie that somebody planted in the browser never becomes a session (session
    // fixation).
    let id = pages::secret()?;
    site.database.open_session(&id)?;
    let source = TokenSource::builder(site.environment.clone(), Login::code(site.app.clone(), code));
    let session = Session::new(site.source(&id, source)?);
    site.sessions().insert(id.clone(), session);
    Ok(see_other("/me", &[site.cookies.set_session(&id), site.cookies.end_login()]))
}

async fn me(State(site): State<Arc<Site>>, headers: HeaderMap) -> Answer {
    let session = site.cookies.session(&headers).and_then(|id| Some((id, site.session(id)?)));
    let Some((id, session)) = session else { return Ok(pages::not_logged_in()) };
    match session.tokens.token().await {
        // Replace this page by your calls: `session.tokens.url("/account/list")` with `token.header()`.
        Ok(token) => {
            let user = match site.database.user(id) {
                Some(user) => Some(user),
                None => site.name_user(id, &session.tokens, &token).await?,
            };
            Ok(pages::me(user.as_deref(), token.expires_at()))
        }
        // Only a new consent helps.
        Err(TokenError::Stopped(reason)) if site.end(id)? => {
            Ok(pages::with_cookies(pages::stopped(&reason), &[site.cookies.end_session()]))
        }
        // Another request has ended this session. The browser may have a new one.
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

/// Redirects requests under another name of this machine. The cookies of such a name would not reach the registered
/// redirect URI.
async fn redirect_to_own_host(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    match &site.direct_url {
        Some(url) if !site.cookies.is_own_host(request.headers()) => see_other(url, &[]),
        _ => next.run(request).await,
    }
}

impl Site {
    /// The sessions in memory. Sessions that are too old end here, with their keepers.
    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, session) in sessions.extract_if(|id, _| !self.database.is_open(id)) {
            session.tokens.forget();
        }
        sessions
    }

    /// The session of a cookie: from memory, or resumed from the database.
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

    /// Ends a session in memory and in the database. Returns whether it existed. No request can resume it in between.
    fn end(&self, id: &str) -> io::Result<bool> {
        let mut sessions = self.sessions();
        if let Some(session) = sessions.remove(id) {
            session.tokens.forget();
        }
        self.database.close_session(id)
    }

    /// Builds a user's token source with the settings that all sources share.
    fn source(&self, id: &str, source: TokenSourceBuilder) -> Result<TokenSource, Problem> {
        let (database, key) = (self.database.clone(), id.to_owned());
        let label = self.database.number(id);
        let source = source
            .client(self.client.clone())
            .budget(self.budget.clone())
            .token_timeout(Duration::from_secs(20)) // because a browser is waiting
            .store(move |snapshot| {
                let saved = database.save(&key, &snapshot);
                async move { saved }
            })
            .on_event(move |event| println!("{:.0} session {label}: {event}", event.at));
        Ok(source.build()?)
    }

    /// Asks the vendor for the user's name and stores it. Right after a consent the vendor may not know it. The login
    /// works without the name.
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
                self.budget.with(|budget| budget.give_back(now, Operation::Identify)); // only failures count
                let me = answer.value;
                let name = me.full_name.or(me.name).or(me.user_id.map(|id| format!("user {id}")));
                if let Some(name) = &name {
                    self.database.name_user(id, name)?;
                }
                return Ok(name);
            }
            // A lock-out concerns every session.
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

    // The simulator runs until this variable is dropped.
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
    login.begin(&environment, entropy()?)?; // fails now, and not at the first user's click

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
        // Without this, axum would handle a HEAD request with `callback`, which uses up the code.
        .route("/callback", get(callback).head(pages::get_only).fallback(pages::get_only))
        .route("/me", get(me))
        .route("/logout", post(log_out))
        .fallback(async || pages::not_found())
        .layer(from_fn_with_state(Arc::clone(&site), redirect_to_own_host))
        .layer(map_response(pages::add_security_headers))
        .with_state(site);
    let permits = Arc::new(Semaphore::new(serve::MAX_CONNECTIONS));
    let mut servers = JoinSet::new();
    for listener in listeners {
        servers.spawn(serve::serve(listener, router.clone(), Arc::clone(&permits)));
    }
    println!("open {public_url}/");
    tokio::select! {
        Some(Err(failed)) = servers.join_next() => Err(failed.into()),
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}
