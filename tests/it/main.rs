//! End-to-end tests: both transports against raw sockets, real TLS, and the simulator. One module per subject.

mod support;

mod answers;
mod drivers;
mod examples;
mod laws;
mod proxies;
mod redaction;
mod redirects;
mod requests;
mod simulator;
mod sockets;
mod time_outs;
mod tls;
mod token_source;
