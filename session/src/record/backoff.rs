//! [`Pause`]: the back-off after faults, exponential, capped and jittered. The seed is the only randomness of a
//! session.

use alloc::collections::BTreeMap;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::merge::{Fact, correct_wait, is_default};
use super::tokens::newer;
use crate::time_arithmetic::{LONGEST_WAIT, later};

/// The first pause after a fault.
const FIRST: Duration = Duration::from_secs(1);

/// How many faults in a row count. After more of them, the pause is as long as it can be: see
/// [`Policy::with_longest_pause`](crate::Policy::with_longest_pause).
const COUNTED: usize = 10;

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

/// One time by two clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) local: Timestamp,
    pub(crate) server: Timestamp,
}

/// Faults in a row, and the pauses after them. A row ends with an answer that shows that the server works again.
///
/// The times of faults and of the end are by the server's clock, and each is later than all that the process knew. They
/// are never translated to another clock, so two processes that know the same fault have the same time for it. So a
/// merge keeps each fault that is later than the last end, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Pause {
    /// When a row last ended. Earlier faults don't count.
    #[serde(skip_serializing_if = "is_default")]
    ended_at: Option<Timestamp>,
    /// The newest faults since then, each with the end of its pause by the local clock. A pause that was skipped has no
    /// end.
    #[serde(skip_serializing_if = "is_default")]
    row: BTreeMap<Timestamp, Option<Timestamp>>,
}

impl Pause {
    pub(crate) fn faults(&self) -> u32 {
        u32::try_from(self.row.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.row.values().copied().max().flatten()
    }

    /// Adds a fault. The base time doubles with each fault, up to `longest`. The pause is a random time between half of
    /// it and all of it, and at least `at_least`. Returns the end of the pause.
    //= R-STATUS-10
    pub(crate) fn after_fault(
        &mut self,
        now: Moment,
        at_least: Duration,
        longest: Duration,
        jitter: &mut Jitter,
    ) -> Timestamp {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.faults())).min(longest);
        let half = doubled.checked_div(2).unwrap_or_default();
        self.for_at_least(now, half.saturating_add(jitter.up_to(half)).max(at_least))
    }

    /// Adds a fault with a given pause.
    pub(crate) fn for_at_least(&mut self, now: Moment, pause: Duration) -> Timestamp {
        let until = later(now.local, pause);
        self.row.insert(self.next(now), Some(until));
        self.keep_newest();
        until
    }

    /// Ends the pause, but keeps the count of faults.
    pub(crate) fn skip(&mut self) {
        self.row.values_mut().for_each(|until| *until = None);
    }

    /// Ends the pause and resets the count of faults.
    pub(crate) fn end(&mut self, now: Moment) {
        *self = Self { ended_at: Some(self.next(now)), row: BTreeMap::new() };
    }

    /// The server's time for what happens now. It is later than every known time.
    fn next(&self, now: Moment) -> Timestamp {
        newer(now.server, self.ended_at.max(self.row.keys().next_back().copied()))
    }

    fn keep_newest(&mut self) {
        while self.row.len() > COUNTED {
            self.row.pop_first();
        }
    }
}

impl Fact for Pause {
    fn merge(&mut self, other: Self) {
        self.ended_at.merge(other.ended_at);
        for (at, until) in other.row {
            let known = self.row.entry(at).or_insert(until);
            *known = known.zip(until).map(|(known, other)| known.max(other));
        }
        let ended_at = self.ended_at;
        self.row.retain(|at, _| Some(*at) >= ended_at);
        self.keep_newest();
    }

    fn shift(&mut self, by: SignedDuration) {
        self.row.values_mut().for_each(|until| until.shift(by));
    }

    fn correct(&mut self, now: Timestamp) {
        // Times close to the last timestamp come from damage. No later fault could be counted.
        let is_possible = |at: &Timestamp| later(*at, LONGEST_WAIT) < Timestamp::MAX;
        self.ended_at = self.ended_at.filter(is_possible);
        self.row.retain(|at, _| is_possible(at));
        self.row.values_mut().flatten().for_each(|until| correct_wait(until, now));
    }

    fn ends(&self) -> Option<Timestamp> {
        self.until()
    }
}
