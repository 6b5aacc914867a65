//! An async store with a runtime of its own, as a blocking store: so the same tests check both forms.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tradovate_auth_session::StoredSession;
use tradovate_auth_session::{Lease, Revision, StoreError, StoredRecord};
use tradovate_auth_store::{AsyncStore, SessionName, Store};

pub(crate) struct InRuntime<S>(S, Runtime);

impl<S: AsyncStore> InRuntime<S> {
    pub(crate) fn new(store: S) -> Self {
        Self(store, Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap())
    }
}

impl<S: AsyncStore> Store for InRuntime<S> {
    fn load(&self, name: &SessionName) -> Result<Option<StoredRecord>, StoreError> {
        self.1.block_on(self.0.load(name))
    }

    fn lease(&self, name: &SessionName, time: Duration) -> Result<Option<Lease>, StoreError> {
        self.1.block_on(self.0.lease(name, time))
    }

    fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> Result<Option<Revision>, StoreError> {
        self.1.block_on(self.0.save(name, session, known, lease))
    }

    fn release(&self, name: &SessionName, lease: Lease) -> Result<(), StoreError> {
        self.1.block_on(self.0.release(name, lease))
    }

    fn changed(&self, name: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), StoreError> {
        self.1.block_on(self.0.changed(name, known, time))
    }
}
