//! Threads that catch the panics that tests cause. A panic in a real thread does not end the process either.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use shuttle::thread;

/// Starts a thread.
#[derive(Debug, Default)]
pub struct Builder(thread::Builder);

impl Builder {
    /// A builder of a thread without a name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the thread.
    #[must_use]
    pub fn name(self, name: String) -> Self {
        Self(self.0.name(name))
    }

    /// Starts the thread. Joining it returns `None` if a deliberate panic ended it.
    ///
    /// # Errors
    /// Never.
    pub fn spawn<T: Send + 'static>(
        self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<thread::JoinHandle<Option<T>>> {
        self.0.spawn(move || super::survive(catch_unwind(AssertUnwindSafe(run))))
    }
}
