//! Threads that survive the panics of tests, as real threads leave the process alive.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use shuttle::thread;

/// Starts a thread.
#[derive(Debug, Default)]
pub struct Builder(thread::Builder);

impl Builder {
    /// Of a thread without a name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the thread.
    #[must_use]
    pub fn name(self, name: String) -> Self {
        Self(self.0.name(name))
    }

    /// Starts the thread. What it returns is `None` if it has panicked as a test wanted it to.
    ///
    /// # Errors
    /// None.
    pub fn spawn<T: Send + 'static>(
        self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<thread::JoinHandle<Option<T>>> {
        self.0.spawn(move || super::survive(catch_unwind(AssertUnwindSafe(run))))
    }
}
