//! Tests of the token sources: one login for any number of callers, kept valid, and never a call sent twice.

mod budget;
mod callbacks;
mod fast_path;
mod keeper;
mod middleware;
mod oauth;
mod redaction;
mod rejected;
mod reqwest_middleware;
mod runtimes;
mod shared;
mod single_flight;
mod stored;
mod token_timeout;
mod two_lines;
mod watch;
