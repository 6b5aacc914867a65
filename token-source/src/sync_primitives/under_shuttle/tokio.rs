//! The parts of tokio that the async source uses, with tokio's names.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

/// Starts a task. The task ends when its future ends, by [`task::JoinHandle::abort`], or by a deliberate panic. A
/// schedule ends when all tasks have ended, so a task that never ends is a deadlock.
pub fn spawn(future: impl Future<Output = ()> + Send + 'static) -> task::JoinHandle<()> {
    let own = Arc::new(OnceLock::new());
    let held = Arc::clone(&own);
    let (ends, ended) = sync::watch::channel(());
    let handle = shuttle::future::spawn(async move {
        // The scheduler waits for the task as long as its handle exists.
        let _held: Arc<OnceLock<shuttle::future::JoinHandle<()>>> = held;
        let _ends = ends;
        let mut future = pin!(future);
        std::future::poll_fn(|context| {
            super::survive(catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)))).unwrap_or(Poll::Ready(()))
        })
        .await;
    });
    let task = task::JoinHandle { task: handle.abort_handle(), ended };
    let _ = own.set(handle);
    task
}

/// Handles of tasks.
pub mod task {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::sync::watch::Receiver;

    /// A handle of a task. Dropping it does not end the task. Awaiting it waits for the end of the task.
    #[derive(Debug)]
    pub struct JoinHandle<T> {
        pub(super) task: shuttle::future::AbortHandle,
        pub(super) ended: Receiver<T>,
    }

    impl Future for JoinHandle<()> {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            self.ended.poll_changed(context).map(drop)
        }
    }

    impl<T> JoinHandle<T> {
        /// Ends the task at its next await point.
        pub fn abort(&self) {
            self.task.abort();
        }
    }
}

/// The runtime, which always exists.
pub mod runtime {
    /// A handle of the runtime.
    #[derive(Debug)]
    pub struct Handle;

    /// The error of a missing runtime. It never occurs.
    #[derive(Debug)]
    pub struct TryCurrentError;

    impl Handle {
        /// The current runtime.
        ///
        /// # Errors
        /// Never.
        pub fn try_current() -> Result<Self, TryCurrentError> {
            Ok(Self)
        }
    }
}

/// Time, which never advances.
pub mod time {
    use std::time::Duration;

    pub use super::super::Instant;

    /// The error of a time-out. It never occurs.
    #[derive(Debug)]
    pub struct Elapsed;

    /// Waits for the future without a time-out.
    ///
    /// # Errors
    /// Never.
    pub async fn timeout<F: Future>(_: Duration, future: F) -> Result<F::Output, Elapsed> {
        Ok(future.await)
    }
}

/// Channels.
pub mod sync {
    /// A channel that signals changes.
    pub mod watch {
        use std::sync::Arc;
        use std::task::{Context, Poll, Waker};

        use shuttle::sync::Mutex;

        use crate::sync_primitives::under_shuttle::lock;

        #[derive(Debug, Default)]
        struct State {
            version: u64,
            wakers: Vec<Waker>,
            is_closed: bool,
        }

        /// Signals changes to all receivers.
        #[derive(Debug)]
        pub struct Sender(Arc<Mutex<State>>);

        /// Waits for a change.
        #[derive(Debug, Clone)]
        pub struct Receiver<T> {
            state: Arc<Mutex<State>>,
            seen: u64,
            value: T,
        }

        /// The error after the sender was dropped.
        #[derive(Debug)]
        pub struct RecvError;

        /// Creates a channel. It has no value besides `()`.
        #[must_use]
        pub fn channel(value: ()) -> (Sender, Receiver<()>) {
            let state = Arc::default();
            (Sender(Arc::clone(&state)), Receiver { state, seen: 0, value })
        }

        impl Sender {
            /// Wakes all receivers.
            pub fn send_replace(&self, (): ()) {
                let mut state = lock(&self.0);
                state.version += 1;
                let wakers = std::mem::take(&mut state.wakers);
                drop(state);
                wakers.into_iter().for_each(Waker::wake);
            }
        }

        impl Drop for Sender {
            fn drop(&mut self) {
                lock(&self.0).is_closed = true;
                self.send_replace(());
            }
        }

        impl Receiver<()> {
            /// Marks all changes until now as seen.
            pub fn mark_unchanged(&mut self) {
                self.seen = lock(&self.state).version;
            }

            /// Waits for a change that is not marked as seen.
            ///
            /// # Errors
            /// If the sender was dropped.
            pub async fn changed(&mut self) -> Result<(), RecvError> {
                std::future::poll_fn(|context| self.poll_changed(context)).await
            }

            pub(in super::super) fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), RecvError>> {
                let () = self.value;
                let mut state = lock(&self.state);
                if state.is_closed {
                    Poll::Ready(Err(RecvError))
                } else if state.version != self.seen {
                    self.seen = state.version;
                    Poll::Ready(Ok(()))
                } else {
                    state.wakers.push(context.waker().clone());
                    Poll::Pending
                }
            }
        }
    }
}
