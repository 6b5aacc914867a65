//! Decides to which requests a middleware may add the token.

use http::Uri;
use tradovate_auth_core::{Environment, Purpose};

/// Whether a middleware may add the token to a request: the URL has the same scheme, host and port as one of the
/// environment's hosts.
#[must_use]
pub fn may_see_token(environment: &Environment, uri: &Uri) -> bool {
    let bases = Purpose::ALL.into_iter().filter_map(|purpose| environment.base_url(purpose));
    bases.into_iter().any(|base| {
        let base = base.as_uri();
        base.scheme() == uri.scheme() && base.host() == uri.host() && port(base) == port(uri)
    })
}

fn port(uri: &Uri) -> Option<u16> {
    uri.port_u16().or(match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    })
}
