//! End-to-end tests of both transports with raw sockets, real TLS and the simulator, one module per subject.

mod support;

mod answers;
mod drivers;
mod examples;
mod laws;
mod limits;
mod proxies;
mod redaction;
mod redirects;
mod requests;
mod simulator;
mod sockets;
mod time_outs;
mod tls;
mod token_source;
