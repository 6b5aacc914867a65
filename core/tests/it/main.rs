//! The public interface of the protocol core, from requests to grants, against friendly and hostile servers.

mod messages;
mod properties;
mod redaction;
mod redirects;
mod support;
