//! Who uses a store, in either form: so each test is of both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tradovate_auth_session::StoredSession;
use tradovate_auth_store::{AsyncStore, Revision, SessionName, Store, Stored};
use tradovate_auth_store_redis::{RedisLease, RedisStore, RedisStoreError};

/// Longer than any lease that a test wants to hold.
pub(crate) const LONG: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Blocking,
    Async,
}

pub(crate) struct Party {
    pub(crate) store: RedisStore,
    /// What drives it in the async form.
    runtime: Option<Arc<Runtime>>,
}

impl Form {
    pub(crate) fn party(self, url: &str) -> Party {
        self.party_of(RedisStore::new(url).unwrap())
    }

    pub(crate) fn party_of(self, store: RedisStore) -> Party {
        let runtime = || Arc::new(Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
        Party { store, runtime: matches!(self, Self::Async).then(runtime) }
    }
}

impl Party {
    pub(crate) fn load(&self) -> Result<Option<Stored>, RedisStoreError> {
        match &self.runtime {
            None => Store::load(&self.store, &name()),
            Some(runtime) => runtime.block_on(AsyncStore::load(&self.store, &name())),
        }
    }

    pub(crate) fn lease(&self, time: Duration) -> Result<Option<RedisLease>, RedisStoreError> {
        match &self.runtime {
            None => Store::lease(&self.store, &name(), time),
            Some(runtime) => runtime.block_on(AsyncStore::lease(&self.store, &name(), time)),
        }
    }

    pub(crate) fn save(
        &self,
        user: i64,
        known: Option<Revision>,
        lease: &RedisLease,
    ) -> Result<Option<Revision>, RedisStoreError> {
        match &self.runtime {
            None => Store::save(&self.store, &name(), &session(user), known, lease),
            Some(runtime) => runtime.block_on(AsyncStore::save(&self.store, &name(), &session(user), known, lease)),
        }
    }

    pub(crate) fn release(&self, lease: RedisLease) -> Result<(), RedisStoreError> {
        match &self.runtime {
            None => Store::release(&self.store, &name(), lease),
            Some(runtime) => runtime.block_on(AsyncStore::release(&self.store, &name(), lease)),
        }
    }

    pub(crate) fn changed(&self, known: Option<Revision>, time: Duration) -> Result<(), RedisStoreError> {
        match &self.runtime {
            None => Store::changed(&self.store, &name(), known, time),
            Some(runtime) => runtime.block_on(AsyncStore::changed(&self.store, &name(), known, time)),
        }
    }

    /// Takes the lease, which nobody else has, for long.
    pub(crate) fn leased(&self) -> RedisLease {
        self.lease(LONG).unwrap().expect("nobody else has it")
    }

    /// Takes the lease, saves, and gives it back.
    pub(crate) fn saved(&self, user: i64, known: Option<Revision>) -> Revision {
        let lease = self.leased();
        let revision = self.save(user, known, &lease).unwrap().expect("it is the one known");
        self.release(lease).unwrap();
        revision
    }

    /// Whose session is stored, under which revision.
    pub(crate) fn found(&self) -> Option<(Revision, i64)> {
        let stored = self.load().unwrap()?;
        Some((stored.revision, stored.session.unwrap().user_id().unwrap()))
    }
}

pub(crate) fn name() -> SessionName {
    SessionName::new("demo", "trader")
}

pub(crate) fn session(user: i64) -> StoredSession {
    let text = format!(
        r#"{{"version":1,"workedBefore":true,"userId":{user},"access":{{"token":"canary-access",
        "issuedAt":"2026-11-24T14:00:00Z","expiresAt":"2026-11-24T15:20:00Z"}},
        "history":{{"writtenAt":"2026-11-24T14:00:01Z"}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

/// What comes of it, and how long it takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    (work(), begin.elapsed())
}
