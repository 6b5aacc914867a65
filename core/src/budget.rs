//! What one network address may still send (page *Rate Limits*): the hourly windows of the endpoints, lock-outs, and
//! endpoints that a captcha has closed.
//!
//! The server counts by network address and not by user, so all sessions behind one address share one budget. Times
//! come in as arguments and go out as the earliest moment a request may leave.

use alloc::collections::VecDeque;
use core::fmt;
use core::time::Duration;

use jiff::Timestamp;

use crate::clock::{later, merge};
use crate::error::ONE_HOUR;

/// What a request asks the server to do; the server counts each kind by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// `accesstokenrequest`.
    LogIn,
    /// `renewaccesstoken`.
    Renew,
    /// `oauthtoken`: a refresh, or the exchange of a code.
    Refresh,
    /// `me`.
    Identify,
}

impl Operation {
    pub(crate) const ALL: [Self; 4] = [Self::LogIn, Self::Renew, Self::Refresh, Self::Identify];

    /// How many requests an hour are sent. One failed login stays in reserve for the human behind the same address. For
    /// `oauthtoken` no limit of its own is published, but it has no bearer: without one, an address has a thousand requests
    /// an hour, and is locked out after that.
    const fn per_hour(self) -> usize {
        match self {
            Self::LogIn => 4,
            Self::Renew => 15,
            Self::Identify => 10,
            Self::Refresh => 950,
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::LogIn => 0,
            Self::Renew => 1,
            Self::Refresh => 2,
            Self::Identify => 3,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LogIn => "login",
            Self::Renew => "renewal",
            Self::Refresh => "OAuth exchange",
            Self::Identify => "who-am-I",
        })
    }
}

/// The budget of one network address.
///
/// ```
/// use jiff::{SignedDuration, Timestamp};
/// use tradovate_auth_core::{Operation, RateBudget};
///
/// let now: Timestamp = "2026-11-24T14:00:00Z".parse()?;
/// let mut budget = RateBudget::default();
/// for _ in 0..15 {
///     assert_eq!(budget.earliest(now, Operation::Renew), now);
///     budget.take(now, Operation::Renew);
/// }
/// assert_eq!(budget.earliest(now, Operation::Renew), now + SignedDuration::from_hours(1));
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct RateBudget {
    locked_until: Option<Timestamp>,
    closed_until: [Option<Timestamp>; 4],
    taken: [VecDeque<Timestamp>; 4],
    is_unlimited: bool,
}

impl RateBudget {
    /// A budget without hourly windows, for a server that has none, such as a simulator whose tokens live for seconds.
    /// Lock-outs and captchas are heeded all the same. Never use it with the vendor's hosts: it gets the address locked
    /// out.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { is_unlimited: true, ..Self::default() }
    }

    /// The earliest moment, `now` or later, at which a request of this kind may leave.
    #[must_use]
    pub fn earliest(&self, now: Timestamp, operation: Operation) -> Timestamp {
        let closed = self.closed_until.get(operation.index()).copied().flatten();
        let window = self.taken.get(operation.index()).and_then(|taken| {
            let newest_to_wait_for = taken.len().checked_sub(operation.per_hour())?;
            taken.get(newest_to_wait_for).map(|taken| later(*taken, ONE_HOUR))
        });
        [self.locked_until, closed, window].into_iter().flatten().fold(now, Timestamp::max)
    }

    /// Notes that a request leaves.
    pub fn take(&mut self, now: Timestamp, operation: Operation) {
        if let Some(taken) = self.taken.get_mut(operation.index()).filter(|_| !self.is_unlimited) {
            while taken.front().is_some_and(|oldest| later(*oldest, ONE_HOUR) <= now) {
                taken.pop_front();
            }
            taken.push_back(now);
        }
    }

    /// Gives back what was taken at `taken_at`, because the server doesn't count it: a login or `me` that succeeded,
    /// or a request that never arrived.
    pub fn give_back(&mut self, taken_at: Timestamp, operation: Operation) {
        if let Some(taken) = self.taken.get_mut(operation.index())
            && let Some(index) = taken.iter().rposition(|taken| *taken == taken_at)
        {
            taken.remove(index);
        }
    }

    /// When requests of a kind left that the server may still count.
    pub(crate) fn taken(&self, now: Timestamp, operation: Operation) -> impl Iterator<Item = Timestamp> {
        let taken = self.taken.get(operation.index()).into_iter().flatten().copied();
        taken.filter(move |taken| later(*taken, ONE_HOUR) > now)
    }

    /// Counts what another process behind the address has sent.
    pub(crate) fn learn(&mut self, operation: Operation, sent: impl IntoIterator<Item = Timestamp>) {
        if let Some(taken) = self.taken.get_mut(operation.index()).filter(|_| !self.is_unlimited) {
            merge(taken, sent);
            let newest = taken.back().copied().unwrap_or(Timestamp::MIN);
            taken.retain(|taken| later(*taken, ONE_HOUR) > newest);
        }
    }

    /// The time from which on nothing in it counts any more.
    pub(crate) fn counts_until(&self) -> Timestamp {
        let closed = self.closed_until.iter().copied().chain([self.locked_until]).flatten();
        let taken = self.taken.iter().filter_map(|taken| taken.back()).map(|taken| later(*taken, ONE_HOUR));
        closed.chain(taken).max().unwrap_or(Timestamp::MIN)
    }

    /// Nothing at all may leave before `until`: the address is locked out, or about to be.
    pub fn lock_out(&mut self, until: Timestamp) {
        self.locked_until = self.locked_until.max(Some(until));
    }

    /// Nothing of this kind may leave before `until`: the endpoint asks for a captcha.
    pub fn close(&mut self, operation: Operation, until: Timestamp) {
        if let Some(closed) = self.closed_until.get_mut(operation.index()) {
            *closed = (*closed).max(Some(until));
        }
    }

    /// The end of the lock-out, if there is one at `now`.
    #[must_use]
    pub fn locked_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.locked_until.filter(|until| *until > now)
    }

    /// The moment an endpoint that a captcha has closed opens again, if it is closed at `now`.
    #[must_use]
    pub fn closed_until(&self, now: Timestamp, operation: Operation) -> Option<Timestamp> {
        self.closed_until.get(operation.index()).copied().flatten().filter(|until| *until > now)
    }
}

/// How long an endpoint stays closed after a captcha was asked for.
pub(crate) const CAPTCHA_CLOSES_FOR: Duration = ONE_HOUR;

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn start() -> Timestamp {
        "2026-11-24T14:00:00Z".parse().unwrap()
    }

    fn minutes(minutes: i64) -> SignedDuration {
        SignedDuration::from_mins(minutes)
    }

    #[test]
    fn a_rolling_window_frees_one_place_at_a_time() {
        let mut budget = RateBudget::default();
        for minute in 0..4 {
            budget.take(start() + minutes(minute), Operation::LogIn);
        }
        let now = start() + minutes(10);
        assert_eq!(budget.earliest(now, Operation::LogIn), start() + minutes(60));
        budget.take(start() + minutes(60), Operation::LogIn);
        assert_eq!(budget.earliest(start() + minutes(60), Operation::LogIn), start() + minutes(61));
        assert_eq!(budget.earliest(now, Operation::Renew), now);
    }

    #[test]
    fn what_is_given_back_is_free_again() {
        let mut budget = RateBudget::default();
        for minute in 0..4 {
            budget.take(start() + minutes(minute), Operation::LogIn);
        }
        budget.give_back(start() + minutes(2), Operation::LogIn);
        let now = start() + minutes(10);
        assert_eq!(budget.earliest(now, Operation::LogIn), now);
        budget.give_back(start() + minutes(2), Operation::LogIn);
        budget.take(now, Operation::LogIn);
        assert_eq!(budget.earliest(now, Operation::LogIn), start() + minutes(60));
    }

    #[test]
    fn refreshes_leave_room_in_the_thousand_anonymous_requests_of_an_hour() {
        let mut budget = RateBudget::default();
        for _ in 0..949 {
            budget.take(start(), Operation::Refresh);
        }
        assert_eq!(budget.earliest(start(), Operation::Refresh), start());
        budget.take(start(), Operation::Refresh);
        assert_eq!(budget.earliest(start(), Operation::Refresh), start() + minutes(60));
    }

    #[test]
    fn without_hourly_limits_only_lock_outs_count() {
        let mut budget = RateBudget::unlimited();
        for _ in 0..100 {
            budget.take(start(), Operation::Renew);
        }
        budget.learn(Operation::Renew, [start(); 20]);
        assert_eq!(budget.earliest(start(), Operation::Renew), start());
        budget.lock_out(start() + minutes(60));
        assert_eq!(budget.earliest(start(), Operation::Renew), start() + minutes(60));
    }

    #[test]
    fn what_another_process_has_sent_counts_once() {
        let mut budget = RateBudget::default();
        budget.take(start(), Operation::LogIn);
        let told = [start() + SignedDuration::from_secs(1), start() + SignedDuration::from_secs(15)];
        for _ in 0..3 {
            budget.learn(Operation::LogIn, told);
        }
        let now = start() + minutes(1);
        assert_eq!(budget.taken(now, Operation::LogIn).count(), 2);
        assert_eq!(budget.taken(start() + minutes(60), Operation::LogIn).count(), 1, "the first is an hour old");
    }

    #[test]
    fn a_lock_out_silences_everything_and_is_never_shortened() {
        let mut budget = RateBudget::default();
        budget.lock_out(start() + minutes(60));
        budget.lock_out(start() + minutes(30));
        for operation in Operation::ALL {
            assert_eq!(budget.earliest(start(), operation), start() + minutes(60));
        }
        assert_eq!(budget.locked_until(start()), Some(start() + minutes(60)));
        assert_eq!(budget.locked_until(start() + minutes(60)), None);
    }

    #[test]
    fn a_captcha_closes_its_endpoint_alone() {
        let mut budget = RateBudget::default();
        budget.close(Operation::LogIn, start() + minutes(60));
        assert_eq!(budget.earliest(start(), Operation::LogIn), start() + minutes(60));
        assert_eq!(budget.earliest(start(), Operation::Renew), start());
        assert_eq!(budget.closed_until(start(), Operation::LogIn), Some(start() + minutes(60)));
        assert_eq!(budget.closed_until(start() + minutes(60), Operation::LogIn), None);
        assert_eq!(budget.closed_until(start(), Operation::Renew), None);
    }
}
