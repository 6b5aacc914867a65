//! A store in Redis, for processes on any number of machines that share [Tradovate](https://www.tradovate.com) sessions.
//!
//! One of them logs in and renews; all others use what it gets. Programs make a [`RedisStore`] and hand it to
//! `TokenSource::shared` of a transport.
//!
//! ```
//! use tradovate_auth_store_redis::RedisStore;
//!
//! let store = RedisStore::new("rediss://app:secret@redis.example:6380/")?;
//! # Ok::<(), tradovate_auth_session::StoreError>(())
//! ```
//!
//! It is a [`Store`](tradovate_auth_store::Store) with the feature `blocking`, and an
//! [`AsyncStore`](tradovate_auth_store::AsyncStore) with the feature `tokio`. With the feature `seal` it encrypts what it
//! stores.
//!
//! # What it asks of a server
//! Redis 6 or newer, or one that does as it does, such as Valkey; the primary, not a replica. It does not find its way in
//! a Redis Cluster or with Sentinel: give the name under which the primary is always found. Of a session it keeps two
//! keys, `{prefix}{name}` in braces and the same with `:lease`, and it publishes on the channel `{prefix}changes` whose
//! record was saved, or whose lease was taken. A user of its own needs no more than these rights (`+select` only if the URL
//! names a database):
//!
//! ```text
//! ~tradovate-auth:* &tradovate-auth:*
//! +ping +subscribe +unsubscribe +punsubscribe +select +evalsha +script|load
//! +time +type +hget +hmget +hset +pexpire +persist +publish
//! ```
//!
//! Whoever can read the keys can trade: seal them, use TLS, and give the server a password.
//!
//! # What it promises, and what depends on the server
//! Each operation is one script, which Redis runs as a whole. Who saves has to hold the newest lease and to know the
//! newest record; so nobody overwrites what he hasn't seen, and a holder that slept through its lease changes nothing once
//! another has taken one. Leases and records are numbered by the clock of the server, and never backwards. After a loss of
//! everything, be it by `FLUSHALL` or a fail-over to an empty replica, no number comes again while the clocks of the
//! servers agree, and no lease from before is good for anything; whoever still has the session takes a new one and saves
//! it again. That a record is gone is told to those who wait when somebody takes the lease.
//!
//! A save is as durable as the server makes it:
//!
//! - Without persistence a restart loses everything; with `appendfsync everysec`, a crash loses a second; with
//!   `appendfsync always`, nothing.
//! - A replica follows a moment later: a fail-over loses what it had not got. Two processes may then believe that they
//!   hold the lease, one by the old primary and one by the new. `min-replicas-to-write` and `min-replicas-max-lag` end the
//!   writes of a primary that was cut off.
//!
//! What is lost is a session, not the account: the next process logs in. Where that has to be rare, use `appendfsync
//! always` and one server, or a service that replicates before it answers. Set `maxmemory-policy` to `noeviction`: with
//! another policy, a server whose memory is full may evict a record or a lease. Then the record is lost as by a flush, and
//! the holder of an evicted lease can save nothing.
//!
//! # Connections
//! A store connects when it is used, again by itself after trouble, and says within its [time-outs](RedisStore::time_outs)
//! that it can't. A name is looked up by the resolver of the system; in the blocking form that takes its own time.
//!
//! - Blocking: a few connections that calls share, and while somebody waits for a change, one more with a thread of its
//!   own for the whole store. A connection that is found closed is replaced; where that happens to a lease, a save or a
//!   release, it is an error, because it may have been done.
//! - Tokio: one connection for everything. It needs a runtime with I/O and time. The connection lives on the runtime on
//!   which it was made: others may use it, and when that one ends, the next to use the store makes a new one.
//!
//! `rediss://` uses rustls with the certificates of the system, or [others](RedisStore::root_certificates), and the
//! process's default provider of cryptography. If the program has installed none before the first connection, the store
//! installs `ring`.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(any(feature = "blocking", feature = "tokio")),
    allow(dead_code, reason = "without a form there is nobody to use it")
)]

#[cfg(feature = "blocking")]
mod blocking;
mod error;
#[cfg(feature = "tokio")]
mod nonblocking;
mod scripts;
mod settings;
mod store;
mod waiters;

pub use store::RedisStore;
