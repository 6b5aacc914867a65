//! [`BuildError`]: what keeps a request from being built.
//!
//! It names fields and quotes no value.

use alloc::string::String;

/// A request that can't be built: nothing was sent.
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
    #[error("`{field}` is longer than the {limit} characters the server accepts")]
    TooLong {
        /// The field's name on the wire.
        field: String,
        /// The limit, in characters.
        limit: usize,
    },
    /// A field has control characters in it, often a line break from a file or a prompt.
    #[error("`{field}` has a control character in it, perhaps a line break at its end: remove it")]
    ControlCharacter {
        /// The field's name on the wire.
        field: String,
    },
    /// An extra field has the name of a field the request has a setting for, or of another extra field.
    #[error("`{field}` can't be an extra field: the request has a field of that name already")]
    ReservedField {
        /// The field's name on the wire.
        field: String,
    },
    /// A URL or path that can't be used. The URL is not repeated here: it might hold a secret.
    #[error("not a usable URL: {reason}")]
    InvalidUrl {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// `http` to a host that is not this machine: secrets would travel unencrypted.
    #[error("http is for this machine only, and {host} is another: use https")]
    PlainHttp {
        /// The host that was named.
        host: String,
    },
    /// A code that was asked for by another app, or in an environment with another authorize URL: exchanged here, it would
    /// be told to a server that it is not for.
    #[error("the code was asked for by another app or in another environment: exchange it with those")]
    ForeignCode,
    /// The fields could not be written as JSON.
    #[error("the request can't be written as JSON")]
    Unwritable,
}
