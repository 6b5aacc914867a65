//! Time arithmetic that never fails, and the union of times that two processes counted with different clocks.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
pub(crate) use tradovate_auth_core::workspace_only::{LONGEST_WAIT, ONE_HOUR, later, shifted};

/// Two times of two clocks that differ by less than this count as the same time.
const SAME: SignedDuration = SignedDuration::from_secs(5);

/// Adds the times that another process counted to the known, sorted times. A time that is already known, by either
/// clock, is not added again.
pub(crate) fn add_without_duplicates(known: &mut VecDeque<Timestamp>, others: impl IntoIterator<Item = Timestamp>) {
    let mut unmatched: Vec<Timestamp> = known.iter().copied().collect();
    for moment in others {
        match unmatched.iter().position(|known| known.duration_since(moment).abs() <= SAME) {
            Some(index) => drop(unmatched.remove(index)),
            None => known.push_back(moment),
        }
    }
    known.make_contiguous().sort_unstable();
}

/// The time to wait if the server measures the wait too, at most one day. A request that comes a moment too early
/// starts the wait again, and a local clock that runs fast is always too early. So a wait of more than one minute gets
/// one per cent more. In a minute, no clock gains more than the time that a request needs to arrive.
pub(crate) const fn with_room(wait: Duration) -> Duration {
    if wait.as_nanos() <= Duration::from_secs(60).as_nanos() {
        return wait;
    }
    let longer = match wait.checked_div(100) {
        Some(room) => wait.saturating_add(room),
        None => wait,
    };
    if longer.as_nanos() < LONGEST_WAIT.as_nanos() { longer } else { LONGEST_WAIT }
}

/// If a time differs by more than this from the expected time, the local clock may have been set: the driver polls this
/// much later than it was asked to, or a snapshot was written this much later than now.
pub(crate) const LATE: Duration = Duration::from_secs(60);

/// The time from `now` to `time`, or zero if `time` is over.
pub(crate) fn after(time: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(time.duration_since(now)).unwrap_or_default()
}

/// A time this much earlier, or `Timestamp::MIN`.
pub(crate) fn earlier(moment: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| moment.checked_sub(by).ok()).unwrap_or(Timestamp::MIN)
}
