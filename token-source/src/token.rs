//! A token as callers use it: in a header, in a header map, in the first frame of a socket.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use tradovate_auth_core::{AccessToken, MarketDataToken};
use tradovate_auth_session::SessionToken;

/// A valid token. Cheap to clone; it stays as it is when the session gets another.
///
/// It is good for a call now, not for keeping: ask the source again for the next call.
#[derive(Debug, Clone)]
pub struct Token(pub(crate) Arc<SessionToken>);

impl Token {
    /// The value of the `Authorization` header, marked sensitive. No bytes are copied.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.access_token.header()
    }

    /// Sets the `Authorization` header.
    pub fn authorize(&self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, self.header());
    }

    /// The token for calls of the protocol itself, such as `Client::me`.
    #[must_use]
    pub fn access_token(&self) -> &AccessToken {
        &self.0.access_token
    }

    /// The frame that authorizes a trading socket, with the number its answer will bear (page *Sockets*). It holds
    /// the token: don't print it.
    #[must_use]
    //= R-SOCKET-2
    pub fn authorize_frame(&self, request_id: u64) -> String {
        frame(request_id, self.0.access_token.expose())
    }

    /// The frame that authorizes a market data socket; `None` where the user has no market data token. An access token
    /// is no substitute.
    #[must_use]
    //= R-SOCKET-7
    //= R-SOCKET-8
    pub fn market_data_authorize_frame(&self, request_id: u64) -> Option<String> {
        self.market_data_token().map(|token| frame(request_id, token.expose()))
    }

    /// The token of market data sockets, where the user has one.
    #[must_use]
    pub fn market_data_token(&self) -> Option<&MarketDataToken> {
        self.0.market_data_token.as_ref()
    }

    /// The token's text, without `Bearer`. Don't print it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.access_token.expose()
    }

    /// Which token of its session this is; each renewal counts one up, even where it brings the same text.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    /// When the token expires, in server time.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.0.expires_at
    }
}

fn frame(request_id: u64, token: &str) -> String {
    format!("authorize\n{request_id}\n\n{token}")
}
