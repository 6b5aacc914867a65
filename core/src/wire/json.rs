//! Reads answers: JSON objects with lenient values and strict keys.
//!
//! Unknown keys and any order are accepted, but each key may occur only once. `null` means absent. A number may be a
//! string. Fields that decide (tokens, errors, expiry, user) must have their documented type. A field that only informs
//! is dropped if it has another type.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::de::Read;
use serde_json::error::Category;

use crate::wire::error::{Undecodable, UndecodableKind};
use crate::wire::excerpt;

pub(crate) mod value;

use value::{Scalar, Text};

/// A JSON object that is filled field by field. [`object!`] creates one from a table of keys.
pub(crate) trait Object: Default {
    /// Reads the value of `key` from `map`. Returns `false`, and leaves the value in the map, if this object has no
    /// such key.
    fn fill<'de, M: MapAccess<'de>>(&mut self, key: &str, seen: &mut Seen, map: &mut M) -> Result<bool, M::Error>;
}

/// An object without fields.
impl Object for () {
    fn fill<'de, M: MapAccess<'de>>(&mut self, _: &str, _: &mut Seen, _: &mut M) -> Result<bool, M::Error> {
        Ok(false)
    }
}

/// The fields that have been read.
#[derive(Default)]
pub(crate) struct Seen {
    bits: u64,
    /// The field that could not be read.
    pub(crate) failed: Option<&'static str>,
}

impl Seen {
    /// Reads the field with this number.
    //= R-STATUS-14
    #[inline]
    pub(crate) fn read<T, E: serde::de::Error>(
        &mut self,
        number: u32,
        key: &'static str,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let bit = 1_u64.checked_shl(number).unwrap_or_default();
        let value = if self.bits & bit == 0 { read() } else { Err(E::custom("a field comes twice")) };
        self.bits |= bit;
        value.inspect_err(|_| self.failed = Some(key))
    }
}

/// Defines a struct and its [`Object`]. Each line has a key, the field that it fills, and the function of this module
/// that reads it.
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
                        let read = || $crate::wire::json::value::$reader(map);
                        self.$field = seen.read(Number::$field as u32, $key, read)?;
                    })+
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    };
}
pub(crate) use object;

/// Reads a body as one JSON object. The object contains both the envelope (errors, penalties) and the result. Returns
/// whether one of the two has a field of it.
pub(crate) fn read(body: &[u8], envelope: &mut impl Object, result: &mut impl Object) -> Result<bool, Undecodable> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut reading = Reading { envelope, result, seen: Default::default(), any_known: false };
    // The text is checked for valid UTF-8 once here, and not again for each string.
    let read = match core::str::from_utf8(body) {
        Ok(text) => reading.read(serde_json::Deserializer::from_str(text)),
        Err(_) => reading.read(serde_json::Deserializer::from_slice(body)),
    };
    let [of_envelope, of_result] = reading.seen.map(|seen| seen.failed);
    read.map(|()| reading.any_known).map_err(|error| undecodable(body, &error, of_result.or(of_envelope)))
}

//= R-STATUS-11
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
            //= R-LOGIN-17
            map.next_value::<IgnoredAny>()?;
            if !unknown.insert(key) {
                return Err(M::Error::custom("a field comes twice"));
            }
        }
        Ok(())
    }
}

/// The names of the fields with a value, as printable text. Empty if the body is not an object.
pub(crate) fn field_names(body: &[u8]) -> Vec<String> {
    let mut names = Names::default();
    let _ = read(body, &mut (), &mut names);
    names.0
}

#[derive(Default)]
struct Names(Vec<String>);

/// An answer with more fields than this is not described completely.
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn the_number_of_kept_field_names_is_limited() {
        let fields: Vec<_> = (0..1000).map(|number| format!("\"k{number}\":0")).collect();
        let names = field_names(format!("{{{}}}", fields.join(",")).as_bytes());
        assert_eq!((names.len(), names[31].as_str()), (NAMES_SHOWN, "k31"));
    }
}
