//! What a session hands out: what to do next, and the token to call with.

use http::Request;
use jiff::Timestamp;
use tradovate_auth_core::{AccessToken, MarketDataToken, RequestBody};

use super::StopReason;
use crate::store::StoreRequest;

/// Names one request, or one question to the store. A result that is reported with another id changes nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub(super) u32);

/// What the driver of a session is to do next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send this request once and follow no redirect. Then call [`Session::receive`](crate::Session::receive) or
    /// [`Session::failed`](crate::Session::failed).
    Send {
        /// Comes back with the answer.
        id: ExchangeId,
        /// What to send.
        request: Request<RequestBody>,
    },
    /// Ask the store. Then call [`Session::store_answered`](crate::Session::store_answered). If no answer is reported, the
    /// session goes on without it after the policy's deadline, and asks again.
    Store {
        /// Comes back with the answer.
        id: ExchangeId,
        /// What to ask.
        request: StoreRequest,
    },
    /// Nothing before this moment, which is in the future. What [`Session::token`](crate::Session::token) hands out does
    /// not change before it by itself.
    Wait {
        /// When to poll again.
        until: Timestamp,
    },
    /// Nothing more is sent.
    Stopped {
        /// Why.
        reason: StopReason,
        /// When to poll again all the same, if processes share the store: another process may store what lets this one
        /// go on, or this one has something to store.
        check_at: Option<Timestamp>,
    },
}

/// A token to call with, and what belongs to it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionToken {
    /// The bearer.
    pub access_token: AccessToken,
    /// Which token of the session: a renewal may bring the same text again, but never the same generation.
    pub generation: u64,
    /// When the token expires, in server time.
    pub expires_at: Timestamp,
    /// How long the token is handed out as it is, in local time: to its expiry less a safety margin, or to the end of a
    /// market data token that ends before. Ask the session again then: it hands out the access token without the market
    /// data token, and [`Session::poll`](crate::Session::poll) names this time, or an earlier one.
    pub usable_until: Timestamp,
    /// The token of market data sockets, where there is one.
    pub market_data_token: Option<MarketDataToken>,
}
