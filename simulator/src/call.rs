//! A request as the endpoints see it: where it came from, which side it is for, its token and its fields.

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
    /// In the server's time.
    pub(crate) now: Timestamp,
    pub(crate) uri: &'a Uri,
    pub(crate) host: String,
    pub(crate) side: Side,
    pub(crate) network: Network,
    /// The token of `Authorization: Bearer`.
    pub(crate) bearer: Option<&'a str>,
    /// The body of a POST; a GET has none.
    pub(crate) fields: Option<Fields>,
    /// What came with the body because it is sent again.
    pub(crate) repetition: Repetition,
}

/// The hostname a request is for: from its URI where that is absolute, else from `Host`.
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

/// A header's text; empty when there is none.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
