//! Why there is no token.

use std::time::Duration;

use tradovate_auth_session::StopReason;

/// Why a token source has no token to give.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Getting one takes longer than the caller waits. The source goes on by itself.
    #[error("no token for another {} s{}", retry_after.as_secs().max(1), because(reason.as_deref()))]
    NotYet {
        /// How long it takes at least.
        retry_after: Duration,
        /// The last thing that went wrong, where something did.
        reason: Option<String>,
    },
    /// The session has stopped for good; the reason says what to do.
    #[error(transparent)]
    Stopped(StopReason),
}

impl TokenError {
    /// How long to wait before asking again; nothing where asking again is no use.
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
