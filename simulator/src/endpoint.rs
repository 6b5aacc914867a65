//! The endpoints of the simulated server, and which endpoint a path means.

use http::Method;

/// An endpoint of the simulated server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST /v1/auth/accesstokenrequest`: the login with a password.
    AccessTokenRequest,
    /// `GET /v1/auth/me`, also without `/v1`: who the token belongs to.
    Me,
    /// `POST /v1/auth/oauthtoken`, also without `/v1`: exchanges an OAuth code, or refreshes.
    OauthToken,
    /// `GET /v1/auth/renewaccesstoken`, also without `/v1`: renews a token.
    RenewAccessToken,
    /// `GET /v1/account/list`: the user's accounts. Use it to check that the API accepts a token.
    AccountList,
    /// `GET /v1/user/list`: the user of the token.
    UserList,
    /// `GET /v1/order/list`: the orders. The list is always empty.
    OrderList,
    /// `GET /v1/websocket`: connects a socket; see [`Simulator::connect`](crate::Simulator::connect).
    WebSocket,
}

impl Endpoint {
    /// The path of the endpoint as the vendor's specification writes it, such as `/v1/auth/me`.
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

    /// The only HTTP method that the endpoint accepts.
    #[must_use]
    pub fn method(self) -> Method {
        match self {
            Self::AccessTokenRequest | Self::OauthToken => Method::POST,
            _ => Method::GET,
        }
    }

    /// Whether this is one of the four endpoints that issue or describe tokens. A penalty that a test orders without an
    /// endpoint applies only to these four.
    #[must_use]
    pub fn is_authentication(self) -> bool {
        matches!(self, Self::AccessTokenRequest | Self::Me | Self::OauthToken | Self::RenewAccessToken)
    }

    /// Whether the path is also served without `/v1`, as the vendor's guides write it.
    fn has_short_path(self) -> bool {
        matches!(self, Self::Me | Self::OauthToken | Self::RenewAccessToken)
    }

    /// The endpoint at a path, in any letter case.
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
