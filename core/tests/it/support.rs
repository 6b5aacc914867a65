//! Helpers: responses, fixtures, and one response read by all endpoints.

use std::error::Error as _;
use std::fmt::{Debug, Write as _};

use http::{HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use tradovate_auth_core::{AccessTokenRequest, Endpoint, Error, Grant, Me, OAuthToken, RenewAccessToken};

pub(crate) const FIXTURES: [(&str, &str); 11] = [
    ("login-2021", include_str!("../fixtures/login-2021.json")),
    ("login-2026", include_str!("../fixtures/login-2026.json")),
    ("login-app-not-registered", include_str!("../fixtures/login-app-not-registered.json")),
    ("login-dedicated-hosts", include_str!("../fixtures/login-dedicated-hosts.json")),
    ("login-refused", include_str!("../fixtures/login-refused.json")),
    ("me", include_str!("../fixtures/me.json")),
    ("oauth-invalid-grant", include_str!("../fixtures/oauth-invalid-grant.json")),
    ("oauth-token", include_str!("../fixtures/oauth-token.json")),
    ("penalty", include_str!("../fixtures/penalty.json")),
    ("penalty-captcha", include_str!("../fixtures/penalty-captcha.json")),
    ("renew", include_str!("../fixtures/renew.json")),
];

pub(crate) fn response(status: u16, headers: &[(&'static str, &[u8])], body: &[u8]) -> Response<Vec<u8>> {
    let mut response = Response::new(body.to_vec());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            response.headers_mut().insert(*name, value);
        }
    }
    response
}

pub(crate) fn ok(body: &str) -> Response<Vec<u8>> {
    response(200, &[], body.as_bytes())
}

/// The time at which the responses of these tests arrive.
pub(crate) fn now() -> Timestamp {
    "2026-11-24T14:20:30Z".parse().unwrap()
}

/// The results of all endpoints for one response.
pub(crate) struct Read {
    /// The grants of login, renewal and OAuth.
    pub(crate) grants: [Result<Grant, Error>; 3],
    pub(crate) me: Result<(), Error>,
    /// All text that was printed: results, grants and errors in every format, and the sources of the errors.
    pub(crate) printed: String,
}

impl Read {
    pub(crate) fn errors(&self) -> impl Iterator<Item = &Error> {
        self.grants.iter().filter_map(|grant| grant.as_ref().err()).chain(self.me.as_ref().err())
    }
}

/// Reads a response with every endpoint, like a program that logs everything.
pub(crate) fn read(response: &Response<Vec<u8>>) -> Read {
    let mut printed = String::new();
    let mut log = |what: &dyn Debug| writeln!(printed, "{what:?} {what:#?}").unwrap();
    let access_token = |reply| Grant::from_access_token(reply, now(), now(), None);
    let login = AccessTokenRequest::parse(response.clone()).inspect(|reply| log(reply)).and_then(access_token);
    let renewal = RenewAccessToken::parse(response.clone()).inspect(|reply| log(reply)).and_then(access_token);
    let oauth = OAuthToken::parse(response.clone())
        .inspect(|reply| log(reply))
        .and_then(|reply| Grant::from_oauth(reply, now(), now(), None));
    let me = Me::parse(response.clone()).map(|reply| log(&reply.value.user_id));
    let mut read = Read { grants: [login, renewal, oauth], me, printed };
    let grants = format!("{:?} {:#?}", read.grants, read.grants);
    let errors: Vec<_> = read.errors().map(print).collect();
    read.printed += &(grants + &errors.concat());
    read
}

/// The text of an error and its sources in every format.
fn print(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        write!(text, "{error} {error:?} {error:#?}").unwrap();
        source = error.source();
    }
    text
}
