//! Runs short episodes of one, two and three sessions with every single fault and every pair of faults.
//!
//! In an episode ([`Episode`]), real sessions run against the simulator in one thread and in virtual time. A [`Plan`]
//! says at which steps a fault is placed, and at which steps another process continues than the one that is due first.
//! [`explore`] covers all plans with at most two faults and two such switches, and the oracle checks each run.
//!
//! Plans with the same beginning share it: the world is copied at each choice. If two plans lead to the same state with
//! the same choices left, only one of them is run from there, and its results count for both. A state is compared by a
//! digest of everything that influences the rest of the run: the times, the store, the oracle, all requests that the
//! server has handled, and all that each session was given since it started, because sessions and server are
//! deterministic. [`explore_each`] runs each plan to its end instead; a test compares the results.
//!
//! The store is in memory, and the processes share nothing else. This method therefore does not find lost wake-ups
//! between threads, or stores that break their contract in other ways than the faults do.
//!
//! ```
//! use small_scope::explore;
//!
//! let report = explore("two/first-login".parse()?, "0".parse()?, None, 1);
//! assert_eq!((report.totals.all(), report.totals.broken), (1, 0));
//! # Ok::<(), String>(())
//! ```

#![forbid(unsafe_code)]

mod digest;
mod episode;
mod explore;
mod mutant;
mod oracle;
mod plan;
mod store;
mod world;

pub use episode::{Episode, Kind, Shape};
pub use explore::{Report, Scope, Totals, explore, explore_each};
pub use mutant::Mutant;
pub use oracle::Violation;
pub use plan::{Choice, Fault, Plan};
pub use world::{End, run};
