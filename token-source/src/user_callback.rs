//! Callbacks of the owner's: what they do, or fail to do, must not cost the session.
//!
//! A callback may use the session that calls it, but a token that is not there yet might be waiting for the callback's
//! own end; so each thread knows for which session it is in a callback.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::shared_session::Shared;
use crate::sync::thread_local;

thread_local! {
    static RUNNING_FOR: Cell<usize> = const { Cell::new(0) };
}

/// Puts back what was before, also after a panic.
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

/// Runs a callback that only looks on: a panic of its own ends in it.
pub(crate) fn observe(shared: &Shared, observer: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(|| run_for(shared, observer))).is_err() {
        tracing::error!(target: "tradovate_auth::session", "the event callback has panicked");
    }
}

fn address(shared: &Shared) -> usize {
    std::ptr::from_ref(shared).addr()
}
