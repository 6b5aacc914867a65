//! Stays logged in to Tradovate: a state machine without I/O.
//!
//! A [`Session`] logs in, renews the token before it expires, and follows the server's rules. [`Session::poll`] says what to do
//! next. A driver does it and reports the result. The requests, answers and tokens are those of [`tradovate_auth_core`].
//!
//! This crate and its dependencies have no I/O, no clock and no randomness, which is checked: times and seeds are arguments.
//! `tradovate-auth-ureq` (blocking) and `tradovate-auth-reqwest` (async) are drivers. This crate is not affiliated with Tradovate
//! or NinjaTrader.
//!
//! # Where to find what
//! * one login: [`Session`], what it starts from ([`Login`]), its [`Action`]s, [`Event`]s and [`Verdict`]s, its [`Policy`]
//! * when it acts next, and why: [`Action::Wait`], [`Deadline`]
//! * what an address may send: [`RateBudget`], [`Operation`]
//! * what is stored: [`StoredSession`]
//! * many logins in one program: [`SessionSet`]
//!
//! # What is promised
//! No input makes it panic. No secret appears in a `Debug`, a `Display` or an error.

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

// `session` decides what to do. `record` is what it remembers and stores, `budget` what the network address may send, and
// `stored_session` the two as a snapshot. `session_set` drives many sessions.
mod budget;
mod moments;
mod record;
mod session;
mod session_set;
mod store;
mod stored_session;

pub use budget::{Operation, RateBudget};
pub use session::{
    Action, Deadline, Event, EventKind, ExchangeId, Login, Policy, Session, SessionToken, StopReason, Trouble, Verdict,
};
pub use session_set::{SessionKey, SessionSet, SetAction, SetEvent};
pub use store::{
    Lease, LeaseHolder, MayLogIn, Revision, StoreAnswer, StoreError, StoreErrorKind, StoreRequest, StoredRecord,
    Unreadable,
};
pub use stored_session::{OwnerMismatch, StoredSession};
