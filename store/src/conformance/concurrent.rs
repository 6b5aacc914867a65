//! Checks with several threads at the same time. Each thread opens the store itself, as a process does.

use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use std::{panic, thread};

use tradovate_auth_session::Revision;

use super::Check;
use super::history::{Event, MOST, Operation, is_linearizable};
use super::world::{Broken, LONG, World, checks, ensure, found, session};
use crate::name::SessionName;
use crate::store::Store;

pub(super) const CHECKS: &[(&str, Check)] = checks![
    one_of_many_concurrent_callers_gets_the_lease,
    no_concurrent_increment_is_lost,
    concurrent_histories_are_linearizable,
];

fn one_of_many_concurrent_callers_gets_the_lease(world: &World<'_>) -> Result<(), Broken> {
    let store = world.open();
    let given = on_threads(50, |_| Ok(store.lease(&world.name, LONG)?.is_some()))?;
    let given = given.into_iter().filter(|given| *given).count();
    ensure!(given == 1, "of 50 threads that asked for the lease at the same time, {given} were given it");
    Ok(())
}

fn no_concurrent_increment_is_lost(world: &World<'_>) -> Result<(), Broken> {
    let steps = AtomicI64::new(0);
    on_threads(6, |number| {
        let store = world.open();
        for round in 0..100 {
            // Some leases last no time, so that other threads can take the next one while a holder still saves.
            let time = if (number + round) % 3 == 0 { Duration::ZERO } else { LONG };
            let Some(lease) = store.lease(&world.name, time)? else { continue };
            let found = world.found(&*store)?;
            let (known, count) = (found.map(|(revision, _)| revision), found.map_or(0, |(_, count)| count));
            if store.save(&world.name, &session(count + 1)?, known, lease)?.is_some() {
                steps.fetch_add(1, Ordering::Relaxed);
            }
            store.release(&world.name, lease)?;
        }
        Ok(())
    })?;
    let (counted, steps) = (world.found(&*world.open())?.map_or(0, |(_, count)| count), steps.into_inner());
    ensure!(
        counted == steps,
        "threads that count together have saved {steps} steps, and the record has counted {counted}"
    );
    Ok(())
}

const THREADS: usize = 4;

const ROUNDS: u64 = 24;

/// Each round uses a new name, so that it begins without a record.
fn concurrent_histories_are_linearizable(world: &World<'_>) -> Result<(), Broken> {
    let stores: Vec<_> = (0..THREADS).map(|_| world.open()).collect();
    for round in 0..ROUNDS {
        let name = world.name(&format!("round {round}"));
        let (clock, start) = (AtomicU64::new(0), Barrier::new(THREADS));
        let events = on_threads(THREADS, |thread| {
            let random = Random(round << 32 | thread as u64);
            start.wait();
            Worker { store: &*stores[thread], name: &name, thread, random, lease: None, known: None }.work(&clock)
        })?;
        let mut events: Vec<_> = events.into_iter().flatten().collect();
        events.sort_by_key(|event| event.called);
        let mut revisions = HashSet::new();
        for event in &events {
            if let Operation::Save { saved: Some(saved), .. } = event.operation {
                ensure!(revisions.insert(saved), "{saved:?} was given twice");
            }
        }
        ensure!(
            is_linearizable(&events),
            "no order of these operations explains their answers (thread, times of call and return, what was done):{}",
            events.iter().map(line).collect::<String>()
        );
    }
    Ok(())
}

fn line(event: &Event) -> String {
    format!("\n{} {:3} {:3} {:?}", event.thread, event.called, event.returned, event.operation)
}

/// One of the threads that produce a history.
struct Worker<'w> {
    store: &'w dyn Store,
    name: &'w SessionName,
    thread: usize,
    random: Random,
    /// The lease that the thread was given last. Other threads may have been given later ones.
    lease: Option<tradovate_auth_session::Lease>,
    /// The revision that the thread has loaded or saved last.
    known: Option<Revision>,
}

impl Worker<'_> {
    fn work(mut self, clock: &AtomicU64) -> Result<Vec<Event>, Broken> {
        let mut events = Vec::new();
        for number in 0..MOST / THREADS {
            let user = i64::try_from(self.thread * 1000 + number).unwrap_or_default();
            let called = clock.fetch_add(1, Ordering::SeqCst);
            let operation = self.operation(user)?;
            let returned = clock.fetch_add(1, Ordering::SeqCst);
            events.push(Event { thread: self.thread, called, returned, operation });
        }
        Ok(events)
    }

    fn operation(&mut self, user: i64) -> Result<Operation, Broken> {
        Ok(match (self.random.below(10), self.lease) {
            (0..4, Some(lease)) => {
                let known = self.known;
                let saved = self.store.save(self.name, &session(user)?, known, lease)?;
                self.known = saved.or(known);
                Operation::Save { user, known, fence: lease.fence, saved }
            }
            (4..6, Some(lease)) => {
                self.store.release(self.name, lease)?;
                Operation::Release { fence: lease.fence }
            }
            (6..9, _) => {
                let found = found(self.store, self.name)?;
                self.known = found.map(|(revision, _)| revision);
                Operation::Load { found }
            }
            _ => {
                let is_long = self.random.below(2) == 0;
                let lease = self.store.lease(self.name, if is_long { LONG } else { Duration::ZERO })?;
                self.lease = lease.or(self.lease);
                Operation::Lease { is_long, fence: lease.map(|lease| lease.fence) }
            }
        })
    }
}

/// A Splitmix64 generator: each run makes the same choices. The order in which the threads run still differs.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % limit
    }
}

/// The results of all threads, or the first error.
fn on_threads<T: Send>(number: usize, work: impl Fn(usize) -> Result<T, Broken> + Sync) -> Result<Vec<T>, Broken> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..number).map(|number| scope.spawn(move || work(number))).collect();
        let results: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        results.into_iter().map(|result| result.unwrap_or_else(|panic| panic::resume_unwind(panic))).collect()
    })
}
