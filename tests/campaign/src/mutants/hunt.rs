//! Counts the seeds until the checker of a law detects that it is broken.

use super::Mutant;
use crate::scenario::Scenario;
use crate::world::{self, Way};

/// A detected mutant.
#[derive(Debug, Clone)]
pub struct Find {
    /// The mutant.
    pub mutant: Mutant,
    /// The number of seeds that were run.
    pub seeds: u64,
    /// The message of the checker.
    pub what: String,
}

/// Runs scenarios from the first seed on until the law that a mutant breaks is reported as violated. Returns `None` if
/// that does not happen within this many seeds.
#[must_use]
pub fn hunt(mutant: Mutant, first: u64, at_most: u64) -> Option<Find> {
    let law = mutant.law();
    let way = Way { mutant: Some(mutant), only_law: Some(law), is_traced: false };
    let is_of_a_set = mutant.is_of_a_set();
    let seeds = (first..first + at_most).filter(|seed| !is_of_a_set || Scenario::has_sets(*seed));
    seeds.into_iter().find_map(|seed| {
        let scenario = if is_of_a_set { Scenario::of_sets(seed) } else { Scenario::from_seed(seed) };
        let end = world::run(&scenario, way);
        let found = end.violations.into_iter().find(|violation| violation.law == law)?;
        Some(Find { mutant, seeds: seed - first + 1, what: found.what })
    })
}
