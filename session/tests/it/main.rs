//! Tests of the session's public interface, with simulated clocks and servers.

mod driver;
mod expiry;
#[path = "../../../core/tests/vectors/file.rs"]
mod file;
mod forgetting;
mod laws;
mod lock_outs;
#[path = "../../../core/tests/vectors/schema.rs"]
mod schema;
mod server_time;
mod session;
mod store;
mod user_ids;
mod vectors;
mod waits;
