//! Counts allocations with the allocator of this program.

use std::alloc::System;
use std::fmt;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What was requested from the allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allocations {
    pub(crate) new: usize,
    pub(crate) grown: usize,
    pub(crate) bytes: usize,
}

impl Allocations {
    pub(crate) const NONE: Self = Self { new: 0, grown: 0, bytes: 0 };

    /// The allocations of one call, on any thread. What the first calls set up permanently is not counted.
    pub(crate) fn of(mut work: impl FnMut()) -> Self {
        work();
        work();
        let region = Region::new(ALLOCATOR);
        work();
        let stats = region.change();
        Self { new: stats.allocations, grown: stats.reallocations, bytes: stats.bytes_allocated }
    }
}

/// How many bytes are allocated now, by all threads.
pub(crate) fn live() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

impl fmt::Display for Allocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} + {}, {} B", self.new, self.grown, self.bytes)
    }
}
