//! What the browser gets from the web server: pages, cookies and security headers.
//!
//! All text from elsewhere is escaped here. No page has a script or loads anything.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use tradovate_auth::reqwest::TokenError;
use tradovate_auth::{Denial, DenialKind, RedirectError, StopReason};

use crate::database::MAX_SESSION_AGE;

/// A random secret for a cookie.
pub(crate) fn secret() -> io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// The cookies of the site.
///
/// Scripts can't read them (`HttpOnly`). Requests from other sites don't carry them (`SameSite=Lax`), except for
/// navigations such as the redirect from the vendor's page. With https they are `Secure`, and the prefix `__Host-`
/// prevents other hosts of the domain from setting them.
pub(crate) struct Cookies {
    origin: String,
    prefix: &'static str,
    attributes: &'static str,
}

impl Cookies {
    pub(crate) fn new(public_url: &str) -> Self {
        let (prefix, attributes, usual_port) = if public_url.starts_with("https://") {
            ("__Host-", "Path=/; HttpOnly; SameSite=Lax; Secure", ":443")
        } else {
            ("", "Path=/; HttpOnly; SameSite=Lax", ":80")
        };
        let origin = public_url.strip_suffix(usual_port).unwrap_or(public_url).to_owned();
        Self { origin, prefix, attributes }
    }

    pub(crate) fn login<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        self.read(headers, "login")
    }

    pub(crate) fn session<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        self.read(headers, "session")
    }

    pub(crate) fn set_login(&self, secret: &str) -> String {
        format!("{}login={secret}; {}; Max-Age=600", self.prefix, self.attributes)
    }

    pub(crate) fn set_session(&self, secret: &str) -> String {
        format!("{}session={secret}; {}; Max-Age={}", self.prefix, self.attributes, MAX_SESSION_AGE.as_secs())
    }

    pub(crate) fn end_login(&self) -> String {
        format!("{}login=; {}; Max-Age=0", self.prefix, self.attributes)
    }

    pub(crate) fn end_session(&self) -> String {
        format!("{}session=; {}; Max-Age=0", self.prefix, self.attributes)
    }

    fn read<'h>(&self, headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| key.strip_prefix(self.prefix) == Some(name)).map(|(_, value)| value)
    }

    /// Whether a request uses the site's own host name. A browser keeps the cookies of another name apart.
    pub(crate) fn is_own_host(&self, headers: &HeaderMap) -> bool {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        self.origin.split_once("://").map(|(_, own)| own) == host
    }

    /// Refuses a changing request from another site's page (CSRF). Browsers name the origin in `Sec-Fetch-Site`, older
    /// ones in `Origin`, which is `null` if a page hides its origin.
    pub(crate) fn check_origin(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let header = |name| headers.get(name).map(HeaderValue::as_bytes);
        let is_ours = match header("sec-fetch-site") {
            Some(site) => site == b"same-origin" || site == b"none",
            None => header("origin").is_none_or(|origin| origin == self.origin.as_bytes()),
        };
        if is_ours { Ok(()) } else { Err(Problem::ForeignOrigin) }
    }
}

/// Why a request fails.
pub(crate) enum Problem {
    ForeignOrigin,
    Internal,
}

impl<E: Error> From<E> for Problem {
    fn from(error: E) -> Self {
        // The details are for the site's operator.
        eprintln!("{error}");
        Self::Internal
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::ForeignOrigin => page(
                StatusCode::FORBIDDEN,
                "Request refused",
                "<p>Another site sent this request. Nothing was changed.</p>",
            ),
            Self::Internal => page(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong",
                "<p>The error is on our side. Please try again in a moment.</p>",
            ),
        }
    }
}

const CONNECT: &str =
    r#"<form method="post" action="/connect"><button id="connect">Connect with Tradovate</button></form>"#;
const CONNECT_AGAIN: &str =
    r#"<form method="post" action="/connect"><button id="connect">Connect again</button></form>"#;
const LOG_OUT: &str =
    r#"<form method="post" action="/logout"><button id="logout" class="quiet">Log out</button></form>"#;

pub(crate) fn connect() -> Response {
    let body = "<p>Sign in at Tradovate’s own page. This site never sees your password.</p>";
    page(StatusCode::OK, "Welcome", &[body, CONNECT].concat())
}

pub(crate) fn welcome(user: Option<&str>) -> Response {
    let body = format!(
        r#"<p>You are logged in as <strong id="user"><bdi>{}</bdi></strong>.</p><p><a href="/me">Your session</a></p>{LOG_OUT}"#,
        name_or_placeholder(user)
    );
    page(StatusCode::OK, "Welcome back", &body)
}

pub(crate) fn me(user: Option<&str>, expires_at: Timestamp) -> Response {
    let body = format!(
        r#"<dl><div><dt>User</dt><dd id="user"><bdi>{}</bdi></dd></div>
<div><dt>Access</dt><dd>valid until {}, renewed before then</dd></div></dl>
{LOG_OUT}"#,
        name_or_placeholder(user),
        expires_at.strftime("%Y-%m-%d %H:%M UTC"),
    );
    page(StatusCode::OK, "You are logged in", &body)
}

pub(crate) fn not_logged_in() -> Response {
    page(StatusCode::UNAUTHORIZED, "You are not logged in", CONNECT)
}

pub(crate) fn not_found() -> Response {
    page(StatusCode::NOT_FOUND, "Page not found", r#"<p><a href="/">Go to the start page</a></p>"#)
}

/// Refuses a redirect with another method than GET. No browser sends one, and it must not use up the code.
pub(crate) async fn get_only() -> Response {
    let mut response = page(
        StatusCode::METHOD_NOT_ALLOWED,
        "This request does not belong to the login",
        "<p>Only GET is allowed here.</p>",
    );
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    response
}

pub(crate) fn denied(denial: &Denial) -> Response {
    let (status, title) = match denial.kind {
        DenialKind::AccessDenied => (StatusCode::FORBIDDEN, "You did not allow access"),
        _ => (StatusCode::BAD_GATEWAY, "Tradovate’s page could not log you in"),
    };
    let advice = match denial.kind {
        DenialKind::ServerError | DenialKind::TemporarilyUnavailable => [": ", denial.kind.advice()].concat(),
        _ => String::new(), // the user knows what to do, or only the site's operator can act
    };
    let said = quoted(&denial.text);
    let body = format!("<p>Your account was not connected{advice}. Tradovate’s page said:</p>{said}{CONNECT_AGAIN}");
    page(status, title, &body)
}

/// For a browser without a login in progress.
pub(crate) fn no_login() -> Response {
    let body = "<p>No login was started in this browser, or it has already ended.</p>";
    page(StatusCode::BAD_REQUEST, "There is no login to finish", &[body, CONNECT].concat())
}

pub(crate) fn bad_redirect(error: &RedirectError) -> Response {
    let rest = if error.ends_login() {
        ""
    } else {
        "<p>If you started a login at Tradovate’s page, continue there or start again.</p>"
    };
    page(
        StatusCode::BAD_REQUEST,
        "This request does not belong to the login",
        &format!("{}{rest}{CONNECT_AGAIN}", quoted(&error.to_string())),
    )
}

/// For a session without a token. The server continues to try.
pub(crate) fn not_yet(error: &TokenError, is_new: bool) -> Response {
    let title = if is_new { "Still logging in" } else { "No access at the moment" };
    let body = format!(
        r#"<p>Tradovate asked this site to wait. <a id="reload" href="/me">Reload this page</a> in a while.</p>{}
<p>If that does not help:</p>{CONNECT_AGAIN}"#,
        quoted(&error.to_string())
    );
    let mut response = page(StatusCode::SERVICE_UNAVAILABLE, title, &body);
    if let Some(wait) = error.retry_after().filter(|wait| *wait <= MAX_ANNOUNCED_WAIT) {
        response.headers_mut().insert(header::RETRY_AFTER, wait.as_secs().max(1).into());
    }
    response
}

/// For a longer wait, a new login is the better advice.
const MAX_ANNOUNCED_WAIT: Duration = Duration::from_secs(120);

/// For a session that has stopped.
pub(crate) fn stopped(reason: &StopReason) -> Response {
    let title = match reason {
        StopReason::ConsentRequired => "Your login has ended",
        StopReason::CodeLost => "The login was not finished",
        _ => "The site could not log you in",
    };
    page(StatusCode::BAD_GATEWAY, title, &[&quoted(&reason.to_string()), CONNECT_AGAIN].concat())
}

/// The user's name. Right after a consent, the vendor may not know it.
fn name_or_placeholder(user: Option<&str>) -> String {
    escaped(user.unwrap_or("a user whose name is not known yet"))
}

fn quoted(text: &str) -> String {
    format!(r#"<p class="said" id="said">{}</p>"#, escaped(text))
}

/// Redirects the browser and sets cookies.
pub(crate) fn see_other(url: &str, cookies: &[String]) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    match HeaderValue::from_str(url) {
        Ok(url) => drop(response.headers_mut().insert(header::LOCATION, url)),
        Err(error) => return Problem::from(error).into_response(),
    }
    with_cookies(response, cookies)
}

pub(crate) fn with_cookies(mut response: Response, cookies: &[String]) -> Response {
    for cookie in cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Synthetic Web App</title>
<style>{STYLE}</style>
</head>
<body><main>
<p class="brand">Synthetic Web App</p>
<h1>{title}</h1>
{body}
</main></body>
</html>
"#
    );
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], Body::from(html)).into_response()
}

/// Adds the security headers: no response is cached, framed, or loaded by other sites.
///
/// The referrer policy is `strict-origin`, which hides the path and the code. With `no-referrer`, older browsers would
/// send our own forms with `Origin: null`. The content policy has no `form-action`, because Chromium also applies it to
/// the redirect after `/connect`.
pub(crate) async fn add_security_headers(mut response: Response) -> Response {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "strict-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Escapes a text for an element or a quoted attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

const STYLE: &str = "
:root {
  color-scheme: light dark;
  --page: #eef2f0; --card: #fff; --text: #17231e; --quiet: #56665e; --line: #d5dfda; --said: #f3f0e6; --primary: #0f766e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1513; --card: #18211e; --text: #e6eeea; --quiet: #9fb0a8; --line: #2f3d37; --said: #2b2718; --primary: #12857b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; padding: 1rem; display: grid; place-items: center;
  background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif;
}
main {
  width: 100%; max-width: 27rem; padding: 1.75rem; overflow-wrap: anywhere;
  background: var(--card); border: 1px solid var(--line); border-radius: 1rem;
}
h1 { margin: .25rem 0 1rem; font-size: 1.5rem; line-height: 1.25; }
.brand { margin: 0; color: var(--primary); font-size: .9rem; font-weight: 600; }
.said { padding: .65rem .85rem; background: var(--said); border-radius: .6rem; font-size: .925rem; }
dl { margin: 1rem 0; border-block: 1px solid var(--line); padding: .35rem 0; }
dl div { display: flex; gap: 1rem; padding: .2rem 0; }
dt { flex: 0 0 4rem; color: var(--quiet); }
dd { flex: 1; min-width: 0; margin: 0; }
a { color: var(--primary); }
form { margin-top: 1.25rem; }
button {
  width: 100%; padding: .7rem .8rem; border: 1px solid var(--primary); border-radius: .6rem; cursor: pointer;
  background: var(--primary); color: #fff; font: inherit; font-weight: 600;
}
.quiet { background: transparent; border-color: var(--line); color: inherit; }
:focus-visible { outline: 3px solid var(--primary); outline-offset: 2px; }
";
