//! The answers to all operations, at every status.

use tradovate_auth_core::{
    AccessTokenRequest, Endpoint, Error, Exchange, Grant, Me, OAuthToken, RenewAccessToken, Reply,
};

use crate::{head, response, status};

/// One answer read by every operation: the first byte is its status, the second says which headers come with it, the
/// rest is its body.
pub fn responses(mut input: &[u8]) {
    let [code, with] = head(&mut input);
    let mut headers: Vec<(&'static str, &[u8])> = Vec::new();
    if with & 1 != 0 {
        headers.push(("date", b"Tue, 24 Nov 2026 14:20:30 GMT"));
    }
    if with & 2 != 0 {
        headers.push(("location", b"https://acme-live.ninjatrader.com/v1/auth/me"));
    }
    if with & 4 != 0 {
        headers.push(("retry-after", b"7200"));
    }
    let answer = || response(status(code), &headers, input);
    let sent = "2026-11-24T14:20:30Z".parse().expect("a time");
    let received = "2026-11-24T14:20:31Z".parse().expect("a time");

    let login = tell(AccessTokenRequest::parse(answer()));
    let first = login.and_then(|reply| check(Grant::from_access_token(reply, sent, received, None)));
    let renewal = tell(RenewAccessToken::parse(answer()));
    renewal.and_then(|reply| check(Grant::from_access_token(reply, sent, received, first.as_ref())));
    let oauth = tell(OAuthToken::parse(answer()));
    oauth.and_then(|reply| check(Grant::from_oauth(reply, sent, received, first.as_ref())));
    tell(Me::parse(answer()));
}

/// All that can be printed of a result can be printed.
fn tell<T: std::fmt::Debug>(result: Result<Reply<T>, Error>) -> Option<Reply<T>> {
    match result {
        Ok(reply) => {
            drop(format!("{:?}", reply.value));
            Some(reply)
        }
        Err(error) => {
            tell_error(&error);
            None
        }
    }
}

fn tell_error(error: &Error) {
    let said = error.to_string();
    assert!(!said.is_empty() && said.chars().all(|c| !c.is_control()), "{said:?}");
    assert!(said.chars().count() < 2000, "an error is a sentence: {said}");
    drop((format!("{error:?}"), error.retry_after(), error.is_retryable()));
}

/// A grant is one that may be used.
fn check(result: Result<Grant, Error>) -> Option<Grant> {
    match result {
        Ok(grant) => {
            let Exchange { received, .. } = grant.exchange;
            assert!(!grant.remaining(received).is_zero(), "a grant has not expired");
            assert!(grant.access_token.header().is_sensitive());
            assert!(!grant.access_token.expose().is_empty());
            drop(format!("{grant:?}"));
            Some(grant)
        }
        Err(error) => {
            tell_error(&error);
            None
        }
    }
}
