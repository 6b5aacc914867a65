//! What the tests of the endpoints share: requests as text, and responses in one line.

use alloc::string::String;
use core::fmt::Write as _;

use http::{Request, Response, StatusCode};
use jiff::Timestamp;

use super::{AccessTokenRequest, Endpoint, Me, OAuthToken, RenewAccessToken, Reply};
use crate::wire::body::RequestBody;
use crate::wire::error::{BuildError, Error};

/// A request as it goes over the wire, secrets included.
pub(crate) fn show(request: Result<Request<RequestBody>, BuildError>) -> String {
    let (parts, body) = request.unwrap().into_parts();
    let mut text = alloc::format!("{} {}\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        let sensitive = if value.is_sensitive() { " (sensitive)" } else { "" };
        writeln!(text, "{name}: {}{sensitive}", value.to_str().unwrap()).unwrap();
    }
    text + core::str::from_utf8(body.as_ref()).unwrap()
}

/// The body of a request.
pub(crate) fn body(request: Result<Request<RequestBody>, BuildError>) -> String {
    String::from_utf8(request.unwrap().into_body().as_ref().to_vec()).unwrap()
}

/// What becomes of each request: `ok`, or what is wrong with which field.
pub(crate) fn faults<const N: usize>(requests: [Result<Request<RequestBody>, BuildError>; N]) -> String {
    let faults = requests.map(|request| match request {
        Ok(_) => "ok".into(),
        Err(BuildError::Empty { field }) => field + " empty",
        Err(BuildError::TooLong { field, limit }) => alloc::format!("{field} > {limit}"),
        Err(BuildError::ControlCharacter { field }) => field + " control",
        Err(other) => panic!("{other:?}"),
    });
    faults.join(", ")
}

/// A response of status 200.
pub(crate) fn ok(body: &str) -> Response<&[u8]> {
    Response::new(body.as_bytes())
}

/// A response of another status.
pub(crate) fn status(status: u16, body: &str) -> Response<&[u8]> {
    let mut response = ok(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

pub(crate) fn with<'b>(mut response: Response<&'b [u8]>, header: &'static str, value: &str) -> Response<&'b [u8]> {
    response.headers_mut().insert(header, value.parse().unwrap());
    response
}

/// What a response was instead of a result.
pub(crate) fn refused<T>(result: Result<Reply<T>, Error>) -> Error {
    match result {
        Ok(_) => panic!("a result where none was expected"),
        Err(error) => error,
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// What all endpoints make of a response: login, renewal, `me`, OAuth.
pub(crate) fn all(response: &Response<&[u8]>) -> [Error; 4] {
    [
        refused(AccessTokenRequest::parse(response.clone())),
        refused(RenewAccessToken::parse(response.clone())),
        refused(Me::parse(response.clone())),
        refused(OAuthToken::parse(response.clone())),
    ]
}

/// What the endpoints that bring tokens make of a 200: login, renewal, OAuth.
pub(crate) fn of_tokens(body: &str) -> [Error; 3] {
    [
        refused(AccessTokenRequest::parse(ok(body))),
        refused(RenewAccessToken::parse(ok(body))),
        refused(OAuthToken::parse(ok(body))),
    ]
}

/// What all endpoints make of a response, where they must agree.
pub(crate) fn each(response: &Response<&[u8]>) -> Error {
    let errors = all(response);
    let shown = errors.each_ref().map(|error| alloc::format!("{error:?}"));
    assert!(shown.iter().all(|one| *one == shown[0]), "{shown:#?}");
    errors.into_iter().next().unwrap()
}
