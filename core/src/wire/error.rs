//! [`Error`]: why a response contains no result. [`BuildError`]: why a request can't be built.
//!
//! Match on an error to decide what to do. Print it to tell the user what to do. No error contains a secret: the
//! server's text is limited and masked, and JSON errors contain only positions.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use crate::wire::host_redirect::Moved;
use crate::wire::penalty::PenaltyTicket;
use crate::wire::refusal_texts::Refusal;
use crate::wire::status;

mod build_error;
mod display;
mod undecodable;

pub use build_error::BuildError;
pub use display::summary;
pub(crate) use display::{said, with};
pub use undecodable::{Undecodable, UndecodableKind};

/// How long nothing may be sent after a lock-out, and how long an endpoint is closed after a captcha (page *Rate
/// Limits*).
pub const ONE_HOUR: Duration = Duration::from_secs(3600);

/// Why a response contains no result, and what to do.
///
/// ```
/// use tradovate_auth_core::{AccessTokenRequest, Endpoint, Error, RefusalKind};
///
/// let answer = http::Response::new(r#"{"errorText":"The app is not registered"}"#);
/// match AccessTokenRequest::parse(answer) {
///     Err(Error::Refused(refusal)) => assert_eq!(refusal.kind, RefusalKind::AppNotRegistered),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// The server understood the request and refused it.
    Refused(Refusal),
    /// The server postponed the request and did not handle it. After the wait, send it again with the ticket (page
    /// *Rate Limits*).
    Penalty(PenaltyTicket),
    /// The server asks for a captcha, which a program can't answer. Only this endpoint is closed, for about an hour. A
    /// person can answer the captcha: see [`PenaltyTicket::with_captcha_answer`].
    Captcha {
        /// The ticket for a person's answer, and the wait before it. `None` if the server sent no ticket.
        ticket: Option<PenaltyTicket>,
        /// The server's text (`p-message`).
        message: Option<String>,
    },
    /// 423 or 429: the network address is locked out or about to be locked out.
    LockedOut {
        /// 423 (about to be locked out) or 429 (locked out).
        status: StatusCode,
        /// How long nothing may be sent: one hour, or `Retry-After` if that is longer, but at most one day.
        wait: Duration,
        /// The end of the wait, if `Retry-After` is a date and the response has no `Date` to compare it with. Use this
        /// time if it is later than `wait` from now. A session waits one day at most.
        until: Option<Timestamp>,
    },
    /// The server says that the token is dead: no call can succeed with it.
    Unauthorized {
        /// Which of the two texts the server sent.
        reason: DeadToken,
    },
    /// A 401 that does not say that the token is dead: usually a permission is missing, or the device has to be
    /// approved. The token is then still valid, and a new login does not help.
    Forbidden {
        /// The server's text. `None` if it sent none.
        text: Option<String>,
    },
    /// 307, 308 or 421: the user's organization is on another host.
    Moved(Moved),
    /// The request belongs to the other environment: only Live serves `/auth/me`, and each user exists in one
    /// environment.
    WrongEnvironment {
        /// The server's text. It names the host.
        text: String,
    },
    /// Any other status.
    Status {
        /// The status of the response.
        status: StatusCode,
        /// The server's text: its error text or the start of the body, as one printable line with values and tokens
        /// masked. Empty if there was none.
        excerpt: String,
        /// `Retry-After`, if the server sent it, at most one day.
        retry_after: Option<Duration>,
    },
    /// A 200 whose body is not the expected JSON.
    Undecodable(Undecodable),
    /// A 200 without a field that the result needs.
    Incomplete {
        /// The name of the missing field.
        field: &'static str,
        /// The names of the fields that the answer has. Empty if the error comes from the checks of a
        /// [`Grant`](crate::Grant).
        present: Vec<String>,
    },
    /// The answer contradicts itself or known facts. Nothing in it may be used.
    Contradiction(Contradiction),
}

impl Error {
    /// The error for an answer without the field `field`.
    pub(crate) fn missing(field: &'static str) -> Self {
        Self::Incomplete { field, present: Vec::new() }
    }

    /// How long to wait before the same request may be sent again, if the server said so. For a captcha without an
    /// answer, this is one hour. Before a request with a person's answer, wait as long as the ticket says.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Penalty(ticket) => Some(ticket.wait()),
            Self::Captcha { .. } => Some(ONE_HOUR),
            Self::LockedOut { wait, .. } => Some(*wait),
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the same request may succeed later without any change. Wait for [`retry_after`](Self::retry_after). If
    /// it is `None`, wait with growing pauses.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Penalty(_) | Self::Captcha { .. } | Self::LockedOut { .. } => true,
            Self::Status { status, .. } => status::may_succeed_later(*status),
            Self::Undecodable(undecodable) => undecodable.kind != UndecodableKind::Mismatch,
            _ => false,
        }
    }
}

/// Why a token is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DeadToken {
    /// `Expired Access Token`: the token has expired and can't be renewed.
    #[error("it has expired and can't be renewed")]
    Expired,
    /// `Invalid access token`: the server does not know the token, or no longer knows it.
    #[error("the server doesn't know it, perhaps because other logins closed its server session")]
    Unknown,
}

/// A contradiction in an answer, or between an answer and known facts. Such an answer must not be used.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Contradiction {
    /// The answer has a token together with an error or a penalty.
    #[error("the answer has a token beside a refusal{}", said(Some(text.as_str()).filter(|text| !text.is_empty())))]
    TokenBesideRefusal {
        /// The server's text, as one printable line of limited length without any token of the answer. Empty if nothing
        /// can be shown.
        text: String,
    },
    /// The answer has a field in camel case and in snake case, with different values.
    #[error("the answer gives `{0}` twice with different values")]
    Twins(&'static str),
    /// The expiry is not in the future.
    #[error("the answer has a token that has already expired, or the clock of this machine is wrong")]
    ExpiredAlready,
    /// The expiry is beyond the largest timestamp.
    #[error("the answer has a lifetime that can't be represented")]
    LifetimeOutOfRange,
    /// The answer is for another user than the session.
    #[error("the answer is for another user")]
    OtherUser,
    /// The token is not a bearer token.
    #[error("the answer has a token of another type than bearer")]
    NotBearer,
}

/// How far a request got if no complete answer arrived. A transport determines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The request was not sent: no address, no connection or no TLS.
    NotSent,
    /// No answer arrived. The server may have handled the request.
    MaybeSent,
    /// The answer was too long to be read.
    Oversized,
    /// The answer was incomplete. The server may have handled the request.
    Truncated,
}
