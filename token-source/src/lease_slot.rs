//! What both transports need to use a store: where the lease is kept, and how an error of a store is told.

use std::sync::{Mutex, PoisonError};

/// The lease of a store, as long as it is held.
#[derive(Debug)]
pub struct LeaseSlot<L>(Mutex<Option<L>>);

impl<L> LeaseSlot<L> {
    /// Takes it out.
    pub fn take(&self) -> Option<L> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts another in its place, or none.
    pub fn put(&self, lease: Option<L>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = lease;
    }
}

impl<L> Default for LeaseSlot<L> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

/// An error with what has led to it.
#[must_use]
pub fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
