//! Runs the program's callbacks so that they can't break the session.
//!
//! A callback may use the session that calls it, but must not wait for a token: the session may be waiting for the
//! callback. So each thread records the session whose callback it runs.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::shared_session::Shared;
use crate::sync_primitives::thread_local;

thread_local! {
    static RUNNING_FOR: Cell<usize> = const { Cell::new(0) };
}

/// Restores the previous value on drop, also after a panic.
struct Restore(usize);

impl Drop for Restore {
    fn drop(&mut self) {
        RUNNING_FOR.with(|running| running.set(self.0));
    }
}

pub(crate) fn runs_for(shared: &Shared) -> bool {
    RUNNING_FOR.with(Cell::get) == address(shared)
}

pub(crate) fn run_for<T>(shared: &Shared, callback: impl FnOnce() -> T) -> T {
    let _restore = Restore(RUNNING_FOR.with(|running| running.replace(address(shared))));
    callback()
}

/// Runs an event callback. A panic in it is caught and logged.
pub(crate) fn observe(shared: &Shared, observer: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(|| run_for(shared, observer))).is_err() {
        tracing::error!(target: "tradovate_auth::session", "the event callback has panicked");
    }
}

fn address(shared: &Shared) -> usize {
    std::ptr::from_ref(shared).addr()
}
