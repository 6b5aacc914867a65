//! [`Token`]: a token for a header, for a header map, or for the first frame of a socket.

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

    /// The frame that authorizes a trading socket (page *Sockets*). The answer to the frame will have the number
    /// `request_id`. The frame contains the token: don't print it.
    #[must_use]
    //= R-SOCKET-2
    pub fn authorize_frame(&self, request_id: u64) -> String {
        frame(request_id, self.0.access_token.expose())
    }

    /// The frame that authorizes a market data socket. `None` if the user has no market data token. A market data
    /// socket does not accept an access token.
    #[must_use]
    //= R-SOCKET-7
    //= R-SOCKET-8
    pub fn market_data_authorize_frame(&self, request_id: u64) -> Option<String> {
        self.market_data_token().map(|token| frame(request_id, token.expose()))
    }

    /// The token of market data sockets, if the user has one.
    #[must_use]
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

fn frame(request_id: u64, token: &str) -> String {
    format!("authorize\n{request_id}\n\n{token}")
}
