//! The blocking HTTP transport of [`tradovate_auth_core`], on [`ureq`].
//!
//! A [`TokenSource`] provides a valid token to any number of threads. It logs in once and then renews the token.
//!
//! ```no_run
//! use tradovate_auth_ureq::{TokenSource, from_env};
//!
//! let (environment, credentials) = from_env()?;
//! let tokens = TokenSource::new(environment, credentials);
//! let _keeper = tokens.keep_alive()?; // renews ahead of expiry
//! let accounts =
//!     ureq::get(tokens.url("/account/list")?).header("Authorization", tokens.token()?.header()).call()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Client`] makes single calls without a session:
//!
//! ```no_run
//! use tradovate_auth_ureq::{Client, from_env};
//!
//! let (environment, credentials) = from_env()?;
//! let client = Client::new(environment);
//! let grant = client.access_token_request(&credentials)?.grant()?;
//! let renewed = client.renew_access_token(&grant.access_token)?.grant_after(&grant)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Logs
//! Each call has a [`tracing`] span `tradovate_auth` with its endpoint, host, status and duration. It contains no
//! secret. The HTTP stack also writes logs: at trace level `ureq_proto` dumps headers byte by byte, **including the
//! bearer token**. If you store logs, keep `ureq` and `ureq_proto` at level `info` or quieter.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod client;
mod keeper;
mod middleware;
mod storage;
mod token_source;

pub use client::Client;
pub use keeper::Keeper;
pub use middleware::BearerMiddleware;
pub use token_source::{TokenSource, TokenSourceBuilder, Watch};
pub use tradovate_auth_token_source::{Change, SharedBudget, Token, TokenError, app_from_env, entropy, from_env, now};
