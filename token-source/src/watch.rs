//! What a socket or a pool of connections has to know of a source: another token, the end of it, other hosts, a stop.

use std::sync::Arc;
use std::time::Duration;

use tradovate_auth_core::Environment;
use tradovate_auth_session::StopReason;

use crate::shared_session::Shared;
use crate::token::Token;
use crate::token_timeout::LONGEST_SLEEP;

/// What has changed since a watch was created, or since its last change.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Change {
    /// The token that is valid now. `None` if there is none.
    pub token: Option<Token>,
    /// The token is another one than before, or there is one no longer.
    pub has_other_token: bool,
    /// The hosts in force are others than before: connect to them.
    pub has_other_hosts: bool,
    /// Why the session has stopped, if it has.
    pub stopped: Option<StopReason>,
}

/// The state that a watch has seen last.
#[derive(Debug, Clone)]
pub struct Seen {
    generation: Option<u64>,
    environment: Arc<Environment>,
    is_stopped: bool,
}

impl Seen {
    /// The state at this moment.
    #[must_use]
    pub fn now(shared: &Shared) -> Self {
        Self::of(shared.token().as_ref(), shared.environment(), shared.stop_reason().as_ref())
    }

    fn of(token: Option<&Token>, environment: Arc<Environment>, stopped: Option<&StopReason>) -> Self {
        Self { generation: token.map(Token::generation), environment, is_stopped: stopped.is_some() }
    }

    /// What has changed since.
    ///
    /// # Errors
    /// How long the state stays as it is by itself, at most: check again then, or when the source changes.
    pub fn update(&mut self, shared: &Shared) -> Result<Change, Duration> {
        // The end of a market data token is not the end of the access token.
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
