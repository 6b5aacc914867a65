//! What a session returns to its caller: the next action, and the token for API calls.

use http::Request;
use jiff::Timestamp;
use tradovate_auth_core::{AccessToken, MarketDataToken, RequestBody};

use super::StopReason;
use crate::store::StoreRequest;

/// The id of one request to the server or to the store. Report the result with the same id. A result with an unknown id
/// changes nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub(super) u32);

/// What the driver of a session does next. [`Session::poll`](crate::Session::poll) returns it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send this request once and follow no redirect. Then call [`Session::receive`](crate::Session::receive) with the
    /// answer, or [`Session::failed`](crate::Session::failed) if there was none.
    Send {
        /// Report the result with this id.
        id: ExchangeId,
        /// The request.
        request: Request<RequestBody>,
    },
    /// Send this request to the store. Then call [`Session::store_answered`](crate::Session::store_answered). If no
    /// answer is reported within [`Policy::deadline`](crate::Policy::deadline), the session continues without it and
    /// asks again.
    Store {
        /// Report the result with this id.
        id: ExchangeId,
        /// The request.
        request: StoreRequest,
    },
    /// Do nothing until this time, which is in the future. Until then, [`Session::token`](crate::Session::token)
    /// returns the same token unless another input changes it.
    Wait {
        /// When to poll again.
        until: Timestamp,
    },
    /// The session stopped and sends nothing more.
    Stopped {
        /// Why it stopped.
        reason: StopReason,
        /// When to poll again, or `None`. Another process may store a session that lets this session continue, or this
        /// session still has something to store.
        check_at: Option<Timestamp>,
    },
}

/// A token for API calls, with its expiry.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionToken {
    /// The bearer token of REST calls and trading sockets.
    pub access_token: AccessToken,
    /// The number of this token in the session. Each new token has a higher number, even if a renewal returned the same
    /// text.
    pub generation: u64,
    /// When the token expires, by the server's clock.
    pub expires_at: Timestamp,
    /// Until when this `SessionToken` may be used, by the local clock. This is the expiry minus a safety margin
    /// ([`Policy::margin`](crate::Policy::margin)), or the expiry of the market data token if that is earlier. Then ask
    /// the session again: if only the market data token has expired, it returns the access token alone.
    /// [`Session::poll`](crate::Session::poll) waits no longer than until this time.
    pub usable_until: Timestamp,
    /// The token of market data sockets, if the server issued one.
    pub market_data_token: Option<MarketDataToken>,
}
