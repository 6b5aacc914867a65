//! Fleets of real processes on one store: in files, and in a Redis that these tests start (Debian: `redis-server`).
fn main() {}
