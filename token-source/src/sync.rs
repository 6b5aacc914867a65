//! All that threads wait for and share memory by: locks, condition variables, atomics, channels, threads, and the clock of
//! their waits.
//!
//! A build with `--cfg tradovate_auth_shuttle` has those of `shuttle` instead, which runs one thread at a time and decides
//! at each of these calls which one is next. Only the tests in `tests/schedules` are built so. No wait of theirs ends by its
//! time: a thread that nobody wakes is a deadlock, which the scheduler reports.

#[cfg(not(tradovate_auth_shuttle))]
pub use arc_swap::{ArcSwap, ArcSwapOption};
#[cfg(not(tradovate_auth_shuttle))]
pub use std::sync::{Condvar, Mutex, MutexGuard, atomic, mpsc};
#[cfg(not(tradovate_auth_shuttle))]
pub use std::time::Instant;
#[cfg(not(tradovate_auth_shuttle))]
pub use std::{thread, thread_local};

#[cfg(tradovate_auth_shuttle)]
pub use self::scheduled::{ArcSwap, ArcSwapOption, DeliberatePanic, Instant, thread, tokio};
#[cfg(tradovate_auth_shuttle)]
pub use shuttle::sync::{Condvar, Mutex, MutexGuard, atomic, mpsc};
#[cfg(tradovate_auth_shuttle)]
pub use shuttle::thread_local;

#[cfg(tradovate_auth_shuttle)]
mod scheduled;
