//! The pace at which a network's tokens are extended. Even intervals keep many tokens from being due at the same time.
//!
//! Each token has a rate: a token that is extended every `n` minutes needs `1/n` requests per minute. The sum of all
//! rates is the pace. Each request extends the token that is due first. So no token is extended more often than
//! necessary, and many tokens that were issued together are spread evenly after one round.

use alloc::collections::BTreeSet;
use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::workspace_only::later;

/// A rate: the number of requests in 1,000,000,000 seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Rate(u64);

impl Rate {
    const TIME: u64 = 1_000_000_000;

    /// The rate of one request in this time.
    fn one_in(time: Duration) -> Self {
        let requests = u128::from(Self::TIME).saturating_mul(1000).checked_div(time.as_millis());
        Self(requests.and_then(|requests| u64::try_from(requests).ok()).unwrap_or(Self::TIME))
    }

    fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The time between two requests.
    fn interval(self) -> Duration {
        let nanoseconds = u128::from(Self::TIME).saturating_mul(1_000_000_000).checked_div(u128::from(self.0));
        nanoseconds.and_then(|time| u64::try_from(time).ok()).map_or(Duration::MAX, Duration::from_nanos)
    }

    /// The number of requests per hour, rounded up to a whole number.
    fn per_hour(self) -> u64 {
        self.0.saturating_mul(3600).div_ceil(Self::TIME)
    }
}

/// A token that may be extended from now on. Times are local.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) since: Timestamp,
    pub(super) due: Timestamp,
    pub(super) end: Timestamp,
}

impl Pending {
    fn rate(&self) -> Rate {
        self.one_until(self.due)
    }

    fn least(&self) -> Rate {
        self.one_until(self.end)
    }

    fn one_until(&self, end: Timestamp) -> Rate {
        Rate::one_in(Duration::try_from(end.duration_since(self.since)).unwrap_or_default())
    }

    /// The latest time at which the token is extended. If requests are sent at the limit of the network, this may be
    /// shortly after the token is due.
    pub(super) fn latest(&self) -> Timestamp {
        later(self.due, part(Duration::try_from(self.end.duration_since(self.due)).unwrap_or_default(), 2))
    }
}

/// The tokens behind one network address that are extended by one operation.
#[derive(Debug)]
pub(super) struct Pace {
    /// The tokens, ordered by the time at which they are due.
    pending: BTreeSet<(Timestamp, u32)>,
    rate: Rate,
    /// The lowest rate at which no token expires.
    least: Rate,
    /// The shortest interval between two requests.
    shortest: Duration,
    /// The time of the last request of this operation, whether or not it extended a token.
    last: Option<Timestamp>,
    /// The time of the last request that extended a token.
    extended: Option<Timestamp>,
    /// The time at which the first token was added after an interval without tokens.
    began: Timestamp,
    /// The part of the first interval that is skipped, in units of 1/[`WHOLE`]. It differs between networks, so that
    /// networks that start together do not send together.
    phase: u32,
}

const WHOLE: u32 = 1 << 16;

impl Pace {
    /// Creates a pace. The number of the network decides how much of the first interval is skipped.
    pub(super) fn new(shortest: Duration, network: u32) -> Self {
        // Multiples of the golden ratio are spread evenly for any number of networks.
        let phase = network.wrapping_mul(0x9e37_79b9) >> 16;
        Self {
            pending: BTreeSet::new(),
            rate: Rate::default(),
            least: Rate::default(),
            shortest,
            last: None,
            extended: None,
            began: Timestamp::MIN,
            phase,
        }
    }

    pub(super) fn add(&mut self, now: Timestamp, index: u32, token: Pending) {
        if self.pending.is_empty() {
            // If the only token was just extended, the pace continues. Otherwise it starts again.
            let pause = part(token.rate().interval(), 8);
            if self.extended.is_none_or(|extended| later(extended, pause) < now) {
                self.began = now;
            }
            self.last = Some(now);
        }
        if self.pending.insert((token.due, index)) {
            self.rate = self.rate.plus(token.rate());
            self.least = self.least.plus(token.least());
        }
    }

    pub(super) fn remove(&mut self, index: u32, token: Pending) {
        if self.pending.remove(&(token.due, index)) {
            self.rate = self.rate.minus(token.rate());
            self.least = self.least.minus(token.least());
        }
    }

    /// The requests per hour that are needed to keep all tokens valid, if they are more than the limit.
    pub(super) fn excess(&self) -> Option<u64> {
        (self.least > Rate::one_in(self.shortest)).then(|| self.least.per_hour())
    }

    /// The requests per hour that extend all tokens in good time.
    pub(super) fn per_hour(&self) -> u64 {
        self.rate.per_hour()
    }

    /// Counts a request that leaves now. It extends a token, or it fetches a first token, which has priority over early
    /// extensions.
    pub(super) fn count_request(&mut self, now: Timestamp, extends: bool) {
        self.last = Some(now);
        if extends {
            self.extended = Some(now);
        }
    }

    /// The time at which the next token is extended early. It is not before `gate`. Networks whose gates open at the
    /// same time keep their distance.
    pub(super) fn next(&self, gate: Timestamp) -> Option<Timestamp> {
        if self.pending.is_empty() {
            return None;
        }
        let interval = self.rate.interval();
        let interval = interval.saturating_sub(part(interval, 32)).max(self.shortest);
        let is_beginning = self.extended.is_none_or(|extended| extended < self.began);
        let left_out = part(interval, WHOLE).saturating_mul(if is_beginning { self.phase } else { 0 });
        let next = later(self.last?, interval.saturating_sub(left_out));
        let missed = Duration::try_from(gate.duration_since(next)).unwrap_or_default();
        let beats = missed.as_millis().div_ceil(interval.as_millis().max(1));
        Some(later(next, interval.saturating_mul(u32::try_from(beats).unwrap_or(u32::MAX))))
    }

    /// The token that is due first.
    pub(super) fn first(&self) -> Option<u32> {
        self.pending.first().map(|(_, index)| *index)
    }
}

fn part(time: Duration, of: u32) -> Duration {
    time.checked_div(of).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use jiff::SignedDuration;

    fn at(minute: i64) -> Timestamp {
        "2026-11-24T14:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
    }

    fn hourly() -> Rate {
        Rate::one_in(Duration::from_secs(3600))
    }

    /// One that is extended every hour.
    fn token(due: i64) -> Pending {
        Pending { since: at(due - 60), due: at(due), end: at(due + 15) }
    }

    #[test]
    fn rates_can_be_added_and_subtracted() {
        let both = hourly().plus(Rate::one_in(Duration::from_secs(1800)));
        assert_eq!((hourly().per_hour(), both.per_hour()), (1, 3));
        assert_eq!(both.interval().as_secs(), 1200);
        assert_eq!(both.minus(hourly()).minus(Rate::one_in(Duration::from_secs(1800))), Rate::default());
        assert_eq!(Rate::default().interval(), Duration::MAX);
        assert_eq!(Rate::one_in(Duration::ZERO).interval(), Duration::from_secs(1), "never without end");
    }

    #[test]
    fn four_hourly_tokens_are_renewed_15_minutes_apart_in_the_order_of_expiry() {
        let mut pace = Pace::new(Duration::ZERO, 0);
        assert_eq!((pace.next(at(0)), pace.first()), (None, None));
        for index in [3, 1, 2, 0] {
            pace.add(at(0), index, token(60 + i64::from(index)));
        }
        assert_eq!(pace.first(), Some(0));
        let quarter = SignedDuration::from_secs(900) * 31 / 32;
        assert_eq!(pace.next(at(0)).map(|next| next.duration_since(at(0)).as_secs()), Some(quarter.as_secs()));
        pace.remove(0, token(60));
        pace.count_request(at(14), true);
        assert_eq!(pace.first(), Some(1));
        let third = SignedDuration::from_secs(1200) * 31 / 32;
        assert_eq!(pace.next(at(0)).map(|next| next.duration_since(at(14)).as_secs()), Some(third.as_secs()));
    }

    #[test]
    fn a_closed_endpoint_postpones_paced_renewals_by_whole_intervals() {
        let mut pace = Pace::new(Duration::from_secs(3600), 0);
        pace.add(at(0), 0, token(90));
        for (gate, next) in [(0, 60), (60, 60), (61, 120), (120, 120), (500, 540)] {
            assert_eq!(pace.next(at(gate)), Some(at(next)), "{gate}");
        }
    }

    #[test]
    fn after_a_time_without_tokens_the_pace_starts_again() {
        let mut pace = Pace::new(Duration::ZERO, 0);
        pace.add(at(0), 0, token(60));
        pace.remove(0, token(60));
        pace.add(at(200), 0, token(260));
        assert!(pace.next(at(0)).is_some_and(|next| next > at(257)));
    }

    #[test]
    fn first_renewals_of_different_networks_are_spread_over_the_first_interval() {
        let first = |network| {
            let mut pace = Pace::new(Duration::ZERO, network);
            pace.count_request(at(0), false);
            pace.add(at(0), 0, token(60));
            let first = pace.next(at(0)).unwrap();
            pace.remove(0, token(60));
            pace.count_request(first, true);
            pace.add(later(first, Duration::from_secs(1)), 0, token(120));
            assert!(pace.next(at(0)) >= Some(later(first, Duration::from_secs(58 * 60))), "only the first");
            first.duration_since(at(0)).as_mins()
        };
        let mut minutes: Vec<_> = (0..10).map(first).collect();
        minutes.sort_unstable();
        assert!(minutes.windows(2).all(|pair| pair[1] - pair[0] <= 10), "{minutes:?}");
        assert!(minutes[0] < 10 && minutes[9] == 58, "{minutes:?}");
    }

    #[test]
    fn removing_an_absent_token_changes_nothing() {
        let mut pace = Pace::new(Duration::ZERO, 0);
        pace.add(at(0), 0, token(60));
        pace.add(at(0), 0, token(60));
        pace.remove(0, token(61));
        assert_eq!(pace.rate, hourly());
    }

    #[test]
    fn a_pace_keeps_its_interval_and_counts_the_tokens_in_excess() {
        let mut pace = Pace::new(Duration::from_secs(243), 0);
        for index in 0..100 {
            pace.add(at(0), index, token(60));
        }
        assert_eq!(pace.next(at(0)), Some(later(at(0), Duration::from_secs(243))));
        assert_eq!(pace.excess(), Some(80), "tokens that live 75 minutes");
        (18..100).for_each(|index| pace.remove(index, token(60)));
        assert_eq!(pace.excess(), None, "eighteen of them are 14.4 an hour");
    }
}
