//! The headers that contain a time: `Date` and `Retry-After`.

use core::time::Duration;

use http::{HeaderMap, header};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;

/// The longest wait, whatever a server, a proxy or a snapshot asks for.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// The `Date` header.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(header::DATE)?.as_bytes())
}

/// The wait in a `Retry-After` header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RetryAfter {
    /// Seconds, or the time from the response's `Date` to a date. At most [`LONGEST_WAIT`].
    pub(crate) delay: Option<Duration>,
    /// A date in a response without a `Date` to compare it with.
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

/// Only digits. More digits than a number can hold mean a very long wait.
fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

fn http_date(text: &[u8]) -> Option<Timestamp> {
    fixed_date(text).or_else(|| DateTimeParser::new().parse_timestamp(text).ok())
}

/// The one form that servers write (`IMF-fixdate`, RFC 9110, section 5.6.7), as `Tue, 24 Nov 2026 14:20:30 GMT`. The parser
/// of all forms takes twice as long.
#[rustfmt::skip]
fn fixed_date(text: &[u8]) -> Option<Timestamp> {
    let &[w1, w2, w3, b',', b' ', d1, d2, b' ', n1, n2, n3, b' ', y1, y2, y3, y4, b' ',
          h1, h2, b':', m1, m2, b':', s1, s2, b' ', b'G', b'M', b'T'] = text else { return None };
    let year = i16::from(digits(y1, y2)?).checked_mul(100)?.checked_add(digits(y3, y4)?.into())?;
    let date = Date::new(year, number([n1, n2, n3], MONTHS)?, digits(d1, d2)?).ok()?;
    let time = Time::new(digits(h1, h2)?, digits(m1, m2)?, digits(s1, s2)?, 0).ok()?;
    let is_weekday = number([w1, w2, w3], WEEKDAYS)? == date.weekday().to_monday_one_offset();
    TimeZone::UTC.to_timestamp(DateTime::from_parts(date, time)).ok().filter(|_| is_weekday)
}

const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
const WEEKDAYS: &[u8] = b"MonTueWedThuFriSatSun";

/// The number of a name of three letters, from 1.
fn number(name: [u8; 3], names: &[u8]) -> Option<i8> {
    names.as_chunks().0.iter().zip(1..).find(|(known, _)| **known == name).map(|(_, number)| number)
}

fn digits(tens: u8, ones: u8) -> Option<i8> {
    let [tens, ones] = [tens, ones].map(|digit| char::from(digit).to_digit(10));
    i8::try_from(tens?.checked_mul(10)?.checked_add(ones?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use jiff::SignedDuration;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_form_of_servers_is_read_as_the_parser_of_all_forms_reads_it() {
        let other = |text: &str| DateTimeParser::new().parse_timestamp(text).ok();
        let write = |time: Timestamp| time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let first = at("0001-01-01T00:00:00Z");
        // Somewhat more than eleven months apart: all months, days of the week and leap years come by.
        for number in 0..10_000 {
            let text = write(first.saturating_add(SignedDuration::from_secs(number * 29_370_671)).unwrap());
            assert!(other(&text).is_some(), "{text}");
            assert_eq!(fixed_date(text.as_bytes()), other(&text), "{text}");
        }
        for text in [
            "Mon, 24 Nov 2026 14:20:30 GMT",
            "Tue, 24 Nov 2026 24:20:30 GMT",
            "Tue, 24 Nov 2026 14:60:30 GMT",
            "Sun, 29 Feb 2026 14:20:30 GMT",
            "Tue, 24 Nov 2026 14:20:+0 GMT",
            "Tue, 2\u{661} Nov 2026 14:20:30 GT",
            "Tue, 24 nov 2026 14:20:30 UTC",
        ] {
            assert_eq!(fixed_date(text.as_bytes()), None, "{text}");
        }
        for text in ["Tue, 24 Nov 2026 14:20:60 GMT", "tue, 24 nov 2026 14:20:30 gmt", "24 Nov 26 14:20:30 +0000"] {
            assert_eq!(http_date(text.as_bytes()), other(text), "{text}");
            assert!(http_date(text.as_bytes()).is_some() && fixed_date(text.as_bytes()).is_none(), "{text}");
        }
    }
}
