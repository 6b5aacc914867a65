//! [`Party`]: a user of a store, in the blocking or the async form. So one test covers both forms.

use std::time::Duration;

use tokio::runtime::Builder;
use tradovate_auth_session::{Lease, Revision, StoreError, StoreErrorKind, StoredRecord};
use tradovate_auth_store::conformance::{Blocking, Suite, Task};
use tradovate_auth_store::{AsyncStore, Store};
use tradovate_auth_store_redis::RedisStore;

use crate::helpers::{self, LONG, name, session};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Blocking,
    Async,
}

pub(crate) struct Party {
    pub(crate) store: RedisStore,
    /// The same store, through the trait of its form.
    pub(crate) used: Box<dyn Store>,
}

impl Form {
    pub(crate) fn party(self, url: &str) -> Party {
        self.party_of(patient_store(url))
    }

    /// A party whose store waits only this long to connect and for an answer.
    pub(crate) fn impatient_party(self, url: &str, time: Duration) -> Party {
        self.party_of(RedisStore::new(url).unwrap().time_outs(time, time))
    }

    pub(crate) fn party_of(self, store: RedisStore) -> Party {
        let used: Box<dyn Store> = match self {
            Self::Blocking => Box::new(store.clone()),
            Self::Async => Box::new(Blocking::new(store.clone(), block_on())),
        };
        Party { store, used }
    }
}

impl Form {
    /// The conformance suite for stores that `open` returns.
    pub(crate) fn suite(self, open: impl Fn() -> RedisStore + Send + Sync + 'static) -> Suite<'static> {
        match self {
            Self::Blocking => Suite::new(move || Box::new(open()) as Box<dyn Store>),
            Self::Async => Suite::of_async(move || Box::new(open()) as Box<dyn AsyncStore>, block_on()),
        }
    }
}

/// A store with time-outs of one minute, so that tests pass while the machine is busy.
pub(crate) fn patient_store(url: &str) -> RedisStore {
    RedisStore::new(url).unwrap().time_outs(LONG, LONG)
}

/// Runs futures on a runtime of its own.
fn block_on() -> impl Fn(Task<'_>) + Send + Sync + 'static {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    move |task| runtime.block_on(task)
}

impl Party {
    pub(crate) fn load(&self) -> Result<Option<StoredRecord>, StoreError> {
        self.used.load(&name())
    }

    pub(crate) fn lease(&self, time: Duration) -> Result<Option<Lease>, StoreError> {
        self.used.lease(&name(), time)
    }

    pub(crate) fn save(
        &self,
        user: i64,
        known: Option<Revision>,
        lease: Lease,
    ) -> Result<Option<Revision>, StoreError> {
        self.used.save(&name(), &session(user), known, lease)
    }

    pub(crate) fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.used.release(&name(), lease)
    }

    pub(crate) fn changed(&self, known: Option<Revision>, time: Duration) -> Result<(), StoreError> {
        self.used.changed(&name(), known, time)
    }

    /// Takes the lease, which no other process holds, for a long time.
    pub(crate) fn leased(&self) -> Lease {
        helpers::leased(&*self.used)
    }

    /// Takes the lease, saves the session of a user, and releases the lease.
    pub(crate) fn saved(&self, user: i64, known: Option<Revision>) -> Revision {
        helpers::saved(&*self.used, user, known)
    }

    /// The revision of the stored session, and its user. `None` if the store is empty.
    pub(crate) fn found(&self) -> Option<(Revision, i64)> {
        let stored = self.load().unwrap()?;
        Some((stored.revision, stored.session.unwrap().user_id().unwrap()))
    }

    /// The errors of all calls that need no lease, with a server that does not work.
    pub(crate) fn errors(&self) -> [StoreError; 3] {
        [self.load().unwrap_err(), self.lease(LONG).unwrap_err(), self.changed(None, LONG).unwrap_err()]
    }
}

/// Asserts that an error has this kind and contains this text.
#[track_caller]
pub(crate) fn assert_says(error: &StoreError, kind: StoreErrorKind, text: &str) {
    assert!(error.kind() == kind && error.to_string().contains(text), "{error:?}");
}
