//! A store in memory, with one defect or with none.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::Instant;

use tradovate_auth_session::{StoredSession, Unreadable};
use tradovate_auth_store::{AsyncStore, StoreFuture};

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    None,
    /// A save does not compare the record with the known one.
    IgnoresKnown,
    /// A save does not check whether a later lease was given.
    IgnoresFence,
    /// A lease that is not released is held for ever.
    KeepsLeases,
    /// A release does nothing.
    IgnoresReleases,
    /// A release ends the lease of any holder.
    ReleasesAll,
    /// A save is refused if the lease has ended.
    RefusesEndedLeases,
    /// A lease is given while another process holds it.
    GivesLeasesTwice,
    /// Each lease has the same number.
    RepeatsFences,
    /// Each second revision has the same number.
    RepeatsRevisions,
    /// A load finds a record though nothing was saved.
    InventsRecords,
    /// A load does not say how old the record is.
    ForgetsAges,
    /// A load finds what was stored a moment ago, as in a replica.
    LoadsOld,
    /// A save is confirmed before it is durable.
    ConfirmsEarly,
    /// A wait ends only when its time is over.
    NeverTells,
    /// A wait takes longer than its time.
    WaitsLong,
    /// A save compares and writes in two steps.
    SavesInTwoSteps,
    /// A name is cut off after 64 characters.
    CutsNames,
    /// A record is cut off after 64 KiB.
    CutsRecords,
    /// A save or a load first removes the record. If its future is dropped, the record is gone.
    RemovesFirst,
    /// A lease or a release first writes a long lease. If its future is dropped, the lease has no end.
    LeasesLongFirst,
}

/// The content of a database.
#[derive(Default)]
pub(super) struct Database {
    contents: Mutex<HashMap<String, Content>>,
    /// The durable content, for [`Defect::ConfirmsEarly`].
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

pub(super) struct Memory {
    database: Arc<Database>,
    defect: Defect,
}

impl Memory {
    pub(super) fn open(database: &Arc<Database>, defect: Defect) -> Self {
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
        let is_newest = content.lease.is_some_and(|(newest, begun)| {
            let is_refused = self.defect == Defect::RefusesEndedLeases && begun.elapsed() >= newest.time;
            newest.fence == lease.fence && !is_refused
        });
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
        let invented = || (Revision(1), session(0), Instant::now());
        let record = record.or_else(|| (self.defect == Defect::InventsRecords).then(invented));
        Ok(record.map(|(revision, session, saved_at)| {
            let is_cut =
                self.defect == Defect::CutsRecords && serde_json::to_vec(&session).is_ok_and(|json| json.len() > 65535);
            StoredRecord {
                revision,
                age: (self.defect != Defect::ForgetsAges).then(|| saved_at.elapsed()),
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
            thread::sleep(Duration::from_millis(3));
        }
        Ok(self.with(name, |content| {
            if self.defect != Defect::SavesInTwoSteps && !self.may_save(content, known, lease) {
                return None;
            }
            let number = content.next_number();
            let is_repeated = self.defect == Defect::RepeatsRevisions && number.is_multiple_of(4);
            let revision = Revision(if is_repeated { 0 } else { number });
            content.record_before = content.record.replace((revision, session.clone(), Instant::now()));
            self.database.changes.notify_all();
            Some(revision)
        }))
    }

    fn release(&self, name: &SessionName, lease: Lease) -> Result<(), StoreError> {
        self.with(name, |content| {
            let is_released = |newest: &Lease| match self.defect {
                Defect::IgnoresReleases => false,
                Defect::ReleasesAll => true,
                _ => newest.fence == lease.fence,
            };
            if let Some((newest, _)) = content.lease.as_mut().filter(|(newest, _)| is_released(newest)) {
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
        if self.defect == Defect::WaitsLong {
            thread::sleep(Duration::from_secs(3));
        }
        let contents = self.database.contents.lock().unwrap();
        let is_known =
            |contents: &mut HashMap<String, Content>| contents.get(name.as_str()).and_then(Content::revision) == known;
        drop(self.database.changes.wait_timeout_while(contents, time, is_known));
        Ok(())
    }
}

/// A future that is pending once.
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
            let is_defect = self.defect == Defect::RemovesFirst;
            let removed = if is_defect { self.with(name, |content| content.record.take()) } else { None };
            Yield::default().await;
            if removed.is_some() {
                self.with(name, |content| content.record = removed);
            }
            Store::load(self, name)
        })
    }

    fn lease<'a>(&'a self, name: &'a SessionName, time: Duration) -> StoreFuture<'a, Option<Lease>> {
        Box::pin(async move {
            if self.defect != Defect::LeasesLongFirst {
                let lease = Store::lease(self, name, time);
                Yield::default().await;
                return lease;
            }
            let long = Store::lease(self, name, MINUTE)?;
            Yield::default().await;
            let lease = long.map(|lease| Lease { time, ..lease });
            if let Some(lease) = lease {
                self.with(name, |content| content.lease = Some((lease, Instant::now())));
            }
            Ok(lease)
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
            let prolong = |content: &mut Content| {
                if let Some((newest, _)) = content.lease.as_mut().filter(|(newest, _)| newest.fence == lease.fence) {
                    newest.time = MINUTE;
                }
            };
            if self.defect == Defect::LeasesLongFirst {
                self.with(name, prolong);
            }
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
