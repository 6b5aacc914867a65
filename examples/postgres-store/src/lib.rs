//! A store for Postgres.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};
use tradovate_auth::reqwest::TokenSource;
use tradovate_auth::store::{AsyncStore, Codec, SessionName, StoreFuture};
use tradovate_auth::{CallError, Credentials, Environment, StoredSession};
use tradovate_auth::{Lease, Revision, StoreError, StoreErrorKind, StoredRecord};

/// The statements that create the tables.
pub const SCHEMA: &str = include_str!("schema.sql");

/// The longest time for one call, with the time to connect. After that the store says that it can't be reached.
const LONGEST_CALL: Duration = Duration::from_secs(3);

const LOAD: &str = "SELECT revision, record, \
    extract(epoch FROM clock_timestamp() - saved_at)::float8 FROM tradovate_sessions WHERE name = $1";

// Any process may take a lease that has ended.
const LEASE: &str = "INSERT INTO tradovate_leases \
    VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, clock_timestamp() + make_interval(secs => $2)) \
    ON CONFLICT (name) DO UPDATE \
    SET fence = greatest(excluded.fence, tradovate_leases.fence + 1), ends_at = excluded.ends_at \
    WHERE tradovate_leases.ends_at <= clock_timestamp() RETURNING fence";

// The row of the lease stays locked until the record has changed. So no other lease can be given meanwhile.
const REPLACE: &str = "WITH lease AS (SELECT name FROM tradovate_leases WHERE name = $1 AND fence = $2 FOR UPDATE) \
    UPDATE tradovate_sessions SET record = $3, saved_at = clock_timestamp(), \
    revision = greatest(revision + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) \
    FROM lease WHERE tradovate_sessions.name = lease.name AND revision = $4 RETURNING revision";

const CREATE: &str = "WITH lease AS (SELECT name FROM tradovate_leases WHERE name = $1 AND fence = $2 FOR UPDATE) \
    INSERT INTO tradovate_sessions SELECT name, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, $3, \
    clock_timestamp() FROM lease \
    ON CONFLICT DO NOTHING RETURNING revision";

const RELEASE: &str = "UPDATE tradovate_leases SET ends_at = clock_timestamp() WHERE name = $1 AND fence = $2";

const CHANGES: &str = "SELECT (SELECT revision FROM tradovate_sessions WHERE name = $1), \
    (SELECT fence FROM tradovate_leases WHERE name = $1)";

/// Sessions in the two tables of [`SCHEMA`].
pub struct PostgresStore {
    config: Config,
    client: Mutex<Option<Arc<Client>>>,
    codec: Codec,
}

impl PostgresStore {
    /// A store in a database. It connects when it is first used, and again after the connection was lost.
    #[must_use]
    pub fn new(mut config: Config, codec: Codec) -> Self {
        config.connect_timeout(LONGEST_CALL);
        Self { config, client: Mutex::default(), codec }
    }

    /// The first row that a statement returns.
    async fn query(&self, statement: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, StoreError> {
        let query = async { self.client().await?.query_opt(statement, values).await.map_err(failed) };
        if let Ok(result) = tokio::time::timeout(LONGEST_CALL, query).await {
            return result;
        }
        // The next call connects again.
        self.client.lock().await.take();
        Err(StoreError::new(StoreErrorKind::Unreachable, "the database does not answer in time"))
    }

    async fn client(&self) -> Result<Arc<Client>, StoreError> {
        let mut current = self.client.lock().await;
        if let Some(client) = current.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        // Use TLS if the database is not on this machine: `tokio-postgres-rustls` or `postgres-native-tls`.
        let (client, connection) = self.config.connect(NoTls).await.map_err(failed)?;
        tokio::spawn(connection);
        Ok(Arc::clone(current.insert(Arc::new(client))))
    }
}

/// A text for the user, and what the database says.
fn failed(error: tokio_postgres::Error) -> StoreError {
    use StoreErrorKind::{Misconfigured, NotWritable, Unreachable};
    let (kind, text) = match error.code() {
        Some(&SqlState::UNDEFINED_TABLE) => (Misconfigured, "the database has no tables for sessions: create them"),
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            (Misconfigured, "the database user may not use the tables: grant it")
        }
        Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => (NotWritable, "the database is read-only: use the primary"),
        Some(&SqlState::DISK_FULL) => (NotWritable, "the disk of the database is full"),
        _ => (Unreachable, "the database does not work"),
    };
    StoreError::new(kind, text).with_source(error)
}

fn revision(row: &Row) -> Option<Revision> {
    row.get::<_, Option<i64>>(0).map(|number| Revision(number.cast_unsigned()))
}

impl AsyncStore for PostgresStore {
    fn load<'a>(&'a self, name: &'a SessionName) -> StoreFuture<'a, Option<StoredRecord>> {
        Box::pin(async move {
            let row = self.query(LOAD, &[&name.as_str()]).await?;
            Ok(row.and_then(|row| {
                Some(StoredRecord {
                    revision: revision(&row)?,
                    age: Duration::try_from_secs_f64(row.get(2)).ok(),
                    place: format!("the row {name} of tradovate_sessions"),
                    session: self.codec.decode(name, row.get(1)),
                })
            }))
        })
    }

    fn lease<'a>(&'a self, name: &'a SessionName, time: Duration) -> StoreFuture<'a, Option<Lease>> {
        Box::pin(async move {
            let row = self.query(LEASE, &[&name.as_str(), &time.as_secs_f64()]).await?;
            Ok(row.map(|row| Lease { fence: row.get::<_, i64>(0).cast_unsigned(), time }))
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
            let record = self.codec.encode(name, session)?;
            let (name, fence, record) = (name.as_str(), lease.fence.cast_signed(), record.as_slice());
            let row = match known.map(|Revision(number)| number.cast_signed()) {
                Some(known) => self.query(REPLACE, &[&name, &fence, &record, &known]).await,
                None => self.query(CREATE, &[&name, &fence, &record]).await,
            };
            Ok(row?.as_ref().and_then(revision))
        })
    }

    fn release<'a>(&'a self, name: &'a SessionName, lease: Lease) -> StoreFuture<'a, ()> {
        Box::pin(async move { self.query(RELEASE, &[&name.as_str(), &lease.fence.cast_signed()]).await.map(drop) })
    }

    fn changed<'a>(&'a self, name: &'a SessionName, known: Option<Revision>, time: Duration) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            // `LISTEN` and `NOTIFY` are faster, but need a connection of their own.
            let (begun, mut first_fence) = (Instant::now(), None);
            loop {
                let row = self.query(CHANGES, &[&name.as_str()]).await?;
                let fence = row.as_ref().and_then(|row| row.get::<_, Option<i64>>(1));
                let is_known = row.as_ref().and_then(revision) == known && *first_fence.get_or_insert(fence) == fence;
                let left = time.saturating_sub(begun.elapsed());
                if !is_known || left.is_zero() {
                    return Ok(());
                }
                tokio::time::sleep(left.min(Duration::from_millis(250))).await;
            }
        })
    }
}

/// Use it like any other store. `database` is a text such as `host=/run/postgresql user=app dbname=app`.
///
/// # Errors
/// If the text is wrong, or there is no TLS for the requests to Tradovate.
pub fn token_source(
    database: &str,
    environment: Environment,
    credentials: Credentials,
) -> Result<TokenSource, Box<dyn std::error::Error>> {
    let store = PostgresStore::new(database.parse()?, Codec::plain());
    let tokens: Result<_, CallError> = TokenSource::shared(store, environment, credentials);
    Ok(tokens?)
}
