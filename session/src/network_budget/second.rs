//! The requests of one second. The server allows 100 in a second, and the budget stays below.

use core::time::Duration;

use jiff::Timestamp;

use crate::time_arithmetic::later;

const SECOND: Duration = Duration::from_secs(1);

/// How many requests of an address may be sent in a second. A second of the server touches at most three of the budget's
/// seconds if requests differ by less than one second in the time that they take to arrive. Three times 33 are 99.
//= R-LIMIT-6
pub(super) const PER_SECOND: u32 = 33;

/// The second in which the last request was sent. It begins with its first request. The next one begins with the first
/// request after its end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Second {
    began: Timestamp,
    sent: u32,
}

impl Second {
    /// The time at which the next request may be sent, if not at `now`.
    pub(super) fn full_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.end(now).filter(|_| self.sent >= PER_SECOND)
    }

    pub(super) fn count(&mut self, now: Timestamp) {
        if self.end(now).is_none() {
            *self = Self { began: now, sent: 0 };
        }
        self.sent = self.sent.saturating_add(1);
    }

    /// When this second ends. `None` if it is over. A second that begins more than one second from now was counted with
    /// another clock, or the clock was set back. It is over too.
    fn end(&self, now: Timestamp) -> Option<Timestamp> {
        let end = later(self.began, SECOND);
        (now < end && self.began <= later(now, SECOND)).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use jiff::SignedDuration;
    use proptest::prelude::*;

    fn at(milliseconds: i64) -> Timestamp {
        "2026-11-24T14:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_millis(milliseconds)
    }

    fn full() -> Second {
        let mut second = Second::default();
        for _ in 0..PER_SECOND {
            assert_eq!(second.full_until(at(500)), None);
            second.count(at(500));
        }
        second
    }

    #[test]
    fn a_second_begins_with_its_first_request_and_takes_33() {
        let mut second = full();
        for now in [500, 1499] {
            assert_eq!(second.full_until(at(now)), Some(at(1500)));
        }
        assert_eq!(second.full_until(at(1500)), None);
        second.count(at(1700));
        assert_eq!((second.began, second.sent), (at(1700), 1));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_close_a_second_for_longer_than_two() {
        let second = full();
        assert_eq!(second.full_until(at(-500)), Some(at(1500)));
        assert_eq!(second.full_until(at(-501)), None);
        assert_eq!(second.full_until(at(-3_600_000)), None);
    }

    proptest! {
        /// Requests want to leave at any times, and take less than a second to arrive.
        #[test]
        fn at_most_99_requests_arrive_in_a_second_if_none_needs_longer_than_one(
            wanted in proptest::collection::vec((0_i64..40, 0_i64..1000), 1..600),
        ) {
            let (mut second, mut now, mut arrived) = (Second::default(), at(0), Vec::new());
            for (later, needs) in wanted {
                now += SignedDuration::from_millis(later / 10);
                now = second.full_until(now).unwrap_or(now);
                second.count(now);
                arrived.push(now + SignedDuration::from_millis(needs));
            }
            arrived.sort_unstable();
            for (index, first) in arrived.iter().enumerate() {
                let within = arrived.iter().skip(index).take_while(|time| time.duration_since(*first).as_secs() < 1);
                prop_assert!(within.count() <= 99);
            }
        }
    }
}
