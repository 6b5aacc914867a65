//! Changes of a source that sockets and connection pools must follow: another token, no token any more, other hosts, or
//! a stop.

use std::sync::Arc;
use std::time::Duration;

use tradovate_auth_core::Environment;
use tradovate_auth_session::StopReason;

use crate::shared_session::Shared;
use crate::token::Token;
use crate::token_timeout::LONGEST_SLEEP;

/// The changes since a watch was created, or since it returned the last change.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Change {
    /// The token that is valid now. `None` if there is none.
    pub token: Option<Token>,
    /// Whether there is another token, or no token any more.
    pub has_other_token: bool,
    /// Whether the hosts have changed. If so, connect to the new hosts.
    pub has_other_hosts: bool,
    /// Why the session has stopped. `None` if it has not.
    pub stopped: Option<StopReason>,
}

/// The state of a source that a watch saw last.
#[derive(Debug, Clone)]
pub struct Seen {
    generation: Option<u64>,
    environment: Arc<Environment>,
    is_stopped: bool,
}

impl Seen {
    /// The current state.
    #[must_use]
    pub fn current(shared: &Shared) -> Self {
        Self::of(shared.token().as_ref(), shared.environment(), shared.stop_reason().as_ref())
    }

    fn of(token: Option<&Token>, environment: Arc<Environment>, stopped: Option<&StopReason>) -> Self {
        Self { generation: token.map(Token::generation), environment, is_stopped: stopped.is_some() }
    }

    /// Compares the state with the last one, and returns the changes.
    ///
    /// # Errors
    /// If nothing has changed: the longest time to wait. Check again after this time, or as soon as the source changes.
    pub fn update(&mut self, shared: &Shared) -> Result<Change, Duration> {
        // If only the market data token has expired, the access token is still valid.
        shared.replace_ended_token();
        let (token, stopped) = (shared.token(), shared.stop_reason());
        let new = Self::of(token.as_ref(), shared.environment(), stopped.as_ref());
        let before = std::mem::replace(self, new);
        let change = Change {
            token,
            has_other_token: self.generation != before.generation,
            has_other_hosts: *self.environment != *before.environment,
            stopped,
        };
        let has_changed = change.has_other_token || change.has_other_hosts || self.is_stopped != before.is_stopped;
        if has_changed { Ok(change) } else { Err(shared.token_ends_in().unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP)) }
    }
}
