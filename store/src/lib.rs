//! Where processes share one session: what a store has to do, the form in which a session is kept, and a store in
//! files for the processes of one machine.
//!
//! A store holds one record for each [`SessionName`]: the newest snapshot of a session under a
//! [`Revision`](tradovate_auth_session::Revision). Whoever
//! wants to send something takes the lease, loads the record, and saves what has come before anybody uses it; all
//! others use what they load. Programs hand a store to `TokenSource::shared` of a transport and call nothing of it
//! themselves.
//!
//! [`Store`] is for blocking programs, [`AsyncStore`] for async ones. A store of your own keeps bytes under a name, and
//! has a [`Codec`] make them.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `file`: `FileStore`, which is a [`Store`].
//! - `tokio`: `FileStore` is an [`AsyncStore`], too.
//! - `seal`: `SealingKey`, with which records are encrypted, and only such are read.
//! - `conformance`: the module `conformance`, which tests whether a store keeps the contract.

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
