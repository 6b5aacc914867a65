//! [`Event`]: what happens to a session, for logs, metrics and user interfaces. [`StopReason`]: why a session stopped.
//!
//! Reading events is optional. The session works the same if nobody reads them.

use alloc::string::String;

use jiff::Timestamp;
use tradovate_auth_core::workspace_only::summary;
use tradovate_auth_core::{BuildError, Error, Failure, HibpHint, UserStatus};

use crate::network_budget::Operation;
use crate::store::StoreError;
use crate::stored_session::OwnerMismatch;

mod display;

use display::{failure_text, refused_before_text};

/// Something that happened to a session, and when.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// When it happened, by the local clock.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a session. [`Display`](core::fmt::Display) prints one line for a log: what happened, what the
/// session does, and what the program or its user has to do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EventKind {
    /// The session logged in with a password or with an OAuth code, and has a new token.
    LoggedIn {
        /// When the token expires, by the server's clock.
        expires_at: Timestamp,
    },
    /// The session renewed its token.
    Renewed {
        /// When the token expires, by the server's clock.
        expires_at: Timestamp,
    },
    /// The session has a new token from an OAuth refresh.
    Refreshed {
        /// When the token expires, by the server's clock.
        expires_at: Timestamp,
    },
    /// The session adopted a token from a snapshot, from another process, or from the answer to a password change.
    Adopted {
        /// When the token expires, by the server's clock.
        expires_at: Timestamp,
    },
    /// A snapshot belongs to another owner, that is, to another login: see [`StoredSession`](crate::StoredSession). The
    /// session adopts only the limits of the network address from it.
    SnapshotNotUsed {
        /// How the owners differ.
        mismatch: OwnerMismatch,
    },
    /// A request failed. The session tries again by itself.
    Failed {
        /// The kind of request.
        operation: Operation,
        /// What the server answered, or how the connection failed.
        trouble: Trouble,
        /// The earliest time of the next try.
        retry_at: Timestamp,
        /// Until when the token can be used, by the local clock. `None` if there is no token that can be used.
        usable_until: Option<Timestamp>,
    },
    /// The server answered with a penalty. After the wait, the session sends the same request again, with the penalty
    /// ticket.
    Postponed {
        /// The kind of request.
        operation: Operation,
        /// The earliest time at which it is sent again.
        until: Timestamp,
        /// Until when the token can be used, by the local clock. `None` if there is no token that can be used.
        usable_until: Option<Timestamp>,
    },
    /// The server asks for a captcha. The session sends no request of this kind before `until`, which is about one hour
    /// later. If the server then asks again, a person has to answer the captcha.
    CaptchaAsked {
        /// The kind of request.
        operation: Operation,
        /// The earliest time of the next try.
        until: Timestamp,
        /// Until when the token can be used, by the local clock. `None` if there is no token that can be used.
        usable_until: Option<Timestamp>,
    },
    /// The server locked out this network address. The session sends nothing before `until`, and no other program at this
    /// address may send anything either, not even API calls with a valid token. The session renews no token in this time.
    LockedOut {
        /// When the lock-out ends.
        until: Timestamp,
        /// Until when the token can be used, by the local clock. `None` if there is no token that can be used.
        usable_until: Option<Timestamp>,
    },
    /// The server refused credentials that worked before. The session tries them once more after one hour, because such
    /// a refusal does not prove that they are wrong.
    Refused {
        /// What the server answered.
        error: Error,
        /// The earliest time of the next try.
        retry_at: Timestamp,
        /// Until when the token can be used, by the local clock. `None` if there is no token that can be used.
        usable_until: Option<Timestamp>,
    },
    /// The server no longer accepts the token, although the token has not expired: a renewal got a 401, or callers got
    /// refusals and three renewals failed. Probably the server closed the server session. The session holds no token
    /// now, and gets a new one by itself.
    SessionLost,
    /// The token was lost again within 15 minutes, or within two hours after the last event of this kind. Another
    /// program may log in as the same user. The session waits before it gets a new token, so that the two programs do
    /// not keep closing each other's server sessions. This event follows [`SessionLost`](Self::SessionLost).
    PossiblyKicked {
        /// The session neither logs in nor refreshes before this time.
        until: Timestamp,
    },
    /// The server moved the user to other hosts, or the session returned to the configured hosts. The program has to
    /// connect to the new hosts: see [`Session::environment`](crate::Session::environment).
    HostsChanged,
    /// The server named a host that the session does not use, because it is not a host of the vendor or is not a valid
    /// host name.
    HostNotFollowed {
        /// The key of the host in `apiHosts`.
        key: String,
    },
    /// The status of the user's account is not `Active`.
    AccountNeedsAttention {
        /// The status that the server reported.
        status: UserStatus,
    },
    /// The password expires within 14, 7 or 1 days. Its expiry does not affect the token, but the next login then needs
    /// a new password.
    PasswordExpires {
        /// When the password expires.
        at: Timestamp,
        /// 14, 7 or 1.
        within_days: i64,
    },
    /// The password has expired. This does not affect the token, but the next login needs a new password.
    PasswordExpired {
        /// When the password expired.
        at: Timestamp,
    },
    /// The vendor found the password in a known data breach.
    PasswordCompromised {
        /// What the vendor found.
        hint: HibpHint,
    },
    /// The answer to an exchange of a code or to a refresh says when the refresh token expires. The user has to
    /// authorize the app again if no refresh succeeds before then. A refresh usually brings a refresh token that
    /// expires later.
    ConsentDueBy {
        /// When the refresh token expires.
        at: Timestamp,
    },
    /// The server refused the refresh token twice, or once with the status 400. The session does not send it again
    /// before `until`, and renews as long as it can.
    RefreshRefused {
        /// When the session may send the refresh token again, six hours later. `None` if it never does, because the
        /// refresh token expires before that time or its expiry is unknown.
        until: Option<Timestamp>,
        /// Until when the token can be used, by the local clock. `None` if there is no token that can be used.
        usable_until: Option<Timestamp>,
    },
    /// The server refuses the app, not the refresh token. The session does not refresh with these settings again. It
    /// renews as long as it can, and then stops with this refusal. Correct the app's settings and start again.
    AppRefused {
        /// What the server answered.
        error: Error,
        /// Until when the token can be used, by the local clock. `None` if there is no token that can be used.
        usable_until: Option<Timestamp>,
    },
    /// The answer to a refresh was lost. The server may have replaced the refresh token. If the session can renew, it
    /// renews before it sends the refresh token again.
    RefreshOutcomeUnknown,
    /// The store can't be reached, read, written or used. Until it works again, the session holds new tokens back, and
    /// a session with a shared store sends no request. If a session with a shared store can't save a new token and the
    /// previous one has expired, it uses the new one all the same.
    StoreFailed {
        /// The error of the store, or what is wrong with the stored data.
        error: StoreError,
        /// The earliest time at which the session asks the store again.
        retry_at: Timestamp,
        /// Until when the token can be used, by the local clock. `None` if there is no token that can be used.
        usable_until: Option<Timestamp>,
    },
    /// The store works again after a failure.
    StoreRestored,
    /// The session stopped. It sends nothing more, and returns no token, until the program or its user acts.
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

/// Why a request brought no result.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The server's answer contains no result.
    #[error("{}", summary(.0))]
    Server(#[source] Error),
    /// No complete answer arrived.
    #[non_exhaustive]
    #[error("{}", failure_text(*failure, host, cause.as_deref()))]
    Io {
        /// How far the request got.
        failure: Failure,
        /// The host of the request.
        host: String,
        /// The error of the HTTP client, as one printable line of limited length: see
        /// [`Session::failed_because`](crate::Session::failed_because).
        cause: Option<String>,
    },
}

/// Why a session stopped. It continues only if the program or its user acts. If processes share the store, a session
/// that another process has stored can make it continue too.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StopReason {
    /// The server's answer shows that another try would not help:
    ///
    /// - the server refused credentials that never worked, or refused the second try of credentials that had worked
    /// - the server asks for a step that no program can take, such as the approval of a device
    /// - the server redirects the login to a host that the session does not use
    /// - the user's account is in another environment
    /// - the answer is for another user
    /// - the server calls the request malformed (status 400)
    /// - the server refused the exchange of a code, or answered it with something other than tokens
    /// - the server refused a refresh because of the app: correct the app's settings and start again with the same
    ///   snapshot
    #[error(transparent)]
    Refused(Error),
    /// The stored data says that the server refused the credentials before this start, so the session does not try them
    /// again. Correct them and ask for another try: see
    /// [`Session::with_another_try`](crate::Session::with_another_try).
    #[error("{}", refused_before_text(*at, text))]
    RefusedBefore {
        /// When the server refused them.
        at: Timestamp,
        /// The server's text, as one printable line of limited length.
        text: String,
    },
    /// The library could not build a request.
    #[error(transparent)]
    Unbuildable(BuildError),
    /// The session of an OAuth app has no refresh token that it may send: it expired, it was refused, or the session
    /// never had one. The user has to authorize the app again.
    #[error("the session has no valid refresh token: the user has to authorize the app again")]
    ConsentRequired,
    /// The session could not exchange the OAuth code while the code was valid, or the answer to the exchange was lost.
    /// The user has to authorize the app again.
    #[error(
        "the code was not exchanged while it was valid, or the answer was lost: the user has to authorize the app again"
    )]
    CodeLost,
    /// The program called [`Session::forget`](crate::Session::forget), or another process that shares the store did.
    #[error("a program told the session to forget its tokens: start the program again to log in")]
    Forgotten,
}
