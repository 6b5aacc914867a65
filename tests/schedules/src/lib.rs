//! The token sources under a scheduler that decides which thread or task runs next, at each lock, wait, atomic and channel.
//!
//! One test is one episode in a simulated world, run in many orders: as many as `SCHEDULES` says, half of them with few
//! preemptions at random places, and half random at each step. No wait ends by its time, so a wake-up that is lost is a
//! deadlock. A failure prints the schedule, which `shuttle::replay` repeats.
//!
//! `bash .ci/run schedules` runs them; otherwise this crate is empty. `bash tests/schedules/breaks.sh` shows that the tests
//! find what they look for.

#![cfg(all(test, tradovate_auth_shuttle))]

mod blocking;
mod in_tasks;
mod store;
mod world;
