//! The public interface of the protocol core, from requests to grants, against friendly and hostile servers.

mod expiry;
mod forgetting;
mod lock_outs;
mod messages;
mod properties;
mod redaction;
mod redirects;
mod server_time;
mod session;
mod support;
mod user_ids;
mod waits;
