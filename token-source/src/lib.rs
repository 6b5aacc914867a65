//! Internal to `tradovate-auth`: use the crate `tradovate-auth` instead. This interface changes without notice.
//!
//! The parts that the blocking and the async `TokenSource` share: a session that threads or tasks use together, its
//! clock, the tokens for callers, and the settings of a process. This crate contains no HTTP and never blocks. The
//! transports send the requests and wait.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod callback;
mod cause;
mod clock;
mod driver;
mod entropy;
mod error;
mod events;
mod fixed;
mod from_env;
mod methods;
mod own_hosts;
mod permit;
mod settings;
mod shared;
#[doc(hidden)]
pub mod sync;
mod token;
mod token_timeout;
mod watch;

#[doc(hidden)]
pub use clock::SystemClock;
pub use clock::{Clock, now};
pub use entropy::entropy;
pub use error::TokenError;
pub use fixed::fixed;
pub use from_env::{app_from_env, from_env};
pub use own_hosts::may_see_token;
pub use permit::Permit;
pub use settings::{Settings, SharedBudget};
pub use shared::{Carrier, Idle, Shared, Storage, Task, no_store};
pub use token::Token;
pub use token_timeout::{LONGEST_SLEEP, TokenTimeout};
pub use watch::{Change, Seen};

#[cfg(test)]
mod tests;
