//! What is fuzzed, as functions of bytes: each takes whatever comes, and panics where a promise is broken.
//!
//! `cargo fuzz` calls them on a nightly compiler (`fuzz/fuzz_targets`); the tests here replay the committed corpus on
//! the stable one. Nothing in here looks into the core: it is driven through its public interface.

#![forbid(unsafe_code)]
#![allow(clippy::missing_panics_doc, reason = "panicking is how they tell")]

mod api_hosts;
mod headers;
mod redirect;
mod responses;
mod session;
mod snapshots;

pub use api_hosts::api_hosts;
pub use headers::headers;
pub use redirect::redirect;
pub use responses::responses;
pub use session::session;
pub use snapshots::snapshots;

use http::{HeaderValue, Response, StatusCode};

/// Cuts a head off the input; what is not there is zero.
fn head<const N: usize>(input: &mut &[u8]) -> [u8; N] {
    let mut head = [0; N];
    let length = N.min(input.len());
    let (taken, rest) = input.split_at(length);
    head[..length].copy_from_slice(taken);
    *input = rest;
    head
}

/// Any status an HTTP client can bring, the important ones more often.
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

/// Stands for every secret. It is as long as tokens are: shorter words of a server can be prose, and are shown.
const CANARY: &str = "c4nary-d0-n0t-pr1nt-1t-3v3r";

fn assert_hidden(printed: &str) {
    assert!(!printed.contains(CANARY), "{printed}");
}

#[cfg(test)]
mod tests;
