//! Internal to `tradovate-auth`: use the crate `tradovate-auth` instead. This interface changes without notice.
//!
//! It contains the parts that the blocking and the async `TokenSource` share: a session that threads or tasks use
//! together, its clock, the tokens for callers, and the settings of a process. It contains no HTTP and never blocks. The
//! transports send the requests and wait.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod action_permit;
mod bearer_hosts;
mod clock;
mod error;
mod error_cause;
mod events;
mod fixed_token;
mod from_env;
mod methods_of_both_transports;
mod random;
mod settings;
mod shared_session;
mod single_flight;
mod socket_frame;
#[doc(hidden)]
pub mod sync_primitives;
mod token;
mod token_timeout;
mod user_callback;
mod watch;

pub use action_permit::Permit;
pub use bearer_hosts::may_see_token;
#[doc(hidden)]
pub use clock::SystemClock;
pub use clock::{Clock, now};
pub use error::TokenError;
pub use fixed_token::fixed;
pub use from_env::{app_from_env, from_env};
pub use random::entropy;
pub use settings::{Settings, SharedBudget};
pub use shared_session::{Carrier, Idle, Shared, Storage, Task, no_store};
pub use token::Token;
pub use token_timeout::{LONGEST_SLEEP, TokenTimeout};
pub use watch::{Change, Seen};

#[cfg(test)]
mod tests;
