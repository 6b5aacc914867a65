//! The Tradovate authentication protocol without I/O. It builds [`http::Request`] values and parses [`http::Response`]
//! values. Send the requests with any HTTP client.
//!
//! This crate and its dependencies have no I/O, no clock and no randomness. Times are arguments. The re-exported `jiff`
//! has no `Timestamp::now`; if you need it, add `jiff = "1"` to your own dependencies. The crates `tradovate-auth-ureq`
//! (blocking) and `tradovate-auth-reqwest` (async) send the requests. This crate is not affiliated with Tradovate or
//! NinjaTrader. A page name in italics, such as *Rate Limits*, is a page of the vendor's guides or API reference.
//!
//! # A tour
//! An [`Environment`] has the URLs. [`Credentials`] say who logs in. An [`Endpoint`] builds a request and turns the
//! response into a result or into an [`Error`] that says what to do. A [`Grant`] contains tokens that have passed all
//! checks. Use only tokens from a grant.
//!
//! ```
//! use tradovate_auth_core::jiff::Timestamp;
//! use tradovate_auth_core::{
//!     AccessTokenRequest, ClientId, Credentials, DeviceId, Endpoint, Environment, Grant, Purpose, RenewAccessToken, http,
//! };
//!
//! # fn send(request: http::Request<tradovate_auth_core::RequestBody>) -> http::Response<Vec<u8>> {
//! #     let body = r#"{"accessToken":"synthetic","expirationTime":"2026-11-24T15:40:30Z",
//! #         "apiHosts":{"demo":"acme-demo.eval.ninjatrader.com"}}"#;
//! #     http::Response::new(body.into())
//! # }
//! # let (sent, received) = ("2026-11-24T14:20:30Z".parse::<Timestamp>()?, "2026-11-24T14:20:31Z".parse()?);
//! let mut environment = Environment::demo();
//! let credentials = Credentials::new("trader", "password")
//!     .with_app("Sample App", "1.0")
//!     .with_api_key(ClientId::Number(8), "api-secret")
//!     .with_device_id(DeviceId::derive(["machine-id", "sample-app"]));
//!
//! // Log in: build the request, send it, parse the response, check the tokens.
//! let request = AccessTokenRequest::new(&credentials).request(&environment)?;
//! let reply = AccessTokenRequest::parse(send(request))?;
//! let grant = Grant::from_access_token(reply, sent, received, None)?;
//!
//! // The server may have named other hosts for this user's organization. From now on, requests go there.
//! assert!(environment.follow(&grant.hosts).is_empty()); // all named hosts are the vendor's
//! let accounts = environment.url(Purpose::Trading, "/account/list")?;
//! assert_eq!(accounts.to_string(), "https://acme-demo.eval.ninjatrader.com/v1/account/list");
//! assert!(grant.access_token.header().is_sensitive()); // goes into `Authorization`, not into logs
//!
//! // Renew 15 minutes before `grant.expires_at`. A second login would open a second server session.
//! let request = RenewAccessToken::new(grant.access_token.clone()).request(&environment)?;
//! let reply = RenewAccessToken::parse(send(request))?;
//! let renewed = Grant::from_access_token(reply, sent, received, Some(&grant))?;
//! # assert_eq!(renewed.hosts, grant.hosts);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate `tradovate-auth-session` does all this at the right times. Its `Session` returns the next action. You
//! carry out the action and pass the result to the session.
//!
//! # Where to start
//! * URLs and hosts: [`Environment`], [`Purpose`], [`BaseUrl`], [`SecureUrl`], [`ApiHosts`], [`Moved`]
//! * credentials: [`Credentials`], [`ClientId`], [`DeviceId`], and one newtype for each secret
//! * login in the user's browser: [`OAuthApp`], [`AuthorizationRequest`], [`PendingAuthorization`]
//! * the operations: [`AccessTokenRequest`], [`RenewAccessToken`], [`Me`], [`OAuthToken`]
//! * results: [`Reply`], [`Grant`], [`Error`], [`PenaltyTicket`], [`Penalty`]; results of a transport: [`Answer`],
//!   [`CallError`]
//! * time: [`Exchange`], [`ServerClock`]
//! * bodies: [`RequestBody`], [`ResponseBody`]
//!
//! # Guarantees
//! No input causes a panic. No secret appears in a `Debug` or `Display` output or in an error. Our own buffers are
//! wiped on drop if they held a secret. We cannot wipe the copies that HTTP and TLS libraries make.

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::unreachable, clippy::string_slice))]

extern crate alloc;

// `wire` turns an answer into a result. `grant` decides whether its token may be used. `environment` says where requests go.
// `oauth` gets a code from the browser.
mod credentials;
mod environment;
mod environment_variables;
mod grant;
mod oauth;
mod snapshot_fields;
mod transport_result;
mod wire;
#[doc(hidden)]
pub mod workspace_only;

pub use credentials::{ClientId, Credentials, DeviceId, FieldValue};
pub use environment::api_hosts::ApiHosts;
pub use environment::trusted_hosts::is_trusted_host;
pub use environment::url::{BaseUrl, SecureUrl};
pub use environment::{Environment, Purpose};
pub use environment_variables::VariableError;
pub use grant::server_clock::{Exchange, ServerClock};
pub use grant::{Grant, MarketDataGrant, RefreshGrant};
pub use oauth::{
    AuthorizationRequest, AuthorizationUrl, Denial, DenialKind, Entropy, OAuthApp, PendingAuthorization, RedirectError,
    StoredAuthorization,
};
pub use transport_result::{Answer, CallError};
pub use wire::bearer_token::{AccessToken, MalformedToken, MarketDataToken};
pub use wire::endpoint::{
    AccessTokenRequest, AccessTokenResponse, AuthorizedCode, BodyFormat, Endpoint, HibpHint, Me, MeResponse,
    OAuthGrant, OAuthToken, OAuthTokenResponse, RenewAccessToken, Reply, UserStatus,
};
pub use wire::error::{BuildError, Contradiction, DeadToken, Error, Failure, Undecodable, UndecodableKind};
pub use wire::host_redirect::Moved;
pub use wire::penalty::{Penalty, PenaltyTicket};
pub use wire::refusal_texts::{Refusal, RefusalKind};
pub use wire::secret::{ApiSecret, Assertion, CaptchaAnswer, ClientSecret, HttpAuth, IdToken, Password, RefreshToken};
pub use wire::wiped_body::{Oversized, RequestBody, ResponseBody};

pub use {http, jiff};
