//! The pace at which a network's tokens are extended: evenly, so that no two of them are due in the same moment.
//!
//! A token that is extended every `n` minutes asks for one `n`th of a request a minute; all of them together say how
//! many there are to be, and the one that ends first is next. So nothing is extended more often than it has to be, and
//! after a crowd has come at once, it takes one round to spread it.

use alloc::collections::BTreeSet;
use core::time::Duration;

use jiff::Timestamp;

use crate::clock::later;

/// Requests in the time of a thousand million seconds: what one token asks for, or many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rate(u64);

impl Rate {
    const TIME: u64 = 1_000_000_000;

    /// One request in this time.
    pub(super) fn one_in(time: Duration) -> Self {
        Self(Self::TIME.checked_div(time.as_secs()).unwrap_or(Self::TIME))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// From one request to the next.
    pub(super) fn interval(self) -> Duration {
        let nanoseconds = u128::from(Self::TIME).saturating_mul(1_000_000_000).checked_div(u128::from(self.0));
        nanoseconds.and_then(|time| u64::try_from(time).ok()).map_or(Duration::MAX, Duration::from_nanos)
    }

    /// Whole requests in an hour, rounded up.
    pub(super) fn per_hour(self) -> u64 {
        self.0.saturating_mul(3600).div_ceil(Self::TIME)
    }
}

/// Tokens that one operation extends, behind one network address.
#[derive(Debug)]
pub(super) struct Pace {
    /// By the time at which they are due.
    pending: BTreeSet<(Timestamp, u32)>,
    rate: Rate,
    /// The pace is no faster than this.
    shortest: Duration,
    last: Option<Timestamp>,
}

impl Pace {
    pub(super) fn new(shortest: Duration) -> Self {
        Self { pending: BTreeSet::new(), rate: Rate::default(), shortest, last: None }
    }

    pub(super) fn add(&mut self, now: Timestamp, due: Timestamp, index: u32, rate: Rate) {
        if self.pending.is_empty() {
            // The beats of the time before were for others.
            self.last = Some(now);
        }
        if self.pending.insert((due, index)) {
            self.rate = self.rate.plus(rate);
        }
    }

    pub(super) fn remove(&mut self, due: Timestamp, index: u32, rate: Rate) {
        if self.pending.remove(&(due, index)) {
            self.rate = self.rate.minus(rate);
        }
    }

    /// One of them is extended now.
    pub(super) fn beat(&mut self, now: Timestamp) {
        self.last = Some(now);
    }

    /// When one is to be extended before it is due; a little early, so that all of them are.
    pub(super) fn next(&self) -> Option<Timestamp> {
        if self.pending.is_empty() {
            return None;
        }
        let interval = self.rate.interval();
        let ahead = interval.checked_div(32).unwrap_or_default();
        Some(later(self.last?, interval.saturating_sub(ahead).max(self.shortest)))
    }

    /// The one that is due first.
    pub(super) fn first(&self) -> Option<u32> {
        self.pending.first().map(|(_, index)| *index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn at(minute: i64) -> Timestamp {
        "2026-11-24T14:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
    }

    fn hourly() -> Rate {
        Rate::one_in(Duration::from_secs(3600))
    }

    #[test]
    fn rates_add_up_and_go_back_to_nothing() {
        let both = hourly().plus(Rate::one_in(Duration::from_secs(1800)));
        assert_eq!((hourly().per_hour(), both.per_hour()), (1, 3));
        assert_eq!(both.interval().as_secs(), 1200);
        assert_eq!(both.minus(hourly()).minus(Rate::one_in(Duration::from_secs(1800))), Rate::default());
        assert_eq!(Rate::default().interval(), Duration::MAX);
        assert_eq!(Rate::one_in(Duration::ZERO).interval(), Duration::from_secs(1), "never without end");
    }

    #[test]
    fn of_four_hourly_tokens_one_is_extended_about_every_quarter_of_an_hour_the_first_that_is_due_first() {
        let mut pace = Pace::new(Duration::ZERO);
        assert_eq!((pace.next(), pace.first()), (None, None));
        for index in [3, 1, 2, 0] {
            pace.add(at(0), at(60 + i64::from(index)), index, hourly());
        }
        assert_eq!(pace.first(), Some(0));
        let quarter = SignedDuration::from_secs(900) * 31 / 32;
        assert_eq!(pace.next().map(|next| next.duration_since(at(0)).as_secs()), Some(quarter.as_secs()));
        pace.remove(at(60), 0, hourly());
        pace.beat(at(14));
        assert_eq!(pace.first(), Some(1));
        let third = SignedDuration::from_secs(1200) * 31 / 32;
        assert_eq!(pace.next().map(|next| next.duration_since(at(14)).as_secs()), Some(third.as_secs()));
    }

    #[test]
    fn after_a_time_without_tokens_the_pace_begins_anew() {
        let mut pace = Pace::new(Duration::ZERO);
        pace.add(at(0), at(60), 0, hourly());
        pace.remove(at(60), 0, hourly());
        pace.add(at(200), at(260), 0, hourly());
        assert!(pace.next().is_some_and(|next| next > at(257)));
    }

    #[test]
    fn what_is_not_there_takes_nothing_away() {
        let mut pace = Pace::new(Duration::ZERO);
        pace.add(at(0), at(60), 0, hourly());
        pace.add(at(0), at(60), 0, hourly());
        pace.remove(at(61), 0, hourly());
        assert_eq!(pace.rate, hourly());
    }

    #[test]
    fn a_pace_has_its_limit() {
        let mut pace = Pace::new(Duration::from_secs(243));
        for index in 0..100 {
            pace.add(at(0), at(60), index, hourly());
        }
        assert_eq!(pace.next(), Some(later(at(0), Duration::from_secs(243))));
    }
}
