//! Where the server's behaviour is disputed, changing or configurable: one switch each, as plain data.
//! The defaults are what most integrators have met.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{endpoint::Endpoint, side::Side};

/// The switches of a simulator. Set them on the builder, or while it runs through
/// [`Simulator::options_mut`](crate::Simulator::options_mut).
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each named by what it turns on")]
pub struct Options {
    /// The side played at hosts that are none of the published ones, such as 127.0.0.1.
    pub default_side: Side,
    /// How far the server's clock is ahead of the caller's; negative: behind. All expiry is decided by it.
    pub clock_skew: SignedDuration,
    /// Life of an access token: 80 minutes.
    pub lifetime: Duration,
    /// Life of a refresh token: 26 hours.
    pub refresh_lifetime: Duration,
    /// Life of an authorization code: five minutes.
    pub code_lifetime: Duration,
    /// The status of a refused login.
    pub refusal: RefusalStatus,
    /// What the token of a closed session gets.
    pub closed_session: ClosedSession,
    /// Whether `cid` may come as text. Refused text is a malformed request.
    pub textual_cid: bool,
    /// Whether `expirationTime` has a fraction of a second.
    pub expiration_fraction: bool,
    /// Whether a renewal brings a new token text rather than the same one.
    pub renewal_changes_token: bool,
    /// Whether an answer that is no error has `errorText: ""`, as the server sends it, or no `errorText`.
    pub empty_error_text: bool,
    /// Whether a login carries an `mdAccessToken`. If not, a renewal is the only way to one, as for an OAuth session.
    pub login_has_market_data_token: bool,
    /// Whether a renewal carries an `mdAccessToken`; of an OAuth session it is the only way to one.
    pub renewal_has_market_data_token: bool,
    /// Whether Live accepts tokens that Demo issued; nobody knows whether the real one does.
    pub live_accepts_demo_tokens: bool,
    /// Whether `/auth/oauthtoken` answers a `userId`.
    pub oauth_has_user_id: bool,
    /// Whether `/auth/oauthtoken` answers an `mdAccessToken`.
    pub oauth_has_market_data_token: bool,
    /// Whether each refresh opens a session of its own, so that the third closes the oldest: no. Otherwise it goes on with the
    /// session of its refresh token while that is open.
    pub refresh_opens_session: bool,
    /// How long `/auth/me` leaves out the `userId` of a new OAuth session: no time.
    pub user_id_delay: Duration,
    /// How long a client may send nothing on a socket before the server closes it: 5 seconds, twice the time in which a
    /// client has to send `[]`.
    pub socket_timeout: Duration,
    /// What a socket does when the token expires that it was authorized with.
    pub expired_socket: ExpiredSocket,
    /// The published limits.
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

/// The status of a refused login; the body is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalStatus {
    /// 200 with `errorText`.
    Ok,
    /// 401 with `errorText`.
    Unauthorized,
}

/// What a request with the token of a closed session gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedSession {
    /// 408 without a body.
    RequestTimeout,
    /// 429 without a body. It locks nobody out.
    TooManyRequests,
    /// 500 with an error id.
    InternalServerError,
    /// 401 with `Invalid access token`.
    Unauthorized,
}

/// What a socket does when its token expires. Reports from production disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiredSocket {
    /// Nothing: it goes on.
    StaysOpen,
    /// It stays connected and sends nothing more.
    FallsSilent,
    /// It is closed.
    Closes,
}

/// Requests per rolling hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Failed logins per network: 5, back-off 15 s.
    pub access_token_request: EndpointLimit,
    /// Renewals per network, successful ones included: 15, back-off 15 s.
    pub renew_access_token: EndpointLimit,
    /// Failed calls of `/auth/me` per network: 10, back-off 30 s.
    pub me: EndpointLimit,
    /// Violations of one endpoint within an hour that are answered with a wait; the next asks for a captcha: 5.
    pub captcha_after: usize,
    /// What a login over the limit gets.
    pub over_limit: OverLimit,
    /// Requests per user: 5000.
    pub authenticated: usize,
    /// Requests without a valid token per network: 1000.
    pub anonymous: usize,
}

impl Limits {
    /// No limit of any kind. Scripted penalties still work.
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
        }
    }
}

/// The limit of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointLimit {
    /// Counted requests within a rolling hour; one more is a violation.
    pub per_hour: usize,
    /// Wait of the first violation; each further one within the hour doubles it.
    pub back_off: Duration,
}

/// What a login over the limit gets; other endpoints always answer a penalty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverLimit {
    /// A penalty ticket, as documented.
    Penalty,
    /// `Incorrect username or password`, though they are right, as seen in production.
    Refusal,
}
