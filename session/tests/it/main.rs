//! The public interface of the session, over simulated clocks and servers.

mod driver;
mod expiry;
mod forgetting;
mod laws;
mod lock_outs;
mod server_time;
mod session;
mod store;
mod user_ids;
mod waits;
