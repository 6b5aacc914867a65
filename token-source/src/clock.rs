//! A clock that never goes back: monotonic time anchored to the wall clock, and anchored anew when the wall clock is
//! ahead, as after the machine was suspended.

use std::time::Instant;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};

/// The time a session runs by. Reading it takes no lock.
///
/// ```
/// use tradovate_auth_token_source::Clock;
///
/// let clock = Clock::new();
/// assert!(clock.now() <= clock.now());
/// ```
#[derive(Debug)]
pub struct Clock {
    anchor: ArcSwap<Anchor>,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    instant: Instant,
    wall: Timestamp,
}

/// A wall clock that is further ahead than this has not drifted: the machine was suspended, or the clock was set.
const DRIFT: SignedDuration = SignedDuration::from_secs(1);

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock that starts at the wall clock's time.
    #[must_use]
    pub fn new() -> Self {
        Self { anchor: ArcSwap::from_pointee(Anchor { instant: Instant::now(), wall: Timestamp::now() }) }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.read(Instant::now(), Timestamp::now())
    }

    fn read(&self, instant: Instant, wall: Timestamp) -> Timestamp {
        let anchor = self.anchor.load();
        if !anchor.is_behind(instant, wall) {
            return anchor.at(instant);
        }
        // Another thread may have anchored it meanwhile, perhaps further ahead.
        self.anchor.rcu(|anchor| if anchor.is_behind(instant, wall) { Anchor { instant, wall } } else { **anchor });
        self.anchor.load().at(instant)
    }
}

impl Anchor {
    fn at(&self, instant: Instant) -> Timestamp {
        let elapsed = SignedDuration::try_from(instant.saturating_duration_since(self.instant)).unwrap_or_default();
        self.wall.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    fn is_behind(&self, instant: Instant, wall: Timestamp) -> bool {
        wall.duration_since(self.at(instant)) > DRIFT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn clock() -> (Clock, Anchor) {
        let anchor = Anchor { instant: Instant::now(), wall: "2026-11-24T14:00:00Z".parse().unwrap() };
        (Clock { anchor: ArcSwap::from_pointee(anchor) }, anchor)
    }

    #[test]
    fn it_follows_monotonic_time_when_the_wall_clock_goes_back() {
        let (clock, Anchor { instant, wall }) = clock();
        let later = instant + Duration::from_secs(10);
        assert_eq!(clock.read(later, wall - SignedDuration::from_hours(1)), wall + SignedDuration::from_secs(10));
    }

    #[test]
    fn it_follows_the_wall_clock_forwards_after_a_suspension() {
        let (clock, Anchor { instant, wall }) = clock();
        let woken = wall + SignedDuration::from_hours(3);
        assert_eq!(clock.read(instant, woken), woken);
        assert_eq!(clock.read(instant + Duration::from_secs(5), wall), woken + SignedDuration::from_secs(5));
    }
}
