//! Log in to Tradovate from Rust, and stay logged in.
//!
//! This crate re-exports the protocol (`tradovate-auth-core`) and, by feature, a transport. With no
//! feature it is the protocol alone, for programs that bring their own HTTP client.
//!
//! | feature | module | for |
//! |---|---|---|
//! | `ureq` | `tradovate_auth::ureq` | blocking programs |
//! | `reqwest` | `tradovate_auth::reqwest` | async programs on tokio |
//! | `file` | `tradovate_auth::store::FileStore` | processes of one machine that share a login |
//! | `redis` | `tradovate_auth::redis` | processes on many machines that share a login |
//! | `seal` | `tradovate_auth::store::SealingKey` | what is stored, encrypted with a key of yours |
//!
//! This project is not affiliated with Tradovate or NinjaTrader.
//!
//! # Blocking
#![cfg_attr(feature = "ureq", doc = "```no_run")]
#![cfg_attr(not(feature = "ureq"), doc = "```ignore")]
//! use tradovate_auth::ureq::{FromEnv, TokenSource};
//! use tradovate_auth::{Credentials, Environment};
//!
//! let tokens = TokenSource::new(Environment::demo(), Credentials::from_env()?);
//! let orders = tokens.url("/order/list")?; // at the host that serves the user's organization
//! let authorization = tokens.token()?.header(); // logs in the first time, renews when it has to
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Async
#![cfg_attr(feature = "reqwest", doc = "```no_run")]
#![cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
//! use tradovate_auth::reqwest::{FromEnv, TokenSource};
//! use tradovate_auth::{Credentials, Environment};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let tokens = TokenSource::new(Environment::demo(), Credentials::from_env()?)?;
//! let _keeper = tokens.keep_alive(); // renews ahead of expiry
//! let authorization = tokens.token().await?.header();
//! # Ok(())
//! # }
//! ```
//!
//! Single calls without a session are `Client` of either module.
//!
//! # Several processes
//! `TokenSource::shared` of either module keeps one login for all processes that share a store: `store::FileStore` on one
//! machine (feature `file`), `redis::RedisStore` on many (feature `redis`), or one of your own, which implements `store::Store`
//! or `store::AsyncStore`. The examples `shared` and `shared-async` are whole programs.
//!
//! # The user's browser
//! An [`AuthorizationRequest`] of an [`OAuthApp`] begins a login, the redirect brings a code, and
//! `TokenSource::from_code` of either module goes on from there; the examples `oauth-login` and `oauth-web-server` are whole
//! programs.
//!
//! # Your own runtime or client
//! A [`Session`] says what to send and when, and is told what came of it; the example `manual-loop` drives one.
//! [`Endpoint::request`] builds a [`Request`](http::Request), [`Endpoint::parse`] reads a [`Response`](http::Response);
//! the example `bring-your-own-client` carries them with hyper. Your client must not follow redirects, must hand over
//! responses of every status, and needs a time-out, a limit for the length of answers, and no proxy for plain http.
//!
//! # Where to find what
//! The page of [`tradovate_auth_core`] is a guided tour of the protocol's types, all of which are here too.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub use tradovate_auth_core::*;

#[cfg(feature = "reqwest")]
#[doc(inline)]
pub use tradovate_auth_reqwest as reqwest;
#[cfg(any(feature = "file", feature = "redis", feature = "reqwest", feature = "seal", feature = "ureq"))]
#[doc(inline)]
pub use tradovate_auth_store as store;
#[cfg(feature = "redis")]
#[doc(inline)]
pub use tradovate_auth_store_redis as redis;
#[cfg(feature = "ureq")]
#[doc(inline)]
pub use tradovate_auth_ureq as ureq;

/// The examples of the README.
#[cfg(all(doctest, feature = "ureq"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// A store of the user's own.
#[cfg(all(doctest, feature = "reqwest"))]
#[doc = include_str!("../docs/stores.md")]
struct Stores;
