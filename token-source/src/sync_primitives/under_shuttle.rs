//! Replacements for types that `shuttle` lacks, built on its primitives. No production build contains this module.

use std::ops::Deref;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use shuttle::sync::{Mutex, MutexGuard};

pub mod thread;
pub mod tokio;

/// The payload of a panic that a test causes. Such a panic ends its thread or task, as in a program. Any other panic
/// fails the test.
#[derive(Debug)]
pub struct DeliberatePanic;

/// Catches a panic that a test causes, so that the scheduler does not fail the test.
fn survive<T>(result: std::thread::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(panic) if panic.is::<DeliberatePanic>() => None,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A clock that never advances, so that no wait times out.
#[derive(Debug, Clone, Copy)]
pub struct Instant(Duration);

impl Instant {
    /// The current time, which is always the same.
    #[must_use]
    pub fn now() -> Self {
        Self(Duration::ZERO)
    }

    /// The time since this instant, which is always zero.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    /// The instant this much later. `None` on overflow.
    #[must_use]
    pub fn checked_add(self, time: Duration) -> Option<Self> {
        self.0.checked_add(time).map(Self)
    }

    /// The time from an earlier instant to this one.
    #[must_use]
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A loaded value. Unlike a guard of `arc_swap` it holds its own reference, so nothing waits for it.
#[derive(Debug)]
pub struct Loaded<T>(T);

impl<T> Deref for Loaded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A value that is replaced as a whole. The scheduler can switch threads before each load and each store.
#[derive(Debug)]
pub struct ArcSwap<T>(Mutex<Arc<T>>);

impl<T> ArcSwap<T> {
    /// Creates a container with this value.
    pub fn from_pointee(value: T) -> Self {
        Self(Mutex::new(Arc::new(value)))
    }

    /// Loads the value.
    pub fn load(&self) -> Loaded<Arc<T>> {
        Loaded(self.load_full())
    }

    /// Loads the value as an `Arc`.
    pub fn load_full(&self) -> Arc<T> {
        Arc::clone(&lock(&self.0))
    }

    /// Replaces the value.
    pub fn store(&self, value: Arc<T>) {
        *lock(&self.0) = value;
    }
}

/// Like [`ArcSwap`], for an optional value.
#[derive(Debug)]
pub struct ArcSwapOption<T>(Mutex<Option<Arc<T>>>);

impl<T> ArcSwapOption<T> {
    /// Creates an empty container.
    #[must_use]
    pub fn empty() -> Self {
        Self(Mutex::new(None))
    }

    /// Loads the value. `None` if there is none.
    pub fn load(&self) -> Loaded<Option<Arc<T>>> {
        Loaded(lock(&self.0).clone())
    }

    /// Replaces the value.
    pub fn store(&self, value: Option<Arc<T>>) {
        *lock(&self.0) = value;
    }
}
