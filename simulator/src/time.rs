//! Checked arithmetic with timestamps, and the server's two ways to write a time: the `Date` header and an expiry.
//! Nothing here reads a clock. A sum outside of the calendar is clamped to the calendar's end.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};

/// The length of the rolling windows, and how long a captcha closes an endpoint.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

pub(crate) fn shifted(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

/// How long ago `earlier` was; zero if it is in the future.
pub(crate) fn elapsed(now: Timestamp, earlier: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(earlier)).unwrap_or_default()
}

/// The time as an IMF-fixdate in GMT; `None` for years that the format can't express.
pub(crate) fn http_date(time: Timestamp) -> Option<String> {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}

/// Truncates a time to the precision of the wire format, so that a token expires exactly when its response says.
pub(crate) fn cut(time: Timestamp, fraction: bool) -> Timestamp {
    let cut = if fraction {
        Timestamp::from_millisecond(time.as_millisecond())
    } else {
        Timestamp::from_second(time.as_second())
    };
    cut.unwrap_or(time)
}

/// Writes a time that was truncated by [`cut`], as RFC 3339.
pub(crate) fn written(time: Timestamp, fraction: bool) -> String {
    if fraction { format!("{time:.3}") } else { time.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_outside_of_the_calendar_are_clamped() {
        assert_eq!(later(Timestamp::MAX, Duration::MAX), Timestamp::MAX);
        assert_eq!(shifted(Timestamp::MIN, SignedDuration::MIN), Timestamp::MIN);
    }

    #[test]
    fn the_time_since_a_future_moment_is_zero() {
        assert_eq!(elapsed(Timestamp::UNIX_EPOCH, Timestamp::MAX), Duration::ZERO);
    }

    #[test]
    fn an_expiry_is_truncated_and_not_rounded() {
        let time = "2026-11-24T15:40:30.956789Z".parse().unwrap();
        assert_eq!(written(cut(time, true), true), "2026-11-24T15:40:30.956Z");
        assert_eq!(written(cut(time, false), false), "2026-11-24T15:40:30Z");
    }
}
