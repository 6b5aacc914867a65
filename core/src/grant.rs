//! [`Grant`]: tokens that have passed all checks. This module decides whether a token may be used.
//!
//! The input is an answer, its times, and the previous grant. The output is a [`Grant`] or an error. The expiry of a
//! grant is by the server's clock.

use alloc::string::String;
use core::time::Duration;

use jiff::Timestamp;

use crate::environment::api_hosts::ApiHosts;
use crate::grant::expiry::end_of;
use crate::grant::server_clock::{Exchange, shifted};
use crate::wire::bearer_token::{AccessToken, MarketDataToken};
use crate::wire::endpoint::{AccessTokenResponse, OAuthTokenResponse, Reply};
use crate::wire::error::{Contradiction, Error};
use crate::wire::secret::RefreshToken;

mod expiry;
mod fill_missing_fields;
pub(crate) mod server_clock;

/// An access token that has passed all checks, with the other values of its answer.
///
/// ```
/// use jiff::{SignedDuration, Timestamp};
/// use tradovate_auth_core::{AccessTokenRequest, Endpoint, Grant};
///
/// let sent: Timestamp = "2026-11-24T14:20:30Z".parse()?;
/// let received = sent + SignedDuration::from_secs(1);
/// let response = http::Response::new(
///     r#"{"accessToken":"synthetic","expirationTime":"2026-11-24T15:40:30Z","userId":15460}"#,
/// );
/// let reply = AccessTokenRequest::parse(response)?;
/// let grant = Grant::from_access_token(reply, sent, received, None)?;
/// assert_eq!(grant.expires_at.to_string(), "2026-11-24T15:40:30Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Grant {
    /// The bearer token of REST calls.
    pub access_token: AccessToken,
    /// When the access token expires, by the server's clock.
    pub expires_at: Timestamp,
    /// The token of market data sockets, if there is one.
    pub market_data: Option<MarketDataGrant>,
    /// The refresh token. Only OAuth sessions have one.
    pub refresh: Option<RefreshGrant>,
    /// The user's id, if the server has named it.
    pub user_id: Option<i64>,
    /// The user's name, if the server has named it.
    pub user_name: Option<String>,
    /// The hosts that the server has named: those of the previous grant, updated with those of this answer.
    pub hosts: ApiHosts,
    /// The times of the request that brought the grant.
    pub exchange: Exchange,
}

/// A market data token and its expiry.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MarketDataGrant {
    /// The token.
    pub token: MarketDataToken,
    /// When it expires, by the server's clock. It expires together with the access token of the same answer. A renewal
    /// of the access token does not extend it.
    pub expires_at: Timestamp,
}

/// A refresh token and its expiry.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RefreshGrant {
    /// The token.
    pub token: RefreshToken,
    /// When it expires, by the server's clock, if the server has said so.
    pub expires_at: Option<Timestamp>,
    /// When it was requested, by the server's clock, if this is known. Of two refresh tokens, the one that was
    /// requested later is valid.
    pub issued_at: Option<Timestamp>,
}

impl MarketDataGrant {
    /// Creates a market data grant from a stored token and its expiry.
    #[must_use]
    pub fn new(token: MarketDataToken, expires_at: Timestamp) -> Self {
        Self { token, expires_at }
    }
}

impl RefreshGrant {
    /// Creates a refresh grant from a stored token and its times. Unknown times are `None`.
    #[must_use]
    pub fn new(token: RefreshToken, expires_at: Option<Timestamp>, issued_at: Option<Timestamp>) -> Self {
        Self { token, expires_at, issued_at }
    }
}

impl Grant {
    /// Creates a grant that contains only a stored access token. Nothing is checked.
    #[must_use]
    pub fn new(access_token: AccessToken, expires_at: Timestamp, exchange: Exchange) -> Self {
        Self {
            access_token,
            expires_at,
            market_data: None,
            refresh: None,
            user_id: None,
            user_name: None,
            hosts: ApiHosts::default(),
            exchange,
        }
    }

    /// Checks the answer to a login or a renewal, and returns its tokens as a grant. For a login, `held` is `None` or
    /// the user's previous grant. For a renewal, `held` is the grant that was renewed. Values that the answer does not
    /// contain are taken from `held`.
    ///
    /// `sent` and `received` are local times. The `Date` of the answer corrects them.
    ///
    /// # Errors
    /// [`Error::Incomplete`] if the token or the expiry is missing. [`Error::Contradiction`] if the token has already
    /// expired, or if it is for another user than `held`.
    pub fn from_access_token(
        reply: Reply<AccessTokenResponse>,
        sent: Timestamp,
        received: Timestamp,
        held: Option<&Self>,
    ) -> Result<Self, Error> {
        let Reply { value, server_time } = reply;
        Self::of_access_token(value, Exchange { sent, received, server_time }.bounded(), held)
    }

    /// Checks the answer like [`from_access_token`](Self::from_access_token), but uses the server time of `exchange`
    /// even if it is far from the local time. Use it with the time of a [`ServerClock`](crate::ServerClock), which is
    /// more certain than a single answer.
    ///
    /// # Errors
    /// The same as [`from_access_token`](Self::from_access_token).
    pub fn of_access_token(value: AccessTokenResponse, exchange: Exchange, held: Option<&Self>) -> Result<Self, Error> {
        //= R-TIME-1
        let expires_at = value.expiration_time.ok_or_else(|| Error::missing("expirationTime"))?;
        let access_token = value.access_token.ok_or_else(|| Error::missing("accessToken"))?;
        let grant = Self {
            access_token,
            expires_at,
            market_data: value.md_access_token.map(|token| MarketDataGrant { token, expires_at }),
            refresh: None,
            user_id: value.user_id,
            user_name: value.name,
            hosts: value.api_hosts,
            exchange,
        };
        grant.complete(held)
    }

    /// Checks the answer to an OAuth token request, and returns its tokens as a grant. For a code, `held` is `None`.
    /// For a refresh, `held` is the grant that was refreshed. Values that the answer does not contain, such as the
    /// refresh token, are taken from `held`.
    ///
    /// Lifetimes count from `sent`. `sent` and `received` are local times. The `Date` of the answer corrects them.
    ///
    /// # Errors
    /// [`Error::Incomplete`] if the token or the lifetime is missing. [`Error::Contradiction`] if the lifetime is zero
    /// or too long, or if the answer is for another user than `held`.
    pub fn from_oauth(
        reply: Reply<OAuthTokenResponse>,
        sent: Timestamp,
        received: Timestamp,
        held: Option<&Self>,
    ) -> Result<Self, Error> {
        let Reply { value, server_time } = reply;
        Self::of_oauth(value, Exchange { sent, received, server_time }.bounded(), held)
    }

    /// Checks the answer like [`from_oauth`](Self::from_oauth), but uses the server time of `exchange` even if it is
    /// far from the local time.
    ///
    /// # Errors
    /// The same as [`from_oauth`](Self::from_oauth).
    pub fn of_oauth(value: OAuthTokenResponse, exchange: Exchange, held: Option<&Self>) -> Result<Self, Error> {
        let lifetime = value.expires_in.ok_or_else(|| Error::missing("expires_in"))?;
        // An expiry beyond the largest timestamp counts as unknown. An error here would lose the only copy of the
        // refresh token.
        let refresh_ends = value.refresh_token_expires_in.and_then(|lifetime| end_of(lifetime, &exchange).ok());
        let refresh = value.refresh_token.map(|token| RefreshGrant {
            token,
            expires_at: refresh_ends,
            issued_at: Some(shifted(exchange.sent, exchange.measured_offset())),
        });
        let expires_at = end_of(lifetime, &exchange)?;
        let access_token = value.access_token.ok_or_else(|| Error::missing("access_token"))?;
        let grant = Self {
            access_token,
            expires_at,
            market_data: value.md_access_token.map(|token| MarketDataGrant { token, expires_at }),
            refresh,
            user_id: value.user_id,
            user_name: None,
            hosts: value.api_hosts,
            exchange,
        };
        grant.complete(held)
    }

    /// Checks that the token is valid and for the user of `held`, and completes the grant with the values of `held`.
    fn complete(mut self, held: Option<&Self>) -> Result<Self, Error> {
        expiry::check(self.expires_at, &self.exchange)?;
        if let Some(held) = held {
            check_user(held.user_id, self.user_id)?;
            self.fill_missing_fields(held);
        }
        Ok(self)
    }

    /// The remaining lifetime of the access token at the local time `now`. Zero after the expiry. The clock skew
    /// measured by the grant's exchange corrects `now`.
    #[must_use]
    pub fn remaining(&self, now: Timestamp) -> Duration {
        let server_now = shifted(now, self.exchange.measured_offset());
        Duration::try_from(self.expires_at.duration_since(server_now)).unwrap_or_default()
    }
}

/// Checks that an answer is for the known user. If one of the two is unknown, the answer passes.
///
/// # Errors
/// [`Contradiction::OtherUser`] if the users differ.
//= R-RENEW-7
pub fn check_user(known: Option<i64>, answered: Option<i64>) -> Result<(), Error> {
    match known.zip(answered) {
        Some((known, answered)) if known != answered => Err(Error::Contradiction(Contradiction::OtherUser)),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "grant/tests.rs"]
mod tests;
