//! The fields of a request body: checked against the specification, then written as JSON or as a form.

use alloc::string::String;
use alloc::vec::Vec;

use form_urlencoded::Serializer as Form;
use serde::{Serialize, Serializer};

use crate::body::RequestBody;
use crate::credentials::FieldValue;
use crate::error::BuildError;
use crate::penalty::PenaltyTicket;

/// The limit of short fields: names, passwords, ids.
pub(super) const SHORT: usize = 64;

/// The limit of long fields: secrets, tokens, codes, URLs.
pub(super) const LONG: usize = 8192;

/// The fields of one body, in the order they are written.
#[derive(Default)]
pub(super) struct Fields<'a>(Vec<Field<'a>>);

struct Field<'a> {
    name: &'a str,
    value: Value<'a>,
}

enum Value<'a> {
    Text(&'a str),
    Number(i128),
    Flag(bool),
}

impl<'a> Fields<'a> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// A field that must have a value.
    pub(super) fn required(&mut self, name: &'a str, value: &'a str, limit: usize) -> Result<(), BuildError> {
        check_present(name, value)?;
        self.text(name, Some(value), limit)
    }

    pub(super) fn text(&mut self, name: &'a str, value: Option<&'a str>, limit: usize) -> Result<(), BuildError> {
        let Some(value) = value else { return Ok(()) };
        check(name, value, limit)?;
        self.0.push(Field { name, value: Value::Text(value) });
        Ok(())
    }

    pub(super) fn number(&mut self, name: &'a str, value: impl Into<i128>) {
        self.0.push(Field { name, value: Value::Number(value.into()) });
    }

    pub(super) fn flag(&mut self, name: &'a str, value: bool) {
        self.0.push(Field { name, value: Value::Flag(value) });
    }

    /// A field of the caller's own, none of the `reserved`.
    pub(super) fn extra(&mut self, name: &'a str, value: &'a FieldValue, reserved: &[&str]) -> Result<(), BuildError> {
        if name.is_empty() {
            return Err(BuildError::Empty { field: "name of an extra field".into() });
        }
        if name.chars().any(char::is_control) {
            return Err(BuildError::ControlCharacter { field: "name of an extra field".into() });
        }
        if name.chars().count() > SHORT {
            return Err(BuildError::TooLong { field: "name of an extra field".into(), limit: SHORT });
        }
        if reserved.contains(&name) {
            return Err(BuildError::ReservedField { field: name.into() });
        }
        match value {
            FieldValue::Text(text) => self.text(name, Some(text), LONG)?,
            FieldValue::Number(number) => self.number(name, *number),
            FieldValue::Flag(flag) => self.flag(name, *flag),
        }
        Ok(())
    }

    /// The ticket goes last, behind the fields of the request it repeats.
    pub(super) fn ticket(&mut self, ticket: Option<&'a PenaltyTicket>) {
        if let Some(ticket) = ticket {
            self.0.push(Field { name: "p-ticket", value: Value::Text(ticket.expose()) });
        }
    }

    pub(super) fn json(&self) -> Result<RequestBody, BuildError> {
        let mut bytes = Vec::with_capacity(self.json_length());
        serde_json::to_writer(&mut bytes, self).map_err(|_| BuildError::Unwritable)?;
        Ok(RequestBody::new(bytes))
    }

    pub(super) fn form(&self) -> RequestBody {
        let mut form = Form::new(String::with_capacity(self.form_length()));
        for Field { name, value } in &self.0 {
            match value {
                Value::Text(text) => form.append_pair(name, text),
                Value::Number(number) => form.append_pair(name, &alloc::format!("{number}")),
                Value::Flag(flag) => form.append_pair(name, if *flag { "true" } else { "false" }),
            };
        }
        RequestBody::new(form.finish().into_bytes())
    }

    /// Never too little: a buffer that grew would leave the old bytes behind unwiped. A byte is written as six at the
    /// most (`\u0000`), and only the ticket can have such bytes.
    fn json_length(&self) -> usize {
        self.length(|text| {
            let escaped = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\') || byte.is_ascii_control()).count();
            text.len().saturating_add(escaped.saturating_mul(5))
        })
    }

    fn form_length(&self) -> usize {
        self.length(|text| text.len().saturating_mul(3))
    }

    fn length(&self, of: impl Fn(&str) -> usize) -> usize {
        /// Quotes, colon and comma, and the braces of an object.
        const AROUND: usize = 8;
        /// The longest number, with its sign.
        const NUMBER: usize = 40;
        self.0.iter().fold(AROUND, |total, field| {
            let value = match field.value {
                Value::Text(text) => of(text),
                Value::Number(_) | Value::Flag(_) => NUMBER,
            };
            total.saturating_add(AROUND).saturating_add(of(field.name)).saturating_add(value)
        })
    }
}

/// Checks a long field that must have a value, wherever it is sent.
pub(crate) fn check_text(name: &str, value: &str) -> Result<(), BuildError> {
    check_present(name, value)?;
    check(name, value, LONG)
}

fn check_present(name: &str, value: &str) -> Result<(), BuildError> {
    if value.is_empty() { Err(BuildError::Empty { field: name.into() }) } else { Ok(()) }
}

fn check(name: &str, value: &str, limit: usize) -> Result<(), BuildError> {
    if value.chars().any(char::is_control) {
        return Err(BuildError::ControlCharacter { field: name.into() });
    }
    // The specification counts characters; no text has more characters than bytes.
    if value.len() > limit && value.chars().count() > limit {
        return Err(BuildError::TooLong { field: name.into(), limit });
    }
    Ok(())
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|field| (field.name, &field.value)))
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_i128(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_never_too_small_for_what_is_written_into_it() {
        let extra = FieldValue::Number(i64::MIN);
        for text in ["", "x", "\"", "\\", "ü", "😀", "&", " ", "a\"b\\c/d&e=f"] {
            let (text, ticket) = (text.repeat(64), PenaltyTicket::new("\u{1}\n\u{7f}", core::time::Duration::ZERO));
            let mut fields = Fields::default();
            fields.text(&text, Some(&text), LONG).unwrap();
            fields.flag("\"", false);
            fields.number("number", i128::MIN);
            fields.extra("extra", &extra, &[]).unwrap();
            fields.ticket(Some(&ticket));
            assert!(fields.json().unwrap().as_ref().len() <= fields.json_length(), "{text}");
            assert!(fields.form().as_ref().len() <= fields.form_length(), "{text}");
        }
    }
}
