//! The fuzz target for responses to all operations with every status.

use tradovate_auth_core::{AccessTokenRequest, Endpoint, Error, Exchange, Grant, Me, OAuthToken, RenewAccessToken};

use crate::{head, response, status};

/// Reads one response with every operation. The first byte is its status, the second selects its headers, and the rest
/// is its body.
pub fn responses(mut input: &[u8]) {
    let [code, with] = head(&mut input);
    let all: [(&'static str, &[u8]); 3] = [
        ("date", b"Tue, 24 Nov 2026 14:20:30 GMT"),
        ("location", b"https://acme-live.ninjatrader.com/v1/auth/me"),
        ("retry-after", b"7200"),
    ];
    let headers: Vec<_> = (0..3).filter(|bit| with >> bit & 1 != 0).map(|bit| all[bit]).collect();
    let answer = || response(status(code), &headers, input);
    let sent = "2026-11-24T14:20:30Z".parse().expect("a time");
    let received = "2026-11-24T14:20:31Z".parse().expect("a time");

    let login = check_printed(AccessTokenRequest::parse(answer()));
    let first = login.and_then(|reply| check(Grant::from_access_token(reply, sent, received, None)));
    let renewal = check_printed(RenewAccessToken::parse(answer()));
    renewal.and_then(|reply| check(Grant::from_access_token(reply, sent, received, first.as_ref())));
    let oauth = check_printed(OAuthToken::parse(answer()));
    oauth.and_then(|reply| check(Grant::from_oauth(reply, sent, received, first.as_ref())));
    check_printed(Me::parse(answer()));
}

/// The result of a response, after checking everything that it prints.
fn check_printed<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<T> {
    drop(format!("{result:?}"));
    let error = match result {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    let printed = error.to_string();
    assert!(!printed.is_empty() && printed.chars().all(|c| !c.is_control()), "{printed:?}");
    assert!(printed.chars().count() < 2000, "an error is short: {printed}");
    let _ = (error.retry_after(), error.is_retryable());
    None
}

/// Checks that a grant can be used.
fn check(result: Result<Grant, Error>) -> Option<Grant> {
    let grant = check_printed(result)?;
    let Exchange { received, .. } = grant.exchange;
    assert!(!grant.remaining(received).is_zero(), "the grant has not expired");
    assert!(grant.access_token.header().is_sensitive());
    assert!(!grant.access_token.expose().is_empty());
    Some(grant)
}
