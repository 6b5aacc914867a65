//! A store in memory that several sources share. A test can make it fail, lose its records, and damage them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tradovate_auth::StoredSession;
use tradovate_auth::store::{AsyncStore, SessionName, Store, StoreFuture};
use tradovate_auth::{Lease, Revision, StoreError, StoreErrorKind, StoredRecord, Unreadable};

#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryStore(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    content: Mutex<Content>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Content {
    record: Option<(Revision, Result<StoredSession, Unreadable>, Instant)>,
    lease: Option<(u64, Instant)>,
    longest_lease: Option<Duration>,
    count: u64,
    is_down: bool,
    uses: Uses,
}

/// How often the methods of the store were called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    pub(crate) loads: usize,
    pub(crate) leases: usize,
    pub(crate) saves: usize,
}

impl MemoryStore {
    pub(crate) fn set_down(&self, is_down: bool) {
        self.content().is_down = is_down;
    }

    /// Removes everything that is stored.
    pub(crate) fn flush(&self) {
        let mut content = self.content();
        (content.record, content.lease) = (None, None);
        self.0.changed.notify_all();
    }

    /// Whether a source holds the lease.
    pub(crate) fn is_leased(&self) -> bool {
        self.content().lease.is_some()
    }

    /// Makes the stored record unreadable.
    pub(crate) fn damage(&self) {
        let mut content = self.content();
        content.count += 1;
        content.record = Some((Revision(content.count), Err(Unreadable::Damaged), Instant::now()));
        self.0.changed.notify_all();
    }

    /// Refuses leases for a time.
    pub(crate) fn block(&self, time: Duration) {
        let mut content = self.content();
        content.count += 1;
        content.lease = Some((content.count, Instant::now() + time));
    }

    /// Sets the longest time for which the store grants a lease.
    pub(crate) fn set_longest_lease(&self, time: Duration) {
        self.content().longest_lease = Some(time);
    }

    pub(crate) fn session(&self) -> Option<StoredSession> {
        self.content().record.as_ref().and_then(|(_, session, _)| session.as_ref().ok().cloned())
    }

    pub(crate) fn uses(&self) -> Uses {
        self.content().uses
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.content.lock().unwrap()
    }

    fn up(&self) -> Result<MutexGuard<'_, Content>, StoreError> {
        let content = self.content();
        let down = || StoreError::new(StoreErrorKind::Unreachable, "the store is down");
        if content.is_down { Err(down()) } else { Ok(content) }
    }

    fn has_changed(&self, known: Option<Revision>) -> Result<bool, StoreError> {
        Ok(self.up()?.record.as_ref().map(|(revision, ..)| *revision) != known)
    }
}

impl Store for MemoryStore {
    fn load(&self, _: &SessionName) -> Result<Option<StoredRecord>, StoreError> {
        let mut content = self.up()?;
        content.uses.loads += 1;
        Ok(content.record.as_ref().map(|(revision, session, saved)| StoredRecord {
            revision: *revision,
            age: Some(saved.elapsed()),
            place: "the memory of the test".into(),
            session: session.clone(),
        }))
    }

    fn lease(&self, _: &SessionName, time: Duration) -> Result<Option<Lease>, StoreError> {
        let mut content = self.up()?;
        content.uses.leases += 1;
        if content.lease.is_some_and(|(_, end)| Instant::now() < end) {
            return Ok(None);
        }
        content.count += 1;
        let time = content.longest_lease.map_or(time, |longest| time.min(longest));
        content.lease = Some((content.count, Instant::now() + time));
        Ok(Some(Lease { fence: content.count, time }))
    }

    fn save(
        &self,
        _: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> Result<Option<Revision>, StoreError> {
        let mut content = self.up()?;
        content.uses.saves += 1;
        let is_ours = content.lease.is_some_and(|(fence, _)| fence == lease.fence);
        if !is_ours || content.record.as_ref().map(|(revision, ..)| *revision) != known {
            return Ok(None);
        }
        content.count += 1;
        let revision = Revision(content.count);
        content.record = Some((revision, Ok(session.clone()), Instant::now()));
        self.0.changed.notify_all();
        Ok(Some(revision))
    }

    fn release(&self, _: &SessionName, lease: Lease) -> Result<(), StoreError> {
        let mut content = self.up()?;
        content.lease.take_if(|(fence, _)| *fence == lease.fence);
        Ok(())
    }

    fn changed(&self, _: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), StoreError> {
        let unchanged = |content: &mut Content| {
            !content.is_down && content.record.as_ref().map(|(revision, ..)| *revision) == known
        };
        drop(self.0.changed.wait_timeout_while(self.up()?, time, unchanged).unwrap());
        self.has_changed(known).map(drop)
    }
}

impl AsyncStore for MemoryStore {
    fn load<'a>(&'a self, name: &'a SessionName) -> StoreFuture<'a, Option<StoredRecord>> {
        Box::pin(async { Store::load(self, name) })
    }

    fn lease<'a>(&'a self, name: &'a SessionName, time: Duration) -> StoreFuture<'a, Option<Lease>> {
        Box::pin(async move { Store::lease(self, name, time) })
    }

    fn save<'a>(
        &'a self,
        name: &'a SessionName,
        session: &'a StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> StoreFuture<'a, Option<Revision>> {
        Box::pin(async move { Store::save(self, name, session, known, lease) })
    }

    fn release<'a>(&'a self, name: &'a SessionName, lease: Lease) -> StoreFuture<'a, ()> {
        Box::pin(async move { Store::release(self, name, lease) })
    }

    fn changed<'a>(&'a self, _: &'a SessionName, known: Option<Revision>, time: Duration) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let end = Instant::now() + time;
            while !self.has_changed(known)? && Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        })
    }
}
