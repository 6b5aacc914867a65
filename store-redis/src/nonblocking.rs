//! The async form: [`AsyncStore`], on one connection for everything, messages included.

mod changes;
mod link;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::FromRedisValue;
use tradovate_auth_session::StoredSession;
use tradovate_auth_store::{AsyncStore, Revision, SessionName, Stored};

use crate::error::RedisStoreError;
use crate::scripts::Call;
use crate::settings::{Settings, TRIED_EVERY};
use crate::store::{RedisLease, RedisStore};
use link::Link;

#[derive(Default)]
pub(crate) struct Connections {
    link: Mutex<Option<Link>>,
    /// Held while somebody connects; the failure of who did so last.
    connecting: tokio::sync::Mutex<Option<RedisStoreError>>,
    /// How often somebody tried to connect.
    attempts: AtomicU64,
}

impl AsyncStore for RedisStore {
    type Error = RedisStoreError;
    type Lease = RedisLease;

    async fn load(&self, name: &SessionName) -> Result<Option<Stored>, Self::Error> {
        let loaded = self.nonblocking.look(&self.settings, &self.settings.keys.load(name)).await?;
        Ok(self.settings.stored(name, loaded))
    }

    async fn lease(&self, name: &SessionName, time: Duration) -> Result<Option<Self::Lease>, Self::Error> {
        let fence: Option<u64> = self.nonblocking.run(&self.settings, &self.settings.keys.lease(name, time)).await?;
        Ok(fence.map(|fence| RedisLease { fence }))
    }

    async fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: &Self::Lease,
    ) -> Result<Option<Revision>, Self::Error> {
        let call = self.settings.save(name, session, known, lease.fence)?;
        let revision: Option<u64> = self.nonblocking.run(&self.settings, &call).await?;
        Ok(revision.map(Revision))
    }

    async fn release(&self, name: &SessionName, lease: Self::Lease) -> Result<(), Self::Error> {
        let call = self.settings.keys.release(name, lease.fence);
        let _: bool = self.nonblocking.run(&self.settings, &call).await?;
        Ok(())
    }

    async fn changed(&self, name: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), Self::Error> {
        let over = Instant::now().checked_add(time);
        let call = self.settings.keys.revision(name);
        let link = self.nonblocking.link(&self.settings).await?;
        let lost = || RedisStoreError::lost(self.settings.address());
        let mut watcher = link.watcher(name).ok_or_else(lost)?;
        loop {
            watcher.forget_messages();
            let found: Option<u64> = self.nonblocking.ask(&link, &self.settings, &call).await?;
            if found.map(Revision) != known {
                return Ok(());
            }
            loop {
                let left = over.map_or(TRIED_EVERY, |over| over.saturating_duration_since(Instant::now()));
                if left.is_zero() {
                    return Ok(());
                }
                match tokio::time::timeout(left.min(TRIED_EVERY), watcher.message()).await {
                    Ok(true) => break,
                    Ok(false) => return Err(lost()),
                    Err(_) if link.must_be_tried() => self.nonblocking.try_out(&link, &self.settings).await?,
                    Err(_) => {}
                }
            }
        }
    }
}

impl Connections {
    /// Asks what may be asked twice: where a connection turns out to be closed, another is tried.
    async fn look<T: FromRedisValue>(&self, settings: &Settings, call: &Call) -> Result<T, RedisStoreError> {
        match self.run(settings, call).await {
            Err(RedisStoreError::Unreachable { .. }) => self.run(settings, call).await,
            answer => answer,
        }
    }

    async fn run<T: FromRedisValue>(&self, settings: &Settings, call: &Call) -> Result<T, RedisStoreError> {
        let link = self.link(settings).await?;
        self.ask(&link, settings, call).await
    }

    async fn ask<T: FromRedisValue>(
        &self,
        link: &Link,
        settings: &Settings,
        call: &Call,
    ) -> Result<T, RedisStoreError> {
        let answer = link.ask(call).await;
        answer.map_err(|error| self.failed(link, settings.error(&error)))
    }

    /// Whether the connection still lives, which nothing but an answer tells.
    async fn try_out(&self, link: &Link, settings: &Settings) -> Result<(), RedisStoreError> {
        let answer = link.try_out().await;
        answer.map_err(|error| self.failed(link, settings.error(&error)))
    }

    /// Gives a link up where the error says so: all that wait for messages on it are told.
    fn failed(&self, link: &Link, error: RedisStoreError) -> RedisStoreError {
        if error.ends_connection() {
            link.lose();
            lock(&self.link).take_if(|current| current.number() == link.number());
        }
        error
    }

    /// The connection there is, or a new one.
    async fn link(&self, settings: &Settings) -> Result<Link, RedisStoreError> {
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let before = self.attempts.load(Ordering::SeqCst);
        let mut failure = self.connecting.lock().await;
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let attempts = self.attempts.load(Ordering::SeqCst);
        if attempts != before
            && let Some(failure) = &*failure
        {
            // Who waited for another's attempt waits for no second one.
            return Err(failure.clone());
        }
        let connected = Link::connect(settings, attempts).await;
        self.attempts.store(attempts + 1, Ordering::SeqCst);
        match connected {
            Ok(link) => {
                *failure = None;
                *lock(&self.link) = Some(link.clone());
                Ok(link)
            }
            Err(error) => Err(failure.insert(settings.error(&error)).clone()),
        }
    }

    fn current(&self) -> Option<Link> {
        lock(&self.link).clone().filter(Link::is_usable)
    }
}

/// What a lock protects here is whole between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
