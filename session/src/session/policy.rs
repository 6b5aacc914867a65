//! [`Policy`]: the settings of a session. With each value in its range, the session keeps the laws.

use core::time::Duration;

/// The shortest margin before the expiry of a token. The errors of the clock that processes introduce when they exchange
/// records are not larger if the store saves within this time.
pub(super) const SHORTEST_MARGIN: Duration = Duration::from_secs(5);

/// The settings of a session: when to renew, how long to wait for an answer, and how long to pause. The default of
/// 15 minutes for the renewal is the vendor's advice. A value outside its range is set to the nearest end of the range.
///
/// ```
/// use std::time::Duration;
/// use tradovate_auth_session::Policy;
///
/// let policy = Policy::default().with_renew_before(Duration::from_secs(20 * 60));
/// assert_eq!(policy.renew_before(), Duration::from_secs(20 * 60));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    renew_before: Duration,
    margin: Duration,
    deadline: Duration,
    longest_pause: Duration,
    prefers_refreshes: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            //= R-RENEW-4
            renew_before: Duration::from_secs(15 * 60),
            margin: Duration::from_secs(30),
            deadline: Duration::from_secs(45),
            longest_pause: Duration::from_secs(60),
            prefers_refreshes: false,
        }
    }
}

impl Policy {
    /// Sets how long before its expiry a token is renewed. Default 15 minutes, range 1 to 60 minutes. A token that
    /// lives less than twice this time is renewed at half its life. Renewals come up to a tenth of this time earlier,
    /// at random, so that many sessions do not renew at once.
    #[must_use]
    pub fn with_renew_before(mut self, renew_before: Duration) -> Self {
        self.renew_before = renew_before.clamp(Duration::from_secs(60), Duration::from_secs(3600));
        self
    }

    /// Sets how long before its expiry a token is no longer handed out. Default 30 seconds, range 5 seconds to 5
    /// minutes. If a tenth of the token's life is shorter, that counts instead.
    #[must_use]
    pub fn with_margin(mut self, margin: Duration) -> Self {
        self.margin = margin.clamp(SHORTEST_MARGIN, Duration::from_secs(300));
        self
    }

    /// Sets how long a request to the server or to the store may take before the session continues without its answer.
    /// Default 45 seconds, range 5 seconds to 5 minutes. Choose a longer time than the time-out of the HTTP client. The
    /// lease of a shared store is requested for one and a half times this time.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.clamp(Duration::from_secs(5), Duration::from_secs(300));
        self
    }

    /// Sets the longest pause between two tries of a request after faults, such as a lost connection or a 5xx. Default
    /// one minute, range 5 seconds to 10 minutes.
    #[must_use]
    pub fn with_longest_pause(mut self, pause: Duration) -> Self {
        self.longest_pause = pause.clamp(Duration::from_secs(5), Duration::from_secs(600));
        self
    }

    /// Sets whether an OAuth session refreshes even when it could renew. Default `false`. Choose `true` if many OAuth
    /// sessions share a network address: they then leave its fifteen renewals per hour to other sessions. A session
    /// that only refreshes gets no market data token, because only a renewal brings one. A session with a password
    /// ignores this setting and always renews.
    ///
    /// ```
    /// use tradovate_auth_session::Policy;
    ///
    /// let policy = Policy::default().with_refreshes_preferred(true);
    /// assert!(policy.prefers_refreshes());
    /// ```
    #[must_use]
    pub fn with_refreshes_preferred(mut self, is_preferred: bool) -> Self {
        self.prefers_refreshes = is_preferred;
        self
    }

    /// How long before its expiry a token is renewed.
    #[must_use]
    pub fn renew_before(&self) -> Duration {
        self.renew_before
    }

    /// How long before its expiry a token is no longer handed out.
    #[must_use]
    pub fn margin(&self) -> Duration {
        self.margin
    }

    /// How long a request may take before the session continues without its answer.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The longest pause between two tries of a request after faults.
    #[must_use]
    pub fn longest_pause(&self) -> Duration {
        self.longest_pause
    }

    /// Whether an OAuth session refreshes even when it could renew.
    #[must_use]
    pub fn prefers_refreshes(&self) -> bool {
        self.prefers_refreshes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_independent_and_clamped_to_its_bounds() {
        let seconds = Duration::from_secs;
        let set = |renew_before, margin, deadline, longest_pause| {
            let policy = Policy::default()
                .with_renew_before(seconds(renew_before))
                .with_margin(seconds(margin))
                .with_deadline(seconds(deadline))
                .with_longest_pause(seconds(longest_pause));
            [policy.renew_before(), policy.margin(), policy.deadline(), policy.longest_pause()]
        };
        assert_eq!(set(1000, 20, 30, 40), [1000, 20, 30, 40].map(seconds));
        assert_eq!(set(0, 0, 0, 0), [60, 5, 5, 5].map(seconds));
        assert_eq!(set(9999, 9999, 9999, 9999), [3600, 300, 300, 600].map(seconds));
    }
}
