//! Cross-origin resource sharing (CORS) for browsers. Every origin is allowed. The answer names the origin and allows
//! credentials.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};

use crate::reply::Reply;

const MAX_AGE: &str = "1800";

/// The answer to a preflight request; `None` for every other request.
pub(crate) fn preflight(parts: &Parts) -> Option<Reply> {
    let headers = &parts.headers;
    let is_preflight = parts.method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight {
        return None;
    }
    let reply = Reply::empty(StatusCode::NO_CONTENT)
        .with_header(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS")
        .with_header(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    Some(match headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).and_then(|names| names.to_str().ok()) {
        Some(names) => reply.with_header(header::ACCESS_CONTROL_ALLOW_HEADERS, names),
        None => reply,
    })
}

/// Adds the headers that allow the page that sent a request to read the response.
pub(crate) fn decorate(request: &HeaderMap, response: &mut Response<Vec<u8>>) {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = request.get(header::ORIGIN) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}
