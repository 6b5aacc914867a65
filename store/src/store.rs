//! The traits [`Store`] and [`AsyncStore`].

use std::pin::Pin;
use std::time::Duration;

use tradovate_auth_session::StoredSession;
use tradovate_auth_session::{Lease, Revision, StoreAnswer, StoreError, StoreErrorKind, StoreRequest, StoredRecord};

use crate::name::SessionName;

/// A store of shared sessions, for blocking programs.
///
/// Several threads may call the methods at the same time. If the store can't be reached, a method returns an error
/// within a few seconds. [`load`](Self::load) returns `None` only if the store knows that there is no record; otherwise
/// it returns an error.
///
/// With the feature `conformance`, the module `conformance` tests whether a store keeps this contract.
///
/// Token sources accept any store. A program that chooses its store at run time passes a `Box<dyn Store>`.
///
/// An example that keeps one session in the memory of a process:
///
/// ```
/// use std::sync::{Condvar, Mutex};
/// use std::time::{Duration, Instant};
///
/// use tradovate_auth_session::{Lease, Revision, StoreError, StoredRecord, StoredSession};
/// use tradovate_auth_store::{SessionName, Store};
///
/// /// Holds one session. Fences and revisions may start at one, because no lease or record outlives the process.
/// #[derive(Default)]
/// struct InMemory(Mutex<Content>, Condvar);
///
/// #[derive(Default)]
/// struct Content {
///     record: Option<(Revision, StoredSession, Instant)>,
///     lease: Option<(Lease, Instant)>,
///     last: u64,
/// }
///
/// impl Content {
///     fn next(&mut self) -> u64 {
///         self.last += 1;
///         self.last
///     }
///
///     fn revision(&self) -> Option<Revision> {
///         self.record.as_ref().map(|(revision, ..)| *revision)
///     }
/// }
///
/// impl Store for InMemory {
///     fn load(&self, _: &SessionName) -> Result<Option<StoredRecord>, StoreError> {
///         let content = self.0.lock().unwrap();
///         Ok(content.record.as_ref().map(|(revision, session, saved_at)| StoredRecord {
///             revision: *revision,
///             age: Some(saved_at.elapsed()),
///             place: "the memory of this process".into(),
///             session: Ok(session.clone()),
///         }))
///     }
///
///     fn lease(&self, _: &SessionName, time: Duration) -> Result<Option<Lease>, StoreError> {
///         let mut content = self.0.lock().unwrap();
///         if content.lease.is_some_and(|(lease, begun)| begun.elapsed() < lease.time) {
///             return Ok(None);
///         }
///         let lease = Lease { fence: content.next(), time };
///         content.lease = Some((lease, Instant::now()));
///         Ok(Some(lease))
///     }
///
///     fn save(
///         &self,
///         _: &SessionName,
///         session: &StoredSession,
///         known: Option<Revision>,
///         lease: Lease,
///     ) -> Result<Option<Revision>, StoreError> {
///         let mut content = self.0.lock().unwrap();
///         let is_newest = content.lease.is_some_and(|(newest, _)| newest == lease);
///         if !is_newest || content.revision() != known {
///             return Ok(None);
///         }
///         let revision = Revision(content.next());
///         content.record = Some((revision, session.clone(), Instant::now()));
///         self.1.notify_all();
///         Ok(Some(revision))
///     }
///
///     fn release(&self, _: &SessionName, lease: Lease) -> Result<(), StoreError> {
///         self.0.lock().unwrap().lease.take_if(|(newest, _)| *newest == lease);
///         Ok(())
///     }
///
///     fn changed(&self, _: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), StoreError> {
///         let content = self.0.lock().unwrap();
///         drop(self.1.wait_timeout_while(content, time, |content| content.revision() == known));
///         Ok(())
///     }
/// }
///
/// let (store, name) = (InMemory::default(), SessionName::new("my app", "user 7"));
/// let session: StoredSession = serde_json::from_str(r#"{"version":1,"userId":7}"#)?;
/// let ended = store.lease(&name, Duration::ZERO)?.expect("the lease is free");
/// let lease = store.lease(&name, Duration::from_secs(60))?.expect("the first lease has ended");
/// assert!(store.save(&name, &session, None, ended)?.is_none());
/// assert!(store.save(&name, &session, None, lease)?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Store: Send + Sync + 'static {
    /// Loads the record of a name. `None` if there is none.
    ///
    /// # Errors
    /// If the store can't know whether there is a record.
    fn load(&self, name: &SessionName) -> Result<Option<StoredRecord>, StoreError>;

    /// Takes the lease of a name for a time. Returns `None` if an earlier lease has not yet ended. After this lease was
    /// given, the holders of earlier leases can't save any more.
    ///
    /// # Errors
    /// If the store can't know whether an earlier lease has ended.
    fn lease(&self, name: &SessionName, time: Duration) -> Result<Option<Lease>, StoreError>;

    /// Saves a snapshot durably and returns the new revision. It saves only if the record still has the revision that
    /// the caller knows (`None`: there is no record), and if the caller's lease is the newest. Otherwise it changes
    /// nothing and returns `None`.
    ///
    /// # Errors
    /// If the snapshot was not saved, or the store can't know whether it was.
    fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> Result<Option<Revision>, StoreError>;

    /// Ends a lease before its time is over. Does nothing if a newer lease was given.
    ///
    /// # Errors
    /// If the lease may not have ended. It then ends when its time is over.
    fn release(&self, name: &SessionName, lease: Lease) -> Result<(), StoreError>;

    /// Waits until the record has another revision than the caller knows, for `time` at most. Returns within a second
    /// after the change. It may also return earlier without a change. It should return when another process takes the
    /// lease: that process may be about to log in, although this process holds a token that it could not save.
    ///
    /// # Errors
    /// If the record can't be watched.
    fn changed(&self, name: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), StoreError>;
}

/// The lease that is held now, for diagnosis: see `FileStore::held_lease` and `RedisStore::held_lease`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldLease {
    /// The time until the lease ends.
    pub time_left: Duration,
    /// The id of the process that holds the lease, if the store knows it.
    pub process: Option<u32>,
}

impl HeldLease {
    /// Creates the description of a lease that ends after `time_left`.
    #[must_use]
    pub fn new(time_left: Duration, process: Option<u32>) -> Self {
        Self { time_left, process }
    }
}

/// Carries out a session's request to its store. Pass the result to
/// [`Session::store_answered`](tradovate_auth_session::Session::store_answered).
///
/// # Errors
/// The error of the store.
pub fn ask(store: &dyn Store, name: &SessionName, request: &StoreRequest) -> Result<StoreAnswer, StoreError> {
    match request {
        StoreRequest::Acquire(time) => store.lease(name, *time).map(StoreAnswer::Lease),
        StoreRequest::Load => store.load(name).map(StoreAnswer::Loaded),
        StoreRequest::Save { snapshot, known, lease } => {
            store.save(name, snapshot, *known, *lease).map(StoreAnswer::Saved)
        }
        StoreRequest::Release(lease) => store.release(name, *lease).map(|()| StoreAnswer::Released),
        _ => Err(not_for_a_shared_store()),
    }
}

/// Carries out a session's request to its async store: see [`ask`].
///
/// # Errors
/// The error of the store.
pub async fn ask_async(
    store: &dyn AsyncStore,
    name: &SessionName,
    request: &StoreRequest,
) -> Result<StoreAnswer, StoreError> {
    match request {
        StoreRequest::Acquire(time) => store.lease(name, *time).await.map(StoreAnswer::Lease),
        StoreRequest::Load => store.load(name).await.map(StoreAnswer::Loaded),
        StoreRequest::Save { snapshot, known, lease } => {
            store.save(name, snapshot, *known, *lease).await.map(StoreAnswer::Saved)
        }
        StoreRequest::Release(lease) => store.release(name, *lease).await.map(|()| StoreAnswer::Released),
        _ => Err(not_for_a_shared_store()),
    }
}

fn not_for_a_shared_store() -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, "this session has a store hook of its own and shares no store")
}

/// The future that the methods of an [`AsyncStore`] return.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store of shared sessions, for async programs. The methods do the same as those of [`Store`]. If a future is
/// dropped before it is ready, its call may or may not have taken effect.
///
/// Each method returns `Box::pin(async move { … })`. This example forwards all calls to another store and counts the
/// saves:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::Duration;
///
/// use tradovate_auth_session::{Lease, Revision, StoredRecord, StoredSession};
/// use tradovate_auth_store::{AsyncStore, SessionName, StoreFuture};
///
/// struct Counted<S>(S, AtomicU64);
///
/// impl<S: AsyncStore> AsyncStore for Counted<S> {
///     fn load<'a>(&'a self, name: &'a SessionName) -> StoreFuture<'a, Option<StoredRecord>> {
///         self.0.load(name)
///     }
///
///     fn lease<'a>(&'a self, name: &'a SessionName, time: Duration) -> StoreFuture<'a, Option<Lease>> {
///         self.0.lease(name, time)
///     }
///
///     fn save<'a>(
///         &'a self,
///         name: &'a SessionName,
///         session: &'a StoredSession,
///         known: Option<Revision>,
///         lease: Lease,
///     ) -> StoreFuture<'a, Option<Revision>> {
///         Box::pin(async move {
///             let revision = self.0.save(name, session, known, lease).await?;
///             if revision.is_some() {
///                 self.1.fetch_add(1, Ordering::Relaxed);
///             }
///             Ok(revision)
///         })
///     }
///
///     fn release<'a>(&'a self, name: &'a SessionName, lease: Lease) -> StoreFuture<'a, ()> {
///         self.0.release(name, lease)
///     }
///
///     fn changed<'a>(
///         &'a self,
///         name: &'a SessionName,
///         known: Option<Revision>,
///         time: Duration,
///     ) -> StoreFuture<'a, ()> {
///         self.0.changed(name, known, time)
///     }
/// }
/// ```
pub trait AsyncStore: Send + Sync + 'static {
    /// As [`Store::load`].
    fn load<'a>(&'a self, name: &'a SessionName) -> StoreFuture<'a, Option<StoredRecord>>;

    /// As [`Store::lease`].
    fn lease<'a>(&'a self, name: &'a SessionName, time: Duration) -> StoreFuture<'a, Option<Lease>>;

    /// As [`Store::save`].
    fn save<'a>(
        &'a self,
        name: &'a SessionName,
        session: &'a StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> StoreFuture<'a, Option<Revision>>;

    /// As [`Store::release`].
    fn release<'a>(&'a self, name: &'a SessionName, lease: Lease) -> StoreFuture<'a, ()>;

    /// As [`Store::changed`].
    fn changed<'a>(&'a self, name: &'a SessionName, known: Option<Revision>, time: Duration) -> StoreFuture<'a, ()>;
}

impl<S: Store> From<S> for Box<dyn Store> {
    fn from(store: S) -> Self {
        Box::new(store)
    }
}

impl<S: AsyncStore> From<S> for Box<dyn AsyncStore> {
    fn from(store: S) -> Self {
        Box::new(store)
    }
}
