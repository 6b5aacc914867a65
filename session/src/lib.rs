//! Stays logged in to Tradovate: a state machine without I/O.
//!
//! A [`Session`] logs in, renews the token before it expires, and keeps to the server's rules. It says what to do next;
//! whoever drives it does that and reports the result. The requests, answers and tokens are those of
//! [`tradovate_auth_core`].
//!
//! There is no I/O, no clock and no randomness in here or in the dependency tree, which is checked; times and seeds are
//! arguments. The ready-made drivers are `tradovate-auth-ureq` (blocking) and `tradovate-auth-reqwest` (async). This crate is
//! not affiliated with Tradovate or NinjaTrader.
//!
//! # Where to find what
//! * one login: [`Session`], its [`Action`]s, [`Event`]s and [`Verdict`]s, its [`Policy`]
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

mod budget;
mod moments;
mod record;
mod session;
mod session_set;
mod stored_session;

pub use budget::{Operation, RateBudget};
pub use session::{
    Action, Deadline, Event, EventKind, ExchangeId, Login, Pending, Policy, Session, SessionToken, StopReason, Trouble,
    Verdict,
};
pub use session_set::{SessionKey, SessionSet, SetAction, SetEvent};
pub use stored_session::{OwnerMismatch, StoredSession};
