//! The blocking form of the store: [`Store`], with a pool of connections.

mod watch;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use redis::{Connection, FromRedisValue, ProtocolVersion};
use tradovate_auth_session::StoredSession;
use tradovate_auth_session::{Lease, Revision, StoreError, StoredRecord};
use tradovate_auth_store::{HeldLease, SessionName, Store};

use crate::error::Failure;
use crate::scripts::{Call, lease_of};
use crate::settings::Settings;
use crate::store::RedisStore;
use crate::waiters::lock;
use watch::{Watch, wait};

/// How many idle connections are kept.
const MOST_IDLE: usize = 8;

#[derive(Default)]
pub(crate) struct Connections {
    idle: Mutex<Vec<Idle>>,
    watch: Watch,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Store for RedisStore {
    fn load(&self, name: &SessionName) -> Result<Option<StoredRecord>, StoreError> {
        let loaded = self.blocking.look(&self.settings, &self.settings.keys.load(name))?;
        Ok(self.settings.stored(name, loaded))
    }

    fn lease(&self, name: &SessionName, time: Duration) -> Result<Option<Lease>, StoreError> {
        let fence = self.blocking.run(&self.settings, &self.settings.keys.lease(name, time))?;
        Ok(lease_of(fence, time))
    }

    fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> Result<Option<Revision>, StoreError> {
        let call = self.settings.save(name, session, known, lease)?;
        let revision: Option<u64> = self.blocking.run(&self.settings, &call)?;
        Ok(revision.map(Revision))
    }

    fn release(&self, name: &SessionName, lease: Lease) -> Result<(), StoreError> {
        let _: bool = self.blocking.run(&self.settings, &self.settings.keys.release(name, lease))?;
        Ok(())
    }

    fn changed(&self, name: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), StoreError> {
        let over = Instant::now().checked_add(time);
        let waiter = self.blocking.watch.waiter(name, &self.settings)?;
        loop {
            let messages = waiter.messages().ok_or_else(|| self.settings.lost())?;
            let found: Option<u64> = self.blocking.look(&self.settings, &self.settings.keys.revision(name))?;
            if found.map(Revision) != known || !wait(&waiter, messages, over).ok_or_else(|| self.settings.lost())? {
                return Ok(());
            }
        }
    }
}

impl RedisStore {
    /// Returns how long a process still holds the lease of a name. `None` if no process holds it. Redis does not know
    /// which process it is. The call changes nothing in the store.
    ///
    /// # Errors
    /// [`StoreError`] if the lease can't be read.
    pub fn held_lease(&self, name: &SessionName) -> Result<Option<HeldLease>, StoreError> {
        let left: Option<u64> = self.blocking.look(&self.settings, &self.settings.keys.held(name))?;
        Ok(left.map(|micros| HeldLease::new(Duration::from_micros(micros), None)))
    }
}

impl Connections {
    /// Sends a command that may be sent twice: if the connection was closed, it is repeated on another one.
    fn look<T: FromRedisValue>(&self, settings: &Settings, call: &Call) -> Result<T, Failure> {
        match self.run(settings, call) {
            Err(failure) if failure.is_closed => self.run(settings, call),
            answer => answer,
        }
    }

    fn run<T: FromRedisValue>(&self, settings: &Settings, call: &Call) -> Result<T, Failure> {
        let mut connection = match self.idle(settings) {
            Some(connection) => connection,
            None => connect(settings)?,
        };
        let answer = call.invoke(&mut connection).map_err(|error| settings.failure(&error));
        if answer.as_ref().is_err_and(|failure: &Failure| failure.ends_connection) {
            // The other connections are probably broken too.
            lock(&self.idle).clear();
        } else {
            let mut idle = lock(&self.idle);
            idle.push(Idle { connection, since: Instant::now() });
            idle.truncate(MOST_IDLE);
        }
        answer
    }

    /// The connection that was used last, unless all were idle for too long.
    fn idle(&self, settings: &Settings) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        idle.retain(|idle| idle.since.elapsed() <= settings.longest_quiet);
        idle.pop().map(|idle| idle.connection)
    }
}

fn connect(settings: &Settings) -> Result<Connection, Failure> {
    let connect = || {
        let client = settings.client(ProtocolVersion::RESP2);
        let connection = client.get_connection_with_timeout(settings.connect_time)?;
        connection.set_read_timeout(Some(settings.answer_time))?;
        connection.set_write_timeout(Some(settings.answer_time))?;
        Ok(connection)
    };
    connect().map_err(|error| settings.failure(&error))
}

#[cfg(test)]
mod tests;
