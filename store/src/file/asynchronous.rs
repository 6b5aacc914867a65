//! [`FileStore`] for async programs: the same calls, each on a blocking thread of tokio.

use std::panic;
use std::time::Duration;

use tokio::task;
use tokio::time::sleep;
use tradovate_auth_session::StoredSession;

use super::FileStore;
use super::watch::Watch;
use crate::name::SessionName;
use crate::store::{AsyncStore, Store, StoreFuture};
use tradovate_auth_session::{Lease, Revision, StoredRecord};
use tradovate_auth_session::{StoreError, StoreErrorKind};

/// Needs a tokio runtime with an enabled timer.
///
/// If a future is dropped, its file system call is still carried out. A lease that such a call takes ends when its time
/// is over.
impl AsyncStore for FileStore {
    fn load<'a>(&'a self, name: &'a SessionName) -> StoreFuture<'a, Option<StoredRecord>> {
        self.call(name, Store::load)
    }

    fn lease<'a>(&'a self, name: &'a SessionName, time: Duration) -> StoreFuture<'a, Option<Lease>> {
        self.call(name, move |store, name| Store::lease(store, name, time))
    }

    fn save<'a>(
        &'a self,
        name: &'a SessionName,
        session: &'a StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> StoreFuture<'a, Option<Revision>> {
        let session = session.clone();
        self.call(name, move |store, name| Store::save(store, name, &session, known, lease))
    }

    fn release<'a>(&'a self, name: &'a SessionName, lease: Lease) -> StoreFuture<'a, ()> {
        self.call(name, move |store, name| Store::release(store, name, lease))
    }

    fn changed<'a>(&'a self, name: &'a SessionName, known: Option<Revision>, time: Duration) -> StoreFuture<'a, ()> {
        let mut watch = Watch::new(self.clone(), name.clone(), known, time);
        Box::pin(async {
            loop {
                // No thread is blocked between two checks.
                let pause;
                (watch, pause) = blocking(move || {
                    let pause = watch.look()?;
                    Ok((watch, pause))
                })
                .await?;
                let Some(pause) = pause else { return Ok(()) };
                sleep(pause).await;
            }
        })
    }
}

impl FileStore {
    fn call<T: Send + 'static>(
        &self,
        name: &SessionName,
        call: impl FnOnce(&Self, &SessionName) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'static, T> {
        let (store, name) = (self.clone(), name.clone());
        Box::pin(blocking(move || call(&store, &name)))
    }
}

async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
        // The outcome of the call is unknown.
        Err(_) => Err(StoreError::new(StoreErrorKind::Unreachable, "the async runtime is shutting down")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_the_blocking_call_reaches_the_caller() {
        let caller = task::spawn(blocking::<()>(|| panic!("synthetic")));
        assert!(caller.await.is_err_and(|error| error.is_panic()));
    }
}
