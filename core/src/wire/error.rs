//! What can go wrong: before a request is built ([`BuildError`]) and instead of a result ([`Error`]).
//!
//! Both are matched on to decide and printed to tell the user what to do next. Neither holds a secret: text of the
//! server is bounded and masked, JSON errors keep positions only.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use crate::wire::moved::Moved;
use crate::wire::penalty::PenaltyTicket;

mod build;
mod refusal;
mod undecodable;

pub use build::BuildError;
pub use refusal::{Refusal, RefusalKind};
pub use undecodable::{Undecodable, UndecodableKind};

/// How long nothing may be sent after a lock-out, and an endpoint after a captcha (page *Rate Limits*).
pub const ONE_HOUR: Duration = Duration::from_secs(3600);

/// What a response can be instead of a result.
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
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server understood the request and said no.
    #[error("{0}")]
    Refused(Refusal),
    /// The request was not handled: send it again with the ticket once the wait is over (page *Rate Limits*).
    #[error("{0}")]
    Penalty(PenaltyTicket),
    /// The server wants a captcha, which no program can answer. Only this endpoint is closed, for about an hour. A person in
    /// front of the program can answer it: see [`PenaltyTicket::with_captcha_answer`].
    #[error("the server asks for a captcha, which no program can answer{}: one hour must pass without a request to this endpoint, from anybody at this network address", said(message.as_deref()))]
    Captcha {
        /// What the answer of a person is sent with, and the wait before it; `None` if the server gave no ticket.
        ticket: Option<PenaltyTicket>,
        /// What the server said (`p-message`).
        message: Option<String>,
    },
    /// 423 or 429: the network address is locked out, or about to be.
    #[error("locked out by the server ({}): {} must pass without any request{}; one made meanwhile starts the wait again", status.as_u16(), wait_text(*wait), until.map(|until| alloc::format!(", and none may be sent before {until}")).unwrap_or_default())]
    LockedOut {
        /// 423 (about to be locked out) or 429 (locked out).
        status: StatusCode,
        /// How long nothing may be sent: one hour, or `Retry-After` where that is longer, but at most a day.
        wait: Duration,
        /// The end of the wait where `Retry-After` named a date and the response had no `Date` to measure it by. It
        /// counts where it is later than `wait` from now; a session waits for a day at most.
        until: Option<Timestamp>,
    },
    /// The token is dead: no call will succeed with it again.
    #[error("the access token is dead: {reason}")]
    Unauthorized {
        /// Which of the two texts the server sent.
        reason: DeadToken,
    },
    /// A 401 that doesn't say that the token is dead: a missing permission, or a device that has to be approved. The
    /// session is fine; a new login would not help.
    #[error("the server forbids this call{}: the token may be fine; check the permissions of the app and the account, and whether the device has to be approved by e-mail", said(text.as_deref()))]
    Forbidden {
        /// What the server said, if anything.
        text: Option<String>,
    },
    /// 307, 308 or 421: the user's organization is served on another host.
    #[error("{0}")]
    Moved(Moved),
    /// The endpoint is served in the other environment: `/auth/me` on Live only, a user where it was created.
    #[error("wrong environment: the server says {}; use the environment it names", quoted(text))]
    WrongEnvironment {
        /// What the server said; it names the host.
        text: String,
    },
    /// Any other status.
    #[error("{}", status_text(*status, excerpt, *retry_after))]
    Status {
        /// The status of the response.
        status: StatusCode,
        /// What the server said: its error text, or the start of the body, as one printable line with values and
        /// tokens masked; empty where there was none.
        excerpt: String,
        /// `Retry-After`, where it was sent; at most a day.
        retry_after: Option<Duration>,
    },
    /// A 200 whose body is not the JSON that was expected.
    #[error("{0}")]
    Undecodable(Undecodable),
    /// A 200 without a field that a result needs.
    #[error("{}", incomplete_text(field, present))]
    Incomplete {
        /// The missing field's name on the wire.
        field: &'static str,
        /// The names of the fields that are there; empty also where what is there says nothing more.
        present: Vec<String>,
    },
    /// The answer contradicts itself or what is known. Nothing of it may be used.
    #[error("{0}, so {REPORT_IT}")]
    Contradiction(Contradiction),
}

impl Error {
    /// The error of an answer without this field.
    pub(crate) fn missing(field: &'static str) -> Self {
        Self::Incomplete { field, present: Vec::new() }
    }

    /// How long to wait before the same request may be sent again, where the server said so. After a captcha, this is the hour
    /// without an answer; the ticket has the wait before an answer.
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

    /// Whether the same request may succeed later without anybody changing anything. Wait for
    /// [`retry_after`](Self::retry_after), or with growing pauses where there is none.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Penalty(_) | Self::Captcha { .. } | Self::LockedOut { .. } => true,
            //= R-STATUS-2
            //= R-STATUS-7
            //= R-STATUS-10
            Self::Status { status, .. } => *status == StatusCode::REQUEST_TIMEOUT || status.is_server_error(),
            Self::Undecodable(undecodable) => undecodable.kind != UndecodableKind::Mismatch,
            _ => false,
        }
    }
}

/// Why a token is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DeadToken {
    /// `Expired Access Token`.
    #[error("it has expired and can't be renewed; log in again, or refresh it where it came by OAuth")]
    Expired,
    /// `Invalid access token`: the server doesn't know it, or knows it no longer.
    #[error("the server doesn't know it, perhaps because other logins closed the session; log in again, once")]
    Unknown,
}

/// Answers that must not be used.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Contradiction {
    /// A token beside an error or a penalty.
    #[error("the answer has a token beside a refusal{}", said(Some(text.as_str()).filter(|text| !text.is_empty())))]
    TokenBesideRefusal {
        /// What the server says, as one bounded, printable line without any token of the answer; empty if it says
        /// nothing that can be shown.
        text: String,
    },
    /// A camel-case and a snake-case field of one meaning that differ.
    #[error("the answer gives `{0}` twice with different values")]
    Twins(&'static str),
    /// An expiry that is not in the future.
    #[error("the answer has a token that has already expired, unless the clock here is wrong")]
    ExpiredAlready,
    /// An expiry beyond all calendars.
    #[error("the answer has a lifetime that can't be represented")]
    LifetimeOutOfRange,
    /// Another user than the session's.
    #[error("the answer is for another user")]
    OtherUser,
    /// A token that is not a bearer token.
    #[error("the answer has a token of another type than bearer")]
    NotBearer,
}

/// How far an exchange got that brought no response: what a transport tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The request did not leave: no address, no connection, no TLS.
    NotSent,
    /// The request may have been handled; its answer is lost.
    MaybeSent,
    /// The answer was too long to be read.
    Oversized,
    /// The answer broke off.
    Truncated,
}

const REPORT_IT: &str = "nothing of it is used; if it happens again, report it";

pub(crate) fn said(text: Option<&str>) -> String {
    text.map(|text| [" (it says ", &quoted(text), ")"].concat()).unwrap_or_default()
}

fn quoted(text: &str) -> String {
    ["\"", text, "\""].concat()
}

fn with(text: &str) -> String {
    if text.is_empty() { String::new() } else { [" with ", &quoted(text)].concat() }
}

fn incomplete_text(field: &str, present: &[String]) -> String {
    let only = if present.is_empty() { String::new() } else { [", only ", &present.join(", ")].concat() };
    let advice = match field {
        "accessToken" => {
            "a login may be asked for another step: approve the device by e-mail and keep the same deviceId"
        }
        _ => REPORT_IT,
    };
    ["the answer has no `", field, "`", &only, ": ", advice].concat()
}

fn wait_text(wait: Duration) -> String {
    let minutes = wait.as_secs().div_ceil(60);
    if minutes == 60 { "one hour".into() } else { alloc::format!("{minutes} minutes") }
}

fn status_text(status: StatusCode, excerpt: &str, retry_after: Option<Duration>) -> String {
    let advice = match status.as_u16() {
        300..=399 => "a redirect that is not followed; check the base URL",
        400 => "the request is malformed in the server's eyes; don't send it again unchanged",
        403 => "the call is not allowed; check the permissions of the app and the account",
        //= R-STATUS-6
        404 => "no such endpoint here, or the token is not accepted; check the base URL, which ends in /v1",
        408 => "a time-out, or the session was closed by another login; try again with growing pauses",
        500..=599 => "a fault on the server's side, perhaps maintenance; try again with growing pauses",
        _ => "not a status the vendor documents; check the base URL",
    };
    let again = status == StatusCode::REQUEST_TIMEOUT || status.is_server_error();
    let wait = retry_after.filter(|_| again).map(|wait| alloc::format!(", after {} s at the earliest", wait.as_secs()));
    [&answered_text(status, excerpt), ": ", advice, &wait.unwrap_or_default()].concat()
}

/// What the server answered, without what to do about it.
#[must_use]
pub fn answered_text(status: StatusCode, excerpt: &str) -> String {
    alloc::format!("the server answered {}{}", status.as_u16(), with(excerpt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_may_try_again_is_told_when() {
        let said = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            status_text(status, "", Some(Duration::from_secs(7)))
        };
        for (status, may_try_again) in [(408, true), (500, true), (503, true), (400, false), (404, false), (302, false)]
        {
            assert_eq!(said(status).ends_with(", after 7 s at the earliest"), may_try_again, "{}", said(status));
        }
    }
}
