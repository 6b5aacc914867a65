//! What a session reports to its owner: events for logs, metrics and user interfaces, and the reason when it stops.
//!
//! Events are facts with a time; nothing has to be done about them for the session to go on.

use alloc::string::{String, ToString};
use core::fmt;

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use tradovate_auth_core::internal::answered_text;
use tradovate_auth_core::{BuildError, Error, Failure, HibpHint, UserStatus};

use crate::budget::Operation;
use crate::store::{StoreError, StoreErrorKind};
use crate::stored_session::OwnerMismatch;

/// Something that has happened to a session.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// When, by the clock of whoever drives the session.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
}

/// What has happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EventKind {
    /// A login brought a token: by a password, or by the code of a consent.
    LoggedIn {
        /// The token's expiry, in server time.
        expires_at: Timestamp,
    },
    /// A renewal brought a token.
    Renewed {
        /// The token's expiry, in server time.
        expires_at: Timestamp,
    },
    /// An OAuth refresh brought a token.
    Refreshed {
        /// The token's expiry, in server time.
        expires_at: Timestamp,
    },
    /// A token from elsewhere was taken over: from a snapshot, or from the answer to a change of password.
    Adopted {
        /// The token's expiry, in server time.
        expires_at: Timestamp,
    },
    /// A snapshot is another owner's: of its tokens, of what it knows of the credentials, and of its reminders nothing is
    /// taken over. The limits of the network address in it are kept.
    SnapshotNotUsed {
        /// What is another.
        mismatch: OwnerMismatch,
    },
    /// An exchange failed; another try follows by itself.
    Failed {
        /// What was asked for.
        operation: Operation,
        /// What came instead.
        trouble: Trouble,
        /// The next try is not before this.
        retry_at: Timestamp,
    },
    /// The server has postponed a request; it goes out again with the ticket it gave.
    Postponed {
        /// What was asked for.
        operation: Operation,
        /// When it goes out again.
        until: Timestamp,
    },
    /// The server asks for a captcha. A person may have to answer it: nothing of this kind is sent before `until`.
    CaptchaAsked {
        /// The endpoint that is closed.
        operation: Operation,
        /// When it is tried again.
        until: Timestamp,
    },
    /// The network address is locked out: nothing leaves before `until`.
    LockedOut {
        /// The end of the silence.
        until: Timestamp,
    },
    /// Credentials that have worked before were refused, which may have other reasons; they are tried once more.
    Refused {
        /// What the server answered.
        error: Error,
        /// When they are tried once more.
        retry_at: Timestamp,
    },
    /// The server has ended the session before its time.
    SessionLost,
    /// The session was lost more than once within a quarter of an hour: another program may be logging in with the same
    /// user. Answering would start a ping-pong, so the next login waits.
    PossiblyKicked {
        /// The next login is not before this.
        next_log_in: Timestamp,
    },
    /// The hosts in force have changed: connect to the new ones.
    HostsChanged,
    /// A host the server named is not followed: it is not one of the vendor's own, or no hostname.
    HostNotFollowed {
        /// Its key in `apiHosts`.
        key: String,
    },
    /// The user's account is not simply active.
    AccountNeedsAttention {
        /// What the server calls it.
        status: UserStatus,
    },
    /// The password expires within 14, 7 or 1 days. Tokens are not affected; the next login would be.
    PasswordExpires {
        /// When.
        at: Timestamp,
        /// Within how many days.
        within_days: i64,
    },
    /// The password has expired. Tokens are not affected; the next login is.
    PasswordExpired {
        /// When.
        at: Timestamp,
    },
    /// The password is in a known breach.
    PasswordCompromised {
        /// What is known.
        hint: HibpHint,
    },
    /// The refresh token has to be used before this, or the user has to consent again. Each refresh postpones this time.
    ConsentDueBy {
        /// The end of the refresh token.
        at: Timestamp,
    },
    /// The refresh token was refused twice; it is not presented again before `until`. The session is extended by
    /// renewals meanwhile.
    RefreshRefused {
        /// When it may be presented again; never, where its end is not announced or comes first.
        until: Option<Timestamp>,
    },
    /// The server refuses the app, not the refresh token. The token is not presented with these settings again. Renewals
    /// extend the session; once its token has ended, it stops with this refusal. Correct the app's settings and start again.
    AppRefused {
        /// What the server answered.
        error: Error,
    },
    /// The answer to a refresh is lost: whether the refresh token has been replaced is not known.
    RefreshOutcomeUnknown,
    /// The store can't be reached, read or written. A new token is not used before it is stored, and a session with a
    /// shared store sends nothing.
    StoreFailed {
        /// What the store says, or what is wrong with what it holds.
        error: StoreError,
        /// The store is not asked again before this.
        retry_at: Timestamp,
        /// How long the token that is held can be used, in local time; `None` if no token is held.
        usable_until: Option<Timestamp>,
    },
    /// The store works again.
    StoreRestored,
    /// The session does nothing more by itself.
    Stopped(StopReason),
}

impl EventKind {
    /// The name of this kind of event, for metrics: lower case with underscores. Names never change.
    ///
    /// ```
    /// use tradovate_auth_session::EventKind;
    ///
    /// assert_eq!(EventKind::SessionLost.name(), "session_lost");
    /// ```
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::LoggedIn { .. } => "logged_in",
            Self::Renewed { .. } => "renewed",
            Self::Refreshed { .. } => "refreshed",
            Self::Adopted { .. } => "adopted",
            Self::SnapshotNotUsed { .. } => "snapshot_not_used",
            Self::Failed { .. } => "failed",
            Self::Postponed { .. } => "postponed",
            Self::CaptchaAsked { .. } => "captcha_asked",
            Self::LockedOut { .. } => "locked_out",
            Self::Refused { .. } => "refused",
            Self::SessionLost => "session_lost",
            Self::PossiblyKicked { .. } => "possibly_kicked",
            Self::HostsChanged => "hosts_changed",
            Self::HostNotFollowed { .. } => "host_not_followed",
            Self::AccountNeedsAttention { .. } => "account_needs_attention",
            Self::PasswordExpires { .. } => "password_expires",
            Self::PasswordExpired { .. } => "password_expired",
            Self::PasswordCompromised { .. } => "password_compromised",
            Self::ConsentDueBy { .. } => "consent_due_by",
            Self::RefreshRefused { .. } => "refresh_refused",
            Self::AppRefused { .. } => "app_refused",
            Self::RefreshOutcomeUnknown => "refresh_outcome_unknown",
            Self::StoreFailed { .. } => "store_failed",
            Self::StoreRestored => "store_restored",
            Self::Stopped(_) => "stopped",
        }
    }
}

/// What came instead of a result.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The server answered, but not with a result.
    #[error("{}", server_text(.0))]
    Server(#[source] Error),
    /// No whole answer came.
    #[non_exhaustive]
    #[error("{}", failure_text(*failure, host, cause.as_deref()))]
    Io {
        /// How far the exchange got.
        failure: Failure,
        /// The host that was called.
        host: String,
        /// What the HTTP client said, as one bounded, printable line: see
        /// [`Session::failed_because`](crate::Session::failed_because).
        cause: Option<String>,
    },
}

/// What the session does about a status by itself needs no advice.
fn server_text(error: &Error) -> String {
    match error {
        Error::Status { status, excerpt, .. } => answered_text(*status, excerpt),
        error => error.to_string(),
    }
}

fn refused_before_text(at: Timestamp, text: &str) -> String {
    let said = if text.is_empty() { String::new() } else { [" with \"", text, "\""].concat() };
    alloc::format!(
        "the server refused these credentials at {at:.0}{said}, so they are not tried again by themselves: correct them, and \
         ask for another try"
    )
}

fn failure_text(failure: Failure, host: &str, cause: Option<&str>) -> String {
    let what = match failure {
        Failure::NotSent => "nothing was sent to",
        Failure::Oversized => "the answer was too long from",
        Failure::Truncated => "the answer broke off from",
        _ => "no answer came from",
    };
    let cause = cause.map(|cause| alloc::format!(": {cause}")).unwrap_or_default();
    alloc::format!("{what} {host}{cause}")
}

/// Why a session has stopped for good: only its owner can help.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StopReason {
    /// The login was refused: the first one, or one that was tried again an hour after a refusal. Also where the server
    /// asks for a step no program can take, where the user is served somewhere else, where the answer is for another
    /// user, where the server calls the request malformed, where the exchange of a code was refused, and where a refresh was
    /// refused because of the app: correct its settings then, and start again with the same snapshot.
    #[error(transparent)]
    Refused(Error),
    /// The server has refused the credentials before this start, by what is stored, so they are not tried again. Correct them
    /// and ask for another try: see [`Session::with_another_try`](crate::Session::with_another_try).
    #[error("{}", refused_before_text(*at, text))]
    RefusedBefore {
        /// When it refused them.
        at: Timestamp,
        /// What it said then, as one bounded, printable line.
        text: String,
    },
    /// A request can't be built.
    #[error(transparent)]
    Unbuildable(BuildError),
    /// The refresh token has ended or was refused: the user has to consent again.
    #[error("the refresh token is no longer good: the user has to authorize the app again")]
    ConsentRequired,
    /// The code of a consent could not be exchanged while it was good, or the answer to its exchange is lost: the user has
    /// to consent again.
    #[error(
        "the code was not exchanged while it was good, or the answer is lost: the user has to authorize the app again"
    )]
    CodeLost,
    /// The owner had it forget everything.
    #[error("the session was forgotten")]
    Forgotten,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoggedIn { expires_at } => write!(f, "logged in, good until {expires_at:.0}"),
            Self::Renewed { expires_at } => write!(f, "renewed, good until {expires_at:.0}"),
            Self::Refreshed { expires_at } => write!(f, "refreshed, good until {expires_at:.0}"),
            Self::Adopted { expires_at } => write!(f, "adopted a token, good until {expires_at:.0}"),
            Self::SnapshotNotUsed { mismatch } => write!(f, "a snapshot of another owner is not used: {mismatch}"),
            Self::Failed { operation, trouble, retry_at } => {
                write!(f, "{operation} failed: {trouble}; next try at {}", up_to_second(*retry_at))
            }
            Self::Postponed { operation, until } => {
                write!(f, "{operation} postponed by the server until {}", up_to_second(*until))
            }
            Self::CaptchaAsked { operation, until } => {
                write!(f, "the server asks for a captcha: no {operation} before {}", up_to_second(*until))
            }
            Self::LockedOut { until } => write!(f, "locked out: nothing is sent before {}", up_to_second(*until)),
            Self::Refused { error, retry_at } => write!(f, "{error}; tried once more at {}", up_to_second(*retry_at)),
            Self::SessionLost => f.write_str("the server has ended the session"),
            Self::PossiblyKicked { next_log_in } => {
                write!(
                    f,
                    "possibly kicked by another program with the same user: no login before {}",
                    up_to_second(*next_log_in)
                )
            }
            Self::HostsChanged => f.write_str("the hosts in force have changed"),
            Self::HostNotFollowed { key } => write!(f, "the host named for `{key}` is not followed"),
            Self::AccountNeedsAttention { status } => write!(f, "the account needs attention: {status:?}"),
            Self::PasswordExpires { at, within_days } => {
                let days = if *within_days == 1 { "day" } else { "days" };
                write!(f, "the password expires within {within_days} {days}, at {at:.0}")
            }
            Self::PasswordExpired { at } => {
                write!(f, "the password has expired, at {at:.0}: the next login needs a new one")
            }
            Self::PasswordCompromised { hint } => write!(f, "the password is in a known breach: {hint:?}"),
            Self::ConsentDueBy { at } => write!(f, "without a refresh, a new consent is due by {at:.0}"),
            Self::RefreshRefused { until: Some(until) } => {
                write!(
                    f,
                    "the refresh token was refused and is not presented again before {until:.0}; once the access token \
                     has ended, only another consent helps until then"
                )
            }
            Self::RefreshRefused { until: None } => {
                f.write_str("the refresh token was refused and is not presented again: the user has to consent again")
            }
            Self::AppRefused { error } => {
                write!(f, "the app was refused, so the session lives by renewals until its token ends: {error}")
            }
            Self::RefreshOutcomeUnknown => {
                f.write_str("the answer to a refresh is lost; its outcome is unknown, so a renewal comes first")
            }
            Self::StoreFailed { error, retry_at, usable_until } => {
                let what = match error.kind() {
                    StoreErrorKind::Unreachable => "the store can't be reached",
                    StoreErrorKind::NotReadable => "the store can't be read",
                    StoreErrorKind::NotWritable => "the store can't be written",
                    StoreErrorKind::Misconfigured => "the store can't be used",
                };
                write!(f, "{what}: {error}; next try at {}; ", up_to_second(*retry_at))?;
                match usable_until {
                    Some(end) => write!(f, "the token can be used until {end:.0}"),
                    None => f.write_str("no token is held"),
                }
            }
            Self::StoreRestored => f.write_str("the store works again"),
            Self::Stopped(reason) => write!(f, "stopped: {reason}"),
        }
    }
}

/// The first full second from which on something is tried again, so that it is never shown as the present second.
fn up_to_second(at: Timestamp) -> Timestamp {
    at.round(TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Ceil)).unwrap_or(at)
}
