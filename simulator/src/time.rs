//! Checked arithmetic on timestamps, and the two ways the server writes a moment: the `Date` header and an expiry.
//! Nothing here reads a clock; a sum that leaves the calendar stops at its end.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};

/// The rolling window of every limit, and how long a closed door stays closed.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

pub(crate) fn shifted(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

/// How long ago `earlier` was; zero when it has not come yet.
pub(crate) fn elapsed(now: Timestamp, earlier: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(earlier)).unwrap_or_default()
}

/// An IMF-fixdate in GMT; `None` for years that the format cannot write.
pub(crate) fn http_date(time: Timestamp) -> Option<String> {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}

/// The moment cut to what is written on the wire, so that a token dies exactly when its answer says.
pub(crate) fn cut(time: Timestamp, fraction: bool) -> Timestamp {
    let cut = if fraction {
        Timestamp::from_millisecond(time.as_millisecond())
    } else {
        Timestamp::from_second(time.as_second())
    };
    cut.unwrap_or(time)
}

/// A moment that went through [`cut`], as RFC 3339.
pub(crate) fn written(time: Timestamp, fraction: bool) -> String {
    if fraction { format!("{time:.3}") } else { time.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_calendar_is_not_passed() {
        assert_eq!(later(Timestamp::MAX, Duration::MAX), Timestamp::MAX);
        assert_eq!(shifted(Timestamp::MIN, SignedDuration::MIN), Timestamp::MIN);
    }

    #[test]
    fn what_lies_ahead_has_not_elapsed() {
        assert_eq!(elapsed(Timestamp::UNIX_EPOCH, Timestamp::MAX), Duration::ZERO);
    }

    #[test]
    fn an_expiry_is_cut_not_rounded() {
        let time = "2026-11-24T15:40:30.956789Z".parse().unwrap();
        assert_eq!(written(cut(time, true), true), "2026-11-24T15:40:30.956Z");
        assert_eq!(written(cut(time, false), false), "2026-11-24T15:40:30Z");
    }
}
