//! Stores that break the contract: each fails the check that names its defect. The same store without a defect passes.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Instant;

use tradovate_auth_session::{StoredSession, Unreadable};
use tradovate_auth_store::conformance::{Suite, Task};
use tradovate_auth_store::{AsyncStore, StoreFuture};

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    /// A save does not compare the record with the known one.
    IgnoresKnown,
    /// A save does not ask whether a later lease was given.
    IgnoresFence,
    /// A lease that is not released is held for ever.
    KeepsLeases,
    /// A lease is given while another process holds it.
    GivesLeasesTwice,
    /// Each lease has the same number.
    RepeatsFences,
    /// A load finds what was stored a moment ago, as in a replica.
    LoadsOld,
    /// A save is confirmed before it is durable.
    ConfirmsEarly,
    /// A wait ends when its time is over, whatever happens.
    NeverTells,
    /// A save compares and writes in two steps.
    SavesInTwoSteps,
    /// A name is cut off after 64 characters.
    CutsNames,
    /// A record is cut off after 64 KiB.
    CutsRecords,
    /// A save that is dropped has removed the record and not written the new one.
    RemovesFirst,
}

/// What a database holds.
#[derive(Default)]
struct Database {
    contents: Mutex<HashMap<String, Content>>,
    /// With [`Defect::ConfirmsEarly`], what is durable.
    durable: Mutex<HashMap<String, Content>>,
    changes: Condvar,
    open_stores: AtomicUsize,
}

#[derive(Clone, Default)]
struct Content {
    record: Option<Record>,
    record_before: Option<Record>,
    lease: Option<(Lease, Instant)>,
    last_number: u64,
}

type Record = (Revision, StoredSession, Instant);

impl Content {
    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn revision(&self) -> Option<Revision> {
        self.record.as_ref().map(|(revision, ..)| *revision)
    }
}

struct Memory {
    database: Arc<Database>,
    defect: Defect,
}

impl Memory {
    fn open(database: &Arc<Database>, defect: Defect) -> Self {
        if database.open_stores.fetch_add(1, Ordering::SeqCst) == 0 && defect == Defect::ConfirmsEarly {
            database.contents.lock().unwrap().clone_from(&database.durable.lock().unwrap());
        }
        Self { database: Arc::clone(database), defect }
    }

    fn with<T>(&self, name: &SessionName, work: impl FnOnce(&mut Content) -> T) -> T {
        let length = if self.defect == Defect::CutsNames { 64 } else { usize::MAX };
        let key: String = name.as_str().chars().take(length).collect();
        let mut contents = self.database.contents.lock().unwrap();
        if self.defect == Defect::ConfirmsEarly {
            self.database.durable.lock().unwrap().clone_from(&contents);
        }
        work(contents.entry(key).or_default())
    }

    fn may_save(&self, content: &Content, known: Option<Revision>, lease: Lease) -> bool {
        let is_newest = content.lease.is_some_and(|(newest, _)| newest.fence == lease.fence);
        (is_newest || self.defect == Defect::IgnoresFence)
            && (content.revision() == known || self.defect == Defect::IgnoresKnown)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.database.open_stores.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Store for Memory {
    fn load(&self, name: &SessionName) -> Result<Option<StoredRecord>, StoreError> {
        const LATE: Duration = Duration::from_millis(20);
        let record = self.with(name, |content| {
            let is_old = content.record.as_ref().is_some_and(|(.., saved_at)| saved_at.elapsed() < LATE);
            if is_old && self.defect == Defect::LoadsOld { &content.record_before } else { &content.record }.clone()
        });
        Ok(record.map(|(revision, session, saved_at)| {
            let is_cut =
                self.defect == Defect::CutsRecords && serde_json::to_vec(&session).is_ok_and(|json| json.len() > 65535);
            StoredRecord {
                revision,
                age: Some(saved_at.elapsed()),
                place: "the memory of the test".into(),
                session: if is_cut { Err(Unreadable::Damaged) } else { Ok(session) },
            }
        }))
    }

    fn lease(&self, name: &SessionName, time: Duration) -> Result<Option<Lease>, StoreError> {
        Ok(self.with(name, |content| {
            let is_held = content.lease.is_some_and(|(lease, begun)| match self.defect {
                Defect::KeepsLeases => !lease.time.is_zero(),
                Defect::GivesLeasesTwice => false,
                _ => begun.elapsed() < lease.time,
            });
            if is_held {
                return None;
            }
            let fence = if self.defect == Defect::RepeatsFences { 1 } else { content.next_number() };
            let lease = Lease { fence, time };
            content.lease = Some((lease, Instant::now()));
            Some(lease)
        }))
    }

    fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> Result<Option<Revision>, StoreError> {
        if self.defect == Defect::SavesInTwoSteps {
            if !self.with(name, |content| self.may_save(content, known, lease)) {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(self.with(name, |content| {
            if self.defect != Defect::SavesInTwoSteps && !self.may_save(content, known, lease) {
                return None;
            }
            let revision = Revision(content.next_number());
            content.record_before = content.record.replace((revision, session.clone(), Instant::now()));
            self.database.changes.notify_all();
            Some(revision)
        }))
    }

    fn release(&self, name: &SessionName, lease: Lease) -> Result<(), StoreError> {
        self.with(name, |content| {
            if let Some((newest, _)) = content.lease.as_mut().filter(|(newest, _)| newest.fence == lease.fence) {
                newest.time = Duration::ZERO;
            }
        });
        Ok(())
    }

    fn changed(&self, name: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), StoreError> {
        if self.defect == Defect::NeverTells {
            thread::sleep(time);
            return Ok(());
        }
        let contents = self.database.contents.lock().unwrap();
        let is_known =
            |contents: &mut HashMap<String, Content>| contents.get(name.as_str()).and_then(Content::revision) == known;
        drop(self.database.changes.wait_timeout_while(contents, time, is_known));
        Ok(())
    }
}

/// Is pending once.
#[derive(Default)]
struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl AsyncStore for Memory {
    fn load<'a>(&'a self, name: &'a SessionName) -> StoreFuture<'a, Option<StoredRecord>> {
        Box::pin(async move {
            Yield::default().await;
            Store::load(self, name)
        })
    }

    fn lease<'a>(&'a self, name: &'a SessionName, time: Duration) -> StoreFuture<'a, Option<Lease>> {
        Box::pin(async move {
            let lease = Store::lease(self, name, time);
            Yield::default().await;
            lease
        })
    }

    fn save<'a>(
        &'a self,
        name: &'a SessionName,
        session: &'a StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> StoreFuture<'a, Option<Revision>> {
        Box::pin(async move {
            if self.defect == Defect::RemovesFirst {
                if !self.with(name, |content| self.may_save(content, known, lease)) {
                    return Ok(None);
                }
                self.with(name, |content| content.record = None);
                Yield::default().await;
                return Store::save(self, name, session, None, lease);
            }
            Yield::default().await;
            let saved = Store::save(self, name, session, known, lease);
            Yield::default().await;
            saved
        })
    }

    fn release<'a>(&'a self, name: &'a SessionName, lease: Lease) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            Yield::default().await;
            Store::release(self, name, lease)
        })
    }

    fn changed<'a>(&'a self, name: &'a SessionName, known: Option<Revision>, time: Duration) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            Yield::default().await;
            Store::changed(self, name, known, time)
        })
    }
}

/// The smallest executor: it polls again when it is woken.
fn block_on(mut task: Task<'_>) {
    struct Thread(thread::Thread, AtomicBool);
    impl Wake for Thread {
        fn wake(self: Arc<Self>) {
            self.1.store(true, Ordering::SeqCst);
            self.0.unpark();
        }
    }
    let this = Arc::new(Thread(thread::current(), AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&this));
    while task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        while !this.1.swap(false, Ordering::SeqCst) {
            thread::park();
        }
    }
}

fn suite(defect: Defect) -> Suite<'static> {
    let database = Arc::default();
    Suite::of_async(move || Memory::open(&database, defect), block_on)
}

#[test]
fn a_store_without_a_defect_keeps_the_contract() {
    suite(Defect::None).run().unwrap();
    let database = Arc::default();
    Suite::new(|| Box::new(Memory::open(&database, Defect::None)) as Box<dyn Store>).run().unwrap();
}

#[test]
fn a_wrong_store_fails_the_check_that_names_its_defect() {
    let cases = [
        (Defect::IgnoresKnown, "a_save_needs_the_known_record"),
        (Defect::IgnoresFence, "an_overtaken_holder_saves_nothing"),
        (Defect::KeepsLeases, "a_lease_ends_when_its_time_is_over"),
        (Defect::GivesLeasesTwice, "one_process_at_a_time_holds_the_lease"),
        (Defect::GivesLeasesTwice, "one_of_many_at_once_gets_the_lease"),
        (Defect::RepeatsFences, "later_leases_have_higher_fences"),
        (Defect::LoadsOld, "a_saved_session_is_loaded_by_others"),
        (Defect::LoadsOld, "concurrent_histories_are_linearizable"),
        (Defect::ConfirmsEarly, "a_record_and_its_lease_survive_a_reopen"),
        (Defect::NeverTells, "changed_returns_within_a_second_of_a_save"),
        (Defect::SavesInTwoSteps, "concurrent_histories_are_linearizable"),
        (Defect::CutsNames, "any_name_has_a_record_of_its_own"),
        (Defect::CutsRecords, "a_large_record_is_loaded_unchanged"),
        (Defect::RemovesFirst, "a_cancelled_save_is_done_or_not_done"),
    ];
    thread::scope(|scope| {
        for (defect, check) in cases {
            scope.spawn(move || {
                let violations = suite(defect).check(check).expect_err(&format!("{defect:?} passes {check}"));
                println!("{defect:?}: {violations}");
                assert!(violations.names().eq([check]) && violations.to_string().contains(check), "{violations}");
            });
        }
    });
}

/// What is wrong only if several processes work at the same time is shown by no check of calls in a row.
#[test]
fn a_store_that_saves_in_two_steps_passes_all_checks_but_those_of_concurrent_calls() {
    let violations = suite(Defect::SavesInTwoSteps).run().unwrap_err();
    let concurrent = ["many_that_count_together_lose_no_step", "concurrent_histories_are_linearizable"];
    assert!(violations.names().all(|name| concurrent.contains(&name)), "{violations}");
}

#[test]
fn a_check_that_does_not_exist_is_an_error() {
    assert!(suite(Defect::None).check("unknown").unwrap_err().to_string().contains("no check has this name: unknown"));
}
