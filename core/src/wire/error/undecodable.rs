//! [`Undecodable`]: a body that is not the expected JSON.
//!
//! It contains positions and names of fields, but no values.

use alloc::string::String;

use super::display::REPORT_IT;

/// The place where a body differs from the expected JSON. It contains no values, because values can be secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", self.summary(), self.kind.advice())]
#[non_exhaustive]
pub struct Undecodable {
    /// The kind of the problem.
    pub kind: UndecodableKind,
    /// The line, from 1. 0 if there is no position.
    pub line: usize,
    /// The column in bytes, from 1. 0 if there is no position.
    pub column: usize,
    /// The field whose value was read, if it is known.
    pub field: Option<&'static str>,
}

/// The kind of a body that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UndecodableKind {
    /// The body is empty.
    Empty,
    /// The body is a web page.
    Html,
    /// The body is not JSON.
    Syntax,
    /// The JSON is incomplete.
    Truncated,
    /// The JSON has a value of another type than documented, or a duplicate key.
    Mismatch,
}

impl Undecodable {
    /// What is wrong with the body, without advice.
    pub(super) fn summary(&self) -> String {
        let Self { kind, line, column, field } = self;
        let fault = match kind {
            UndecodableKind::Empty => return "the answer is empty".into(),
            UndecodableKind::Html => return "the answer is an HTML page, perhaps of a proxy or for maintenance".into(),
            UndecodableKind::Syntax => "is not JSON",
            UndecodableKind::Truncated => "ends too early",
            UndecodableKind::Mismatch => "is not what the vendor documents",
        };
        let subject = field.map_or("the answer".into(), |field| ["the value of `", field, "` in the answer"].concat());
        alloc::format!("{subject} {fault} (line {line}, column {column})")
    }
}

impl UndecodableKind {
    fn advice(self) -> &'static str {
        match self {
            Self::Empty | Self::Syntax => "check the base URL, or try again later",
            Self::Html | Self::Truncated => "try again later",
            Self::Mismatch => REPORT_IT,
        }
    }
}
