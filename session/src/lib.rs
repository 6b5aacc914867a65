//! A state machine without I/O that logs in to Tradovate and stays logged in.
//!
//! A [`Session`] logs in, renews the token before it expires, and follows the server's rules. [`Session::poll`] returns
//! the next action. The *driver* is the code that calls `poll`, carries out the action, and reports the result.
//! Requests, answers and tokens have the types of [`tradovate_auth_core`].
//!
//! This crate and its dependencies have no I/O, no clock and no randomness. Times and seeds are arguments. The crates
//! `tradovate-auth-ureq` (blocking) and `tradovate-auth-reqwest` (async) contain drivers. This crate is not affiliated
//! with Tradovate or NinjaTrader.
//!
//! In this documentation, a *session* is a [`Session`]. A *server session* is what a login opens on the server: a user
//! can have two, and a third one closes the oldest.
//!
//! # Where to start
//! * one login: [`Session`], created from a [`Login`]; its [`Action`]s, [`Event`]s and [`Verdict`]s; its [`Policy`]
//! * when the session acts next, and why: [`Action::Wait`], [`WakeUp`]
//! * how many requests a network address may send: [`RateBudget`], [`Operation`]
//! * storing a session: [`StoredSession`]; sharing it between processes: [`StoreRequest`], [`StoreAnswer`]
//! * many logins in one program: [`SessionSet`]
//!
//! # Guarantees
//! No input causes a panic. No secret appears in a `Debug` or `Display` output or in an error.

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::unreachable, clippy::string_slice))]

extern crate alloc;

// `session` decides what to do. `record` holds the facts that outlive the process. `network_budget` counts the requests
// of the network address. `stored_session` is the snapshot of both. `session_set` runs many sessions.
mod network_budget;
mod record;
mod session;
mod session_set;
mod store;
mod stored_session;
mod time_arithmetic;

pub use network_budget::{Operation, RateBudget};
pub use session::{
    Action, Event, EventKind, ExchangeId, Login, Policy, Session, SessionToken, StopReason, Trouble, Verdict, WakeUp,
};
pub use session_set::{SessionKey, SessionSet, SetAction, SetEvent};
pub use store::{
    Lease, LeaseHolder, MayLogIn, Revision, StoreAnswer, StoreError, StoreErrorKind, StoreRequest, StoredRecord,
    Unreadable,
};
pub use stored_session::{OwnerMismatch, StoredSession};
