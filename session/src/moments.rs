//! Arithmetic of times that never fails, and times that two processes know, each by its own clock.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
pub(crate) use tradovate_auth_core::internal::{LONGEST_WAIT, ONE_HOUR, later, moved as shifted};

/// Two times that are closer than this, by two clocks, can be the same one.
const SAME: SignedDuration = SignedDuration::from_secs(5);

/// Adds the times that somebody else knows to those that are known, which are in order.
pub(crate) fn merge(known: &mut VecDeque<Timestamp>, others: impl IntoIterator<Item = Timestamp>) {
    let mut unmatched: Vec<Timestamp> = known.iter().copied().collect();
    for moment in others {
        match unmatched.iter().position(|known| known.duration_since(moment).abs() <= SAME) {
            Some(index) => drop(unmatched.remove(index)),
            None => known.push_back(moment),
        }
    }
    known.make_contiguous().sort_unstable();
}

/// If the driver polls more than this after the time that it was given, its clock may have been set.
pub(crate) const LATE: Duration = Duration::from_secs(60);

/// How long it is from `now` to a time; zero if that is over.
pub(crate) fn after(time: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(time.duration_since(now)).unwrap_or_default()
}

/// A time this much earlier, or the first one there is.
pub(crate) fn earlier(moment: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| moment.checked_sub(by).ok()).unwrap_or(Timestamp::MIN)
}
