//! The fields of a request body: checked against the specification, then written as JSON or as a form.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use form_urlencoded::Serializer as Form;

use serde_json::Number;

use crate::credentials::FieldValue;
use crate::wire::ascii::all_bytes;
use crate::wire::error::BuildError;
use crate::wire::penalty::PenaltyTicket;
use crate::wire::wiped_body::RequestBody;

/// The limit of short fields: names, passwords, ids.
pub(super) const SHORT: usize = 64;

/// The limit of long fields: secrets, tokens, codes, URLs.
pub(super) const LONG: usize = 8192;

/// The fields of one body, in the order they are written.
#[derive(Default)]
pub(super) struct Fields<'a>(Vec<Field<'a>>);

struct Field<'a> {
    name: Text<'a>,
    value: Value<'a>,
}

/// A text, looked at once.
#[derive(Clone, Copy)]
struct Text<'a> {
    text: &'a str,
    /// Whether it is printable ASCII that JSON doesn't escape.
    is_plain: bool,
}

enum Value<'a> {
    Text(Text<'a>),
    Number(Number),
    Flag(bool),
}

impl<'a> Fields<'a> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    fn push(&mut self, name: &'static str, value: Value<'a>) {
        self.0.push(Field { name: Text::literal(name), value });
    }

    /// A field that must have a value.
    pub(super) fn required(&mut self, name: &'static str, value: &'a str, limit: usize) -> Result<(), BuildError> {
        check_present(name, value)?;
        self.text(name, Some(value), limit)
    }

    pub(super) fn text(&mut self, name: &'static str, value: Option<&'a str>, limit: usize) -> Result<(), BuildError> {
        if let Some(value) = value {
            self.push(name, Value::Text(checked(name, value, limit)?));
        }
        Ok(())
    }

    /// A value of the specification.
    pub(super) fn literal(&mut self, name: &'static str, value: &'static str) {
        self.push(name, Value::Text(Text::literal(value)));
    }

    pub(super) fn number(&mut self, name: &'static str, value: u64) {
        self.push(name, Value::Number(value.into()));
    }

    pub(super) fn flag(&mut self, name: &'static str, value: bool) {
        self.push(name, Value::Flag(value));
    }

    /// A field of the caller's own, none of the `reserved`.
    pub(super) fn extra(&mut self, name: &'a str, value: &'a FieldValue, reserved: &[&str]) -> Result<(), BuildError> {
        const NAME: &str = "name of an extra field";
        check_present(NAME, name)?;
        let name_text = checked(NAME, name, SHORT)?;
        if reserved.contains(&name) || self.0.iter().any(|field| field.name.text == name) {
            return Err(BuildError::ReservedField { field: name.into() });
        }
        let value = match value {
            FieldValue::Text(text) => Value::Text(checked(name, text, LONG)?),
            FieldValue::Number(number) => Value::Number((*number).into()),
            FieldValue::Flag(flag) => Value::Flag(*flag),
        };
        self.0.push(Field { name: name_text, value });
        Ok(())
    }

    /// The ticket and a person's answer to a captcha. They are the last fields, after those of the repeated request.
    //= R-PENALTY-3
    pub(super) fn ticket(&mut self, ticket: Option<&'a PenaltyTicket>) -> Result<(), BuildError> {
        let Some(ticket) = ticket else { return Ok(()) };
        self.push("p-ticket", Value::Text(Text::of(ticket.expose())));
        //= R-PENALTY-5
        match ticket.captcha_answer() {
            Some(answer) => self.required("p-captcha", answer.expose(), LONG),
            None => Ok(()),
        }
    }

    pub(super) fn json(&self) -> Result<RequestBody, BuildError> {
        let mut bytes = Vec::with_capacity(self.json_length());
        self.write_json(&mut bytes).map_err(|_| BuildError::Unwritable)?;
        Ok(RequestBody::new(bytes))
    }

    fn write_json(&self, json: &mut Vec<u8>) -> serde_json::Result<()> {
        let mut before = b'{';
        for Field { name, value } in &self.0 {
            json.push(before);
            name.quote(json)?;
            json.push(b':');
            match value {
                Value::Text(text) => text.quote(json)?,
                Value::Number(number) => serde_json::to_writer(&mut *json, number)?,
                Value::Flag(flag) => serde_json::to_writer(&mut *json, flag)?,
            }
            before = b',';
        }
        json.push(b'}');
        Ok(())
    }

    pub(super) fn form(&self) -> RequestBody {
        let mut form = Form::new(String::with_capacity(self.form_length()));
        for Field { name, value } in &self.0 {
            match value {
                Value::Text(value) => form.append_pair(name.text, value.text),
                Value::Number(number) => form.append_pair(name.text, &number.to_string()),
                Value::Flag(flag) => form.append_pair(name.text, if *flag { "true" } else { "false" }),
            };
        }
        RequestBody::new(form.finish().into_bytes())
    }

    /// Never too little: a buffer that grew would leave the old bytes behind unwiped. What is not plain may be written
    /// as six bytes for each (`\u0000`).
    fn json_length(&self) -> usize {
        self.length(|Text { text, is_plain }| if is_plain { text.len() } else { text.len().saturating_mul(6) })
    }

    fn form_length(&self) -> usize {
        self.length(|Text { text, .. }| text.len().saturating_mul(3))
    }

    fn length(&self, of: impl Fn(Text<'_>) -> usize) -> usize {
        /// Quotes, colon and comma, and the braces of an object.
        const AROUND: usize = 8;
        /// The longest number, with its sign.
        const NUMBER: usize = 40;
        self.0.iter().fold(AROUND, |total, field| {
            let value = match field.value {
                Value::Text(value) => of(value),
                Value::Number(_) | Value::Flag(_) => NUMBER,
            };
            total.saturating_add(AROUND).saturating_add(of(field.name)).saturating_add(value)
        })
    }
}

/// Checks a long field that must have a value, wherever it is sent.
pub(crate) fn check_text(name: &str, value: &str) -> Result<(), BuildError> {
    check_present(name, value)?;
    checked(name, value, LONG).map(|_| ())
}

fn check_present(name: &str, value: &str) -> Result<(), BuildError> {
    if value.is_empty() { Err(BuildError::Empty { field: name.into() }) } else { Ok(()) }
}

fn checked<'a>(name: &str, value: &'a str, limit: usize) -> Result<Text<'a>, BuildError> {
    let text = Text::of(value);
    if text.has_control() {
        return Err(BuildError::ControlCharacter { field: name.into() });
    }
    // The specification counts characters; no text has more characters than bytes.
    if value.len() > limit && value.chars().count() > limit {
        return Err(BuildError::TooLong { field: name.into(), limit });
    }
    Ok(text)
}

impl<'a> Text<'a> {
    #[inline]
    #[expect(clippy::needless_bitwise_bool, reason = "branches would keep it from being done by vectors")]
    fn of(text: &'a str) -> Self {
        let is_plain = |byte| matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\');
        Self { text, is_plain: all_bytes(text, is_plain) }
    }

    /// A name or a value of the specification.
    fn literal(text: &'static str) -> Self {
        Self { text, is_plain: true }
    }

    fn has_control(self) -> bool {
        !self.is_plain && self.text.chars().any(char::is_control)
    }

    /// Writes it as a JSON string.
    fn quote(self, json: &mut Vec<u8>) -> serde_json::Result<()> {
        if !self.is_plain {
            return serde_json::to_writer(json, self.text);
        }
        json.push(b'"');
        json.extend_from_slice(self.text.as_bytes());
        json.push(b'"');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::secret::CaptchaAnswer;

    #[test]
    fn control_characters_are_found_at_every_position() {
        for control in ["\0", "\n", "\u{1f}", "\u{7f}", "\u{80}", "\u{9f}"] {
            for around in ["", "a", "long enough for several vectors, before and after", "ä"] {
                assert!(Text::of(&[around, control, around].concat()).has_control(), "{control:?} in {around}");
                assert!(!Text::of(around).has_control());
            }
        }
    }

    #[test]
    fn a_request_body_never_exceeds_its_computed_length() {
        let extra = FieldValue::Number(i64::MIN);
        for text in ["", "x", "\"", "\\", "ü", "😀", "&", " ", "a\"b\\c/d&e=f"] {
            let (text, ticket) = (text.repeat(64), PenaltyTicket::new("\u{1}\n\u{7f}", core::time::Duration::ZERO));
            let ticket = ticket.with_captcha_answer(CaptchaAnswer::new("\"\\ü"));
            let mut fields = Fields::default();
            let value = FieldValue::Text(text.clone());
            fields.0.push(Field { name: Text::of(&text), value: Value::Text(Text::of(&text)) });
            fields.extra("extra text", &value, &[]).unwrap();
            fields.flag("flag", false);
            fields.number("number", u64::MAX);
            fields.extra("extra", &extra, &[]).unwrap();
            fields.ticket(Some(&ticket)).unwrap();
            assert!(fields.json().unwrap().as_ref().len() <= fields.json_length(), "{text}");
            assert!(fields.form().as_ref().len() <= fields.form_length(), "{text}");
        }
    }
}
