//! Tests of watches, and of fixed sources.

use std::time::Duration;

use http::StatusCode;
use tradovate_auth::ureq::TokenError;
use tradovate_auth::{AccessToken, BaseUrl, Environment, Verdict};
use tradovate_auth_simulator::Simulator;

use crate::support::RUNTIME;

const SOON: Duration = Duration::from_secs(60);
const NOT: Duration = Duration::from_millis(50);

#[test]
fn a_blocking_watch_reports_a_token_its_renewal_and_the_stop() {
    let server = Simulator::builder().lifetime(Duration::from_secs(4)).serve().unwrap();
    let tokens = tradovate_auth::ureq::TokenSource::new(server.environment(), server.credentials());
    let mut watch = tokens.watch();
    assert!(watch.changed(NOT).is_none());
    let first = tokens.token().unwrap();
    let change = watch.changed(SOON).unwrap();
    assert!(change.has_other_token && change.stopped.is_none());
    assert_eq!(change.token.unwrap().generation(), first.generation());
    assert!(watch.changed(Duration::ZERO).is_none(), "it was seen");
    let keeper = tokens.keep_alive().unwrap();
    let renewed = watch.changed(SOON).unwrap().token.unwrap();
    assert!(renewed.generation() > first.generation());
    keeper.stop();
    tokens.forget();
    let change = watch.changed(SOON).unwrap();
    assert!(change.token.is_none() && change.has_other_token && change.stopped.is_some());
}

#[test]
fn an_async_watch_reports_the_expiry_of_a_token() {
    let server = Simulator::builder().lifetime(Duration::from_secs(2)).serve().unwrap();
    RUNTIME.block_on(async {
        let tokens = tradovate_auth::reqwest::TokenSource::new(server.environment(), server.credentials()).unwrap();
        let mut watch = tokens.watch();
        tokens.token().await.unwrap();
        assert!(watch.changed().await.token.is_some());
        let change = watch.changed().await;
        assert!(change.token.is_none() && change.has_other_token, "{change:?}");
        assert!(tokens.user_id().is_some());
    });
}

fn fixed() -> (Environment, AccessToken) {
    let base = BaseUrl::parse("http://127.0.0.1:1/v1").unwrap();
    (Environment::custom(base), AccessToken::parse("synthetic").unwrap())
}

#[test]
fn a_fixed_source_returns_its_token_until_it_is_reported_dead_and_sends_nothing() {
    let (environment, token) = fixed();
    let tokens = tradovate_auth::ureq::TokenSource::fixed(environment, token);
    let token = tokens.token().unwrap();
    assert_eq!((token.expose(), token.generation()), ("synthetic", 1));
    assert_eq!(tokens.rejected(&token, StatusCode::UNAUTHORIZED, b"Expired Access Token"), Verdict::Dead);
    assert!(matches!(tokens.token(), Err(TokenError::NotYet { .. })));
    tokens.forget();
    assert!(matches!(tokens.token(), Err(TokenError::Stopped(_))));
    let (environment, token) = fixed();
    RUNTIME.block_on(async {
        let tokens = tradovate_auth::reqwest::TokenSource::fixed(environment, token).unwrap();
        assert_eq!(tokens.token().await.unwrap().expose(), "synthetic");
    });
}
