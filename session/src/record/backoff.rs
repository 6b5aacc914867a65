//! [`Pause`]: the back-off after faults, exponential, capped and jittered. The seed is the only randomness of a
//! session.

use core::cmp::Ordering;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::merge::{Fact, correct_wait, is_default};
use crate::time_arithmetic::{later, shifted};

/// The first pause after a fault.
const FIRST: Duration = Duration::from_secs(1);

/// The pause before a try that will probably fail too: an OAuth session can only renew and its renewals fail, or the
/// answer says that the request itself is wrong.
//= R-REFRESH-9
pub(crate) const LAST_RESORT_PAUSE: Duration = Duration::from_secs(600);

/// Pseudo-random numbers (`SplitMix64`) that spread times. They are not for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A duration from zero to `most`. In the tests of this crate, the seed 0 always gives zero, so that times are
    /// round.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        if cfg!(test) && self.0 == 0 {
            return Duration::ZERO;
        }
        let thousandth = u32::try_from(self.next() % 1001).unwrap_or_default();
        most.checked_div(1000).unwrap_or_default().saturating_mul(thousandth)
    }
}

/// Faults in a row, and the pause after the last one. Of two pauses, the one of the newer token wins, then the one that
/// was ended more often. Otherwise the higher count of faults wins, and the later end.
///
/// If one process receives an answer that ends the pause and another one has a fault at the same time, the fault counts
/// as one before the answer, so it is dropped. The maximum of each field would keep it, but then an old record would
/// restore a pause that has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Pause {
    /// The issue time of the token that was held at the first fault, by the server's clock.
    #[serde(skip_serializing_if = "is_default")]
    of: Option<Timestamp>,
    #[serde(skip_serializing_if = "is_default")]
    ends: u32,
    #[serde(skip_serializing_if = "is_default")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "is_default")]
    faults: u32,
}

impl Pause {
    pub(crate) fn faults(&self) -> u32 {
        self.faults
    }

    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Adds a fault. The base time doubles with each fault, up to `longest`. The pause is a random time between half of
    /// it and all of it, and at least `at_least`. Returns the end of the pause.
    //= R-STATUS-10
    pub(crate) fn after_fault(
        &mut self,
        now: Timestamp,
        at_least: Duration,
        longest: Duration,
        jitter: &mut Jitter,
    ) -> Timestamp {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.faults)).min(longest);
        let half = doubled.checked_div(2).unwrap_or_default();
        self.for_at_least(now, half.saturating_add(jitter.up_to(half)).max(at_least))
    }

    /// Adds a fault with a given pause.
    pub(crate) fn for_at_least(&mut self, now: Timestamp, pause: Duration) -> Timestamp {
        self.faults = self.faults.saturating_add(1);
        let until = later(now, pause);
        self.until = self.until.max(Some(until));
        until
    }

    /// Ends the pause, but keeps the count of faults.
    pub(crate) fn skip(&mut self) {
        if self.until.take().is_some() {
            self.ends = self.ends.saturating_add(1);
        }
    }

    /// Ends the pause and resets the count of faults.
    pub(crate) fn end(&mut self) {
        if self.faults > 0 {
            *self = Self { of: self.of, ends: self.ends.saturating_add(1), ..Self::default() };
        }
    }

    /// The pause of a process that never had a token also applies to a process whose token has expired.
    pub(crate) fn rebase(&mut self, known: &Self) {
        if self.of.is_none() {
            self.of = known.of;
            self.ends = self.ends.max(known.ends);
        }
    }

    /// A token with this issue time is held: earlier faults don't count.
    pub(crate) fn begin(&mut self, issued_at: Timestamp) {
        if self.of < Some(issued_at) {
            *self = Self { of: Some(issued_at), ..Self::default() };
        }
    }
}

impl Fact for Pause {
    fn merge(&mut self, other: Self) {
        let order = |pause: &Self| (pause.of, pause.ends);
        match order(&other).cmp(&order(self)) {
            Ordering::Greater => *self = other,
            Ordering::Equal => {
                self.until = self.until.max(other.until);
                self.faults = self.faults.max(other.faults);
            }
            Ordering::Less => {}
        }
    }

    fn shift(&mut self, by: SignedDuration) {
        self.until = self.until.map(|until| shifted(until, by));
    }

    fn correct(&mut self, now: Timestamp) {
        if let Some(until) = &mut self.until {
            correct_wait(until, now);
        }
    }

    fn ends(&self) -> Option<Timestamp> {
        self.until
    }
}
