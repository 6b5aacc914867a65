//! The fields of a POST body, as JSON or as a form. Types are read leniently, and lengths are checked against the
//! published limits. The penalty ticket and the captcha answer are kept apart, so that two bodies can be compared
//! without them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

const REDACTED: &str = "[redacted]";
/// Fields whose values are secrets.
const SECRET: [&str; 8] =
    ["assertion", "client_secret", "code", "code_verifier", "httpAuth", "password", "refresh_token", "sec"];
/// Fields whose values are not secrets.
const PUBLIC: [&str; 10] = [
    "appId",
    "appVersion",
    "cid",
    "client_id",
    "deviceId",
    "grant_type",
    "hibpCheck",
    "name",
    "redirect_uri",
    "resource",
];

/// Why a body gets 400. The text names fields, never their values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

/// The fields that a request adds when it is repeated after a penalty.
#[derive(Clone, Default)]
pub(crate) struct Repetition {
    /// `p-ticket`.
    pub(crate) ticket: Option<String>,
    /// `p-captcha`: a person's answer to a captcha.
    pub(crate) captcha_answer: Option<String>,
}

/// The fields of a request body.
#[derive(Clone, PartialEq)]
pub(crate) struct Fields {
    form: bool,
    values: Map<String, Value>,
}

impl Fields {
    /// Reads a body. Without a content type, the first byte decides between JSON and a form.
    pub(crate) fn read(content_type: &str, body: &[u8]) -> Result<(Self, Repetition), Malformed> {
        let form = content_type.to_ascii_lowercase().contains("x-www-form-urlencoded")
            || (content_type.is_empty() && !body.trim_ascii_start().starts_with(b"{"));
        let values = if form { from_form(body)? } else { from_json(body)? };
        let mut fields = Self { form, values };
        let ticket = fields.take("p-ticket")?;
        let captcha_answer = fields.take("p-captcha")?;
        Ok((fields, Repetition { ticket, captcha_answer }))
    }

    fn take(&mut self, name: &str) -> Result<Option<String>, Malformed> {
        let text = self.text(name, usize::MAX)?.map(str::to_owned);
        self.values.remove(name);
        Ok(text)
    }

    pub(crate) fn is_form(&self) -> bool {
        self.form
    }

    /// The fields that may be logged: names of known fields, and values that are no secrets. A body of another kind can
    /// parse as a form, and then even the name of its field can be a secret.
    pub(crate) fn redacted(&self, repetition: &Repetition) -> BTreeMap<String, String> {
        let shown = |(name, value): (&String, &Value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let is_public = PUBLIC.contains(&name.as_str());
            let name = if is_public || SECRET.contains(&name.as_str()) { name } else { "[unknown]" };
            (name.to_owned(), if is_public { text.chars().take(100).collect() } else { REDACTED.to_owned() })
        };
        let Repetition { ticket, captcha_answer } = repetition;
        let added = [("p-ticket", ticket), ("p-captcha", captcha_answer)];
        let added = added.into_iter().filter(|(_, value)| value.is_some());
        let added = added.map(|(name, _)| (name.to_owned(), REDACTED.to_owned()));
        self.values.iter().map(shown).chain(added).collect()
    }

    /// A text field of at most `limit` characters; `null` means absent.
    pub(crate) fn text(&self, name: &str, limit: usize) -> Result<Option<&str>, Malformed> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= limit => Ok(Some(text)),
            Some(Value::String(_)) => Err(Malformed(format!("{name} is longer than {limit} characters"))),
            Some(_) => Err(Malformed(format!("{name} is not a string"))),
        }
    }

    pub(crate) fn required(&self, name: &str, limit: usize) -> Result<&str, Malformed> {
        self.text(name, limit)?.ok_or_else(|| Malformed(format!("{name} is missing")))
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<bool, Malformed> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(Malformed(format!("{name} is not a boolean"))),
        }
    }

    /// An id, as a whole number or, if `accept_text` is set, as text.
    pub(crate) fn id(&self, name: &str, limit: usize, accept_text: bool) -> Result<Option<String>, Malformed> {
        match self.values.get(name) {
            Some(Value::Number(number)) if number.is_u64() || number.is_i64() => Ok(Some(number.to_string())),
            Some(Value::String(_)) if !accept_text => Err(Malformed(format!("{name} is not a number"))),
            _ => Ok(self.text(name, limit)?.map(str::to_owned)),
        }
    }
}

fn from_json(body: &[u8]) -> Result<Map<String, Value>, Malformed> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(values)) => Ok(values),
        _ => Err(Malformed("the body is not a JSON object".to_owned())),
    }
}

fn from_form(body: &[u8]) -> Result<Map<String, Value>, Malformed> {
    let mut values = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        let value = Value::String(value.into_owned());
        if values.insert(name.into_owned(), value).is_some() {
            return Err(Malformed("a field of the form is given twice".to_owned()));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_fields_in_a_form_and_in_json_are_not_an_identical_body() {
        let (form, _) = Fields::read("application/x-www-form-urlencoded", b"name=a+b").unwrap();
        let (json, _) = Fields::read("application/json", br#"{"name":"a b","cid":null}"#).unwrap();
        for fields in [&form, &json] {
            assert_eq!((fields.text("name", 3), fields.text("cid", 3)), (Ok(Some("a b")), Ok(None)));
        }
        assert!(form != json);
    }

    #[test]
    fn without_a_content_type_the_first_byte_of_a_body_decides_between_json_and_a_form() {
        assert!(!Fields::read("", b" {\"a\":1}").unwrap().0.is_form());
        assert!(Fields::read("", b"a=1").unwrap().0.is_form());
    }

    #[test]
    fn a_form_with_a_repeated_field_is_malformed() {
        assert!(Fields::read("application/x-www-form-urlencoded", b"code=a&code=b").is_err());
    }
}
