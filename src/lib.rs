//! Log in to [Tradovate](https://www.tradovate.com) from Rust, and stay logged in.
//!
//! A `TokenSource` logs in once, renews the token before it expires, and handles penalties, lock-outs, closed server
//! sessions and changes of hosts. It has been tested only against the simulator (`tradovate-auth-simulator`), not
//! against the real server. This project is not affiliated with Tradovate or NinjaTrader.
//!
//! # Features
//! Without a feature, this crate contains the protocol and the session. No crate in its dependency tree then has I/O, a
//! clock or randomness.
//!
//! | feature | adds |
//! |---|---|
//! | `ureq` | `tradovate_auth::ureq`: a blocking client and token source |
//! | `reqwest` | `tradovate_auth::reqwest`: an async client and token source, for tokio |
//! | `reqwest-middleware` | `tradovate_auth::reqwest::BearerMiddleware`, for clients of `reqwest-middleware` 0.5 |
//! | `file` | `tradovate_auth::store::FileStore`: processes of one machine share one login |
//! | `redis` | `tradovate_auth::redis::RedisStore`: processes of many machines share one login |
//! | `seal` | `tradovate_auth::store::SealingKey`: encrypts the records of a store with your key |
//!
//! # Blocking
#![cfg_attr(feature = "ureq", doc = "```no_run")]
#![cfg_attr(not(feature = "ureq"), doc = "```ignore")]
//! use tradovate_auth::ureq::{TokenSource, from_env};
//!
//! let (environment, credentials) = from_env()?; // TRADOVATE_USERNAME and others
//! let tokens = TokenSource::new(environment, credentials);
//! let accounts = tokens.url("/account/list")?; // on the host that serves the user's organization
//! let authorization = tokens.token()?.header(); // logs in first, renews later when it is time
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Async
#![cfg_attr(feature = "reqwest", doc = "```no_run")]
#![cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
//! use tradovate_auth::reqwest::{TokenSource, from_env};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let (environment, credentials) = from_env()?;
//! let tokens = TokenSource::new(environment, credentials)?;
//! let _keeper = tokens.keep_alive(); // renews 15 minutes before the token expires
//! let authorization = tokens.token().await?.header();
//! # Ok(())
//! # }
//! ```
//!
//! The `Client` of each module makes single calls without a session.
//!
//! # Several processes
//! A user can have two server sessions. A third login closes the oldest one. With `TokenSource::shared` of either
//! module, all processes that share a store use one login. The stores are `store::FileStore` (one machine) and
//! `redis::RedisStore` (many machines). A store of your own implements `store::Store` or `store::AsyncStore`.
//!
//! # Login in the user's browser
//! [`AuthorizationRequest::begin`] returns the URL for the browser. [`PendingAuthorization::redirected`] takes the URL
//! that the browser was redirected to, and returns a code. [`Login::code`] starts a `TokenSource` with the code.
//!
//! # Your own runtime or client
//! [`Session::poll`] says what to send and when. Pass the result to [`Session::receive`] or [`Session::failed`]. For a
//! single call, [`Endpoint::request`] builds a [`Request`](http::Request), and [`Endpoint::parse`] reads the
//! [`Response`](http::Response):
//!
//! ```
//! use tradovate_auth::{AccessTokenRequest, Credentials, Endpoint, Environment, Error, http};
//!
//! let credentials = Credentials::new("trader", "password");
//! let request = AccessTokenRequest::new(&credentials).request(&Environment::demo())?;
//! assert_eq!(request.uri(), "https://demo.tradovateapi.com/v1/auth/accesstokenrequest");
//!
//! let response = http::Response::new(r#"{"errorText":"The app is not registered"}"#); // a refusal has status 200
//! assert!(matches!(AccessTokenRequest::parse(response), Err(Error::Refused(_))));
//! # Ok::<(), tradovate_auth::BuildError>(())
//! ```
//!
//! Your client must follow no redirects and must return answers of every status. It needs a time-out, a limit for the
//! length of answers, and no proxy for plain http. The `jiff` that this crate re-exports has no clock: for
//! `Timestamp::now`, add `jiff = "1"` to your own dependencies.
//!
//! # More
//! [`tradovate_auth_core`] has a tour of the types of the protocol, and [`tradovate_auth_session`] has a list of the
//! types of the session. This crate contains all of them. The source tree of the project has a page for each question
//! (folder `docs`) and whole programs (folder `examples`).

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub use tradovate_auth_core::*;
pub use tradovate_auth_session::*;

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
