//! Writes JSON without a tree of values, because that would take most of the time of the target.

use std::fmt::{self, Display, Write as _};

/// A text that needs no escapes in JSON.
pub(super) struct Text(pub(super) &'static str);

impl Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// A list of values that are JSON.
pub(super) fn list(values: &[String]) -> String {
    format!("[{}]", values.join(","))
}

/// JSON of an object. A field without a value is left out, because a snapshot contains no null.
pub(super) struct Object(String);

impl Object {
    pub(super) fn new() -> Self {
        Self("{".to_owned())
    }

    pub(super) fn field(mut self, name: &str, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            let comma = if self.0.len() > 1 { "," } else { "" };
            write!(self.0, "{comma}\"{name}\":{value}").expect("a string can be written to");
        }
        self
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
