//! [`Clock`]: the clock of this process. It starts at the time of the wall clock, counts the time in which the machine
//! is suspended, and ignores steps of the wall clock.
//!
//! All token sources and budgets of a process use the same clock. So a lock-out of one hour lasts one hour, even if the
//! wall clock is set or a source is started later. If the wall clock was wrong when the process started, the `Date` of
//! the server's answers corrects the time.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// A clock that never goes back. Clones are the same clock. Reading it takes no lock.
///
/// It reads `CLOCK_BOOTTIME` on Linux and Android, and `CLOCK_MONOTONIC` on Apple's systems. Both count suspended time.
/// On other systems it reads [`Instant`], which may stop while the machine is suspended. Waits then get longer, but not
/// shorter, and the server's next answer corrects the time.
///
/// ```
/// use tradovate_auth_token_source::Clock;
///
/// let clock = Clock::of_process();
/// assert!(clock.now() <= clock.now());
/// ```
#[derive(Clone)]
pub struct Clock(Arc<Anchored>);

struct Anchored {
    system: Box<dyn SystemClock>,
    /// The wall clock and the elapsed time at the start of this clock.
    wall: Timestamp,
    begun: Duration,
}

/// The clocks that a [`Clock`] reads. Only tests replace those of the machine.
#[doc(hidden)]
pub trait SystemClock: Send + Sync {
    /// The time elapsed since a fixed moment. It never goes back.
    fn elapsed(&self) -> Duration;

    /// The wall clock, which may be set at any time.
    fn wall(&self) -> Timestamp;
}

static OF_PROCESS: LazyLock<Clock> = LazyLock::new(|| Clock::anchored(Machine::new()));

/// The current time of the clock that all token sources and budgets of this process use.
#[must_use]
pub fn now() -> Timestamp {
    OF_PROCESS.now()
}

impl Clock {
    /// The clock of this process.
    #[must_use]
    pub fn of_process() -> Self {
        OF_PROCESS.clone()
    }

    /// Creates a clock that starts now and reads `system` instead of the machine's clocks. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn anchored(system: impl SystemClock + 'static) -> Self {
        let (wall, begun) = (system.wall(), system.elapsed());
        Self(Arc::new(Anchored { system: Box::new(system), wall, begun }))
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let elapsed = self.0.system.elapsed().saturating_sub(self.0.begun);
        let elapsed = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX);
        self.0.wall.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// The machine's clocks.
enum Machine {
    /// A clock that counts suspended time.
    Counting,
    /// `Instant`, because the system has no better clock.
    Since(Instant),
}

impl Machine {
    fn new() -> Self {
        counting().map_or_else(|| Self::Since(Instant::now()), |_| Self::Counting)
    }
}

impl SystemClock for Machine {
    fn elapsed(&self) -> Duration {
        match self {
            // The system had this clock at the start, so it has it now.
            Self::Counting => counting().unwrap_or_default(),
            Self::Since(begun) => begun.elapsed(),
        }
    }

    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The system's clock that counts suspended time, if there is one.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn counting() -> Option<Duration> {
    use rustix::time::{DynamicClockId, clock_gettime_dynamic};

    clock_gettime_dynamic(DynamicClockId::Boottime).ok()?.try_into().ok()
}

#[cfg(target_vendor = "apple")]
fn counting() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};

    clock_gettime(ClockId::Monotonic).try_into().ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn counting() -> Option<Duration> {
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A system whose clocks a test sets.
    #[derive(Clone)]
    pub(crate) struct Simulated(Arc<Mutex<(Duration, Timestamp)>>);

    impl Simulated {
        pub(crate) fn new() -> Self {
            Self(Arc::new(Mutex::new((Duration::from_secs(5), "2026-11-24T14:00:00Z".parse().unwrap()))))
        }

        /// Time passes, whether or not the machine is suspended.
        pub(crate) fn pass(&self, time: Duration) {
            let mut clocks = self.0.lock().unwrap();
            clocks.0 += time;
            clocks.1 += time;
        }

        /// Somebody sets the wall clock.
        pub(crate) fn set_wall(&self, by: SignedDuration) {
            self.0.lock().unwrap().1 += by;
        }
    }

    impl SystemClock for Simulated {
        fn elapsed(&self) -> Duration {
            self.0.lock().unwrap().0
        }

        fn wall(&self) -> Timestamp {
            self.0.lock().unwrap().1
        }
    }

    #[test]
    fn the_clock_ignores_steps_of_the_wall_clock() {
        let system = Simulated::new();
        let clock = Clock::anchored(system.clone());
        let start = clock.now();
        assert_eq!(start, system.wall());
        for step in [SignedDuration::from_hours(1), SignedDuration::from_hours(-48), SignedDuration::from_secs(2)] {
            system.set_wall(step);
            assert_eq!(clock.now(), start);
        }
        system.pass(Duration::from_secs(10));
        assert_eq!(clock.now(), start + SignedDuration::from_secs(10));
    }

    #[test]
    fn a_time_beyond_the_range_is_clamped_to_the_last_timestamp() {
        let system = Simulated::new();
        let clock = Clock::anchored(system.clone());
        system.0.lock().unwrap().0 = Duration::MAX;
        assert_eq!(clock.now(), Timestamp::MAX);
        system.0.lock().unwrap().0 = Duration::ZERO;
        assert_eq!(clock.now(), "2026-11-24T14:00:00Z".parse().unwrap(), "never before the start");
    }

    impl Clock {
        pub(crate) fn is(&self, other: &Self) -> bool {
            Arc::ptr_eq(&self.0, &other.0)
        }
    }

    /// `/proc/uptime` counts suspended time too.
    #[test]
    #[cfg(target_os = "linux")]
    fn on_linux_the_clock_counts_from_boot() {
        let Ok(uptime) = std::fs::read_to_string("/proc/uptime") else { return };
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let counted = counting().unwrap();
        assert!(counted >= Duration::from_secs_f64(uptime), "{counted:?} after {uptime} s");
    }
}
