//! [`Undecodable`]: a body that is not the expected JSON.
//!
//! It contains positions and names of fields, but no values.

use alloc::string::String;

use super::REPORT_IT;

/// The place where a body differs from the expected JSON. It contains no values, because values can be secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", undecodable_text(self))]
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

fn undecodable_text(Undecodable { kind, line, column, field }: &Undecodable) -> String {
    let (fault, advice) = match kind {
        UndecodableKind::Empty => return "the answer is empty: check the base URL, or try again later".into(),
        UndecodableKind::Html => {
            return "the answer is an HTML page, perhaps of a proxy or for maintenance: try again later".into();
        }
        UndecodableKind::Syntax => ("is not JSON", "check the base URL, or try again later"),
        UndecodableKind::Truncated => ("ends too early", "try again later"),
        UndecodableKind::Mismatch => ("is not what the vendor documents", REPORT_IT),
    };
    let place = field.map(|field| [" in `", field, "`"].concat()).unwrap_or_default();
    alloc::format!("the answer {fault}{place} (line {line}, column {column}): {advice}")
}
