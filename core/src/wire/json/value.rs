//! Reads the values of fields. Each reader takes one value from a map.
//!
//! If a value that decides has another type than documented, the answer is refused. If a value that informs has another
//! type, it is dropped.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use crate::environment::api_hosts::ApiHosts;
use crate::wire::bearer_token::{AccessToken, MarketDataToken};

mod time;

pub(crate) use time::{lifetime, time, time_info, wait, wait_info};

/// A string, borrowed if it has no escapes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scalar::deserialize(deserializer)?.text().map(Self).ok_or_else(|| D::Error::custom("not a string"))
    }
}

/// Any JSON value, as far as one field can hold it.
pub(crate) enum Scalar<'de> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'de, str>),
    /// The strings of an array.
    List(Vec<String>),
    /// An object. Its content was skipped.
    Object,
}

impl<'de> Scalar<'de> {
    #[inline]
    fn text(self) -> Option<Cow<'de, str>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A number, or a string that contains one.
    fn real(self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Number::from_f64(value).map_or(Scalar::Null, Scalar::Number))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(value.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        let mut texts = Vec::new();
        while let Some(element) = seq.next_element::<Scalar>()? {
            texts.extend(element.text().map(Cow::into_owned));
        }
        Ok(Scalar::List(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Object)
    }
}

/// A value that decides. `null` means absent. A value of another type than documented makes the answer invalid.
#[inline]
fn decide<'de, M: MapAccess<'de>, T>(
    map: &mut M,
    read: impl FnOnce(Scalar<'de>) -> Option<T>,
) -> Result<Option<T>, M::Error> {
    match map.next_value()? {
        //= R-LOGIN-17
        Scalar::Null => Ok(None),
        value => read(value).map(Some).ok_or_else(|| M::Error::custom("not the documented type")),
    }
}

/// A text that decides. Empty means absent.
#[inline]
fn filled<'de, M: MapAccess<'de>, T>(
    map: &mut M,
    read: impl FnOnce(Cow<'de, str>) -> Option<T>,
) -> Result<Option<T>, M::Error> {
    let value = decide(map, |value| {
        let text = value.text()?;
        if text.is_empty() { Some(None) } else { read(text).map(Some) }
    });
    Ok(value?.flatten())
}

/// A string that decides.
pub(crate) fn text<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<String>, M::Error> {
    decide(map, |value| value.text().map(Cow::into_owned))
}

/// A string that informs.
pub(crate) fn info<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<String>, M::Error> {
    Ok(map.next_value::<Scalar>()?.text().map(Cow::into_owned))
}

/// An enumeration that informs. Only an unknown value is copied.
pub(crate) fn named<'de, M: MapAccess<'de>, T: Named>(map: &mut M) -> Result<Option<T>, M::Error> {
    let text = map.next_value::<Scalar>()?.text();
    Ok(text.map(|text| T::known(&text).unwrap_or_else(|| T::from(text.into_owned()))))
}

/// An enumeration whose values are names.
pub(crate) trait Named: From<String> {
    /// The variant for a name.
    fn known(name: &str) -> Option<Self>;
}

/// A string that decides. Empty means absent.
pub(crate) fn nonempty<'de, M: MapAccess<'de>, T: From<String>>(map: &mut M) -> Result<Option<T>, M::Error> {
    filled(map, |text| Some(T::from(text.into_owned())))
}

/// An access token. Empty means absent.
pub(crate) fn access_token<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<AccessToken>, M::Error> {
    filled(map, |text| AccessToken::parse(&text).ok())
}

/// A market data token. Empty means absent.
pub(crate) fn market_data_token<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<MarketDataToken>, M::Error> {
    filled(map, |text| MarketDataToken::parse(text).ok())
}

/// `true`, `false`, or one of them as a string. It informs.
pub(crate) fn flag<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<bool>, M::Error> {
    Ok(match map.next_value()? {
        Scalar::Bool(value) => Some(value),
        Scalar::Text(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    })
}

/// Whether a captcha is asked for: `true`, or any value that does not deny it.
//= R-PENALTY-4
pub(crate) fn demand<'de, M: MapAccess<'de>>(map: &mut M) -> Result<bool, M::Error> {
    Ok(match map.next_value()? {
        Scalar::Null | Scalar::Bool(false) => false,
        Scalar::Number(number) => number.as_u64() != Some(0),
        Scalar::Text(text) => !["", "0", "false", "no"].iter().any(|no| text.trim().eq_ignore_ascii_case(no)),
        _ => true,
    })
}

/// An identifier: a 64-bit integer, as a number or a string.
pub(crate) fn identifier<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<i64>, M::Error> {
    decide(map, |value| match value {
        Scalar::Number(number) => number.as_i64(),
        other => other.text()?.parse().ok(),
    })
}

/// A number that informs.
pub(crate) fn number<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<f64>, M::Error> {
    Ok(map.next_value::<Scalar>()?.real().filter(|number| number.is_finite()))
}

/// A list of strings that informs. Other elements are dropped.
pub(crate) fn texts<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Vec<String>, M::Error> {
    Ok(if let Scalar::List(texts) = map.next_value()? { texts } else { Vec::new() })
}

/// `apiHosts`.
pub(crate) fn hosts<'de, M: MapAccess<'de>>(map: &mut M) -> Result<ApiHosts, M::Error> {
    map.next_value()
}
