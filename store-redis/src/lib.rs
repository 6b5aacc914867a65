//! A store in Redis, for processes on any number of machines that share [Tradovate](https://www.tradovate.com)
//! sessions.
//!
//! One process at a time logs in or renews, and all processes use its token. A program creates a [`RedisStore`] and
//! passes it to `TokenSource::shared` of a transport.
//!
//! ```
//! use tradovate_auth_store_redis::RedisStore;
//!
//! let store = RedisStore::new("rediss://app:secret@redis.example:6380/")?;
//! # Ok::<(), tradovate_auth_session::StoreError>(())
//! ```
//!
//! # Features
//! None is on by default.
//!
//! - `blocking`: `RedisStore` implements [`Store`](tradovate_auth_store::Store).
//! - `tokio`: `RedisStore` implements [`AsyncStore`](tradovate_auth_store::AsyncStore).
//! - `seal`: `RedisStore` can encrypt its records.
//!
//! # Server
//! The store needs Redis 6 or newer, or a compatible server such as Valkey. Connect it to the primary, not to a
//! replica. It doesn't support Redis Cluster, and it doesn't ask Sentinel for the primary: use a host name that always
//! leads to the primary.
//!
//! For a session with the name NAME, the store keeps two keys: `tradovate-auth:{NAME}` for the record and
//! `tradovate-auth:{NAME}:lease` for the lease. The braces are part of the keys; the [prefix](RedisStore::prefix) can
//! be changed. A save, and each lease that is taken, is published on the channel `tradovate-auth:changes`. A Redis user
//! needs only these rights (`+select` only if the URL names a database):
//!
//! ```text
//! ~tradovate-auth:* &tradovate-auth:*
//! +ping +subscribe +unsubscribe +punsubscribe +select +evalsha +script|load
//! +time +type +hget +hmget +hset +pexpire +persist +publish
//! ```
//!
//! Whoever can read the keys can trade. So seal the records, use TLS, and set a password on the server.
//!
//! # Guarantees
//! Each operation is one script, which Redis runs atomically. A save needs the newest lease and the newest revision. So
//! no process overwrites a record that it has not loaded. A process that was paused for longer than its lease can't
//! save after another process has taken the lease. Revisions and fences come from the server's clock and never go down.
//!
//! If the server loses all data (`FLUSHALL`, or a fail-over to an empty replica), no revision or fence is used twice,
//! as long as the clocks of the servers agree. Leases from before the loss are void. A process that still has the
//! session takes a new lease and saves the session again. The loss does not wake processes that wait for a change. They
//! are woken when a process takes the lease.
//!
//! # Durability
//! A save is as durable as the server makes it:
//!
//! - Without persistence, a restart loses everything. With `appendfsync everysec`, a crash loses up to a second; with
//!   `appendfsync always`, nothing.
//! - Replication is asynchronous: a fail-over loses the writes that the replica has not yet received. Then two
//!   processes can hold the lease, one from the old primary and one from the new one. `min-replicas-to-write` and
//!   `min-replicas-max-lag` stop the writes of a primary that is cut off.
//!
//! If a record is lost and no running process has the session, the next process logs in again. With OAuth, the user
//! then has to authorize the app again. To make this rare, use `appendfsync always` and one server, or a service that
//! replicates a write before it confirms it. Set `maxmemory-policy` to `noeviction`. With any other policy, a server
//! whose memory is full may evict a record or a lease. Then the record is lost, or the holder of the evicted lease
//! can't save.
//!
//! # Connections
//! A store connects when it is first used, and again after errors. If it can't connect, it returns an error within its
//! [time-outs](RedisStore::time_outs). In the blocking form, the time-outs do not limit how long the system takes to
//! look up the host name.
//!
//! - Blocking: calls share a few connections. While a caller waits for a change, the store has one more connection and
//!   a thread for it. If a connection was closed, the store connects again and repeats a load. A lease, a save or a
//!   release returns an error instead, because Redis may have done it.
//! - Tokio: one connection for everything. The runtime must have I/O and time enabled. The connection belongs to the
//!   runtime on which it was made. Other runtimes may use it. If its runtime ends, the next call makes a new
//!   connection.
//!
//! `rediss://` uses rustls with the certificates of the system or with [your own](RedisStore::root_certificates), and
//! the process's default crypto provider. If the program has installed no provider before the first connection, the
//! store installs `ring`.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(any(feature = "blocking", feature = "tokio")),
    allow(dead_code, reason = "used only by the blocking and the async store")
)]

#[cfg(feature = "blocking")]
mod blocking;
mod error;
#[cfg(test)]
mod fake_server;
#[cfg(feature = "tokio")]
mod nonblocking;
mod scripts;
mod settings;
mod store;
mod waiters;

pub use store::RedisStore;
