//! Arithmetic of moments, and moments that two processes know, each by its own clock.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Two moments that are closer than this, told by two clocks, can be the same one.
const SAME: SignedDuration = SignedDuration::from_secs(5);

/// Adds to the moments that are known, which are in order, those that somebody else knows besides.
pub(crate) fn merge(known: &mut VecDeque<Timestamp>, told: impl IntoIterator<Item = Timestamp>) {
    let mut unmatched: Vec<Timestamp> = known.iter().copied().collect();
    for moment in told {
        match unmatched.iter().position(|known| known.duration_since(moment).abs() <= SAME) {
            Some(index) => drop(unmatched.remove(index)),
            None => known.push_back(moment),
        }
    }
    known.make_contiguous().sort_unstable();
}

/// A moment this much earlier, or the first one there is.
pub(crate) fn earlier(moment: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| moment.checked_sub(by).ok()).unwrap_or(Timestamp::MIN)
}
