//! The async HTTP transport of [`tradovate_auth_core`], on [`reqwest`] and [`tokio`](https://docs.rs/tokio).
//!
//! A [`TokenSource`] provides a valid token to any number of tasks. It logs in once and then renews the token.
//!
//! ```no_run
//! use tradovate_auth_reqwest::{TokenSource, from_env};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let (environment, credentials) = from_env()?;
//! let tokens = TokenSource::new(environment, credentials)?;
//! let _keeper = tokens.keep_alive(); // renews ahead of expiry
//! let authorization = tokens.token().await?.header(); // for the calls of your own client
//! # Ok(())
//! # }
//! ```
//!
//! A [`Client`] makes single calls without a session:
//!
//! ```no_run
//! use tradovate_auth_reqwest::{Client, from_env};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let (environment, credentials) = from_env()?;
//! let client = Client::new(environment)?;
//! let grant = client.access_token_request(&credentials).await?.grant()?;
//! let renewed = client.renew_access_token(&grant.access_token).await?.grant_after(&grant)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Logs
//! Each call has a [`tracing`] span `tradovate_auth` with its endpoint, host, status and duration. It contains no
//! secret. The HTTP stack also writes logs. If you store logs, keep `hyper`, `hyper_util`, `h2`, `reqwest` and `rustls`
//! at level `info` or quieter.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod client;
mod keeper;
#[cfg(feature = "middleware")]
mod middleware;
mod storage;
mod sync_primitives;
mod tls;
mod token_source;

pub use client::Client;
pub use keeper::Keeper;
#[cfg(feature = "middleware")]
#[cfg_attr(docsrs, doc(cfg(feature = "middleware")))]
pub use middleware::BearerMiddleware;
#[cfg(tradovate_auth_shuttle)]
#[doc(hidden)]
pub use sync_primitives::{Server, answer_by};
pub use tls::http_client_builder;
pub use token_source::{TokenSource, TokenSourceBuilder, Watch};
pub use tradovate_auth_token_source::{Change, SharedBudget, Token, TokenError, app_from_env, entropy, from_env, now};
