//! Logs in with the user's browser: OAuth for a program on the user's own machine (RFC 8252).
//!
//! It prints the URL at which the user logs in and allows the app, and opens it with `--open`. It listens on loopback
//! until the browser returns with a code. Then it exchanges the code, and prints who is logged in and for how long.
//! `--wait SECONDS` (default: 300) limits the wait for the browser. `--form` sends forms in place of JSON.
//!
//! Without `TRADOVATE_CLIENT_ID`, it starts a simulator inside the process. Otherwise it also reads
//! `TRADOVATE_CLIENT_SECRET` or `TRADOVATE_CLIENT_SECRET_FILE` (a desktop program usually has none),
//! `TRADOVATE_API_URL` or `TRADOVATE_ENVIRONMENT` (default: `live`), `TRADOVATE_AUTHORIZE_URL` and
//! `TRADOVATE_TOKEN_URL`.
//!
//! The app must be registered with exactly the redirect URI `http://HOST:PORT/callback`. HOST is
//! `TRADOVATE_REDIRECT_HOST`: `127.0.0.1` (default), `localhost` or `[::1]`. PORT is `TRADOVATE_REDIRECT_PORT`
//! (default: 8765; 0, the default with the simulator, is any free port).
//!
//! With `--open`, other users of the machine can see the URL and its `state` in the list of processes. With the
//! `state`, they could answer in the user's place.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tradovate_auth::reqwest::{Client, TokenSource, app_from_env, entropy};
use tradovate_auth::{
    AuthorizationRequest, AuthorizedCode, BodyFormat, Environment, EventKind, Login, OAuthApp, PendingAuthorization,
};
use tradovate_auth_simulator::{OAuthClient, Simulator};

mod loopback;

use loopback::{listen, variable};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::read()?;
    let is_simulated = variable("TRADOVATE_CLIENT_ID").is_none();
    let (listeners, base) = listen(variable("TRADOVATE_REDIRECT_HOST"), if is_simulated { 0 } else { 8765 }).await?;
    let redirect_uri = format!("{base}/callback");

    // The simulator runs until this variable is dropped.
    let mut simulator = None;
    let (environment, app) = if is_simulated {
        let client = OAuthClient::public("synthetic-desktop", &redirect_uri).named("Synthetic Desktop App");
        let server = simulator.insert(Simulator::builder().oauth_client(client).serve()?);
        println!(
            "TRADOVATE_CLIENT_ID is not set, so the server is a simulator at {}; \
             sign in there as synthetic-user with synthetic-password",
            server.base_url()
        );
        (server.environment(), OAuthApp::new("synthetic-desktop"))
    } else {
        app_from_env()?
    };
    let app = if options.form { app.with_body_format(BodyFormat::Form) } else { app };

    let (url, pending) = AuthorizationRequest::new(&app, redirect_uri).begin(&environment, entropy()?)?;
    let (redirects, received) = mpsc::channel(1);
    let (stop, stopped) = watch::channel(());
    let mut servers = JoinSet::new();
    for listener in listeners {
        let server = axum::serve(listener, Router::new().fallback(answer).with_state(redirects.clone()));
        let mut stopped = stopped.clone();
        servers.spawn(server.with_graceful_shutdown(async move { drop(stopped.changed().await) }).into_future());
    }

    println!("log in at {}", url.as_str());
    if options.open && open::that_detached(url.as_str()).is_err() {
        println!("can't open a browser: open the URL above yourself");
    }
    let outcome = match timeout(options.wait, await_code(pending, received)).await {
        Ok(Ok((code, browser))) => {
            let user = log_in(environment, app, code).await;
            // The browser is answered after the exchange, so that the page shows its result. The browser may be gone by
            // then.
            drop(browser.send(match &user {
                Ok(Some(name)) => page(StatusCode::OK, "Logged in", &format!("You are logged in as {name}. {CLOSE}")),
                Ok(None) => page(StatusCode::OK, "Logged in", &format!("You are logged in. {CLOSE}")),
                Err(error) => {
                    page(StatusCode::BAD_GATEWAY, "Not logged in", &format!("The login failed: {error}. {CLOSE}"))
                }
            }));
            user.map(drop)
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(format!("nobody logged in within {} s: start the program again", options.wait.as_secs()).into()),
    };
    // Delivers the last page. Idle connections do not delay the program's end by more than two seconds.
    drop(stop);
    drop(timeout(Duration::from_secs(2), servers.join_all()).await);
    outcome
}

/// A redirect that came to the listener: its query, and the browser, which waits for a page.
struct Redirect {
    query: String,
    browser: oneshot::Sender<Response>,
}

/// Waits for the redirect of this login. Any page in the browser can send other requests. They must not end the login.
async fn await_code(
    mut pending: PendingAuthorization,
    mut received: mpsc::Receiver<Redirect>,
) -> Result<(AuthorizedCode, oneshot::Sender<Response>), Box<dyn Error>> {
    while let Some(Redirect { query, browser }) = received.recv().await {
        let refused = |title, text: &str| page(StatusCode::BAD_REQUEST, title, text);
        match pending.redirected_query(&query) {
            Ok(code) => return Ok((code, browser)),
            Err(error) if error.ends_login() => {
                drop(browser.send(refused(
                    "Not logged in",
                    &format!("The login failed and the program has ended: {error}. {CLOSE}"),
                )));
                return Err(error.into());
            }
            Err(error) => {
                println!("{error}");
                let text = "If you were logging in, open the program's URL again. The program is still waiting.";
                let text = format!("It was ignored: {error}. {text}");
                drop(browser.send(refused("This request does not belong to the login", &text)));
            }
        }
    }
    Err("the listener on loopback has ended".into())
}

/// Answers every request of a browser.
async fn answer(State(redirects): State<mpsc::Sender<Redirect>>, method: Method, uri: Uri) -> Response {
    if uri.path() != "/callback" {
        return page(StatusCode::NOT_FOUND, "Page not found", "The program expects the browser at another path.");
    }
    if method != Method::GET {
        let refused = page(
            StatusCode::METHOD_NOT_ALLOWED,
            "This request does not belong to the login",
            "Only GET is allowed here.",
        );
        return ([(header::ALLOW, "GET")], refused).into_response();
    }
    let (browser, outcome) = oneshot::channel();
    let redirect = Redirect { query: uri.query().unwrap_or_default().to_owned(), browser };
    if redirects.send(redirect).await.is_ok()
        && let Ok(page) = outcome.await
    {
        return page;
    }
    // The login has ended, so no redirect is accepted any more.
    page(StatusCode::CONFLICT, "Already answered", &format!("This login was already answered. {CLOSE}"))
}

/// Exchanges the code, and returns the name of the user who logged in, if the server says it.
async fn log_in(
    environment: Environment,
    app: OAuthApp,
    code: AuthorizedCode,
) -> Result<Option<String>, Box<dyn Error>> {
    let tokens = TokenSource::builder(environment, Login::code(app, code))
        .token_timeout(Duration::from_secs(600)) // as long as a code is valid, so that no wait costs the user's consent
        .on_event(|event| match event.kind {
            EventKind::Stopped(_) => {} // reported as the error below
            _ => println!("{event}"),
        })
        .build()?;
    let token = tokens.token().await?;
    // Your program keeps `tokens` from here on, as `stay-logged-in-async` does.

    let client = Client::new(Environment::clone(&tokens.environment()))?.with_timeout(Duration::from_secs(10));
    let name = match client.me(token.access_token()).await {
        Ok(me) => {
            let id = me.value.user_id.map_or_else(|| "not known yet".into(), |id| id.to_string());
            let name = me.value.full_name.or(me.value.name);
            println!("the server knows the user as {} (id {id})", name.as_deref().unwrap_or("(no name)"));
            name
        }
        Err(error) => {
            println!("the server did not say who the user is: continuing without it ({error})");
            None
        }
    };
    Ok(name)
}

const CLOSE: &str = "You may close this page.";

const STYLE: &str = "body{margin:0;min-height:100vh;display:grid;place-items:center;color-scheme:light dark;\
    background:light-dark(#eef1f6,#10141c);color:light-dark(#1b2333,#e8ecf3);font:1rem/1.5 system-ui,sans-serif}\
    main{box-sizing:border-box;max-width:30rem;margin:1rem;padding:1.5rem 2rem;overflow-wrap:anywhere;border-radius:1rem;\
    background:light-dark(#fff,#1a202b);border:1px solid light-dark(#d5dae3,#323b4b)}h1{margin:0;font-size:1.4rem}\
    p{margin:.75rem 0 0;text-wrap:pretty}";

/// A whole page without scripts. Its URL contains the code, so the page is not cached and its URL is not sent as
/// referrer.
fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (title, text) = (escaped(title), escaped(text));
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ];
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head>\n\
         <body><main><h1>{title}</h1><p>{text}</p></main></body></html>\n"
    );
    (status, headers, html).into_response()
}

struct Options {
    open: bool,
    form: bool,
    wait: Duration,
}

impl Options {
    fn read() -> Result<Self, String> {
        let wrong = |what: &str| format!("{what}; usage: oauth-login [--open] [--form] [--wait SECONDS]");
        let mut options = Self { open: false, form: false, wait: Duration::from_secs(300) };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--open" => options.open = true,
                "--form" => options.form = true,
                "--wait" => {
                    let seconds = arguments.next().and_then(|seconds| seconds.parse().ok());
                    let seconds = seconds.ok_or_else(|| wrong("--wait needs a number of seconds"))?;
                    options.wait = Duration::from_secs(seconds);
                }
                unknown => return Err(wrong(&format!("unknown option {unknown:?}"))),
            }
        }
        Ok(options)
    }
}
