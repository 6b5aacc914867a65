//! Simulates fleets of sessions against the server simulator in virtual time, injects faults, and checks the laws of
//! the session.
//!
//! A seed makes a [`Scenario`]. [`run`] executes it and reports the violated laws. [`shrink`] reduces a failing
//! scenario. The seed decides everything: the same seed gives the same run, to the millisecond and to the byte.
//!
//! ```
//! use campaign::{Scenario, Way, run};
//!
//! let end = run(&Scenario::from_seed(59), Way::default());
//! assert!(end.violations.is_empty());
//! ```

#![forbid(unsafe_code)]

mod journal;
mod mutants;
mod names;
mod oracle;
mod report;
mod scenario;
mod shrink;
mod tally;
mod wire;
mod world;

pub use mutants::{Find, Mutant, hunt};
pub use oracle::Violation;
pub use report::{Failure, campaign, renewals_per_hour, replay, survey};
pub use scenario::{
    Absurd, Address, Blame, Contradiction, Fault, Left, Login, LoginStep, Membership, Moment, Program, Report,
    Scenario, Server, StoreFault, Storm, Timed, Trouble,
};
pub use shrink::shrink;
pub use tally::Tally;
pub use world::{End, Way, run};
