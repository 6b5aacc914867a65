//! [`TokenTimeout`]: how long a caller waits for a token.

use std::time::Duration;

use crate::error::TokenError;
use crate::shared_session::{Idle, Shared};
use crate::sync_primitives::Instant;

/// The longest sleep before the session's clock is read again. The clock of a sleep may stop while the machine is
/// suspended, but the session's clock does not.
pub const LONGEST_SLEEP: Duration = Duration::from_secs(15);
const _: () = assert!(LONGEST_SLEEP.as_secs() <= 30);

/// The time-out of one caller, counted from its first try.
#[derive(Debug)]
pub struct TokenTimeout(Option<Instant>);

impl TokenTimeout {
    /// Starts the time-out now.
    #[must_use]
    pub fn new(shared: &Shared) -> Self {
        Self(Instant::now().checked_add(shared.settings.token_timeout))
    }

    /// Returns the longest time to sleep before the next try.
    ///
    /// # Errors
    /// If waiting longer does not help.
    pub fn sleep(&self, shared: &Shared, idle: Idle) -> Result<Duration, TokenError> {
        let left = self.0.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
        let longest = match idle {
            Idle::Stopped(reason) => return Err(TokenError::Stopped(reason)),
            Idle::Wait(time) if time > left => return Err(shared.not_yet(time)),
            Idle::Wait(time) => time,
            Idle::Busy(_) if left.is_zero() || shared.is_calling_back() => {
                return Err(shared.not_yet(Duration::from_secs(1)));
            }
            Idle::Busy(time) => time.min(left),
        };
        Ok(longest.min(LONGEST_SLEEP))
    }
}
