//! Where a token source stores its session: in a hook of the owner's, or in a store that other processes use too.

use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tradovate_auth_session::StoredSession;
use tradovate_auth_store::{Lease, Revision, SessionName, Store, StoreError, Stored};
use tradovate_auth_token_source as shared;

pub(crate) type Hook = Box<dyn Fn(&StoredSession) -> Result<(), Box<dyn Error + Send + Sync>> + Send + Sync>;

pub(crate) enum Storage {
    None,
    Hook(Hook),
    Shared(Entry),
}

impl Storage {
    pub(crate) fn kind(&self, log_in: shared::LogIn) -> shared::Storage {
        match self {
            Self::None => shared::Storage::None,
            Self::Hook(_) => shared::Storage::Hook,
            Self::Shared(_) => shared::Storage::Shared(log_in),
        }
    }

    /// Whether the hook has stored it.
    pub(crate) fn save(&self, snapshot: &StoredSession) -> bool {
        match self {
            Self::Hook(hook) => hook(snapshot).is_ok(),
            _ => true,
        }
    }

    /// The entry in the store of a source that shares its session.
    pub(crate) fn shared(&self) -> Option<&Entry> {
        match self {
            Self::Shared(entry) => Some(entry),
            _ => None,
        }
    }
}

/// One session in a store, and the lease of it.
pub(crate) struct Entry {
    store: Box<dyn Store>,
    name: SessionName,
    lease: Mutex<Option<Lease>>,
}

impl Entry {
    pub(crate) fn new(store: Box<dyn Store>, name: SessionName) -> Self {
        Self { store, name, lease: Mutex::default() }
    }

    /// Takes the lease, giving back one that is held, and loads.
    pub(crate) fn lead(&self, time: Duration) -> Result<(Option<Lease>, Option<Stored>), StoreError> {
        self.release();
        let lease = self.store.lease(&self.name, time)?;
        *self.lease() = lease;
        let stored = self.load().inspect_err(|_| self.release())?;
        Ok((lease, stored))
    }

    pub(crate) fn load(&self) -> Result<Option<Stored>, StoreError> {
        self.store.load(&self.name)
    }

    /// Without a lease nothing is saved, as with one that is another's.
    pub(crate) fn save(
        &self,
        session: &StoredSession,
        known: Option<Revision>,
    ) -> Result<Option<Revision>, StoreError> {
        let lease = *self.lease();
        lease.map_or(Ok(None), |lease| self.store.save(&self.name, session, known, lease))
    }

    pub(crate) fn release(&self) {
        let lease = self.lease().take();
        if let Some(lease) = lease {
            // It runs out by itself.
            let _ = self.store.release(&self.name, lease);
        }
    }

    pub(crate) fn changed(&self, known: Option<Revision>, time: Duration) -> Result<(), StoreError> {
        self.store.changed(&self.name, known, time)
    }

    fn lease(&self) -> MutexGuard<'_, Option<Lease>> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
