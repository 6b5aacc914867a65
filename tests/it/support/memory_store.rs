//! A store in memory that several sources share, and that can be made to fail, to forget, and to lose its mind.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tradovate_auth::StoredSession;
use tradovate_auth::ureq::store::{AsyncStore, Revision, SessionName, Store, Stored, Unreadable};

#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryStore(Arc<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    content: Mutex<Content>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Content {
    record: Option<(Revision, Result<StoredSession, Unreadable>, Instant)>,
    lease: Option<(u64, Instant)>,
    count: u64,
    is_down: bool,
    uses: Uses,
}

/// What was asked of the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    pub(crate) loads: usize,
    pub(crate) leases: usize,
    pub(crate) saves: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("the store is down")]
pub(crate) struct Down;

impl MemoryStore {
    pub(crate) fn set_down(&self, is_down: bool) {
        self.content().is_down = is_down;
    }

    /// Forgets all it holds.
    pub(crate) fn flush(&self) {
        let mut content = self.content();
        (content.record, content.lease) = (None, None);
        self.0.changed.notify_all();
    }

    /// Whether somebody holds the lease.
    pub(crate) fn is_leased(&self) -> bool {
        self.content().lease.is_some()
    }

    /// What it holds can't be read any more.
    pub(crate) fn damage(&self) {
        let mut content = self.content();
        content.count += 1;
        content.record = Some((Revision(content.count), Err(Unreadable::Damaged), Instant::now()));
        self.0.changed.notify_all();
    }

    /// Gives the lease to nobody, for a time.
    pub(crate) fn block(&self, time: Duration) {
        let mut content = self.content();
        content.count += 1;
        content.lease = Some((content.count, Instant::now() + time));
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

    fn up(&self) -> Result<MutexGuard<'_, Content>, Down> {
        let content = self.content();
        if content.is_down { Err(Down) } else { Ok(content) }
    }

    fn has_changed(&self, known: Option<Revision>) -> Result<bool, Down> {
        Ok(self.up()?.record.as_ref().map(|(revision, ..)| *revision) != known)
    }
}

impl Store for MemoryStore {
    type Error = Down;
    type Lease = u64;

    fn load(&self, _: &SessionName) -> Result<Option<Stored>, Down> {
        let mut content = self.up()?;
        content.uses.loads += 1;
        Ok(content.record.as_ref().map(|(revision, session, saved)| Stored {
            revision: *revision,
            age: Some(saved.elapsed()),
            session: session.clone(),
        }))
    }

    fn lease(&self, _: &SessionName, time: Duration) -> Result<Option<u64>, Down> {
        let mut content = self.up()?;
        content.uses.leases += 1;
        if content.lease.is_some_and(|(_, end)| Instant::now() < end) {
            return Ok(None);
        }
        content.count += 1;
        content.lease = Some((content.count, Instant::now() + time));
        Ok(Some(content.count))
    }

    fn save(
        &self,
        _: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: &u64,
    ) -> Result<Option<Revision>, Down> {
        let mut content = self.up()?;
        content.uses.saves += 1;
        let is_ours = content.lease.is_some_and(|(fence, _)| fence == *lease);
        if !is_ours || content.record.as_ref().map(|(revision, ..)| *revision) != known {
            return Ok(None);
        }
        content.count += 1;
        let revision = Revision(content.count);
        content.record = Some((revision, Ok(session.clone()), Instant::now()));
        self.0.changed.notify_all();
        Ok(Some(revision))
    }

    fn release(&self, _: &SessionName, lease: u64) -> Result<(), Down> {
        let mut content = self.up()?;
        content.lease.take_if(|(fence, _)| *fence == lease);
        Ok(())
    }

    fn changed(&self, _: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), Down> {
        let unchanged = |content: &mut Content| {
            !content.is_down && content.record.as_ref().map(|(revision, ..)| *revision) == known
        };
        drop(self.0.changed.wait_timeout_while(self.up()?, time, unchanged).unwrap());
        self.has_changed(known).map(drop)
    }
}

impl AsyncStore for MemoryStore {
    type Error = Down;
    type Lease = u64;

    async fn load(&self, name: &SessionName) -> Result<Option<Stored>, Down> {
        Store::load(self, name)
    }

    async fn lease(&self, name: &SessionName, time: Duration) -> Result<Option<u64>, Down> {
        Store::lease(self, name, time)
    }

    async fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: &u64,
    ) -> Result<Option<Revision>, Down> {
        Store::save(self, name, session, known, lease)
    }

    async fn release(&self, name: &SessionName, lease: u64) -> Result<(), Down> {
        Store::release(self, name, lease)
    }

    async fn changed(&self, _: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), Down> {
        let end = Instant::now() + time;
        while !self.has_changed(known)? && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}
