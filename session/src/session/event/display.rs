//! The messages of events: one line says what happened, and who acts next.

use alloc::string::String;
use core::fmt;

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use tradovate_auth_core::Failure;
use tradovate_auth_core::workspace_only::summary;

use super::{Event, EventKind};
use crate::store::{StoreError, StoreErrorKind};

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Display for EventKind {
    #[expect(clippy::too_many_lines, reason = "a message for each kind")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoggedIn { expires_at } => write!(f, "logged in: the token is valid until {expires_at:.0}"),
            Self::Renewed { expires_at } => write!(f, "renewed: the token is valid until {expires_at:.0}"),
            Self::Refreshed { expires_at } => write!(f, "refreshed: the token is valid until {expires_at:.0}"),
            Self::Adopted { expires_at } => write!(f, "adopted a token: it is valid until {expires_at:.0}"),
            Self::SnapshotNotUsed { mismatch } => {
                write!(
                    f,
                    "the session uses no token of the stored session: {mismatch}; the session continues without it: check \
                     which stored session the program gives it"
                )
            }
            Self::Failed { operation, trouble, retry_at, usable_until } => {
                write!(
                    f,
                    "{operation} failed: {trouble}; the session tries again after {}; {}",
                    up_to_second(*retry_at),
                    token_text(*usable_until)
                )
            }
            Self::Postponed { operation, until, usable_until } => {
                write!(
                    f,
                    "{operation} postponed by the server: the session sends it again after {}; {}",
                    up_to_second(*until),
                    token_text(*usable_until)
                )
            }
            Self::CaptchaAsked { operation, until, usable_until } => {
                write!(
                    f,
                    "the server asks for a captcha: the session sends no {operation} before {}; if the server asks again \
                     after that, a person has to solve the captcha; {}",
                    up_to_second(*until),
                    token_text(*usable_until)
                )
            }
            Self::LockedOut { until, usable_until } => {
                write!(
                    f,
                    "the server locked out this network address: the session sends nothing before {}; let no program at \
                     this address send anything before then, not even with a token; {}",
                    up_to_second(*until),
                    token_text(*usable_until)
                )
            }
            Self::Refused { error, retry_at, usable_until } => {
                write!(
                    f,
                    "the server refused credentials that worked before ({}): the session sends them once more after {}; \
                     {}; check the credentials",
                    summary(error),
                    up_to_second(*retry_at),
                    token_text(*usable_until)
                )
            }
            Self::SessionLost => f.write_str(
                "the server no longer accepts the token: the program has no token until the session gets a new one",
            ),
            Self::PossiblyKicked { until } => {
                write!(
                    f,
                    "the server closed the server session more than once: the program has no token, and the session \
                     neither logs in nor refreshes before {}; another program may log in as the same user: end that \
                     program",
                    up_to_second(*until)
                )
            }
            Self::HostsChanged => {
                f.write_str("the user's hosts have changed: the program has to connect to the new hosts")
            }
            Self::HostNotFollowed { key } => write!(
                f,
                "the server named a host for `{key}` that is not a usable host of the vendor, so the session does not use \
                 it: if this happens again, ask the vendor"
            ),
            Self::AccountNeedsAttention { status } => {
                write!(f, "the account is not active: ask the vendor about its status {status:?}")
            }
            Self::PasswordExpires { at, within_days } => {
                let days = if *within_days == 1 { "day" } else { "days" };
                write!(
                    f,
                    "the password expires within {within_days} {days}, at {at:.0}: set a new one at the vendor before \
                     then, and give it to the program"
                )
            }
            Self::PasswordExpired { at } => {
                write!(
                    f,
                    "the password expired at {at:.0}: the token stays valid, but the next login needs a new password; set \
                     one at the vendor, and give it to the program"
                )
            }
            Self::PasswordCompromised { hint } => {
                write!(
                    f,
                    "the password is in a known data breach ({hint:?}): set a new one at the vendor, and give it to \
                     the program"
                )
            }
            Self::ConsentDueBy { at } => write!(
                f,
                "the refresh token expires at {at:.0}: if no refresh of the session succeeds before then, the user has \
                 to authorize the app again"
            ),
            Self::RefreshRefused { until, usable_until } => f.write_str(&refresh_refused_text(*until, *usable_until)),
            Self::AppRefused { error, usable_until } => {
                write!(
                    f,
                    "the server refused the app ({}): the session only renews, and stops when it can no longer renew; {}; \
                     correct the app's settings and restart the program",
                    summary(error),
                    token_text(*usable_until)
                )
            }
            Self::RefreshOutcomeUnknown => f.write_str(
                "the answer to a refresh was lost, and the server may have replaced the refresh token: the session \
                 renews, if it can, before it sends the refresh token again",
            ),
            Self::StoreFailed { error, retry_at, usable_until } => {
                write!(
                    f,
                    "{}; the session asks the store again after {}; {}",
                    store_text(error),
                    up_to_second(*retry_at),
                    token_text(*usable_until)
                )
            }
            Self::StoreRestored => f.write_str("the store works again"),
            Self::Stopped(reason) => write!(f, "the session stopped, and the program has no token: {reason}"),
        }
    }
}

/// Whether the program has a token, and until when.
fn token_text(usable_until: Option<Timestamp>) -> String {
    match usable_until {
        Some(end) => alloc::format!("the token is usable until {end:.0}"),
        None => "the program has no token".into(),
    }
}

/// The time rounded up to a full second, so that a message never names a second that has begun.
fn up_to_second(at: Timestamp) -> Timestamp {
    at.round(TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Ceil)).unwrap_or(at)
}

fn store_text(error: &StoreError) -> String {
    let what = match error.kind() {
        StoreErrorKind::Unreachable => "the store can't be reached",
        StoreErrorKind::NotReadable => "the store can't be read",
        StoreErrorKind::NotWritable => "the store can't be written",
        StoreErrorKind::Misconfigured => "the store can't be used",
    };
    alloc::format!("{what}: {error}")
}

fn refresh_refused_text(until: Option<Timestamp>, usable_until: Option<Timestamp>) -> String {
    let token = token_text(usable_until);
    let if_none = if usable_until.is_some() { "it can't renew" } else { "the program needs a token" };
    match until {
        Some(until) => alloc::format!(
            "the server refused the refresh token: the session sends it again after {}, and only renews before then; \
             {token}; if {if_none} before then, the user has to authorize the app again",
            up_to_second(until)
        ),
        None => alloc::format!(
            "the server refused the refresh token: the session does not send it again, and renews as long as it can; \
             {token}; let the user authorize the app again"
        ),
    }
}

pub(super) fn refused_before_text(at: Timestamp, text: &str) -> String {
    let said = if text.is_empty() { String::new() } else { [" with \"", text, "\""].concat() };
    alloc::format!(
        "the server refused these credentials at {at:.0}{said}, so the session does not send them again: correct \
         them, and start with `another_try`"
    )
}

pub(super) fn failure_text(failure: Failure, host: &str, cause: Option<&str>) -> String {
    let text = match failure {
        Failure::NotSent => alloc::format!("nothing was sent to {host}"),
        Failure::Oversized => alloc::format!("the answer from {host} was too long"),
        Failure::Truncated => alloc::format!("the answer from {host} was incomplete"),
        _ => alloc::format!("no answer came from {host}"),
    };
    match cause {
        Some(cause) => alloc::format!("{text}: {cause}"),
        None => text,
    }
}
