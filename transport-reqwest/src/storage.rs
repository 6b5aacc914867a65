//! Where a token source stores its session: in a hook of the owner's, or in a store that other processes use too.

use std::pin::Pin;
use std::time::Duration;

use tradovate_auth_session::StoredSession;
use tradovate_auth_store::{AsyncStore, Revision, SessionName, Stored};
use tradovate_auth_token_source::{self as shared, LeaseSlot, in_full};

/// Why a snapshot could not be stored.
pub type StoreError = Box<dyn std::error::Error + Send + Sync>;

pub(crate) type Saving = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

pub(crate) type Hook = Box<dyn Fn(StoredSession) -> Saving + Send + Sync>;

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

    pub(crate) async fn save(&self, snapshot: StoredSession) -> Result<(), StoreError> {
        match self {
            Self::Hook(hook) => hook(snapshot).await,
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

pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// A store as a token source uses it, whatever its types: so that a source is one type with any store.
pub(crate) trait SharedStore: Send + Sync {
    /// Takes the lease, giving back one that is held, and loads: whether it is ours, and what is stored.
    fn lead(&self, time: Duration) -> Answer<'_, (bool, Option<Stored>)>;
    fn load(&self) -> Answer<'_, Option<Stored>>;
    /// Without a lease nothing is saved, as with one that is another's.
    fn save(&self, session: StoredSession, known: Option<Revision>) -> Answer<'_, Option<Revision>>;
    fn release(&self) -> Answer<'_, ()>;
    fn changed(&self, known: Option<Revision>, time: Duration) -> Answer<'_, ()>;
}

/// One session in a store.
pub(crate) struct InStore<S: AsyncStore> {
    store: S,
    name: SessionName,
    lease: LeaseSlot<S::Lease>,
}

impl<S: AsyncStore> InStore<S> {
    pub(crate) fn new(store: S, name: SessionName) -> Self {
        Self { store, name, lease: LeaseSlot::default() }
    }

    async fn give_back(&self) {
        if let Some(lease) = self.lease.take() {
            // It runs out by itself.
            let _ = self.store.release(&self.name, lease).await;
        }
    }
}

impl<S: AsyncStore> SharedStore for InStore<S> {
    fn lead(&self, time: Duration) -> Answer<'_, (bool, Option<Stored>)> {
        Box::pin(async move {
            self.give_back().await;
            let lease = self.store.lease(&self.name, time).await.map_err(|error| in_full(&error))?;
            let is_ours = lease.is_some();
            self.lease.put(lease);
            match self.store.load(&self.name).await {
                Ok(stored) => Ok((is_ours, stored)),
                Err(error) => {
                    self.give_back().await;
                    Err(in_full(&error))
                }
            }
        })
    }

    fn load(&self) -> Answer<'_, Option<Stored>> {
        Box::pin(async move { self.store.load(&self.name).await.map_err(|error| in_full(&error)) })
    }

    fn save(&self, session: StoredSession, known: Option<Revision>) -> Answer<'_, Option<Revision>> {
        Box::pin(async move {
            let Some(lease) = self.lease.take() else { return Ok(None) };
            let saved = self.store.save(&self.name, &session, known, &lease).await.map_err(|error| in_full(&error));
            self.lease.put(Some(lease));
            saved
        })
    }

    fn release(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.give_back().await;
            Ok(())
        })
    }

    fn changed(&self, known: Option<Revision>, time: Duration) -> Answer<'_, ()> {
        Box::pin(async move { self.store.changed(&self.name, known, time).await.map_err(|error| in_full(&error)) })
    }
}
