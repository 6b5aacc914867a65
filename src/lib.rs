//! Log in to Tradovate from Rust.
//!
//! This is the front door: it re-exports the protocol (`tradovate-auth-core`) and, by feature, a transport. With no
//! feature it is the protocol alone, for programs that bring their own HTTP client.
//!
//! | feature | module | for |
//! |---|---|---|
//! | `ureq` | `tradovate_auth::ureq` | blocking programs |
//! | `reqwest` | `tradovate_auth::reqwest` | async programs on tokio |
//!
//! This project is not affiliated with Tradovate.
//!
//! # Blocking
#![cfg_attr(feature = "ureq", doc = "```no_run")]
#![cfg_attr(not(feature = "ureq"), doc = "```ignore")]
//! use tradovate_auth::ureq::{Client, FromEnv};
//! use tradovate_auth::{Credentials, Environment, Purpose};
//!
//! let mut client = Client::new(Environment::demo());
//! let grant = client.access_token_request(&Credentials::from_env()?)?.grant()?;
//! for key in client.follow(&grant.hosts) { // the user's organization may be served on hosts of its own
//!     eprintln!("not followed: the host for `{key}`");
//! }
//! let orders = client.environment().url(Purpose::Trading, "/order/list")?;
//! let authorization = grant.access_token.header(); // for any HTTP client, marked sensitive
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Async
#![cfg_attr(feature = "reqwest", doc = "```no_run")]
#![cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
//! use tradovate_auth::reqwest::{Client, FromEnv};
//! use tradovate_auth::{Credentials, Environment};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(Environment::demo())?;
//! let grant = client.access_token_request(&Credentials::from_env()?).await?.grant()?;
//! let renewed = client.renew_access_token(&grant.access_token).await?.grant_after(&grant)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Your own client
//! [`Endpoint::request`] builds a [`Request`](http::Request), [`Endpoint::parse`] reads a [`Response`](http::Response);
//! the example `bring_your_own_client` carries them with hyper. Your client must not follow redirects, must hand over
//! responses of every status, and should have a time-out.
//!
//! # The rooms
//! The page of [`tradovate_auth_core`] is a guided tour of the protocol's types, all of which are here too.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub use tradovate_auth_core::*;

#[cfg(feature = "reqwest")]
pub use tradovate_auth_reqwest as reqwest;
#[cfg(feature = "ureq")]
pub use tradovate_auth_ureq as ureq;

/// The examples of the README.
#[cfg(all(doctest, feature = "ureq"))]
#[doc = include_str!("../README.md")]
struct Readme;
