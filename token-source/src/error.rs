//! [`TokenError`]: why a source returns no token.

use std::time::Duration;

use tradovate_auth_session::StopReason;

/// Why a token source returns no token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// No token is available within the caller's time-out. Ask again after `retry_after`.
    #[error("no token for another {} s{}", retry_after.as_secs().max(1), because(reason.as_deref()))]
    NotYet {
        /// The shortest time until a token can be available.
        retry_after: Duration,
        /// The last failure, if there was one.
        reason: Option<String>,
    },
    /// The session has stopped. The reason says what to do.
    #[error(transparent)]
    Stopped(StopReason),
}

impl TokenError {
    /// How long to wait before asking again. `None` if asking again does not help.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotYet { retry_after, .. } => Some(*retry_after),
            Self::Stopped(_) => None,
        }
    }
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}
