//! [`StoreError`]: why a store could not do what it was asked to, the same type for all stores.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

/// Why a store could not do what it was asked to.
///
/// Its text says what is wrong and what to do about it. Programs show it to the user, so neither the text nor the source
/// may hold a secret.
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

/// What has failed. A session that can be read but is damaged is no error of the store: see
/// [`Unreadable`](crate::Unreadable).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store can't be reached, or does not answer in time. A change that was asked for may have been made.
    Unreachable,
    /// What is in the place of the record or the lease can't be read, or the answer of the store can't.
    NotReadable,
    /// The store is there, but the change was not made, or can still be lost.
    NotWritable,
    /// Somebody has to change the settings of the program or of the store first, such as a password or permissions.
    Misconfigured,
}

impl StoreError {
    /// An error with a text for the user.
    #[must_use]
    pub fn new(kind: StoreErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), source: None }
    }

    /// The error with its cause. The cause is part of what is shown.
    #[must_use]
    pub fn with_source(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// What has failed.
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
            // Some errors repeat their cause.
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
    fn all_causes_are_shown_and_none_twice() {
        let error = StoreError::new(StoreErrorKind::NotWritable, "can't save").with_source(Query(fmt::Error));
        assert_eq!(error.to_string(), format!("can't save: the query failed: {}", fmt::Error));
        assert!(error.source().is_some_and(<dyn Error>::is::<Query>));
    }
}
