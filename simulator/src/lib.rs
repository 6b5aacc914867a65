//! A simulator of Tradovate's authentication server for tests. It is deterministic and needs no network.
//!
//! [`Simulator::handle`] takes the time and a request, and returns the response that the real server is known to give.
//! It covers logins and their refusals, two sessions per user, renewals, OAuth with its authorization page and rotating
//! refresh tokens, penalty tickets, captchas, lock-outs, dedicated hosts and maintenance. [`Simulator::connect`] does
//! the same for sockets. In this crate, a *session* is a session of the server.
//!
//! The simulator has no clock and no randomness of its own. So a test can simulate a month in a millisecond, and each
//! run gives the same result. The simulator shares no wire types with the client crates, so it can't hide their
//! mistakes.
//!
//! ```
//! use std::time::Duration;
//!
//! use http::{Request, StatusCode};
//! use tradovate_auth_simulator::{Endpoint, Simulator};
//!
//! let mut simulator = Simulator::builder().build();
//! simulator.penalize_next(Endpoint::Me, Duration::from_secs(3));
//!
//! let request = Request::get("/v1/auth/me").header("Authorization", "Bearer unknown").body("")?;
//! let response = simulator.handle("2026-11-24T14:20:30Z".parse()?, request);
//! assert_eq!(response.status(), StatusCode::OK);
//! assert!(String::from_utf8(response.into_body())?.contains("p-ticket"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`ControlledSimulator`] adds a control interface, by which programs in any language can move the clock, order
//! penalties and end sessions.
//!
//! With the feature `serve`, `SimulatorBuilder::serve` starts an HTTP server on 127.0.0.1, which runs until the
//! returned `Server` is dropped. The feature `cli` (default) adds the binary `tradovate-auth-simulator`, which does the
//! same for programs in any language.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable, clippy::unwrap_used)
)]

mod access_token_request;
mod access_token_response;
mod authorize;
mod builder;
mod call;
mod control;
mod cors;
mod endpoint;
mod fields;
mod grants;
mod hosts;
mod lists;
mod lock_outs;
mod maintenance;
mod me;
mod mint;
mod network;
mod oauth_token;
mod options;
mod penalties;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod program;
mod rates;
mod registration;
mod renew_access_token;
mod reply;
mod script;
mod secret;
#[cfg(feature = "serve")]
mod serve;
mod sessions;
mod side;
mod simulator;
mod sockets;
mod statistics;
#[cfg(test)]
mod tests;
mod time;
mod user;
mod wrong_hosts;

#[cfg(feature = "serve")]
pub use serve::Server;
pub use {
    builder::SimulatorBuilder,
    control::ControlledSimulator,
    endpoint::Endpoint,
    hosts::ApiHosts,
    lock_outs::LockOut,
    maintenance::Maintenance,
    network::Network,
    options::{ClosedSession, EndpointLimit, ExpiredSocket, Limits, Options, OverLimit, RefusalStatus},
    registration::{App, OAuthClient},
    secret::Secret,
    side::Side,
    simulator::Simulator,
    sockets::{SocketId, SocketNext, SocketOutput},
    statistics::{LogEntry, Statistics},
    user::{ApiAccess, User},
    wrong_hosts::WrongHost,
};

/// Runs the examples of the README as tests.
#[cfg(all(doctest, feature = "serve"))]
#[doc = include_str!("../README.md")]
struct Readme;
