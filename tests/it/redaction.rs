//! Tests with a canary in every secret: none appears in an error, in its sources, or in our logs.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io::{self, Seek as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;
use tradovate_auth::{
    AccessTokenRequest, AuthorizationRequest, CallError, ClientSecret, Entropy, Environment, OAuthApp, OAuthToken,
    PenaltyTicket,
};

use crate::support::{LOGGED_IN, Peer, Transport, at, credentials, response};

/// All texts of an error and its sources, in every format.
fn all_of(error: &CallError) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        write!(text, " {error} {error:?}").unwrap();
        source = error.source();
    }
    text
}

/// An exchange with canaries in its code, its verifier and its state.
fn oauth_exchange() -> OAuthToken {
    let half = BASE64_URL_SAFE_NO_PAD.decode(["canary".repeat(7), "c".into()].concat()).unwrap();
    let entropy = Entropy::from(<[u8; Entropy::LENGTH]>::try_from(half.repeat(2)).unwrap());
    let app = OAuthApp::new("client").with_client_secret(ClientSecret::new("canary-client-secret"));
    let request = AuthorizationRequest::new(&app, "http://127.0.0.1/callback");
    let (_, mut pending) = request.begin(&Environment::live(), entropy).unwrap();
    let query = ["code=canary-code&state=", &"canary".repeat(7), "c"].concat();
    app.exchange(pending.redirected_query(&query).unwrap())
}

/// Calls every endpoint with both transports and returns the texts of all errors.
fn errors_of(answer: Vec<u8>) -> String {
    let peer = Peer::answering(answer);
    let ticket = PenaltyTicket::new("canary-ticket", std::time::Duration::ZERO);
    let credentials = credentials();
    let mut text = String::new();
    for transport in Transport::both(&at(&peer.base_url())) {
        let retry = AccessTokenRequest::new(&credentials).with_ticket(ticket.clone());
        let errors = [
            transport.log_in().err(),
            transport.call(&retry).err(),
            transport.renew().err(),
            transport.me().err(),
            transport.call(&oauth_exchange()).err(),
        ];
        text.extend(errors.iter().flatten().map(all_of));
        write!(text, "{transport:?}").unwrap();
    }
    text
}

/// Our log lines at trace level while `act` runs.
fn log_of(act: impl FnOnce()) -> String {
    let log = Arc::new(tempfile::tempfile().unwrap());
    let own = filter_fn(|metadata| metadata.target().starts_with("tradovate_auth"));
    let format = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Arc::clone(&log))
        .with_span_events(FmtSpan::FULL)
        .with_filter(own);
    let subscriber = tracing_subscriber::registry().with(format).with(LevelFilter::TRACE);
    tracing::subscriber::with_default(subscriber, act);
    (&*log).rewind().unwrap();
    io::read_to_string(&*log).unwrap()
}

#[test]
fn errors_and_logs_of_the_library_contain_no_secret() {
    let echo = r#"cannot parse {"name":"trader","password":"canary-password","sec":"canary-api-secret"}"#;
    for answer in [
        response("200 OK", &[], LOGGED_IN),
        response("200 OK", &[], r#"{"p-ticket":"canary-ticket","accessToken":"canary issued token"}"#),
        response("307 Temporary Redirect", &["location: https://evil.example/?token=canary"], ""),
        response("401 Unauthorized", &[], "authorization: Bearer canary-access-token"),
        response("500 Oops", &["x-canary: canary-password"], echo),
        b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"accessToken\":\"canary".to_vec(),
        b"canary canary\r\n\r\n".to_vec(),
        Vec::new(),
    ] {
        let mut errors = String::new();
        let log = log_of(|| errors = errors_of(answer.clone()));
        assert!(log.contains("accesstokenrequest"), "{log}");
        assert!(!errors.contains("canary") && !log.contains("canary"), "{}\n{errors}\n{log}", answer.escape_ascii());
    }
}

#[test]
fn a_call_has_a_span_with_endpoint_host_status_and_duration() {
    let peer = Peer::answering(response("423 Locked", &[], ""));
    for transport in Transport::both(&at(&peer.base_url())) {
        let log = log_of(|| drop(transport.me()));
        let close = log.lines().find(|line| line.contains(": close ")).unwrap_or_else(|| panic!("{log}"));
        for part in [r#"tradovate_auth{endpoint="me" host="127.0.0.1""#, "status=423", "elapsed_ms="] {
            assert!(close.contains(part), "{part}: {close}");
        }
    }
}

#[test]
fn debug_of_a_client_shows_no_secret_of_the_callers_http_client() {
    let headers = http::HeaderMap::from_iter([(http::header::COOKIE, http::HeaderValue::from_static("canary"))]);
    let builder = reqwest::ClientBuilder::new().default_headers(headers);
    let client = tradovate_auth::reqwest::Client::with_builder(at("http://127.0.0.1:1/v1"), builder).unwrap();
    assert!(!format!("{client:?}").contains("canary"));
}
