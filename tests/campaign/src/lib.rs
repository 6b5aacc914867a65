//! A campaign: fleets of sessions against the simulator in virtual time, with all that can befall them, judged by the
//! laws of the session.
//!
//! A seed makes a [`Scenario`]; [`run`] brings it about and says what was violated; [`shrink`] makes it small. Everything
//! is decided by the seed: the same one lives through the same days, to the millisecond and to the byte.
//!
//! ```
//! use campaign::{Scenario, Way, run};
//!
//! let end = run(&Scenario::from_seed(1), Way::default());
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
    Absurd, Address, Blame, Contradiction, Fault, Left, Login, Membership, Moment, Program, Report, Scenario, Server,
    StoreFault, Storm, Timed, Trouble,
};
pub use shrink::shrink;
pub use tally::Tally;
pub use world::{End, Way, run};
