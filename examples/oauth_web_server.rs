//! A web server whose users log in with Tradovate: OAuth with a confidential client, several users at once.
//!
//! Each user's browser goes to the vendor's page and comes back with a code. The server exchanges it, keeps the tokens
//! alive and never shows them to the browser, which has nothing but a cookie. `cargo run --all-features --example
//! oauth_web_server`, then open the URL it prints; Ctrl-C ends it.
//!
//! Without `TRADOVATE_CLIENT_ID` the vendor is a simulator inside the process, with two users to sign in as. With it,
//! these are read: `TRADOVATE_CLIENT_SECRET`; `TRADOVATE_ENVIRONMENT` or `TRADOVATE_API_URL`, `TRADOVATE_AUTHORIZE_URL`,
//! `TRADOVATE_TOKEN_URL` (Live where nothing is set). `TRADOVATE_REDIRECT_HOST` (127.0.0.1) and `TRADOVATE_REDIRECT_PORT`
//! (8080; 0 is any free one) make the redirect URI, `http://HOST:PORT/callback`, which must be registered to the letter.
//! `--form` sends forms in place of JSON to the token endpoint. `--store FILE` keeps the database in a file, so that
//! logins and sessions live through a restart.
//!
//! For production: serve https, by a proxy in front, and say so with `TRADOVATE_PUBLIC_URL=https://app.example` (the
//! cookies are `Secure` then, and the redirect URI begins with it); put your database in the place of `database.rs`,
//! and encrypt what is in it, since whoever reads it can trade. A user who logs in from a second browser gets a second
//! source here; the vendor keeps one refresh token for each user, so that the first one lives by renewals from then on.
//! Where you know your users by yourself, have all browsers of one share a source.

#[path = "oauth_web_server/database.rs"]
mod database;
#[path = "oauth_web_server/pages.rs"]
mod pages;
#[path = "oauth_web_server/setup.rs"]
mod setup;

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tradovate_auth::reqwest::{
    Client, FromEnv, Keeper, SharedBudget, Token, TokenError, TokenSource, TokenSourceBuilder, entropy,
};
use tradovate_auth::{AuthorizationRequest, Environment, OAuthApp, RedirectError};

use database::Database;
use pages::{Cookies, Problem, see_other};
use setup::variable;

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
    let id = site.cookies.session(&headers);
    Ok(match id.filter(|id| site.session(id).is_some()) {
        Some(id) => pages::welcome(site.database.user(id).as_deref()),
        None => pages::connect(),
    })
}

/// Begins a login: remembers it for this browser alone, and sends the browser to the vendor's page.
async fn connect(State(site): State<Arc<Site>>, headers: HeaderMap) -> Answer {
    site.cookies.check_origin(&headers)?;
    let (url, pending) = site.login.begin(&site.environment, entropy()?)?;
    if let Some(former) = site.cookies.login(&headers) {
        site.database.abandon_login(former)?;
    }
    let browser = pages::secret()?;
    site.database.begin_login(&browser, &pending.snapshot())?;
    Ok(see_other(url.as_str(), &[site.cookies.set_login(&browser)]))
}

/// Where the vendor's page sends the browser back to.
async fn callback(State(site): State<Arc<Site>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    let browser = site.cookies.login(&headers).unwrap_or_default();
    let code = match site.database.answer_login(browser, &query.unwrap_or_default())? {
        Some(Ok(code)) => code,
        Some(Err(RedirectError::Denied(denial))) => return Ok(pages::denied(&denial)),
        Some(Err(error)) => return Ok(pages::bad_redirect(&error)),
        None => return Ok(pages::no_login()),
    };

    // A new secret at each login: one that somebody has planted in the browser before never becomes a session.
    let id = pages::secret()?;
    site.database.open_session(&id)?;
    let source = TokenSource::from_code(site.environment.clone(), site.app.clone(), code);
    let tokens = site.source(&id, source)?;
    match tokens.token().await {
        Ok(token) => site.name_user(&id, &token).await?,
        Err(error) => {
            tokens.forget();
            site.database.close_session(&id)?;
            return Ok(pages::no_token(&error));
        }
    }
    if let Some(former) = site.cookies.session(&headers) {
        site.end(former)?; // nobody could get at it any more
    }
    let mut sessions = site.sessions();
    sessions.retain(|id, _| site.database.snapshot(id).is_some()); // those that are too old end with their keepers
    sessions.insert(id.clone(), Session::new(tokens));
    Ok(see_other("/me", &[site.cookies.set_session(&id), site.cookies.end_login()]))
}

async fn me(State(site): State<Arc<Site>>, headers: HeaderMap) -> Answer {
    let session = site.cookies.session(&headers).and_then(|id| Some((id, site.session(id)?)));
    let Some((id, session)) = session else { return Ok(pages::stranger()) };
    match session.tokens.token().await {
        // In place of this page: your calls, with `token.header()`, to `session.tokens.url("/order/list")`.
        Ok(token) => Ok(pages::me(site.database.user(id).as_deref(), token.expires_at())),
        Err(error @ TokenError::Stopped(_)) => {
            site.end(id)?; // only another consent helps
            Ok(pages::no_token(&error))
        }
        Err(error) => Ok(pages::no_token(&error)),
    }
}

async fn log_out(State(site): State<Arc<Site>>, headers: HeaderMap) -> Answer {
    site.cookies.check_origin(&headers)?;
    if let Some(id) = site.cookies.session(&headers) {
        site.end(id)?;
    }
    Ok(see_other("/", &[site.cookies.end_session()]))
}

impl Site {
    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session behind a cookie: from memory, or else resumed from what this process or one before it has stored.
    fn session(&self, id: &str) -> Option<Session> {
        let mut sessions = self.sessions();
        let stored = self.database.snapshot(id)?;
        if let Some(session) = sessions.get(id) {
            return Some(session.clone());
        }
        let source = TokenSource::from_stored(self.environment.clone(), self.app.clone(), stored);
        let session = Session::new(self.source(id, source).ok()?);
        sessions.insert(id.to_owned(), session.clone());
        Some(session)
    }

    /// Forgets a session here and in the database. No request can resume it in between.
    fn end(&self, id: &str) -> io::Result<()> {
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
            .patience(Duration::from_secs(20)) // a browser is waiting
            .store(move |snapshot| {
                let saved = database.save(&key, &snapshot);
                async move { saved }
            })
            .on_event(move |event| println!("{:.0} session {label}: {event}", event.at));
        Ok(source.build()?)
    }

    /// Writes down who has logged in. The vendor may not know it yet right after the consent, and the login is good
    /// without it.
    async fn name_user(&self, id: &str, token: &Token) -> Result<(), Problem> {
        if let Ok(answer) = self.client.me(token.access_token()).await {
            let me = answer.value;
            let name = me.full_name.or(me.name).or(me.user_id.map(|id| format!("user {id}")));
            self.database.name_user(id, name)?;
        }
        Ok(())
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
    let port = variable("TRADOVATE_REDIRECT_PORT").unwrap_or_else(|| "8080".into());
    let port: u16 = port.parse().map_err(|_| "TRADOVATE_REDIRECT_PORT must be a number up to 65535")?;
    let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listening.map_err(|error| format!("can't listen on port {port} of 127.0.0.1: {error}"))?;
    let host = variable("TRADOVATE_REDIRECT_HOST").unwrap_or_else(|| "127.0.0.1".into());
    let local = format!("http://{host}:{}", listener.local_addr()?.port());
    let public_url = variable("TRADOVATE_PUBLIC_URL").unwrap_or(local).trim_end_matches('/').to_owned();
    let redirect_uri = format!("{public_url}/callback");

    // The simulator lives as long as this variable.
    let simulator = match variable("TRADOVATE_CLIENT_ID") {
        Some(_) => None,
        None => Some(setup::simulate(&redirect_uri)?),
    };
    let (environment, app) = match &simulator {
        Some((simulator, app)) => (simulator.environment(), app.clone()),
        None => (Environment::from_variables_or(Environment::live(), variable)?, OAuthApp::from_env()?),
    };
    let app = app.with_body_format(format);
    let login = AuthorizationRequest::new(&app, redirect_uri);
    login.begin(&environment, entropy()?)?; // better now than at the first user's click

    let site = Site {
        client: Client::new(environment.clone())?,
        environment,
        app,
        login,
        budget: SharedBudget::default(),
        database: Database::open(store)?,
        cookies: Cookies::new(&public_url),
        sessions: Mutex::default(),
    };
    let router = Router::new()
        .route("/", get(home))
        .route("/connect", post(connect))
        .route("/callback", get(callback))
        .route("/me", get(me))
        .route("/logout", post(log_out))
        .fallback(async || pages::not_found())
        .layer(axum::middleware::map_response(pages::guard))
        .with_state(Arc::new(site));
    println!("open {public_url}/");
    tokio::select! {
        served = axum::serve(listener, router) => served?,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    Ok(())
}
