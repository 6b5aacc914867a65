//! Runs short episodes of one, two and three sessions with every single fault and every pair of faults.
//!
//! In an episode ([`Episode`]), real sessions run against the simulator in one thread and in virtual time. A [`Plan`]
//! says at which steps a fault is placed, and at which steps another process continues than the one that is due first.
//! [`explore`] runs all plans with at most two faults and two such switches, and the oracle checks each run.
//!
//! The store is in memory, and the processes share nothing else. This method therefore does not find lost wake-ups
//! between threads, or stores that break their contract in other ways than the faults do.
//!
//! ```
//! use small_scope::explore;
//!
//! let report = explore("two/first-login".parse()?, "0".parse()?, None, 1);
//! assert_eq!((report.total(), report.broken), (1, 0));
//! # Ok::<(), String>(())
//! ```

#![forbid(unsafe_code)]

mod episode;
mod explore;
mod mutant;
mod oracle;
mod plan;
mod store;
mod world;

pub use episode::{Episode, Kind, Shape};
pub use explore::{Report, Scope, explore};
pub use mutant::Mutant;
pub use oracle::Violation;
pub use plan::{Choice, Fault, Plan};
pub use world::{End, run};
