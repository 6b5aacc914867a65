//! What the token sources of the transports have in common: a session that threads or tasks share, the clock it runs
//! by, the randomness it needs, the tokens it hands out, and the settings a process may give it.
//!
//! There is no HTTP in here and nothing waits: the transports carry the requests and do the waiting. Programs use
//! `TokenSource` of `tradovate-auth-ureq` or `tradovate-auth-reqwest`, which re-export what they need; this crate is not meant
//! to be used directly.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod callback;
mod clock;
mod entropy;
mod error;
mod fleet;
mod from_env;
mod lease_slot;
mod patience;
mod settings;
mod shared;
mod token;
mod turn;
mod turns;

pub use clock::Clock;
pub use entropy::entropy;
pub use error::TokenError;
pub use fleet::{Fleet, Lease, LogIn, Seen, Step, lease_time};
pub use from_env::FromEnv;
pub use lease_slot::{LeaseSlot, in_full};
pub use patience::{LONGEST_SLEEP, Patience};
pub use settings::{Settings, SharedBudget};
pub use shared::{Idle, Shared, Storage, Task};
pub use token::Token;
pub use turn::Turn;

#[cfg(test)]
mod tests;
