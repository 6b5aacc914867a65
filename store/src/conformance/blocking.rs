//! [`Blocking`]: makes an async store a blocking one, so that the same checks test both forms.

use std::sync::Arc;
use std::time::Duration;

use tradovate_auth_session::{Lease, Revision, StoreError, StoreErrorKind, StoredRecord, StoredSession};

use super::Task;
use crate::name::SessionName;
use crate::store::{AsyncStore, Store};

pub(super) type BlockOn = Arc<dyn Fn(Task<'_>) + Send + Sync>;

/// An async store as a blocking one, for tests of both forms of a store.
pub struct Blocking {
    pub(super) store: Box<dyn AsyncStore>,
    block_on: BlockOn,
}

impl Blocking {
    /// Creates a blocking store, which runs the futures of `store` with `block_on`: see
    /// [`Suite::of_async`](super::Suite::of_async).
    pub fn new(store: impl Into<Box<dyn AsyncStore>>, block_on: impl Fn(Task<'_>) + Send + Sync + 'static) -> Self {
        Self::with(store.into(), Arc::new(block_on))
    }

    pub(super) fn with(store: Box<dyn AsyncStore>, block_on: BlockOn) -> Self {
        Self { store, block_on }
    }

    /// Runs a future of the store and returns its output.
    pub(super) fn run<T: Send>(
        &self,
        future: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let mut output = None;
        (self.block_on)(Box::pin(async { output = Some(future.await) }));
        let not_run = || StoreError::new(StoreErrorKind::Misconfigured, "`block_on` has not run the future to its end");
        output.unwrap_or_else(|| Err(not_run()))
    }
}

impl Store for Blocking {
    fn load(&self, name: &SessionName) -> Result<Option<StoredRecord>, StoreError> {
        self.run(self.store.load(name))
    }

    fn lease(&self, name: &SessionName, time: Duration) -> Result<Option<Lease>, StoreError> {
        self.run(self.store.lease(name, time))
    }

    fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> Result<Option<Revision>, StoreError> {
        self.run(self.store.save(name, session, known, lease))
    }

    fn release(&self, name: &SessionName, lease: Lease) -> Result<(), StoreError> {
        self.run(self.store.release(name, lease))
    }

    fn changed(&self, name: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), StoreError> {
        self.run(self.store.changed(name, known, time))
    }
}

impl std::fmt::Debug for Blocking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}
