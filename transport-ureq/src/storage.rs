//! Where a token source stores its session: in a hook of the owner's, or in a store that other processes use too.

use std::time::Duration;

use tradovate_auth_session::StoredSession;
use tradovate_auth_store::{Revision, SessionName, Store, Stored};
use tradovate_auth_token_source::{self as shared, LeaseSlot, in_full};

/// Why a snapshot could not be stored.
pub type StoreError = Box<dyn std::error::Error + Send + Sync>;

pub(crate) type Hook = Box<dyn Fn(&StoredSession) -> Result<(), StoreError> + Send + Sync>;

#[derive(Default)]
pub(crate) enum Storage {
    #[default]
    None,
    Hook(Hook),
    Shared(Box<dyn SharedStore>),
}

impl Storage {
    pub(crate) fn kind(&self, log_in: shared::LogIn) -> shared::Storage {
        match self {
            Self::None => shared::Storage::None,
            Self::Hook(_) => shared::Storage::Hook,
            Self::Shared(_) => shared::Storage::Shared(log_in),
        }
    }

    pub(crate) fn save(&self, snapshot: &StoredSession) -> Result<(), StoreError> {
        match self {
            Self::Hook(hook) => hook(snapshot),
            _ => Ok(()),
        }
    }

    /// The store that is shared, of a source that shares one.
    pub(crate) fn shared(&self) -> Option<&(dyn SharedStore + 'static)> {
        match self {
            Self::Shared(store) => Some(store.as_ref()),
            _ => None,
        }
    }
}

/// A store as a token source uses it, whatever its types: so that a source is one type with any store.
pub(crate) trait SharedStore: Send + Sync {
    /// Takes the lease, giving back one that is held, and loads: whether it is ours, and what is stored.
    fn lead(&self, time: Duration) -> Result<(bool, Option<Stored>), String>;
    fn load(&self) -> Result<Option<Stored>, String>;
    /// Without a lease nothing is saved, as with one that is another's.
    fn save(&self, session: &StoredSession, known: Option<Revision>) -> Result<Option<Revision>, String>;
    fn release(&self);
    fn changed(&self, known: Option<Revision>, time: Duration) -> Result<(), String>;
}

/// One session in a store.
pub(crate) struct InStore<S: Store> {
    store: S,
    name: SessionName,
    lease: LeaseSlot<S::Lease>,
}

impl<S: Store> InStore<S> {
    pub(crate) fn new(store: S, name: SessionName) -> Self {
        Self { store, name, lease: LeaseSlot::default() }
    }
}

impl<S: Store> SharedStore for InStore<S> {
    fn lead(&self, time: Duration) -> Result<(bool, Option<Stored>), String> {
        self.release();
        let lease = self.store.lease(&self.name, time).map_err(|error| in_full(&error))?;
        let is_ours = lease.is_some();
        self.lease.put(lease);
        let loaded = self.load().inspect_err(|_| self.release())?;
        Ok((is_ours, loaded))
    }

    fn load(&self) -> Result<Option<Stored>, String> {
        self.store.load(&self.name).map_err(|error| in_full(&error))
    }

    fn save(&self, session: &StoredSession, known: Option<Revision>) -> Result<Option<Revision>, String> {
        let Some(lease) = self.lease.take() else { return Ok(None) };
        let saved = self.store.save(&self.name, session, known, &lease).map_err(|error| in_full(&error));
        self.lease.put(Some(lease));
        saved
    }

    fn release(&self) {
        if let Some(lease) = self.lease.take() {
            // It runs out by itself.
            let _ = self.store.release(&self.name, lease);
        }
    }

    fn changed(&self, known: Option<Revision>, time: Duration) -> Result<(), String> {
        self.store.changed(&self.name, known, time).map_err(|error| in_full(&error))
    }
}
