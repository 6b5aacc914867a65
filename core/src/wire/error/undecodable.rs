//! [`Undecodable`]: a body that is not the JSON that was expected.
//!
//! It has positions and the names of fields, and no value.

use alloc::string::String;

use super::REPORT_IT;

/// Where a body stopped being the JSON that was expected. It quotes nothing: values can be secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", undecodable_text(self))]
#[non_exhaustive]
pub struct Undecodable {
    /// What kind of trouble.
    pub kind: UndecodableKind,
    /// The line, from 1; 0 where there is no position.
    pub line: usize,
    /// The column in bytes, from 1; 0 where there is no position.
    pub column: usize,
    /// The field whose value was being read.
    pub field: Option<&'static str>,
}

/// The kinds of bodies that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UndecodableKind {
    /// Nothing at all.
    Empty,
    /// A web page.
    Html,
    /// Not JSON.
    Syntax,
    /// JSON that ends too early.
    Truncated,
    /// JSON with a value of another type than documented, or with a key twice.
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
