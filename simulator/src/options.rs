//! The options: one switch for each behaviour of the real server that is disputed, changing or configurable. The
//! defaults are what most integrators have seen.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{endpoint::Endpoint, side::Side};

/// The switches of a simulator. Set them with the builder, or at run time with
/// [`Simulator::options_mut`](crate::Simulator::options_mut).
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each named by what it turns on")]
pub struct Options {
    /// Which side is simulated at hosts that the vendor has not published, such as 127.0.0.1. Default: Live.
    pub default_side: Side,
    /// How far the server's clock is ahead of the caller's; negative if it is behind. The server's clock decides every
    /// expiry. Default: zero.
    pub clock_skew: SignedDuration,
    /// Lifetime of an access token. Default: 80 minutes.
    pub lifetime: Duration,
    /// Lifetime of a refresh token. Default: 26 hours.
    pub refresh_lifetime: Duration,
    /// Lifetime of an authorization code. Default: 5 minutes.
    pub code_lifetime: Duration,
    /// The HTTP status of a refused login. Default: 200.
    pub refusal: RefusalStatus,
    /// The answer to a request with the token of a closed session. Default: 408.
    pub closed_session: ClosedSession,
    /// Whether `cid` may be text. If not, a textual `cid` gets 400. Default: yes.
    pub textual_cid: bool,
    /// Whether `expirationTime` has a fraction of a second. Default: yes.
    pub expiration_fraction: bool,
    /// Whether a renewal issues a new access token. If not, it extends the same one. Default: yes.
    pub renewal_changes_token: bool,
    /// Whether successful answers carry `errorText: ""`. If not, they have no `errorText`. Default: yes.
    pub empty_error_text: bool,
    /// Whether a login carries an `mdAccessToken`. If not, only a renewal does, as for an OAuth session. Default: yes.
    pub login_has_market_data_token: bool,
    /// Whether a renewal carries an `mdAccessToken`. An OAuth session gets one by renewal only. Default: yes.
    pub renewal_has_market_data_token: bool,
    /// Whether Live accepts tokens that Demo issued. It is not known whether the real server does. Default: no.
    pub live_accepts_demo_tokens: bool,
    /// Whether `/auth/oauthtoken` answers with a `userId`. Default: no.
    pub oauth_has_user_id: bool,
    /// Whether `/auth/oauthtoken` answers with an `mdAccessToken`. Default: no.
    pub oauth_has_market_data_token: bool,
    /// Whether each refresh opens a new session, so that a third session closes the oldest. If not, a refresh continues
    /// the session of its refresh token while that is open. Default: no.
    pub refresh_opens_session: bool,
    /// How long `/auth/me` omits the `userId` of a new OAuth session. Default: zero.
    pub user_id_delay: Duration,
    /// How long a client may send nothing on a socket before the server closes it. Default: 5 s, twice the interval at
    /// which clients have to send `[]`.
    pub socket_timeout: Duration,
    /// What a socket does when the token with which it was authorized expires. Default: the socket stays open.
    pub expired_socket: ExpiredSocket,
    /// The limits per hour and second. Default: the published ones.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            default_side: Side::Live,
            clock_skew: SignedDuration::ZERO,
            lifetime: Duration::from_secs(80 * 60),
            refresh_lifetime: Duration::from_secs(26 * 60 * 60),
            code_lifetime: Duration::from_secs(5 * 60),
            refusal: RefusalStatus::Ok,
            closed_session: ClosedSession::RequestTimeout,
            textual_cid: true,
            expiration_fraction: true,
            renewal_changes_token: true,
            empty_error_text: true,
            login_has_market_data_token: true,
            renewal_has_market_data_token: true,
            live_accepts_demo_tokens: false,
            oauth_has_user_id: false,
            oauth_has_market_data_token: false,
            refresh_opens_session: false,
            user_id_delay: Duration::ZERO,
            socket_timeout: Duration::from_secs(5),
            expired_socket: ExpiredSocket::StaysOpen,
            limits: Limits::default(),
        }
    }
}

/// The HTTP status of a refused login. The body is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalStatus {
    /// 200 with `errorText`.
    Ok,
    /// 401 with `errorText`.
    Unauthorized,
}

/// The answer to a request with the token of a closed session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedSession {
    /// 408 without a body.
    RequestTimeout,
    /// 429 without a body. It is not a lock-out.
    TooManyRequests,
    /// 500 with the text `Internal Server Error, error id: …`.
    InternalServerError,
    /// 401 with the text `Invalid access token`.
    Unauthorized,
}

/// What a socket does when its token expires. Reports from production disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiredSocket {
    /// The socket continues as before.
    StaysOpen,
    /// The socket stays connected and sends nothing more.
    FallsSilent,
    /// The server closes the socket.
    Closes,
}

/// Limits on requests. Each counts over a rolling hour, [`per_second`](Self::per_second) over a rolling second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Failed logins per network. Default: 5, back-off 15 s.
    pub access_token_request: EndpointLimit,
    /// Renewals per network, including successful ones. Default: 15, back-off 15 s.
    pub renew_access_token: EndpointLimit,
    /// Failed calls of `/auth/me` per network. Default: 10, back-off 30 s.
    pub me: EndpointLimit,
    /// How many violations of one endpoint's limit within an hour get a penalty. The next one gets a captcha. Default:
    /// 5.
    pub captcha_after: usize,
    /// The answer to a login over the limit. Default: a penalty ticket.
    pub over_limit: OverLimit,
    /// Requests with a valid token, per user. Default: 5000. Above it, the user is locked out with 429.
    pub authenticated: usize,
    /// Requests without a valid token, per network. Default: 1000. Above it, the network is locked out with 429.
    pub anonymous: usize,
    /// Requests in a second, per user with a valid token and per network without. Default: 100. Above it, the user or
    /// the network is locked out with 429.
    pub per_second: usize,
}

impl Limits {
    /// No limits. Penalties that a test orders still work.
    #[must_use]
    pub fn none() -> Self {
        let none = EndpointLimit { per_hour: usize::MAX, back_off: Duration::from_secs(15) };
        Self {
            access_token_request: none,
            renew_access_token: none,
            me: none,
            captcha_after: usize::MAX,
            over_limit: OverLimit::Penalty,
            authenticated: usize::MAX,
            anonymous: usize::MAX,
            per_second: usize::MAX,
        }
    }

    pub(crate) fn of(&self, endpoint: Endpoint) -> Option<EndpointLimit> {
        match endpoint {
            Endpoint::AccessTokenRequest => Some(self.access_token_request),
            Endpoint::RenewAccessToken => Some(self.renew_access_token),
            Endpoint::Me => Some(self.me),
            _ => None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            access_token_request: EndpointLimit { per_hour: 5, back_off: Duration::from_secs(15) },
            renew_access_token: EndpointLimit { per_hour: 15, back_off: Duration::from_secs(15) },
            me: EndpointLimit { per_hour: 10, back_off: Duration::from_secs(30) },
            captcha_after: 5,
            over_limit: OverLimit::Penalty,
            authenticated: 5000,
            anonymous: 1000,
            per_second: 100,
        }
    }
}

/// The limit of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointLimit {
    /// How many counted requests are allowed within a rolling hour. The next one is a violation.
    pub per_hour: usize,
    /// The wait after the first violation. Each further violation within the hour doubles it.
    pub back_off: Duration,
}

/// The answer to a login over the limit. Other endpoints always answer with a penalty ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverLimit {
    /// A penalty ticket, as documented.
    Penalty,
    /// `Incorrect username or password` although both are right, as seen in production.
    Refusal,
}
