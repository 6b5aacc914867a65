//! Builds the requests of the operations and parses their responses.
//!
//! ```text
//! endpoint ──► body ──► request ──► … ──► response ──► json ──► endpoint: the result
//!                                            └──► status · refusal · penalty · host_redirect ──► error
//! ```
//!
//! The diagram shows submodules. `secret` wraps values that must not be printed. `excerpt` shortens text so that it is
//! safe to print. `headers` reads times.

pub(crate) mod ascii;
pub(crate) mod bearer_token;
pub(crate) mod endpoint;
pub(crate) mod error;
pub(crate) mod excerpt;
pub(crate) mod host_redirect;
pub(crate) mod json;
pub(crate) mod penalty;
pub(crate) mod refusal_texts;
pub(crate) mod response;
pub(crate) mod secret;
pub(crate) mod status;
pub(crate) mod time_headers;
pub(crate) mod wiped_body;
