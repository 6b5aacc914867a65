//! [`Token`]: a token for a header or for a header map.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use tradovate_auth_core::{AccessToken, MarketDataToken};
use tradovate_auth_session::SessionToken;

/// An access token, with the market data token if there is one. Cloning is cheap. A `Token` does not change when the
/// session gets a new one.
///
/// Use it for one call. Ask the source again for the next call.
#[derive(Debug, Clone)]
pub struct Token(pub(crate) Arc<SessionToken>);

impl Token {
    /// The value of the `Authorization` header, marked as sensitive. It shares the token's bytes.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.access_token.header()
    }

    /// Sets the `Authorization` header.
    pub fn authorize(&self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, self.header());
    }

    /// The access token for calls of this library, such as `Client::me`.
    #[must_use]
    pub fn access_token(&self) -> &AccessToken {
        &self.0.access_token
    }

    /// The token of market data sockets, if the user has one.
    #[must_use]
    //= R-SOCKET-7
    //= R-SOCKET-8
    pub fn market_data_token(&self) -> Option<&MarketDataToken> {
        self.0.market_data_token.as_ref()
    }

    /// The text of the token, without `Bearer`. Don't print it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.access_token.expose()
    }

    /// The number of the token in its session. Each new token has a higher number, even if its text is the same.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    /// When the token expires, by the server's clock.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.0.expires_at
    }
}
