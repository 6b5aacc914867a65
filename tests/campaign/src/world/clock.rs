//! A clock that can be wrong, drift, and be set. Each machine has a wall clock. A program reads it once at its start
//! and then counts the elapsed time, including suspended time, so its own time never goes back.

use jiff::{SignedDuration, Timestamp};

const MILLION: i128 = 1_000_000;

/// The longest wait. It is longer than any scenario.
const FAR: SignedDuration = SignedDuration::from_hours(24 * 365);

#[derive(Debug, Clone)]
pub(super) struct Clock {
    anchor: Timestamp,
    reading: Timestamp,
    /// Parts per million.
    drift: i32,
}

impl Clock {
    pub(super) fn new(start: Timestamp, skew: SignedDuration, drift: i32) -> Self {
        Self { anchor: start, reading: start + skew, drift }
    }

    /// The reading of the clock at a true time.
    pub(super) fn at(&self, time: Timestamp) -> Timestamp {
        let passed = time.duration_since(self.anchor);
        let gained = passed.as_nanos() * i128::from(self.drift) / MILLION;
        self.reading + passed + SignedDuration::from_nanos(i64::try_from(gained).unwrap_or_default())
    }

    /// The true time at which the clock will show at least `reading`, not before `now`.
    pub(super) fn when(&self, reading: Timestamp, now: Timestamp) -> Timestamp {
        let left = reading.duration_since(self.at(now)).clamp(SignedDuration::ZERO, FAR);
        if left.is_zero() {
            return now;
        }
        let true_left = left.as_nanos() * MILLION / (MILLION + i128::from(self.drift));
        // Rounding must not make a wake-up too early.
        now + SignedDuration::from_nanos(i64::try_from(true_left).unwrap_or_default()) + SignedDuration::from_micros(1)
    }

    /// The clock of a program that starts now and reads this clock.
    pub(super) fn anchored(&self, now: Timestamp) -> Self {
        Self { anchor: now, reading: self.at(now), drift: self.drift }
    }

    /// Sets the clock forward or back.
    pub(super) fn set(&mut self, now: Timestamp, by: SignedDuration) {
        (self.reading, self.anchor) = (self.at(now) + by, now);
    }
}
