//! Every single fault and every pair of faults in short episodes of one, two and three sessions.
//!
//! An episode ([`Episode`]) is lived through by real sessions against the simulator, in one thread and in virtual time. A
//! [`Plan`] says at which steps of it a fault is placed, and at which another process goes on than the one that would.
//! [`explore`] lives through all plans with at most two faults and two such switches, and the oracle judges each run.
//!
//! The store is in memory, and the processes share nothing else. So wake-ups that are lost between threads, and stores that
//! break their contract in other ways than the faults do, are not found here.
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
