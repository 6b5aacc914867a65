//! A clock: it is wrong, runs fast or slow, and is set.
//! A machine has a wall clock. A program reads it once when it starts and then counts the time that passes, suspended
//! time included, so that what it takes for the time never goes back.

use jiff::{SignedDuration, Timestamp};

const MILLION: i128 = 1_000_000;

/// The longest that anything waits for: longer than any scenario.
const FAR: SignedDuration = SignedDuration::from_hours(24 * 365);

#[derive(Debug, Clone)]
pub(super) struct Clock {
    anchor: Timestamp,
    reading: Timestamp,
    /// Millionths.
    drift: i32,
}

impl Clock {
    pub(super) fn new(start: Timestamp, skew: SignedDuration, drift: i32) -> Self {
        Self { anchor: start, reading: start + skew, drift }
    }

    /// What it shows at a true time.
    pub(super) fn at(&self, time: Timestamp) -> Timestamp {
        let passed = time.duration_since(self.anchor);
        let gained = passed.as_nanos() * i128::from(self.drift) / MILLION;
        self.reading + passed + SignedDuration::from_nanos(i64::try_from(gained).unwrap_or_default())
    }

    /// The true time at which it will show at least this, `now` at the earliest.
    pub(super) fn when(&self, reading: Timestamp, now: Timestamp) -> Timestamp {
        let left = reading.duration_since(self.at(now)).clamp(SignedDuration::ZERO, FAR);
        if left.is_zero() {
            return now;
        }
        let true_left = left.as_nanos() * MILLION / (MILLION + i128::from(self.drift));
        // Rounding must not wake anybody too soon.
        now + SignedDuration::from_nanos(i64::try_from(true_left).unwrap_or_default()) + SignedDuration::from_micros(1)
    }

    /// The clock of a program that starts now and reads this one.
    pub(super) fn anchored(&self, now: Timestamp) -> Self {
        Self { anchor: now, reading: self.at(now), drift: self.drift }
    }

    /// It is set.
    pub(super) fn set(&mut self, now: Timestamp, by: SignedDuration) {
        (self.reading, self.anchor) = (self.at(now) + by, now);
    }
}
