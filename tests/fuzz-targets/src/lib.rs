//! The fuzz targets, as functions of bytes: each accepts any input, and panics if the library breaks a guarantee.
//!
//! `cargo fuzz` calls them with a nightly compiler (`fuzz/fuzz_targets`). The tests here replay the committed corpus
//! with the stable one. The targets use only the public interface.

#![forbid(unsafe_code)]
#![allow(clippy::missing_panics_doc, reason = "panicking is how they tell")]

mod api_hosts;
mod control;
mod headers;
mod merges;
mod records;
mod redirect;
mod responses;
mod session;
mod snapshots;
mod sockets;

pub use api_hosts::api_hosts;
pub use control::control;
pub use headers::headers;
pub use merges::merges;
pub use records::records;
pub use redirect::redirect;
pub use responses::responses;
pub use session::session;
pub use snapshots::snapshots;
pub use sockets::sockets;

use http::{HeaderValue, Response, StatusCode};

/// Takes the first bytes of the input. Missing bytes are zero.
fn head<const N: usize>(input: &mut &[u8]) -> [u8; N] {
    let mut head = [0; N];
    let length = N.min(input.len());
    let (taken, rest) = input.split_at(length);
    head[..length].copy_from_slice(taken);
    *input = rest;
    head
}

/// Any status that an HTTP client can return; the important ones are more frequent.
fn status(byte: u8) -> StatusCode {
    const KNOWN: [u16; 16] = [200, 200, 200, 201, 204, 301, 307, 308, 400, 401, 403, 404, 408, 421, 423, 429];
    let code = match byte {
        0..=15 => KNOWN[usize::from(byte)],
        other => 100 + u16::from(other) * 2,
    };
    StatusCode::from_u16(code).unwrap_or(StatusCode::OK)
}

fn response(status: StatusCode, headers: &[(&'static str, &[u8])], body: &[u8]) -> Response<Vec<u8>> {
    let mut response = Response::new(body.to_vec());
    *response.status_mut() = status;
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            response.headers_mut().insert(*name, value);
        }
    }
    response
}

/// The placeholder for every secret. It is as long as a token. Shorter words of a server could be prose, and are
/// printed.
const CANARY: &str = "c4nary-d0-n0t-pr1nt-1t-3v3r";

/// A login that a new simulator accepts.
const SIMULATED_LOGIN: &str =
    r#"{"name":"synthetic-user","password":"synthetic-password","cid":8,"sec":"synthetic-api-secret"}"#;

fn assert_hidden(printed: &str) {
    assert!(!printed.contains(CANARY), "{printed}");
}

#[cfg(test)]
mod tests;
