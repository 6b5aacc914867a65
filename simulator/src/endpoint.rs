//! The calls the simulated server has, and which one a method and path mean.

use http::Method;

/// A call of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST /v1/auth/accesstokenrequest`
    AccessTokenRequest,
    /// `GET /v1/auth/me`, also without `/v1`
    Me,
    /// `POST /v1/auth/oauthtoken`, also without `/v1`
    OauthToken,
    /// `GET /v1/auth/renewaccesstoken`, also without `/v1`
    RenewAccessToken,
    /// `GET /v1/account/list`: one call of the API proper, to see whether a token works there.
    AccountList,
    /// `GET /v1/user/list`
    UserList,
    /// `GET /v1/order/list`: always empty.
    OrderList,
    /// `GET /v1/websocket`: where sockets are connected. See [`Simulator::connect`](crate::Simulator::connect).
    WebSocket,
}

impl Endpoint {
    /// The path, as the specification writes it.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::AccessTokenRequest => "/v1/auth/accesstokenrequest",
            Self::Me => "/v1/auth/me",
            Self::OauthToken => "/v1/auth/oauthtoken",
            Self::RenewAccessToken => "/v1/auth/renewaccesstoken",
            Self::AccountList => "/v1/account/list",
            Self::UserList => "/v1/user/list",
            Self::OrderList => "/v1/order/list",
            Self::WebSocket => "/v1/websocket",
        }
    }

    /// The only method the call answers to.
    #[must_use]
    pub fn method(self) -> Method {
        match self {
            Self::AccessTokenRequest | Self::OauthToken => Method::POST,
            _ => Method::GET,
        }
    }

    /// Whether the call is one of the four that get and keep tokens; only these are penalized.
    #[must_use]
    pub fn is_authentication(self) -> bool {
        matches!(self, Self::AccessTokenRequest | Self::Me | Self::OauthToken | Self::RenewAccessToken)
    }

    /// Whether the call is also answered without `/v1`, as the vendor's guides call it.
    fn has_short_path(self) -> bool {
        matches!(self, Self::Me | Self::OauthToken | Self::RenewAccessToken)
    }

    /// The call at a path, in whatever case it is written.
    pub(crate) fn at(path: &str) -> Option<Self> {
        let is_at = |endpoint: &Self| {
            let known = endpoint.path();
            let short = known.strip_prefix("/v1").filter(|_| endpoint.has_short_path());
            path.eq_ignore_ascii_case(known) || short.is_some_and(|short| path.eq_ignore_ascii_case(short))
        };
        ALL.into_iter().find(is_at)
    }
}

const ALL: [Endpoint; 8] = [
    Endpoint::AccessTokenRequest,
    Endpoint::Me,
    Endpoint::OauthToken,
    Endpoint::RenewAccessToken,
    Endpoint::AccountList,
    Endpoint::UserList,
    Endpoint::OrderList,
    Endpoint::WebSocket,
];
