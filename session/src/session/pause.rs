//! Pauses between tries: exponential, capped, jittered. The only randomness of a session comes from the seed it was
//! given.

use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tradovate_auth_core::internal::{later, moved};

use crate::stored_session::is_default;

/// The first pause after a fault.
const FIRST: Duration = Duration::from_secs(1);

/// Pseudo-random spread (`SplitMix64`): it keeps sessions apart and hides nothing.
#[derive(Debug, Clone)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A duration from zero to `most`.
    pub(super) fn up_to(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let thousandth = u32::try_from(bits % 1001).unwrap_or_default();
        most.checked_div(1000).unwrap_or_default().saturating_mul(thousandth)
    }
}

/// Faults in a row, and how long to keep quiet after the last of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Pause {
    #[serde(skip_serializing_if = "is_default")]
    faults: u32,
    #[serde(skip_serializing_if = "is_default")]
    until: Option<Timestamp>,
}

impl Pause {
    /// One more fault: pauses half to whole of a time that doubles with each up to the longest, but for a given time at
    /// least, and returns the end.
    pub(super) fn after_fault(
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

    /// One more fault, with a pause of its own.
    pub(super) fn for_at_least(&mut self, now: Timestamp, pause: Duration) -> Timestamp {
        self.faults = self.faults.saturating_add(1);
        let until = later(now, pause);
        self.until = self.until.max(Some(until));
        until
    }

    /// The next try may come at once, and the one after it no sooner than it would have.
    pub(super) fn skip(&mut self) {
        self.until = None;
    }

    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Keeps quiet for as long as another session does.
    pub(super) fn learn(&mut self, other: &Self) {
        if other.until > self.until {
            self.clone_from(other);
        }
    }

    /// Ends at `longest` if it would end later.
    pub(crate) fn end_by(&mut self, longest: Timestamp) {
        self.until = self.until.map(|until| until.min(longest));
    }

    /// The same by a clock that is ahead by so much.
    pub(crate) fn shift(&mut self, by: SignedDuration) {
        self.until = self.until.map(|until| moved(until, by));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use jiff::SignedDuration;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_spread() {
        let start: Timestamp = "2026-11-24T14:00:00Z".parse().unwrap();
        let (mut now, mut pause, mut jitter) = (start, Pause::default(), Jitter::new(7));
        let pauses: Vec<SignedDuration> = (0..10)
            .map(|_| {
                let until = pause.after_fault(now, Duration::ZERO, Duration::from_secs(60), &mut jitter);
                let length = until.duration_since(now);
                now = until;
                length
            })
            .collect();
        for (index, pause) in pauses.iter().enumerate() {
            let whole = SignedDuration::from_secs(60.min(1 << index));
            assert!((whole / 2..=whole).contains(pause), "{index}: {pause}");
        }
        assert!(pauses[8] != pauses[9], "spread");
    }

    #[test]
    fn jitter_reaches_both_ends_and_repeats_with_its_seed() {
        let draw = |seed| {
            let mut jitter = Jitter::new(seed);
            (0..5000).map(|_| jitter.up_to(Duration::from_secs(1))).collect::<Vec<_>>()
        };
        let drawn = draw(1);
        assert_eq!(drawn, draw(1));
        assert_ne!(drawn, draw(2));
        assert_eq!(drawn.iter().min(), Some(&Duration::ZERO));
        assert_eq!(drawn.iter().max(), Some(&Duration::from_secs(1)));
    }
}
