//! How many seeds it takes until the checker of a law notices that it is broken.

use super::Mutant;
use crate::scenario::Scenario;
use crate::world::{self, Way};

/// A mutant that was noticed.
#[derive(Debug, Clone)]
pub struct Find {
    /// Which.
    pub mutant: Mutant,
    /// How many seeds it took.
    pub seeds: u64,
    /// What the checker said.
    pub what: String,
}

/// Runs scenarios from the first seed on until the law that a mutant breaks is said to be violated; nothing where it is
/// not within so many seeds.
#[must_use]
pub fn hunt(mutant: Mutant, first: u64, at_most: u64) -> Option<Find> {
    let law = mutant.law();
    let way = Way { mutant: Some(mutant), only_law: Some(law), is_traced: false };
    (0..at_most).find_map(|number| {
        let scenario = Scenario::from_seed(first + number);
        let end = world::run(&scenario, way);
        let found = end.violations.into_iter().find(|violation| violation.law == law)?;
        Some(Find { mutant, seeds: number + 1, what: found.what })
    })
}
