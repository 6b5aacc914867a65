//! The messages of [`Error`]: first what happened, then what to do.
//!
//! A session prints only what happened, because it does the rest by itself.

use alloc::string::{String, ToString};
use core::fmt;
use core::time::Duration;

use super::{DeadToken, Error};
use crate::wire::status;

pub(super) const REPORT_IT: &str = "it is not used; if this happens again, report it to the authors of this library";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Undecodable(undecodable) => undecodable.fmt(f),
            error => write!(f, "{}{}", summary(error), advice(error)),
        }
    }
}

impl core::error::Error for Error {}

/// What happened, without advice.
#[must_use]
pub fn summary(error: &Error) -> String {
    match error {
        Error::Refused(refusal) => refusal.summary(),
        Error::Penalty(ticket) => ticket.to_string(),
        Error::Captcha { message, .. } => ["the server asks for a captcha", &said(message.as_deref())].concat(),
        Error::LockedOut { status, .. } => {
            alloc::format!("the server locked out this network address ({})", status.as_u16())
        }
        Error::Unauthorized { reason } => alloc::format!("the access token is dead: {reason}"),
        Error::Forbidden { text } => ["the server forbids this call", &said(text.as_deref())].concat(),
        Error::Moved(moved) => moved.to_string(),
        Error::WrongEnvironment { text } => ["wrong environment: the server says ", &quoted(text)].concat(),
        Error::Status { status, excerpt, .. } => {
            alloc::format!("the server answered {}{}", status.as_u16(), with(excerpt))
        }
        Error::Undecodable(undecodable) => undecodable.summary(),
        Error::Incomplete { field, present } => {
            let only = if present.is_empty() { String::new() } else { [", only ", &present.join(", ")].concat() };
            ["the answer has no `", field, "`", &only].concat()
        }
        Error::Contradiction(contradiction) => contradiction.to_string(),
    }
}

/// What to do, with the sign that separates it from the summary.
fn advice(error: &Error) -> String {
    match error {
        Error::Refused(_) | Error::Undecodable(_) | Error::Penalty(_) | Error::Moved(_) => String::new(),
        Error::Captcha { .. } => {
            ": a person can solve it; otherwise nobody at this network address may use this endpoint for one hour"
                .into()
        }
        Error::LockedOut { wait, until, .. } => {
            let until = until.map(|until| alloc::format!(", and until {until} if that is later")).unwrap_or_default();
            let wait = wait_text(*wait);
            alloc::format!(": send nothing for {wait}{until}; a request in this time starts the wait again")
        }
        Error::Unauthorized { reason } => dead_token_advice(*reason).into(),
        Error::Forbidden { .. } => {
            ": the token may be fine; check the permissions of the app and the account, and whether \
                                    the device has to be approved by e-mail"
                .into()
        }
        Error::WrongEnvironment { .. } => "; use the environment of the host in the server's text".into(),
        Error::Status { status, retry_after, .. } => status::advice(*status, *retry_after),
        Error::Incomplete { field: "accessToken", .. } => {
            ": the device may have to be approved; look for an e-mail of the \
                                                           vendor, and log in again with the same deviceId"
                .into()
        }
        Error::Incomplete { .. } => [": ", REPORT_IT].concat(),
        Error::Contradiction(_) => [", so ", REPORT_IT].concat(),
    }
}

pub(crate) fn said(text: Option<&str>) -> String {
    text.map(|text| [" (it says ", &quoted(text), ")"].concat()).unwrap_or_default()
}

fn quoted(text: &str) -> String {
    ["\"", text, "\""].concat()
}

/// The server's text with `with`, or nothing if it is empty.
pub(crate) fn with(text: &str) -> String {
    if text.is_empty() { String::new() } else { [" with ", &quoted(text)].concat() }
}

fn wait_text(wait: Duration) -> String {
    let minutes = wait.as_secs().div_ceil(60);
    if minutes == 60 { "one hour".into() } else { alloc::format!("{minutes} minutes") }
}

fn dead_token_advice(reason: DeadToken) -> &'static str {
    match reason {
        DeadToken::Expired => "; log in again, or refresh it if it is an OAuth token",
        DeadToken::Unknown => "; log in again, but only once",
    }
}
