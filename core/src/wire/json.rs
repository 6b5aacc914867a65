//! How answers are read: JSON objects with lenient values and strict keys.
//!
//! A key may be unknown or reordered but comes once; `null` is absence; a number may come as a string. Fields that
//! decide (tokens, errors, expiry, user) must have their type; a field that only informs is dropped where it hasn't.

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::place::hosts::ApiHosts;
use crate::wire::error::{Undecodable, UndecodableKind};
use crate::wire::secret::{AccessToken, MarketDataToken};

/// A JSON object that is filled field by field. [`object!`] implements it from a table of keys.
pub(crate) trait Object: Default {
    /// Takes the value of `key` from `map`; `false` leaves it there because the key is not one of this object's.
    fn fill<'de, M: MapAccess<'de>>(&mut self, key: &str, seen: &mut Seen, map: &mut M) -> Result<bool, M::Error>;
}

/// The fields that have been read.
#[derive(Default)]
pub(crate) struct Seen {
    bits: u64,
    current: Option<&'static str>,
}

impl Seen {
    /// Notes that the field of this number is being read.
    pub(crate) fn once<E: serde::de::Error>(&mut self, number: u32, key: &'static str) -> Result<(), E> {
        self.current = Some(key);
        let bit = 1_u64.checked_shl(number).unwrap_or_default();
        if self.bits & bit != 0 {
            return Err(E::custom("a field comes twice"));
        }
        self.bits |= bit;
        Ok(())
    }
}

/// Implements [`Object`] for a struct: which key fills which field, read by which function of this module.
macro_rules! object {
    ($object:ident { $($key:literal => $field:ident: $reader:ident),+ $(,)? }) => {
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
                        seen.once(Number::$field as u32, $key)?;
                        self.$field = $crate::wire::json::$reader(map)?;
                    })+
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    };
}
pub(crate) use object;

/// Reads a body as one JSON object, shared between an envelope (errors, penalties) and a result.
pub(crate) fn read(body: &[u8], envelope: &mut impl Object, result: &mut impl Object) -> Result<(), Undecodable> {
    read_fields(body, envelope, result).map(|_| ())
}

/// Whether a body is one JSON object with at least one field of these two.
pub(crate) fn is_object_of(body: &[u8], envelope: &mut impl Object, result: &mut impl Object) -> bool {
    read_fields(body, envelope, result).unwrap_or_default()
}

/// Reads a body as one JSON object: whether any of its fields is known.
fn read_fields(body: &[u8], envelope: &mut impl Object, result: &mut impl Object) -> Result<bool, Undecodable> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut reading = Reading { envelope, result, field: None, any_known: false };
    // Looked at once, valid text needs no more looking at string by string.
    let read = match core::str::from_utf8(body) {
        Ok(text) => reading.read(serde_json::Deserializer::from_str(text)),
        Err(_) => reading.read(serde_json::Deserializer::from_slice(body)),
    };
    read.map_err(|error| undecodable(body, &error, reading.field))?;
    Ok(reading.any_known)
}

/// The names of an object's fields that have a value, as printable text; none where the body is no object.
pub(crate) fn field_names(body: &[u8]) -> Vec<String> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut names = Names::default();
    let _ = DeserializeSeed::deserialize(&mut names, &mut serde_json::Deserializer::from_slice(body));
    names.0
}

fn undecodable(body: &[u8], error: &serde_json::Error, field: Option<&'static str>) -> Undecodable {
    use serde_json::error::Category;

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
    field: Option<&'static str>,
    /// Whether a field has been read that one of the two has.
    any_known: bool,
}

impl<E: Object, T: Object> Reading<'_, E, T> {
    fn read<'de, R: serde_json::de::Read<'de>>(
        &mut self,
        mut deserializer: serde_json::Deserializer<R>,
    ) -> serde_json::Result<()> {
        self.deserialize(&mut deserializer)?;
        deserializer.end()
    }
}

impl<'de, E: Object, T: Object> DeserializeSeed<'de> for &mut Reading<'_, E, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, E: Object, T: Object> Visitor<'de> for &mut Reading<'_, E, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let (mut result_seen, mut envelope_seen) = (Seen::default(), Seen::default());
        let mut unknown = BTreeSet::new();
        while let Some(Text(key)) = map.next_key()? {
            let filled =
                self.result.fill(&key, &mut result_seen, &mut map).inspect_err(|_| self.field = result_seen.current)?
                    || self
                        .envelope
                        .fill(&key, &mut envelope_seen, &mut map)
                        .inspect_err(|_| self.field = envelope_seen.current)?;
            self.any_known |= filled;
            if !filled {
                map.next_value::<IgnoredAny>()?;
                if !unknown.insert(key) {
                    return Err(M::Error::custom("a field comes twice"));
                }
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Names(Vec<String>);

impl<'de> DeserializeSeed<'de> for &mut Names {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

/// An answer with more fields than this is not described in full.
const NAMES_SHOWN: usize = 32;

impl<'de> Visitor<'de> for &mut Names {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(Text(key)) = map.next_key()? {
            let value = map.next_value::<Scalar>()?;
            if value != Scalar::Null && self.0.len() < NAMES_SHOWN {
                self.0.push(crate::wire::excerpt::name(&key));
            }
        }
        Ok(())
    }
}

/// A string, borrowed where it has no escapes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Scalar::deserialize(deserializer)? {
            Scalar::Text(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("not a string")),
        }
    }
}

/// Any JSON value, as far as one field can hold it.
#[derive(PartialEq)]
pub(crate) enum Scalar<'de> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(Cow<'de, str>),
    /// The strings of an array.
    List(Vec<String>),
    /// An object, which has been skipped.
    Object,
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
        Ok(Scalar::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Signed(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        let mut texts = Vec::new();
        while let Some(element) = seq.next_element()? {
            if let Scalar::Text(text) = element {
                texts.push(text.into_owned());
            }
        }
        Ok(Scalar::List(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Object)
    }
}

fn scalar<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Scalar<'de>, M::Error> {
    map.next_value()
}

fn mismatch<E: serde::de::Error>() -> E {
    E::custom("not the documented type")
}

/// A string that decides.
pub(crate) fn text<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<String>, M::Error> {
    match scalar(map)? {
        Scalar::Null => Ok(None),
        Scalar::Text(text) => Ok(Some(text.into_owned())),
        _ => Err(mismatch()),
    }
}

/// A string that informs.
pub(crate) fn info<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<String>, M::Error> {
    Ok(match scalar(map)? {
        Scalar::Text(text) => Some(text.into_owned()),
        _ => None,
    })
}

/// An enumeration that informs. Only a value that is not known is copied.
pub(crate) fn named<'de, M: MapAccess<'de>, T: Named>(map: &mut M) -> Result<Option<T>, M::Error> {
    Ok(match scalar(map)? {
        Scalar::Text(text) => Some(T::known(&text).unwrap_or_else(|| T::from(text.into_owned()))),
        _ => None,
    })
}

/// An enumeration whose values are names.
pub(crate) trait Named: From<String> {
    /// The documented value of a name.
    fn known(name: &str) -> Option<Self>;
}

/// A secret string; empty is absence.
pub(crate) fn secret<'de, M: MapAccess<'de>, T: From<String>>(map: &mut M) -> Result<Option<T>, M::Error> {
    Ok(text(map)?.filter(|text| !text.is_empty()).map(T::from))
}

/// An access token; empty is absence.
pub(crate) fn access_token<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<AccessToken>, M::Error> {
    match scalar(map)? {
        Scalar::Null => Ok(None),
        Scalar::Text(text) if text.is_empty() => Ok(None),
        Scalar::Text(text) => AccessToken::parse(&text).map(Some).map_err(M::Error::custom),
        _ => Err(mismatch()),
    }
}

/// A market data token; empty is absence.
pub(crate) fn market_data_token<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<MarketDataToken>, M::Error> {
    let text = text(map)?.filter(|text| !text.is_empty());
    text.map(MarketDataToken::parse).transpose().map_err(M::Error::custom)
}

/// `true`, `false`, or one of them as a string; it informs.
pub(crate) fn flag<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<bool>, M::Error> {
    Ok(match scalar(map)? {
        Scalar::Bool(value) => Some(value),
        Scalar::Text(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    })
}

/// Whether a captcha is asked for: `true`, or anything that doesn't deny it.
pub(crate) fn demand<'de, M: MapAccess<'de>>(map: &mut M) -> Result<bool, M::Error> {
    Ok(match scalar(map)? {
        Scalar::Null | Scalar::Bool(false) | Scalar::Unsigned(0) => false,
        Scalar::Text(text) => !["", "0", "false", "no"].iter().any(|no| text.trim().eq_ignore_ascii_case(no)),
        _ => true,
    })
}

/// An identifier: a 64-bit integer, as a number or a string.
pub(crate) fn identifier<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<i64>, M::Error> {
    match scalar(map)? {
        Scalar::Null => Ok(None),
        Scalar::Unsigned(number) => i64::try_from(number).map(Some).map_err(|_| mismatch()),
        Scalar::Signed(number) => Ok(Some(number)),
        Scalar::Text(text) => text.parse().map(Some).map_err(|_| mismatch()),
        _ => Err(mismatch()),
    }
}

/// A number that informs.
pub(crate) fn number<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<f64>, M::Error> {
    Ok(real(&scalar(map)?).filter(|number| number.is_finite()))
}

/// A lifetime: whole seconds, a fraction dropped.
pub(crate) fn lifetime<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<u64>, M::Error> {
    seconds(map, |_| 0)
}

/// A wait: whole seconds, a fraction rounded up.
pub(crate) fn wait<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<u64>, M::Error> {
    seconds(map, u64::from)
}

fn seconds<'de, M: MapAccess<'de>>(map: &mut M, round: fn(bool) -> u64) -> Result<Option<u64>, M::Error> {
    match scalar(map)? {
        Scalar::Null => Ok(None),
        Scalar::Unsigned(seconds) => Ok(Some(seconds)),
        Scalar::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => {
            Ok(Some(text.parse().unwrap_or(u64::MAX)))
        }
        other => {
            let seconds = real(&other).filter(|seconds| *seconds >= 0.0).ok_or_else(mismatch::<M::Error>)?;
            // The cast saturates, and what it drops is the fraction.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let (whole, has_fraction) = (seconds as u64, seconds > (seconds as u64) as f64);
            Ok(Some(whole.saturating_add(round(has_fraction))))
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn real(scalar: &Scalar<'_>) -> Option<f64> {
    match scalar {
        Scalar::Unsigned(number) => Some(*number as f64),
        Scalar::Signed(number) => Some(*number as f64),
        Scalar::Float(number) => Some(*number),
        Scalar::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A time that decides: RFC 3339, with or without a fraction.
pub(crate) fn time<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<Timestamp>, M::Error> {
    match scalar(map)? {
        Scalar::Null => Ok(None),
        Scalar::Text(text) if text.is_empty() => Ok(None),
        Scalar::Text(text) => text.parse().map(Some).map_err(|_| mismatch()),
        _ => Err(mismatch()),
    }
}

/// A time that informs.
pub(crate) fn time_info<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Option<Timestamp>, M::Error> {
    Ok(match scalar(map)? {
        Scalar::Text(text) => text.parse().ok(),
        _ => None,
    })
}

/// A list of strings that informs; other elements are dropped.
pub(crate) fn texts<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Vec<String>, M::Error> {
    Ok(match scalar(map)? {
        Scalar::List(texts) => texts,
        _ => Vec::new(),
    })
}

/// `apiHosts`.
pub(crate) fn hosts<'de, M: MapAccess<'de>>(map: &mut M) -> Result<ApiHosts, M::Error> {
    Ok(map.next_value::<Option<ApiHosts>>()?.unwrap_or_default())
}

#[cfg(test)]
#[path = "json/tests.rs"]
mod tests;
