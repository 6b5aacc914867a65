//! How answers are read: JSON objects with lenient values and strict keys.
//!
//! A key may be unknown or reordered but comes once; `null` is absence; a number may come as a string. Fields that
//! decide (tokens, errors, expiry, user) must have their type; a field that only informs is dropped where it hasn't.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_json::de::Read;
use serde_json::error::Category;

use crate::place::hosts::ApiHosts;
use crate::wire::error::{Undecodable, UndecodableKind};
use crate::wire::excerpt;
use crate::wire::secret::{AccessToken, MarketDataToken};

/// A JSON object that is filled field by field. [`object!`] makes one of a table of keys.
pub(crate) trait Object: Default {
    /// Takes the value of `key` from `map`; `false` leaves it there because the key is not one of this object's.
    fn fill<'de, M: MapAccess<'de>>(&mut self, key: &str, seen: &mut Seen, map: &mut M) -> Result<bool, M::Error>;
}

/// An object without fields.
impl Object for () {
    fn fill<'de, M: MapAccess<'de>>(&mut self, _: &str, _: &mut Seen, _: &mut M) -> Result<bool, M::Error> {
        Ok(false)
    }
}

/// The fields of an object that have been read.
#[derive(Default)]
pub(crate) struct Seen {
    bits: u64,
    /// The field whose value is being read.
    pub(crate) current: Option<&'static str>,
}

impl Seen {
    /// Begins to read the field of this number.
    pub(crate) fn begin<E: serde::de::Error>(&mut self, number: u32, key: &'static str) -> Result<(), E> {
        self.current = Some(key);
        let bit = 1_u64.checked_shl(number).unwrap_or_default();
        if self.bits & bit != 0 {
            return Err(E::custom("a field comes twice"));
        }
        self.bits |= bit;
        Ok(())
    }
}

/// Defines a struct and its [`Object`]: each line has a key, the field that it fills, and the function of this module that
/// reads it.
macro_rules! object {
    ($(#[$meta:meta])* $visibility:vis struct $object:ident {
        $($(#[$doc:meta])* $key:literal => $field_visibility:vis $field:ident: $type:ty = $reader:ident,)+
    }) => {
        $(#[$meta])*
        #[derive(Default)]
        $visibility struct $object {
            $($(#[$doc])* $field_visibility $field: $type,)+
        }

        impl $crate::wire::json::Object for $object {
            fn fill<'de, M: serde::de::MapAccess<'de>>(
                &mut self,
                key: &str,
                seen: &mut $crate::wire::json::Seen,
                map: &mut M,
            ) -> Result<bool, M::Error> {
                #[allow(non_camel_case_types)]
                enum Number { $($field),+ }
                match key {
                    $($key => {
                        seen.begin(Number::$field as u32, $key)?;
                        self.$field = $crate::wire::json::$reader(map)?;
                    })+
                    _ => return Ok(false),
                }
                seen.current = None;
                Ok(true)
            }
        }
    };
}
pub(crate) use object;

/// Reads a body as one JSON object, shared between an envelope (errors, penalties) and a result: whether one of the two has
/// a field of it.
pub(crate) fn read(body: &[u8], envelope: &mut impl Object, result: &mut impl Object) -> Result<bool, Undecodable> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut reading = Reading { envelope, result, seen: Default::default(), any_known: false };
    // Valid text is checked once here, and not again string by string.
    let read = match core::str::from_utf8(body) {
        Ok(text) => reading.read(serde_json::Deserializer::from_str(text)),
        Err(_) => reading.read(serde_json::Deserializer::from_slice(body)),
    };
    let [of_envelope, of_result] = reading.seen.map(|seen| seen.current);
    read.map(|()| reading.any_known).map_err(|error| undecodable(body, &error, of_result.or(of_envelope)))
}

fn undecodable(body: &[u8], error: &serde_json::Error, field: Option<&'static str>) -> Undecodable {
    let start = body.trim_ascii_start();
    let kind = match error.classify() {
        _ if start.is_empty() => UndecodableKind::Empty,
        _ if start.starts_with(b"<") => UndecodableKind::Html,
        Category::Eof => UndecodableKind::Truncated,
        Category::Data => UndecodableKind::Mismatch,
        Category::Syntax | Category::Io => UndecodableKind::Syntax,
    };
    Undecodable { kind, line: error.line(), column: error.column(), field }
}

struct Reading<'r, E, T> {
    envelope: &'r mut E,
    result: &'r mut T,
    seen: [Seen; 2],
    any_known: bool,
}

impl<E: Object, T: Object> Reading<'_, E, T> {
    fn read<'de, R: Read<'de>>(&mut self, mut json: serde_json::Deserializer<R>) -> serde_json::Result<()> {
        json.deserialize_map(self)?;
        json.end()
    }
}

impl<'de, E: Object, T: Object> Visitor<'de> for &mut Reading<'_, E, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let [of_envelope, of_result] = &mut self.seen;
        let mut unknown = BTreeSet::new();
        while let Some(Text(key)) = map.next_key()? {
            if self.result.fill(&key, of_result, &mut map)? || self.envelope.fill(&key, of_envelope, &mut map)? {
                self.any_known = true;
                continue;
            }
            map.next_value::<IgnoredAny>()?;
            if !unknown.insert(key) {
                return Err(M::Error::custom("a field comes twice"));
            }
        }
        Ok(())
    }
}

/// The names of an object's fields that have a value, as printable text; none if the body is no object.
pub(crate) fn field_names(body: &[u8]) -> Vec<String> {
    let mut names = Names::default();
    let _ = read(body, &mut (), &mut names);
    names.0
}

#[derive(Default)]
struct Names(Vec<String>);

/// An answer with more fields than this is not described in full.
const NAMES_SHOWN: usize = 32;

impl Object for Names {
    fn fill<'de, M: MapAccess<'de>>(&mut self, key: &str, _: &mut Seen, map: &mut M) -> Result<bool, M::Error> {
        let has_value = !matches!(map.next_value()?, Scalar::Null);
        if has_value && self.0.len() < NAMES_SHOWN {
            self.0.push(excerpt::name(key));
        }
        Ok(true)
    }
}

/// A string, borrowed where it has no escapes.
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
    /// An object, which has been skipped.
    Object,
}

impl<'de> Scalar<'de> {
    #[inline]
    fn text(self) -> Option<Cow<'de, str>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A number, or a text that is one.
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

/// A value that decides: `null` is absence, and a value that is not what the vendor documents spoils the answer.
#[inline]
fn decide<'de, M: MapAccess<'de>, T>(
    map: &mut M,
    read: impl FnOnce(Scalar<'de>) -> Option<T>,
) -> Result<Option<T>, M::Error> {
    match map.next_value()? {
        Scalar::Null => Ok(None),
        value => read(value).map(Some).ok_or_else(|| M::Error::custom("not the documented type")),
    }
}

/// A text that decides; empty is absence.
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

/// An enumeration that informs. Only a value that is not known is copied.
pub(crate) fn named<'de, M: MapAccess<'de>, T: Named>(map: &mut M) -> Result<Option<T>, M::Error> {
    let text = map.next_value::<Scalar>()?.text();
    Ok(text.map(|text| T::known(&text).unwrap_or_else(|| T::from(text.into_owned()))))
}

/// An enumeration whose values are names.
pub(crate) trait Named: From<String> {
    /// The documented value of a name.
    fn known(name: &str) -> Option<Self>;
}

/// A secret string; empty is absence.
pub(crate) fn secret<'de, M: MapAccess<'de>, T: From<String>>(map: &mut M) -> Result<Option<T>, M::Error> {
    filled(map, |text| Some(T::from(text.into_owned())))
}

/// An access token; empty is absence.
pub(crate) fn access_token<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<AccessToken>, M::Error> {
    filled(map, |text| AccessToken::parse(&text).ok())
}

/// A market data token; empty is absence.
pub(crate) fn market_data_token<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<MarketDataToken>, M::Error> {
    filled(map, |text| MarketDataToken::parse(text).ok())
}

/// `true`, `false`, or one of them as a string; it informs.
pub(crate) fn flag<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<bool>, M::Error> {
    Ok(match map.next_value()? {
        Scalar::Bool(value) => Some(value),
        Scalar::Text(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    })
}

/// Whether a captcha is asked for: `true`, or anything that doesn't deny it.
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

/// A lifetime: whole seconds, a fraction dropped.
pub(crate) fn lifetime<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<u64>, M::Error> {
    decide(map, |value| seconds(value).map(|(whole, _)| whole))
}

/// A wait: whole seconds, a fraction rounded up.
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

/// Whole seconds, and whether there is a fraction beside them.
fn seconds(value: Scalar<'_>) -> Option<(u64, bool)> {
    match value {
        Scalar::Number(number) if number.is_u64() => Some((number.as_u64()?, false)),
        Scalar::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => {
            Some((text.parse().unwrap_or(u64::MAX), false))
        }
        other => {
            let seconds = other.real().filter(|seconds| *seconds >= 0.0)?;
            // The cast saturates, and what it drops is the fraction.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            Some((seconds as u64, seconds > (seconds as u64) as f64))
        }
    }
}

/// A time that decides: RFC 3339, with or without a fraction; empty is absence.
pub(crate) fn time<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<Timestamp>, M::Error> {
    filled(map, |text| text.parse().ok())
}

/// A time that informs.
pub(crate) fn time_info<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<Timestamp>, M::Error> {
    Ok(map.next_value::<Scalar>()?.text().and_then(|text| text.parse().ok()))
}

/// A list of strings that informs; other elements are dropped.
pub(crate) fn texts<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Vec<String>, M::Error> {
    Ok(if let Scalar::List(texts) = map.next_value()? { texts } else { Vec::new() })
}

/// `apiHosts`.
pub(crate) fn hosts<'de, M: MapAccess<'de>>(map: &mut M) -> Result<ApiHosts, M::Error> {
    Ok(map.next_value::<Option<ApiHosts>>()?.unwrap_or_default())
}

#[cfg(test)]
#[path = "json/tests.rs"]
mod tests;
