//! The fields of a POST body, JSON or form, read leniently and checked against the published limits.
//! A penalty ticket is taken out, so that two bodies can be compared without it.

use serde_json::{Map, Value};

/// Why a body is answered with 400. The text names fields, never their values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

/// The body of a request.
#[derive(Clone, PartialEq)]
pub(crate) struct Fields {
    form: bool,
    values: Map<String, Value>,
}

impl Fields {
    /// The fields of a body and its `p-ticket`. Without a content type the first byte decides.
    pub(crate) fn read(content_type: &str, body: &[u8]) -> Result<(Self, Option<String>), Malformed> {
        let form = content_type.to_ascii_lowercase().contains("x-www-form-urlencoded")
            || (content_type.is_empty() && !body.trim_ascii_start().starts_with(b"{"));
        let values = if form { from_form(body)? } else { from_json(body)? };
        let mut fields = Self { form, values };
        let ticket = fields.text("p-ticket", usize::MAX)?.map(str::to_owned);
        fields.values.remove("p-ticket");
        Ok((fields, ticket))
    }

    pub(crate) fn is_form(&self) -> bool {
        self.form
    }

    /// A text of at most `limit` characters; `null` is absence.
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

    /// An id that may come as a whole number or, where that is accepted, as text.
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

    fn json(body: &str) -> Fields {
        Fields::read("application/json", body.as_bytes()).unwrap().0
    }

    #[test]
    fn a_ticket_does_not_belong_to_the_fields() {
        let (fields, ticket) = Fields::read("application/json", br#"{"p-ticket":"t","name":"n"}"#).unwrap();
        assert_eq!(ticket.as_deref(), Some("t"));
        assert!(fields == json(r#"{"name":"n"}"#));
    }

    #[test]
    fn null_is_absence() {
        assert_eq!(json(r#"{"sec":null}"#).text("sec", 5), Ok(None));
    }

    #[test]
    fn a_text_over_its_limit_is_malformed_and_not_quoted() {
        let fields = json(r#"{"password":"canary"}"#);
        assert_eq!(fields.text("password", 6), Ok(Some("canary")));
        assert_eq!(fields.text("password", 5), Err(Malformed("password is longer than 5 characters".to_owned())));
    }

    #[test]
    fn a_limit_counts_characters() {
        assert_eq!(json(r#"{"name":"äöü"}"#).text("name", 3), Ok(Some("äöü")));
    }

    #[test]
    fn an_id_may_be_a_number_or_a_text() {
        assert_eq!(json(r#"{"cid":8}"#).id("cid", 64, false), Ok(Some("8".to_owned())));
        assert_eq!(json(r#"{"cid":"8"}"#).id("cid", 64, true), Ok(Some("8".to_owned())));
        assert!(json(r#"{"cid":"8"}"#).id("cid", 64, false).is_err());
        assert!(json(r#"{"cid":8.5}"#).id("cid", 64, true).is_err());
    }

    #[test]
    fn a_form_and_a_json_body_have_the_same_fields_but_are_not_identical() {
        let (form, _) = Fields::read("application/x-www-form-urlencoded", b"name=a+b").unwrap();
        assert_eq!(form.text("name", 64), Ok(Some("a b")));
        assert!(form != json(r#"{"name":"a b"}"#));
    }

    #[test]
    fn without_a_content_type_the_first_byte_decides() {
        assert!(!Fields::read("", b" {\"a\":1}").unwrap().0.is_form());
        assert!(Fields::read("", b"a=1").unwrap().0.is_form());
    }

    #[test]
    fn a_field_given_twice_makes_a_form_malformed() {
        assert!(Fields::read("application/x-www-form-urlencoded", b"code=a&code=b").is_err());
    }

    #[test]
    fn whatever_is_no_object_is_malformed() {
        for body in [&b""[..], b"[]", b"{", b"\xff\xfe", b"{\"a\":1}x", &b"[".repeat(100_000)] {
            assert!(Fields::read("application/json", body).is_err());
        }
    }
}
