//! What `shuttle` does not have, on what it has. No production build contains this.

use std::ops::Deref;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use shuttle::sync::{Mutex, MutexGuard};

pub mod thread;
pub mod tokio;

/// The payload of a panic that a test causes. It ends the thread or task that it is in, as it does in a program. Any other
/// panic fails the test.
#[derive(Debug)]
pub struct DeliberatePanic;

/// Keeps the panics of tests from the scheduler.
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

/// A clock that stands still: no wait ends by its time.
#[derive(Debug, Clone, Copy)]
pub struct Instant(Duration);

impl Instant {
    /// Always the same.
    #[must_use]
    pub fn now() -> Self {
        Self(Duration::ZERO)
    }

    /// Never anything.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    /// This much later.
    #[must_use]
    pub fn checked_add(self, time: Duration) -> Option<Self> {
        self.0.checked_add(time).map(Self)
    }

    /// The time from the earlier one to this.
    #[must_use]
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// What was loaded. Unlike that of `arc_swap` it holds nothing that others wait for.
#[derive(Debug)]
pub struct Loaded<T>(T);

impl<T> Deref for Loaded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A value that is replaced as a whole. Other threads can run before each load and each store.
#[derive(Debug)]
pub struct ArcSwap<T>(Mutex<Arc<T>>);

impl<T> ArcSwap<T> {
    /// Holds this value.
    pub fn from_pointee(value: T) -> Self {
        Self(Mutex::new(Arc::new(value)))
    }

    /// The value.
    pub fn load(&self) -> Loaded<Arc<T>> {
        Loaded(self.load_full())
    }

    /// The value.
    pub fn load_full(&self) -> Arc<T> {
        Arc::clone(&lock(&self.0))
    }

    /// Replaces the value.
    pub fn store(&self, value: Arc<T>) {
        *lock(&self.0) = value;
    }
}

/// The same, for a value that may be missing.
#[derive(Debug)]
pub struct ArcSwapOption<T>(Mutex<Option<Arc<T>>>);

impl<T> ArcSwapOption<T> {
    /// Holds nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self(Mutex::new(None))
    }

    /// The value, if there is one.
    pub fn load(&self) -> Loaded<Option<Arc<T>>> {
        Loaded(lock(&self.0).clone())
    }

    /// Replaces the value.
    pub fn store(&self, value: Option<Arc<T>>) {
        *lock(&self.0) = value;
    }
}
