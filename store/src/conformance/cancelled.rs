//! Checks that drop a future before it is ready: after no poll, after one poll, and so on. The call must have taken
//! effect as a whole or not at all, and the store must still work.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tradovate_auth_session::{Lease, StoreError};

use super::world::{A_MOMENT, Broken, LONG, SOON, World, checks, ensure, found, leased, saved, session};
use super::{Blocking, Check};
use crate::name::SessionName;
use crate::store::{AsyncStore, Store, StoreFuture};

pub(super) const CHECKS: &[(&str, Check)] = checks![
    a_cancelled_lease_is_free_when_its_time_is_over,
    a_cancelled_save_is_done_or_not_done,
    a_cancelled_release_leaves_a_lease_that_ends,
    a_cancelled_load_or_wait_changes_nothing,
];

/// The largest number of polls before a future is dropped. A future that needs more polls is not tested further.
const MOST_POLLS: usize = 20;

fn a_cancelled_lease_is_free_when_its_time_is_over(world: &World<'_>) -> Result<(), Broken> {
    at_each_poll(world, "lease", |case| {
        let result = case.cancel(case.store().lease(&case.name, A_MOMENT))?;
        let next = case.await_lease(&*case.other)?;
        case.other.release(&case.name, next)?;
        Ok(result.is_some())
    })
}

fn a_cancelled_save_is_done_or_not_done(world: &World<'_>) -> Result<(), Broken> {
    at_each_poll(world, "save", |case| {
        let lease = leased(&*case.other, &case.name, LONG)?;
        let before = found(&*case.other, &case.name)?;
        let (new, known) = (session(2)?, before.map(|(revision, _)| revision));
        let result = case.cancel(case.store().save(&case.name, &new, known, lease))?;
        case.other.release(&case.name, lease)?;
        // After the next lease was given, the cancelled save can't take effect any more.
        let next = leased(&*case.other, &case.name, LONG)?;
        let after = found(&*case.other, &case.name)?;
        let is_whole = after == before || after.is_some_and(|(revision, user)| Some(revision) != known && user == 2);
        ensure!(is_whole, "the record was {before:?} (revision and user), and after a cancelled save it is {after:?}");
        if let Some(saved) = result {
            ensure!(after.map(|(revision, _)| revision) == saved, "{saved:?} was saved, and {after:?} is stored");
        }
        thread::sleep(Duration::from_millis(50));
        let later = found(&case.cancelled, &case.name)?;
        ensure!(
            later == after,
            "a cancelled save was done after the next lease: the record is {later:?}, it was {after:?}"
        );
        case.other.release(&case.name, next)?;
        Ok(result.is_some())
    })
}

fn a_cancelled_release_leaves_a_lease_that_ends(world: &World<'_>) -> Result<(), Broken> {
    at_each_poll(world, "release", |case| {
        let lease = leased(&*case.other, &case.name, A_MOMENT)?;
        let result = case.cancel(case.store().release(&case.name, lease))?;
        let next = case.await_lease(&*case.other)?;
        case.other.release(&case.name, next)?;
        Ok(result.is_some())
    })
}

fn a_cancelled_load_or_wait_changes_nothing(world: &World<'_>) -> Result<(), Broken> {
    at_each_poll(world, "load", |case| Ok(case.cancel(case.store().load(&case.name))?.is_some()))?;
    at_each_poll(world, "wait", |case| {
        let known = found(&*case.other, &case.name)?.map(|(revision, _)| revision);
        Ok(case.cancel(case.store().changed(&case.name, known, A_MOMENT))?.is_some())
    })
}

/// One call that is cancelled. There is a record, and nobody holds the lease.
struct Case {
    /// The store whose future is dropped. It is new, so that its future can also be dropped while it connects.
    cancelled: Blocking,
    /// The store of another process.
    other: Box<dyn Store>,
    name: SessionName,
    polls: usize,
}

impl Case {
    fn store(&self) -> &dyn AsyncStore {
        &*self.cancelled.store
    }

    /// Drops a future after some polls, unless it is ready earlier.
    fn cancel<T: Send>(&self, future: StoreFuture<'_, T>) -> Result<Option<T>, Broken> {
        let polls_left = self.polls;
        Ok(self.cancelled.run(Cancelled { future, polls_left })?)
    }

    /// Waits until the lease is free, and takes it. The cancelled call may have taken it, even after its future was
    /// dropped.
    fn await_lease(&self, store: &dyn Store) -> Result<Lease, Broken> {
        let begun = Instant::now();
        loop {
            if let Some(lease) = store.lease(&self.name, LONG)? {
                return Ok(lease);
            }
            let time = begun.elapsed();
            ensure!(time < A_MOMENT + SOON, "a lease of {A_MOMENT:?} was not over after {time:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Checks that the store still works: it saves, and another process sees the record.
    fn assert_usable(&self) -> Result<(), Broken> {
        let store = &self.cancelled;
        let lease = self.await_lease(store)?;
        let before = found(store, &self.name)?;
        ensure!(before.is_some(), "the record is gone");
        let saved = store.save(&self.name, &session(3)?, before.map(|(revision, _)| revision), lease)?;
        let after = found(&*self.other, &self.name)?;
        let is_stored = saved.is_some() && after == saved.map(|revision| (revision, 3));
        ensure!(is_stored, "the next save was confirmed as {saved:?}, and another process has found {after:?}");
        Ok(store.release(&self.name, lease)?)
    }
}

/// Cancels a call after no poll, after one poll, and so on, until `call` returns that its future was ready before it
/// was cancelled.
fn at_each_poll(world: &World<'_>, label: &str, call: impl Fn(&Case) -> Result<bool, Broken>) -> Result<(), Broken> {
    let Some(asynchronous) = world.asynchronous else { return Ok(()) };
    for polls in 0..MOST_POLLS {
        let cancelled = Blocking::with((asynchronous.open)(), Arc::clone(&asynchronous.block_on));
        let case = Case { cancelled, other: world.open(), name: world.name(&format!("{label} {polls}")), polls };
        saved(&*case.other, &case.name, &session(1)?, None)?;
        let has_ended = call(&case).and_then(|has_ended| case.assert_usable().map(|()| has_ended));
        let in_case = |Broken(what)| Broken(format!("{what} (a {label} was cancelled after {polls} polls)"));
        if has_ended.map_err(in_case)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Drops a future if it is not ready after `polls_left` polls, and then returns `None`.
struct Cancelled<'f, T> {
    future: StoreFuture<'f, T>,
    polls_left: usize,
}

impl<T> Future for Cancelled<'_, T> {
    type Output = Result<Option<T>, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls_left > 0 {
            self.polls_left -= 1;
            if let Poll::Ready(result) = self.future.as_mut().poll(context) {
                return Poll::Ready(result.map(Some));
            }
        }
        if self.polls_left == 0 { Poll::Ready(Ok(None)) } else { Poll::Pending }
    }
}
