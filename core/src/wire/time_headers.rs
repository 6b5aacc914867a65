//! The headers that contain a time: `Date` and `Retry-After`.

use core::time::Duration;

use http::{HeaderMap, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// The longest wait that a server, a proxy or a snapshot can cause: one day.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// The `Date` header.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(header::DATE)?.as_bytes())
}

/// The wait in a `Retry-After` header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RetryAfter {
    /// The seconds in the header, or the time from the response's `Date` to the date in the header. At most
    /// [`LONGEST_WAIT`].
    pub(crate) delay: Option<Duration>,
    /// The date in the header, if the response has no `Date` to compare it with.
    pub(crate) at: Option<Timestamp>,
}

/// The `Retry-After` header: seconds or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> RetryAfter {
    let Some(text) = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()) else {
        return RetryAfter::default();
    };
    if let Some(delay) = seconds(text.trim()) {
        return RetryAfter { delay: Some(delay.min(LONGEST_WAIT)), at: None };
    }
    match (http_date(text.trim().as_bytes()), date(headers)) {
        (Some(at), Some(now)) => {
            let delay = Duration::try_from(at.duration_since(now)).unwrap_or_default();
            RetryAfter { delay: Some(delay.min(LONGEST_WAIT)), at: None }
        }
        (at, _) => RetryAfter { delay: None, at },
    }
}

/// Reads a number of seconds, which has only digits. A number that is too large for a `u64` counts as the largest one.
fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

/// Reads the date that servers write (`IMF-fixdate`, RFC 9110, section 5.6.7). It is one of the forms of RFC 2822.
fn http_date(text: &[u8]) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_header_may_have_any_mail_format_and_must_be_valid() {
        let expected: Option<Timestamp> = "2026-11-24T14:20:30Z".parse().ok();
        for text in ["Tue, 24 Nov 2026 14:20:30 GMT", "tue, 24 nov 2026 14:20:30 gmt", "24 Nov 26 14:20:30 +0000"] {
            assert_eq!(http_date(text.as_bytes()), expected, "{text}");
        }
        for text in [
            "Mon, 24 Nov 2026 14:20:30 GMT",
            "Tue, 24 Nov 2026 24:20:30 GMT",
            "Tue, 24 Nov 2026 14:60:30 GMT",
            "Sun, 29 Feb 2026 14:20:30 GMT",
            "Tue, 24 Nov 2026 14:20:+0 GMT",
            "Tue, 2\u{661} Nov 2026 14:20:30 GT",
            "1795530030",
        ] {
            assert_eq!(http_date(text.as_bytes()), None, "{text}");
        }
    }
}
