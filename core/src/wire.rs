//! What goes over the wire: from an operation to its request, and from a response to a result or to what came instead of it.
//!
//! ```text
//! endpoint ──► body ──► request ──► … ──► response ──► answer ──► json ──► endpoint: the result
//!                                                        └──► moved · penalty · error
//! ```
//!
//! `secret` wraps what must not be printed, `excerpt` bounds what may be, and `headers` reads the times.

pub(crate) mod answer;
pub(crate) mod ascii;
pub(crate) mod body;
pub(crate) mod endpoint;
pub(crate) mod error;
pub(crate) mod excerpt;
pub(crate) mod headers;
pub(crate) mod json;
pub(crate) mod moved;
pub(crate) mod penalty;
pub(crate) mod secret;
