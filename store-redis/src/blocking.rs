//! The blocking form: [`Store`], on a few connections that calls borrow and give back.

mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{Connection, FromRedisValue, ProtocolVersion};
use tradovate_auth_session::StoredSession;
use tradovate_auth_store::{Revision, SessionName, Store, Stored};

use crate::error::RedisStoreError;
use crate::scripts::Call;
use crate::settings::{LONGEST_QUIET, Settings};
use crate::store::{RedisLease, RedisStore};
use watch::Watch;

/// More than this are not kept after a rush.
const MOST_IDLE: usize = 8;

#[derive(Default)]
pub(crate) struct Connections {
    idle: Mutex<Vec<Idle>>,
    watch: Arc<Watch>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Store for RedisStore {
    type Error = RedisStoreError;
    type Lease = RedisLease;

    fn load(&self, name: &SessionName) -> Result<Option<Stored>, Self::Error> {
        let loaded = self.blocking.look(&self.settings, &self.settings.keys.load(name))?;
        Ok(self.settings.stored(name, loaded))
    }

    fn lease(&self, name: &SessionName, time: Duration) -> Result<Option<Self::Lease>, Self::Error> {
        let fence: Option<u64> = self.blocking.run(&self.settings, &self.settings.keys.lease(name, time))?;
        Ok(fence.map(|fence| RedisLease { fence }))
    }

    fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: &Self::Lease,
    ) -> Result<Option<Revision>, Self::Error> {
        let call = self.settings.save(name, session, known, lease.fence)?;
        let revision: Option<u64> = self.blocking.run(&self.settings, &call)?;
        Ok(revision.map(Revision))
    }

    fn release(&self, name: &SessionName, lease: Self::Lease) -> Result<(), Self::Error> {
        let _: bool = self.blocking.run(&self.settings, &self.settings.keys.release(name, lease.fence))?;
        Ok(())
    }

    fn changed(&self, name: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), Self::Error> {
        let over = Instant::now().checked_add(time);
        let watcher = Watch::watcher(&self.blocking.watch, name, &self.settings)?;
        loop {
            let messages = watcher.messages();
            let found: Option<u64> = self.blocking.look(&self.settings, &self.settings.keys.revision(name))?;
            if found.map(Revision) != known || !watcher.wait(messages, over)? {
                return Ok(());
            }
        }
    }
}

impl Connections {
    /// Asks what may be asked twice: where a connection turns out to be closed, another is tried.
    fn look<T: FromRedisValue>(&self, settings: &Settings, call: &Call) -> Result<T, RedisStoreError> {
        match self.run(settings, call) {
            Err(RedisStoreError::Unreachable { .. }) => self.run(settings, call),
            answer => answer,
        }
    }

    fn run<T: FromRedisValue>(&self, settings: &Settings, call: &Call) -> Result<T, RedisStoreError> {
        let mut connection = match self.idle() {
            Some(connection) => connection,
            None => connect(settings)?,
        };
        let answer = call.invoke(&mut connection).map_err(|error| settings.error(&error));
        if answer.as_ref().is_err_and(RedisStoreError::ends_connection) {
            // The others are no better.
            lock(&self.idle).clear();
        } else {
            let mut idle = lock(&self.idle);
            if idle.len() < MOST_IDLE {
                idle.push(Idle { connection, since: Instant::now() });
            }
        }
        answer
    }

    /// The connection that was used last, unless all have been quiet for too long.
    fn idle(&self) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        idle.retain(|idle| idle.since.elapsed() < LONGEST_QUIET);
        idle.pop().map(|idle| idle.connection)
    }
}

fn connect(settings: &Settings) -> Result<Connection, RedisStoreError> {
    let connect = || {
        let client = settings.client(ProtocolVersion::RESP2);
        let connection = client.get_connection_with_timeout(settings.connect_time)?;
        connection.set_read_timeout(Some(settings.answer_time))?;
        connection.set_write_timeout(Some(settings.answer_time))?;
        Ok(connection)
    };
    connect().map_err(|error| settings.error(&error))
}

/// What a lock protects here is whole between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
