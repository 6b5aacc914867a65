//! The async form of the store: [`AsyncStore`], with one connection for commands and messages.

mod link;

use std::future::poll_fn;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use redis::FromRedisValue;
use tradovate_auth_session::StoredSession;
use tradovate_auth_session::{Lease, Revision, StoredRecord};
use tradovate_auth_store::{AsyncStore, SessionName, StoreFuture};

use crate::error::Failure;
use crate::scripts::{Call, lease_of};
use crate::settings::Settings;
use crate::store::RedisStore;
use crate::waiters::{Attempts, lock};
use link::Link;

#[derive(Default)]
pub(crate) struct Connections {
    link: Mutex<Option<Link>>,
    /// Locked while a caller connects, so that no other caller does.
    connecting: tokio::sync::Mutex<()>,
    attempts: Attempts,
}

impl AsyncStore for RedisStore {
    fn load<'a>(&'a self, name: &'a SessionName) -> StoreFuture<'a, Option<StoredRecord>> {
        Box::pin(async move {
            let loaded = self.nonblocking.look(&self.settings, &self.settings.keys.load(name)).await?;
            Ok(self.settings.stored(name, loaded))
        })
    }

    fn lease<'a>(&'a self, name: &'a SessionName, time: Duration) -> StoreFuture<'a, Option<Lease>> {
        Box::pin(async move {
            let fence = self.nonblocking.run(&self.settings, &self.settings.keys.lease(name, time)).await?;
            Ok(lease_of(fence, time))
        })
    }

    fn save<'a>(
        &'a self,
        name: &'a SessionName,
        session: &'a StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> StoreFuture<'a, Option<Revision>> {
        Box::pin(async move {
            let call = self.settings.save(name, session, known, lease)?;
            let revision: Option<u64> = self.nonblocking.run(&self.settings, &call).await?;
            Ok(revision.map(Revision))
        })
    }

    fn release<'a>(&'a self, name: &'a SessionName, lease: Lease) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let _: bool = self.nonblocking.run(&self.settings, &self.settings.keys.release(name, lease)).await?;
            Ok(())
        })
    }

    fn changed<'a>(&'a self, name: &'a SessionName, known: Option<Revision>, time: Duration) -> StoreFuture<'a, ()> {
        Box::pin(async move { Ok(self.nonblocking.changed(&self.settings, name, known, time).await?) })
    }
}

impl Connections {
    async fn changed(
        &self,
        settings: &Settings,
        name: &SessionName,
        known: Option<Revision>,
        time: Duration,
    ) -> Result<(), Failure> {
        let over = Instant::now().checked_add(time);
        let call = settings.keys.revision(name);
        let link = self.link(settings).await?;
        let waiter = link.waiter(name).ok_or_else(|| settings.lost())?;
        loop {
            let messages = waiter.messages().ok_or_else(|| settings.lost())?;
            let found: Option<u64> = link.ask(settings, &call).await?;
            if found.map(Revision) != known {
                return Ok(());
            }
            loop {
                let left = over.map_or(settings.tried_every, |over| over.saturating_duration_since(Instant::now()));
                if left.is_zero() {
                    return Ok(());
                }
                match tokio::time::timeout(
                    left.min(settings.tried_every),
                    poll_fn(|task| waiter.poll(messages, task.waker())),
                )
                .await
                {
                    Ok(true) => break,
                    Ok(false) => return Err(settings.lost()),
                    Err(_) if link.must_be_tried(settings) => link.try_out(settings).await?,
                    Err(_) => {}
                }
            }
        }
    }

    /// Sends a command that may be sent twice: if the connection was closed, it is repeated on a new one.
    async fn look<T: FromRedisValue>(&self, settings: &Settings, call: &Call) -> Result<T, Failure> {
        match self.run(settings, call).await {
            Err(failure) if failure.is_closed => self.run(settings, call).await,
            answer => answer,
        }
    }

    async fn run<T: FromRedisValue>(&self, settings: &Settings, call: &Call) -> Result<T, Failure> {
        let link = self.link(settings).await?;
        link.ask(settings, call).await
    }

    /// The existing connection, or a new one.
    async fn link(&self, settings: &Settings) -> Result<Link, Failure> {
        let current = || lock(&self.link).clone().filter(|link| link.is_usable(settings));
        let before = self.attempts.ended();
        if let Some(link) = current() {
            return Ok(link);
        }
        let _one = self.connecting.lock().await;
        if let Some(link) = current() {
            return Ok(link);
        }
        if let Some(failure) = self.attempts.failed_since(before) {
            return Err(failure);
        }
        let connected = Link::connect(settings).await;
        let link = self.attempts.end(connected.map_err(|error| settings.failure(&error)))?;
        *lock(&self.link) = Some(link.clone());
        Ok(link)
    }
}

#[cfg(test)]
mod tests;
