//! [`Answer`] and [`CallError`]: what a transport returns from a call.
//!
//! All transports use these types, so a program can change its transport.

use alloc::string::String;
use alloc::sync::Arc;
use core::error::Error as StdError;
use core::time::Duration;

use crate::grant::Grant;
use crate::grant::server_clock::Exchange;
use crate::wire::endpoint::{AccessTokenResponse, OAuthTokenResponse};
use crate::wire::error::{BuildError, Error, Failure};
use crate::wire::wiped_body::Oversized;

/// The result of a call, with its times.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// The result.
    pub value: T,
    /// When the request was sent and the answer was received.
    pub exchange: Exchange,
}

impl Answer<AccessTokenResponse> {
    /// Checks the answer to a login, and returns its tokens: see [`Grant::from_access_token`].
    ///
    /// # Errors
    /// [`CallError::Server`] with the errors of [`Grant::from_access_token`].
    pub fn grant(self) -> Result<Grant, CallError> {
        Ok(Grant::of_access_token(self.value, self.exchange.bounded(), None)?)
    }

    /// Checks the answer to a renewal of `held`, and returns its tokens. Values that the answer does not contain are
    /// taken from `held`: see [`Grant::from_access_token`].
    ///
    /// # Errors
    /// [`CallError::Server`] with the errors of [`Grant::from_access_token`].
    pub fn grant_after(self, held: &Grant) -> Result<Grant, CallError> {
        Ok(Grant::of_access_token(self.value, self.exchange.bounded(), Some(held))?)
    }
}

impl Answer<OAuthTokenResponse> {
    /// Checks the answer to the exchange of a code, and returns its tokens: see [`Grant::from_oauth`].
    ///
    /// # Errors
    /// [`CallError::Server`] with the errors of [`Grant::from_oauth`].
    pub fn grant(self) -> Result<Grant, CallError> {
        Ok(Grant::of_oauth(self.value, self.exchange.bounded(), None)?)
    }

    /// Checks the answer to a refresh of `held`, and returns its tokens. Values that the answer does not contain, such
    /// as the refresh token, are taken from `held`: see [`Grant::from_oauth`].
    ///
    /// # Errors
    /// [`CallError::Server`] with the errors of [`Grant::from_oauth`].
    pub fn grant_after(self, held: &Grant) -> Result<Grant, CallError> {
        Ok(Grant::of_oauth(self.value, self.exchange.bounded(), Some(held))?)
    }
}

/// Why a call brought no result.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The request can't be built. Nothing was sent.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The server answered, but not with a result.
    #[error(transparent)]
    Server(#[from] Error),
    /// No complete answer arrived.
    #[non_exhaustive]
    #[error("{}", failure_text(*failure, host, source.as_ref()))]
    Io {
        /// How far the request got.
        failure: Failure,
        /// The host that the request was sent to.
        host: String,
        /// The error of the HTTP client.
        source: Arc<dyn StdError + Send + Sync>,
    },
}

impl CallError {
    /// Creates the error for a failure of the HTTP client.
    pub fn io(failure: Failure, host: &str, source: impl StdError + Send + Sync + 'static) -> Self {
        Self::Io { failure, host: host.into(), source: Arc::new(source) }
    }

    /// Creates the error for an answer that was longer than the limit.
    #[must_use]
    pub fn oversized(host: &str, limit: Oversized) -> Self {
        Self::io(Failure::Oversized, host, limit)
    }

    /// How far the request got, if no complete answer arrived. Otherwise `None`.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Io { failure, .. } => Some(*failure),
            _ => None,
        }
    }

    /// The error in the server's answer. `None` if the request can't be built, or no complete answer arrived.
    #[must_use]
    pub fn server(&self) -> Option<&Error> {
        match self {
            Self::Server(error) => Some(error),
            _ => None,
        }
    }

    /// How long to wait before the same request may be sent again, if the server said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.server().and_then(Error::retry_after)
    }

    /// Whether the same request may succeed later without any change. After [`Failure::MaybeSent`] and
    /// [`Failure::Truncated`], the server may have handled the request: a login may have opened a server session, and a
    /// refresh may have replaced the refresh token. If you hold a token, renew it first.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Build(_) => false,
            Self::Server(error) => error.is_retryable(),
            Self::Io { failure, .. } => *failure != Failure::Oversized,
        }
    }
}

fn failure_text(failure: Failure, host: &str, source: &(dyn StdError + 'static)) -> String {
    let cause = root_cause(source);
    let (event, advice) = match failure {
        Failure::NotSent => ("nothing was sent to", "check the host, the network, and the certificates trusted here"),
        Failure::MaybeSent => ("no answer from", "the server may have handled the request all the same"),
        Failure::Oversized => ("refused the answer from", "check the base URL"),
        Failure::Truncated => {
            return alloc::format!(
                "the answer from {host} broke off: {cause}; the server may have handled the request"
            );
        }
    };
    alloc::format!("{event} {host}: {cause}; {advice}")
}

/// The innermost error, because it says what happened.
fn root_cause<'e>(mut error: &'e (dyn StdError + 'static)) -> &'e (dyn StdError + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::endpoint::{AccessTokenRequest, Endpoint as _, OAuthToken};
    use alloc::string::ToString;
    use http::Response;
    use jiff::Timestamp;

    #[derive(Debug, thiserror::Error)]
    #[error("error sending request")]
    struct Outer(#[source] BuildError);

    #[test]
    fn a_grant_keeps_known_facts_that_the_answer_leaves_out() {
        let sent = "2026-11-24T14:20:30Z".parse::<Timestamp>().unwrap();
        // A single `Date` that is years away is not used.
        let exchange = Exchange { sent, received: sent, server_time: Some(Timestamp::MIN) };
        let oauth = |body: &str| Answer { value: OAuthToken::parse(Response::new(body)).unwrap().value, exchange };
        let login = |expiry: &str| {
            let body = alloc::format!(r#"{{"accessToken":"t","expirationTime":"{expiry}"}}"#);
            Answer { value: AccessTokenRequest::parse(Response::new(body)).unwrap().value, exchange }
        };
        let held = oauth(r#"{"access_token":"t","expires_in":60,"refresh_token":"r"}"#).grant().unwrap();
        assert_eq!(held.remaining(sent), Duration::from_secs(60));
        let (dead, alive) = ("2026-11-24T14:20:30Z", "2026-11-24T14:20:31Z");
        assert!(login(alive).grant().unwrap().refresh.is_none());
        assert!(login(alive).grant_after(&held).unwrap().refresh.is_some());
        assert!(login(dead).grant().is_err() && login(dead).grant_after(&held).is_err());
        assert!(oauth(r#"{"access_token":"u","expires_in":60}"#).grant_after(&held).unwrap().refresh.is_some());
        assert!(oauth(r#"{"access_token":"u","expires_in":0}"#).grant_after(&held).is_err());
    }

    #[test]
    fn the_message_names_the_host_and_the_innermost_cause() {
        let error = CallError::io(Failure::NotSent, "a.example", Outer(BuildError::Unwritable));
        assert_eq!(
            error.to_string(),
            "nothing was sent to a.example: the request can't be written as JSON; check the host, the network, and \
             the certificates trusted here"
        );
        assert_eq!(error.source().unwrap().to_string(), "error sending request");
        let error = CallError::oversized("a.example", Oversized { limit: 7 });
        assert_eq!(
            error.to_string(),
            "refused the answer from a.example: the answer is longer than 7 bytes; check the base URL"
        );
        assert!(!error.is_retryable());
    }

    #[test]
    fn every_failure_except_an_oversized_answer_is_retryable() {
        let all = [Failure::NotSent, Failure::MaybeSent, Failure::Truncated, Failure::Oversized];
        let errors = all.map(|failure| CallError::io(failure, "a.example", BuildError::Unwritable));
        assert_eq!(errors.each_ref().map(CallError::failure), all.map(Some));
        assert_eq!(errors.each_ref().map(CallError::is_retryable), [true, true, true, false]);
        let said = errors.map(|error| error.to_string());
        assert!(said[1].contains("the server may have handled the request all the same"), "{}", said[1]);
        assert!(said[2].contains("broke off"), "{}", said[2]);
        let unbuildable = CallError::from(BuildError::Unwritable);
        assert!(!unbuildable.is_retryable() && unbuildable.failure().is_none() && unbuildable.server().is_none());
    }

    #[test]
    fn a_call_error_for_a_captcha_allows_a_retry_after_an_hour() {
        let error = CallError::from(Error::Captcha { ticket: None, message: None });
        assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
        assert!(error.is_retryable());
        assert_eq!(error.failure(), None);
        assert!(error.source().is_none());
    }
}
