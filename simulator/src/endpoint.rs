//! The calls the simulated server has, and which one a method and path mean.

use http::Method;

/// A call of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST /v1/auth/accesstokenrequest`
    AccessTokenRequest,
    /// `GET /v1/auth/me`
    Me,
    /// `POST /v1/auth/oauthtoken`, also without `/v1`
    OauthToken,
    /// `GET /v1/auth/renewaccesstoken`
    RenewAccessToken,
    /// `GET /v1/account/list`: one call of the API proper, to see whether a token works there.
    AccountList,
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
            Self::WebSocket => "/v1/websocket",
        }
    }

    /// The only method the call answers to.
    #[must_use]
    pub fn method(self) -> Method {
        match self {
            Self::AccessTokenRequest | Self::OauthToken => Method::POST,
            Self::Me | Self::RenewAccessToken | Self::AccountList | Self::WebSocket => Method::GET,
        }
    }

    /// Whether the call is one of the four that get and keep tokens; only these are penalized.
    #[must_use]
    pub fn is_authentication(self) -> bool {
        !matches!(self, Self::AccountList | Self::WebSocket)
    }

    /// The call at a path, in whatever case it is written.
    pub(crate) fn at(path: &str) -> Option<Self> {
        if path.eq_ignore_ascii_case("/auth/oauthtoken") {
            return Some(Self::OauthToken);
        }
        [
            Self::AccessTokenRequest,
            Self::Me,
            Self::OauthToken,
            Self::RenewAccessToken,
            Self::AccountList,
            Self::WebSocket,
        ]
        .into_iter()
        .find(|endpoint| path.eq_ignore_ascii_case(endpoint.path()))
    }
}
