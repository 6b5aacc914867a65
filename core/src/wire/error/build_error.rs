//! [`BuildError`]: why a request can't be built.
//!
//! It contains names of fields, but no values.

use alloc::string::String;

/// Why a request can't be built. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A required field is empty.
    #[error("`{field}` is empty: give it a value")]
    Empty {
        /// The field's name on the wire.
        field: String,
    },
    /// A field is longer than the vendor's specification allows.
    #[error("`{field}` is longer than the {limit} characters that the server accepts: shorten it")]
    TooLong {
        /// The field's name on the wire.
        field: String,
        /// The limit in characters.
        limit: usize,
    },
    /// A field contains control characters, often a line break from a file or a prompt.
    #[error("`{field}` contains a control character, perhaps a line break at its end: remove the character")]
    ControlCharacter {
        /// The field's name on the wire.
        field: String,
    },
    /// An extra field has the name of a field that has its own setting, or of another extra field.
    #[error("`{field}` can't be an extra field: the request already has a field of this name")]
    ReservedField {
        /// The field's name on the wire.
        field: String,
    },
    /// A URL or path can't be used. The error does not contain the URL, because it may contain a secret.
    #[error("the URL can't be used: {reason}")]
    InvalidUrl {
        /// The problem.
        reason: &'static str,
    },
    /// The URL uses `http` with another host than this machine: secrets would be sent unencrypted.
    #[error("http is allowed only to this machine, and {host} is another one: use https")]
    PlainHttp {
        /// The host in the URL.
        host: String,
    },
    /// The code was requested by another app, or in an environment with another authorize URL. An exchange here would
    /// reveal the code to the wrong server.
    #[error("another app or another environment asked for the code: exchange it with that app and in that environment")]
    ForeignCode,
    /// The fields could not be written as JSON.
    #[error("the request can't be written as JSON")]
    Unwritable,
}
