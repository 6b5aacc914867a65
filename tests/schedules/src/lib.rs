//! Runs the token sources under a scheduler that chooses at each lock, wait, atomic and channel which thread or task
//! runs next.
//!
//! Each test is one episode in a simulated world. It runs under many schedules; the variable `SCHEDULES` sets their
//! number. One half of them has few preemptions at random places, the other half chooses randomly at each step. Waits
//! never time out, so a lost wake-up is a deadlock. A failure prints its schedule, which `shuttle::replay` repeats.
//!
//! `bash .ci/run schedules` runs these tests. In all other builds this crate is empty. `bash tests/schedules/breaks.sh`
//! checks that the tests find known defects.

#![cfg(all(test, tradovate_auth_shuttle))]

mod blocking;
mod in_tasks;
mod store;
mod world;
