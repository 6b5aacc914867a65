//! [`StoreError`]: why a request to a store failed. All stores use this type.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

/// Why a request to a store failed.
///
/// The text says what is wrong and what to do. Programs show the text and the source to users, so neither may contain a
/// secret.
///
/// ```
/// use tradovate_auth_session::{StoreError, StoreErrorKind};
///
/// let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// let error = StoreError::new(StoreErrorKind::Unreachable, "the database can't be reached").with_source(refused);
/// assert_eq!(error.kind(), StoreErrorKind::Unreachable);
/// assert_eq!(error.to_string(), "the database can't be reached: connection refused");
/// ```
#[derive(Debug, Clone)]
pub struct StoreError {
    kind: StoreErrorKind,
    text: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The kind of a [`StoreError`]. A record whose session can't be read is not a store error: see
/// [`Unreadable`](crate::Unreadable).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store can't be reached, or did not answer in time. A requested change may have been made.
    Unreachable,
    /// The record, the lease or the answer of the store can't be read.
    NotReadable,
    /// The store can be reached, but it did not make the change, or the change can still be lost.
    NotWritable,
    /// Somebody has to correct the settings of the program or of the store, such as a password or a permission.
    Misconfigured,
}

impl StoreError {
    /// Creates an error with a text for the user.
    #[must_use]
    pub fn new(kind: StoreErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), source: None }
    }

    /// Adds the cause. `Display` prints it after the text.
    #[must_use]
    pub fn with_source(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        let (mut shown, mut source) = (self.text.clone(), self.source());
        while let Some(cause) = source {
            let text = cause.to_string();
            // Some errors repeat the text of their cause.
            if !shown.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            (shown, source) = (text, cause.source());
        }
        Ok(())
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the query failed: {0}")]
    struct Query(#[source] fmt::Error);

    #[test]
    fn a_store_error_shows_each_cause_once() {
        let error = StoreError::new(StoreErrorKind::NotWritable, "can't save").with_source(Query(fmt::Error));
        assert_eq!(error.to_string(), format!("can't save: the query failed: {}", fmt::Error));
        assert!(error.source().is_some_and(<dyn Error>::is::<Query>));
    }
}
