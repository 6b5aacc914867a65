//! Stores for sessions that several processes share: the traits [`Store`] and [`AsyncStore`], the record format
//! ([`Codec`]), and `FileStore` for the processes of one machine.
//!
//! A store holds one record for each [`SessionName`]: the newest snapshot of a session and its
//! [`Revision`](tradovate_auth_session::Revision). A process takes the lease before it sends a request for the session.
//! Then it loads the record, sends the request, and saves the result before it uses it. All other processes load the
//! record and use its token. Programs pass a store to `TokenSource::shared` of a transport, and call no method of the
//! store themselves.
//!
//! [`Store`] is for blocking programs, [`AsyncStore`] for async programs. If you write your own store, encode each
//! snapshot with a [`Codec`], and store the bytes under the session's name.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `file`: `FileStore`, which implements [`Store`].
//! - `tokio`: `FileStore` also implements [`AsyncStore`].
//! - `seal`: `SealingKey`. A [`Codec`] with a key encrypts its records and reads only records that are encrypted with it.
//! - `conformance`: the module `conformance`, which tests whether a store keeps the contract of [`Store`].

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "file")]
mod file;
mod hex;
mod name;
mod record_format;
mod store;

#[cfg(feature = "file")]
pub use file::FileStore;
pub use name::SessionName;
pub use record_format::Codec;
#[cfg(feature = "seal")]
pub use record_format::{MalformedKey, SealingKey};
pub use store::{AsyncStore, HeldLease, Store, StoreFuture, ask, ask_async};
