//! Compares a redirect with the redirect URI: scheme, authority, path and query.
//!
//! A redirect URI can have a scheme of the app's own (`com.example.app:/callback`), which `http::Uri` can't parse.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use core::net::Ipv6Addr;

use super::redirect::is_well_formed;
use crate::environment::url::SecureUrl;
use crate::wire::error::BuildError;

/// The parts of a URI. Two URIs have the same address if the same listener answers both.
pub(super) struct Parts<'u> {
    scheme: &'u str,
    authority: Option<&'u str>,
    path: &'u str,
    pub(super) query: Option<&'u str>,
}

impl<'u> Parts<'u> {
    /// Splits a URI into its parts without the fragment, which browsers do not send. `None` if it has no scheme.
    pub(super) fn of(uri: &'u str) -> Option<Self> {
        let uri = uri.split_once('#').map_or(uri, |(before, _)| before);
        let (scheme, rest) = uri.split_once(':')?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let (hierarchy, query) = match rest.split_once('?') {
            Some((hierarchy, query)) => (hierarchy, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = match hierarchy.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
                (Some(authority), path)
            }
            None => (None, hierarchy),
        };
        is_scheme.then_some(Self { scheme, authority, path, query })
    }

    /// Whether both have the same address. Scheme and host are compared without case, and a default port counts as no
    /// port, because browsers write URIs like this (RFC 3986, section 6.2). All other parts must be equal.
    pub(super) fn is_same_address(&self, other: &Self) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.normal_authority() == other.normal_authority()
            && self.path == other.path
    }

    fn normal_authority(&self) -> Option<String> {
        let authority = self.authority?.to_ascii_lowercase();
        let default_port = if self.scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
        Some(authority.strip_suffix(default_port).unwrap_or(&authority).to_string())
    }

    /// Whether a browser leaves the URI unchanged, apart from the differences that
    /// [`is_same_address`](Self::is_same_address) allows: no dot segments, no backslashes, no leading zeros in the
    /// port, and an IPv6 address in its shortest form.
    fn is_as_browsers_write_it(&self) -> bool {
        let is_dots = |segment: &str| [".", ".."].contains(&segment.to_ascii_lowercase().replace("%2e", ".").as_str());
        let (host, port) = match self.authority.unwrap_or_default() {
            v6 if v6.starts_with('[') => v6.split_at(v6.find(']').map_or(v6.len(), |end| end.saturating_add(1))),
            other => other.split_at(other.find(':').unwrap_or(other.len())),
        };
        let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_shortest = |v6: &str| v6.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == v6);
        !self.path.contains('\\')
            && !self.path.split('/').any(is_dots)
            && !port.starts_with(":0")
            && v6.is_none_or(is_shortest)
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (Cow<'u, str>, Cow<'u, str>)> + use<'u> {
        form_urlencoded::parse(self.query.unwrap_or_default().as_bytes())
    }
}

/// Checks a redirect URI. It must use https, http on this machine, or a scheme of the app's own that contains a dot
/// (RFC 8252, section 7.1). It must have no fragment (RFC 6749, section 3.1.2) and no parameter that an answer
/// contains.
//= R-AUTHORIZE-7
pub(super) fn check_redirect_uri(uri: &str) -> Result<(), BuildError> {
    let invalid = |reason| Err(BuildError::InvalidUrl { reason });
    if uri.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return invalid("a redirect URI has visible ASCII characters only");
    }
    let Some(parts) = Parts::of(uri).filter(|_| !uri.contains('#')) else {
        return invalid("a redirect URI has a scheme and no fragment");
    };
    if parts.pairs().any(|(name, _)| is_answer(&name)) {
        return invalid("a redirect URI has no `code`, `state`, `error` or `iss` in its query: the answer brings them");
    }
    if !parts.is_as_browsers_write_it() || !is_well_formed(parts.query.unwrap_or_default()) {
        return invalid("a redirect URI is written as a browser would write it, or the answer goes astray");
    }
    match parts.scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => SecureUrl::parse(uri).map(drop),
        scheme if scheme.contains('.') => Ok(()),
        _ => {
            invalid("a redirect URI is https, http on this machine, or has a scheme of the app's own, with a dot in it")
        }
    }
}

/// Whether an answer can have a parameter of this name.
pub(super) fn is_answer(name: &str) -> bool {
    ["code", "state", "error", "error_description", "iss"].contains(&name)
}
