//! [`FileStore`] for async programs: the same calls, each on a thread of tokio's that may block.

use std::panic;
use std::time::Duration;

use tokio::task;
use tokio::time::sleep;
use tradovate_auth_session::StoredSession;

use super::watch::Watch;
use super::{FileLease, FileStore, FileStoreError};
use crate::name::SessionName;
use crate::record::{Revision, Stored};
use crate::store::{AsyncStore, Store};

/// It has to be called within a tokio runtime that has its timer enabled.
///
/// A future that is dropped leaves a call of the file system to its end; a lease that was taken so runs out by itself.
impl AsyncStore for FileStore {
    type Error = FileStoreError;
    type Lease = FileLease;

    async fn load(&self, name: &SessionName) -> Result<Option<Stored>, FileStoreError> {
        let (store, name) = (self.clone(), name.clone());
        blocking(move || Store::load(&store, &name)).await
    }

    async fn lease(&self, name: &SessionName, time: Duration) -> Result<Option<FileLease>, FileStoreError> {
        let (store, name) = (self.clone(), name.clone());
        blocking(move || Store::lease(&store, &name, time)).await
    }

    async fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: &FileLease,
    ) -> Result<Option<Revision>, FileStoreError> {
        let (store, name, session, lease) = (self.clone(), name.clone(), session.clone(), lease.again());
        blocking(move || Store::save(&store, &name, &session, known, &lease)).await
    }

    async fn release(&self, name: &SessionName, lease: FileLease) -> Result<(), FileStoreError> {
        let (store, name) = (self.clone(), name.clone());
        blocking(move || Store::release(&store, &name, lease)).await
    }

    async fn changed(&self, name: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), FileStoreError> {
        let mut watch = Watch::new(self.clone(), name.clone(), known, time);
        loop {
            // The thread is given back between looks.
            let pause;
            (watch, pause) = blocking(move || {
                let pause = watch.look()?;
                Ok((watch, pause))
            })
            .await?;
            let Some(pause) = pause else { return Ok(()) };
            sleep(pause).await;
        }
    }
}

async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, FileStoreError> + Send + 'static,
) -> Result<T, FileStoreError> {
    match task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
        Err(_) => Err(FileStoreError::ShutDown),
    }
}
