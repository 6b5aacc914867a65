//! A clock that never goes back: monotonic time anchored to the wall clock, and anchored anew when the wall clock is
//! ahead, as after the machine was suspended.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// The time a session runs by. Reading it takes no lock and, unless the wall clock has gone ahead, writes nothing.
///
/// ```
/// use tradovate_auth_token_source::Clock;
///
/// let clock = Clock::new();
/// assert!(clock.now() <= clock.now());
/// ```
#[derive(Debug)]
pub struct Clock {
    instant: Instant,
    wall: Timestamp,
    /// How far the wall clock has gone ahead of monotonic time since then, in microseconds. It only grows, so no order
    /// with other memory is needed for time not to go back.
    ahead: AtomicI64,
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
        Self::starting(Instant::now(), Timestamp::now())
    }

    const fn starting(instant: Instant, wall: Timestamp) -> Self {
        Self { instant, wall, ahead: AtomicI64::new(0) }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.read(Instant::now(), Timestamp::now())
    }

    fn read(&self, instant: Instant, wall: Timestamp) -> Timestamp {
        let elapsed = SignedDuration::try_from(instant.saturating_duration_since(self.instant)).unwrap_or_default();
        let monotonic = self.wall.checked_add(elapsed).unwrap_or(Timestamp::MAX);
        let now = later(monotonic, self.ahead.load(Ordering::Relaxed));
        if wall.duration_since(now) <= DRIFT {
            return now;
        }
        let ahead = i64::try_from(wall.duration_since(monotonic).as_micros()).unwrap_or(i64::MAX);
        // Another thread may have anchored it meanwhile, perhaps further ahead.
        later(monotonic, self.ahead.fetch_max(ahead, Ordering::Relaxed).max(ahead))
    }
}

fn later(time: Timestamp, micros: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_micros(micros)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn clock() -> (Clock, Instant, Timestamp) {
        let (instant, wall) = (Instant::now(), "2026-11-24T14:00:00Z".parse().unwrap());
        (Clock::starting(instant, wall), instant, wall)
    }

    #[test]
    fn it_follows_monotonic_time_when_the_wall_clock_goes_back() {
        let (clock, instant, wall) = clock();
        let later = instant + Duration::from_secs(10);
        assert_eq!(clock.read(later, wall - SignedDuration::from_hours(1)), wall + SignedDuration::from_secs(10));
    }

    #[test]
    fn it_follows_the_wall_clock_forwards_after_a_suspension() {
        let (clock, instant, wall) = clock();
        let woken = wall + SignedDuration::from_hours(3);
        assert_eq!(clock.read(instant, woken), woken);
        assert_eq!(clock.read(instant + Duration::from_secs(5), wall), woken + SignedDuration::from_secs(5));
    }

    #[test]
    fn it_goes_as_far_ahead_as_a_wall_clock_can() {
        let (clock, instant, _) = clock();
        assert_eq!(clock.read(instant, Timestamp::MAX).duration_since(Timestamp::MAX).as_secs(), 0);
        assert!(clock.read(instant + Duration::from_secs(5), Timestamp::MIN) <= Timestamp::MAX);
    }
}
