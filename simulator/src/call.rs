//! A request as the endpoints see it: host, side, network, token and fields.

use http::{HeaderMap, Uri, header};
use jiff::Timestamp;

use crate::{
    endpoint::Endpoint,
    fields::{Fields, Repetition},
    network::Network,
    side::{Side, hostname},
};

/// A request to one of the endpoints.
pub(crate) struct Call<'a> {
    pub(crate) endpoint: Endpoint,
    /// The server's time at which the request is handled.
    pub(crate) now: Timestamp,
    pub(crate) uri: &'a Uri,
    pub(crate) host: String,
    pub(crate) side: Side,
    pub(crate) network: Network,
    /// The token from `Authorization: Bearer …`.
    pub(crate) bearer: Option<&'a str>,
    /// The fields of a POST body; `None` for a GET.
    pub(crate) fields: Option<Fields>,
    /// The ticket and the captcha answer that came with a repeated request.
    pub(crate) repetition: Repetition,
}

/// The hostname that a request is for: from an absolute URI, otherwise from the `Host` header.
pub(crate) fn host(uri: &Uri, headers: &HeaderMap) -> String {
    let authority = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => text(headers, &header::HOST),
    };
    hostname(authority.rsplit('@').next().unwrap_or_default())
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, &header::AUTHORIZATION).split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The text of a header; empty if the header is absent.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
