//! Runs the programs in the README and in the pages of `docs/` as doc tests, with one module for each page.
//!
//! `cargo test -p docs` compiles all of them, and runs those that need no account.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

#[cfg(doctest)]
#[doc = include_str!("../environments.md")]
mod environments {}

#[cfg(doctest)]
#[doc = include_str!("../server-messages.md")]
mod server_messages {}

#[cfg(doctest)]
#[doc = include_str!("../sharing.md")]
mod sharing {}

#[cfg(doctest)]
#[doc = include_str!("../oauth.md")]
mod oauth {}

#[cfg(doctest)]
#[doc = include_str!("../embedding.md")]
mod embedding {}

#[cfg(doctest)]
#[doc = include_str!("../testing.md")]
mod testing {}

#[cfg(doctest)]
#[doc = include_str!("../sockets.md")]
mod sockets {}

#[cfg(doctest)]
#[doc = include_str!("../stores.md")]
mod stores {}
