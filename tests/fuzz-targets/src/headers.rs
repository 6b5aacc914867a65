//! The fuzz target for the headers that the library reads: `Location`, `Date`, `Retry-After`.

use http::StatusCode;
use tradovate_auth_core::{Endpoint, Environment, Error, OAuthToken, RefreshToken, is_trusted_host};

use crate::{head, response, status};

/// Reads a response with one arbitrary header. The first byte is its status, the second selects the header.
pub fn headers(mut input: &[u8]) {
    let [code, which] = head(&mut input);
    let date = b"Tue, 24 Nov 2026 14:20:30 GMT";
    let headers: [(&str, &[u8]); 3] = match which % 4 {
        0 => [("location", input), ("date", b""), ("retry-after", b"")],
        1 => [("location", b""), ("date", input), ("retry-after", date)],
        2 => [("location", b""), ("date", date), ("retry-after", input)],
        _ => [("location", input), ("date", input), ("retry-after", input)],
    };
    let code = if which & 8 == 0 { StatusCode::TEMPORARY_REDIRECT } else { status(code) };

    let environment = Environment::live();
    let request = OAuthToken::new("app", RefreshToken::new("token")).request(&environment).expect("a request");
    match OAuthToken::parse(response(code, &headers, b"")) {
        Ok(_) => {}
        Err(Error::Moved(moved)) => {
            drop((moved.to_string(), moved.host()));
            if let Some(redirected) = environment.redirect(&request, &moved) {
                let uri = redirected.uri();
                assert_eq!(uri.scheme_str(), Some("https"), "{uri}");
                assert!(uri.host().is_some_and(is_trusted_host), "{uri}");
                assert_eq!(uri.path_and_query(), request.uri().path_and_query(), "{uri}");
                assert_eq!(redirected.body().as_ref(), request.body().as_ref());
            }
        }
        Err(error) => drop((error.to_string(), error.retry_after())),
    }
}
