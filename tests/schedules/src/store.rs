//! A store in memory that the sources of one schedule share.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tradovate_auth_session::{Lease, Revision, StoreError, StoredRecord, StoredSession};
use tradovate_auth_store::{AsyncStore, SessionName, Store, StoreFuture};
use tradovate_auth_token_source::SystemClock;
use tradovate_auth_token_source::sync_primitives::tokio::sync::watch;
use tradovate_auth_token_source::sync_primitives::{Mutex, MutexGuard};

use crate::world::World;

/// A store of one session. Clones share it.
#[derive(Clone)]
pub(crate) struct InMemory(Arc<Shared>);

struct Shared {
    world: World,
    content: Mutex<Content>,
    changes: (watch::Sender, watch::Receiver<()>),
}

struct Content {
    /// The revision, the session, and the time of saving since the start of the world.
    record: Option<(Revision, StoredSession, Duration)>,
    lease: Option<Lease>,
    last: u64,
    is_closed: bool,
}

impl Content {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn revision(&self) -> Option<Revision> {
        self.record.as_ref().map(|(revision, ..)| *revision)
    }
}

impl InMemory {
    /// Creates a store with the session of an earlier process.
    pub(crate) fn with(world: &World, session: StoredSession) -> Self {
        let record = Some((Revision(1), session, world.elapsed()));
        let content = Mutex::new(Content { record, lease: None, last: 1, is_closed: false });
        Self(Arc::new(Shared { world: world.clone(), content, changes: watch::channel(()) }))
    }

    /// Ends all waits for changes.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.0.changes.0.send_replace(());
    }

    pub(crate) fn is_leased(&self) -> bool {
        self.lock().lease.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_changed(&self, known: Option<Revision>) -> bool {
        let content = self.lock();
        content.is_closed || content.revision() != known
    }

    async fn wait_for_change(&self, known: Option<Revision>) {
        loop {
            let mut changes = self.0.changes.1.clone();
            changes.mark_unchanged();
            if self.has_changed(known) {
                return;
            }
            changes.changed().await.unwrap();
        }
    }
}

impl Store for InMemory {
    fn load(&self, _: &SessionName) -> Result<Option<StoredRecord>, StoreError> {
        let record = |(revision, session, saved): &(Revision, StoredSession, Duration)| StoredRecord {
            revision: *revision,
            age: self.0.world.elapsed().checked_sub(*saved),
            place: "memory".into(),
            session: Ok(session.clone()),
        };
        Ok(self.lock().record.as_ref().map(record))
    }

    fn lease(&self, _: &SessionName, time: Duration) -> Result<Option<Lease>, StoreError> {
        let mut content = self.lock();
        if content.lease.is_some() {
            return Ok(None);
        }
        let lease = Lease { fence: content.next(), time };
        content.lease = Some(lease);
        Ok(Some(lease))
    }

    fn save(
        &self,
        _: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> Result<Option<Revision>, StoreError> {
        let mut content = self.lock();
        if content.lease != Some(lease) || content.revision() != known {
            return Ok(None);
        }
        let revision = Revision(content.next());
        content.record = Some((revision, session.clone(), self.0.world.elapsed()));
        drop(content);
        self.0.changes.0.send_replace(());
        Ok(Some(revision))
    }

    fn release(&self, _: &SessionName, lease: Lease) -> Result<(), StoreError> {
        self.lock().lease.take_if(|held| *held == lease);
        Ok(())
    }

    fn changed(&self, _: &SessionName, known: Option<Revision>, _: Duration) -> Result<(), StoreError> {
        shuttle::future::block_on(self.wait_for_change(known));
        Ok(())
    }
}

/// The async interface of the same store.
pub(crate) struct InTasks(pub(crate) InMemory);

impl AsyncStore for InTasks {
    fn load<'a>(&'a self, name: &'a SessionName) -> StoreFuture<'a, Option<StoredRecord>> {
        Box::pin(async { self.0.load(name) })
    }

    fn lease<'a>(&'a self, name: &'a SessionName, time: Duration) -> StoreFuture<'a, Option<Lease>> {
        Box::pin(async move { self.0.lease(name, time) })
    }

    fn save<'a>(
        &'a self,
        name: &'a SessionName,
        session: &'a StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> StoreFuture<'a, Option<Revision>> {
        Box::pin(async move { self.0.save(name, session, known, lease) })
    }

    fn release<'a>(&'a self, name: &'a SessionName, lease: Lease) -> StoreFuture<'a, ()> {
        Box::pin(async move { self.0.release(name, lease) })
    }

    fn changed<'a>(&'a self, _: &'a SessionName, known: Option<Revision>, _: Duration) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.0.wait_for_change(known).await;
            Ok(())
        })
    }
}
