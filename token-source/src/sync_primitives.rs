//! The synchronization primitives of this workspace: locks, condition variables, atomics, channels, threads, and the
//! clock of waits.
//!
//! A build with `--cfg tradovate_auth_shuttle` uses the primitives of `shuttle` instead. `shuttle` runs one thread at a
//! time, and chooses the next thread at each call. Only the tests in `tests/schedules` use this build. In this build,
//! waits never time out: a thread that is never woken is a deadlock, which the scheduler reports.

#[cfg(not(tradovate_auth_shuttle))]
pub use arc_swap::{ArcSwap, ArcSwapOption};
#[cfg(not(tradovate_auth_shuttle))]
pub use std::sync::{Condvar, Mutex, MutexGuard, atomic, mpsc};
#[cfg(not(tradovate_auth_shuttle))]
pub use std::time::Instant;
#[cfg(not(tradovate_auth_shuttle))]
pub use std::{thread, thread_local};

#[cfg(tradovate_auth_shuttle)]
pub use self::under_shuttle::{ArcSwap, ArcSwapOption, DeliberatePanic, Instant, thread, tokio};
#[cfg(tradovate_auth_shuttle)]
pub use shuttle::sync::{Condvar, Mutex, MutexGuard, atomic, mpsc};
#[cfg(tradovate_auth_shuttle)]
pub use shuttle::thread_local;

#[cfg(tradovate_auth_shuttle)]
mod under_shuttle;
