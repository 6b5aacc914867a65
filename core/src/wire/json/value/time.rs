//! Reads times (RFC 3339) and durations (seconds) from the fields of an answer.

use jiff::Timestamp;
use serde::de::MapAccess;

use super::{Scalar, decide, filled};

/// A lifetime in whole seconds. A fraction is dropped.
pub(crate) fn lifetime<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<u64>, M::Error> {
    decide(map, |value| seconds(value).map(|(whole, _)| whole))
}

/// A wait in whole seconds. A fraction is rounded up.
//= R-PENALTY-2
pub(crate) fn wait<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<u64>, M::Error> {
    decide(map, rounded_up)
}

/// A wait that informs.
pub(crate) fn wait_info<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<u64>, M::Error> {
    Ok(rounded_up(map.next_value()?))
}

fn rounded_up(value: Scalar<'_>) -> Option<u64> {
    seconds(value).map(|(whole, has_fraction)| whole.saturating_add(has_fraction.into()))
}

/// Whole seconds, and whether there is a fraction.
fn seconds(value: Scalar<'_>) -> Option<(u64, bool)> {
    match value {
        Scalar::Number(number) if number.is_u64() => Some((number.as_u64()?, false)),
        Scalar::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => {
            Some((text.parse().unwrap_or(u64::MAX), false))
        }
        other => {
            let seconds = other.real().filter(|seconds| *seconds >= 0.0)?;
            // The cast saturates and drops the fraction.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            Some((seconds as u64, seconds > (seconds as u64) as f64))
        }
    }
}

/// A time that decides: RFC 3339, with or without a fraction. Empty means absent.
//= R-TIME-2
pub(crate) fn time<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<Timestamp>, M::Error> {
    filled(map, |text| text.parse().ok())
}

/// A time that informs.
pub(crate) fn time_info<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<Timestamp>, M::Error> {
    Ok(map.next_value::<Scalar>()?.text().and_then(|text| text.parse().ok()))
}
