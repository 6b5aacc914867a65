//! The few things about a session that can be tuned, within bounds that keep its laws.

use core::time::Duration;

/// When to renew, how long to wait, how often to try. The defaults are the vendor's advice; values out of bounds are
/// set to the nearest bound.
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
    /// How long before its expiry a token is renewed: 15 minutes unless set, 1 to 60 minutes; for a token that lives
    /// less than twice as long, half its life.
    #[must_use]
    pub fn with_renew_before(mut self, renew_before: Duration) -> Self {
        self.renew_before = renew_before.clamp(Duration::from_secs(60), Duration::from_secs(3600));
        self
    }

    /// How long before its expiry a token is no longer handed out: 30 seconds unless set, 5 seconds to 5 minutes; for a
    /// short-lived token a tenth of its life, where that is less.
    #[must_use]
    pub fn with_margin(mut self, margin: Duration) -> Self {
        self.margin = margin.clamp(Duration::from_secs(5), Duration::from_secs(300));
        self
    }

    /// How long an exchange may take before the session goes on without its answer: 45 seconds unless set, 5 seconds to
    /// 5 minutes. Give it more time than the HTTP client has.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.clamp(Duration::from_secs(5), Duration::from_secs(300));
        self
    }

    /// The longest pause between tries after faults: one minute unless set, 5 seconds to 10 minutes.
    #[must_use]
    pub fn with_longest_pause(mut self, pause: Duration) -> Self {
        self.longest_pause = pause.clamp(Duration::from_secs(5), Duration::from_secs(600));
        self
    }

    /// Whether an OAuth session refreshes although it could renew: no unless set. Choose it if many OAuth sessions share a
    /// network address, so that they leave the hour's fifteen renewals to others. Such a session gets no market data token,
    /// because only a renewal brings one. Sessions with a password renew whatever is set here.
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

    /// How long an exchange may take.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The longest pause between tries after faults.
    #[must_use]
    pub fn longest_pause(&self) -> Duration {
        self.longest_pause
    }

    /// Whether an OAuth session refreshes although it could renew.
    #[must_use]
    pub fn prefers_refreshes(&self) -> bool {
        self.prefers_refreshes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_kept_beside_the_others_and_set_to_the_nearest_bound() {
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
