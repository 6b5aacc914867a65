//! URIs as far as a redirect is compared with what was asked for: scheme, authority, path, query.
//!
//! A redirect URI can have a scheme of the app's own (`com.example.app:/callback`), which `http::Uri` does not read.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use core::net::Ipv6Addr;

use super::redirect::is_well_formed;
use crate::place::url::SecureUrl;
use crate::wire::error::BuildError;

/// The parts of a URI. Two with the same address are answered by the same listener.
pub(super) struct Parts<'u> {
    scheme: &'u str,
    authority: Option<&'u str>,
    path: &'u str,
    pub(super) query: Option<&'u str>,
}

impl<'u> Parts<'u> {
    /// Takes a URI apart, a fragment left out, which servers never see; nothing where it has no scheme.
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

    /// Whether both have the same address. Scheme and host are compared without case and a default port is none, since
    /// browsers write them so (RFC 3986, section 6.2); all else is compared to the letter.
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

    /// Whether a browser leaves it as it is but for what [`is_same_address`](Self::is_same_address) allows for: no dot
    /// segments, no backslashes, a port without leading zeros, an IPv6 address in its shortest form.
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

/// Checks a redirect URI: https, http on this machine, or a scheme of the app's own with a dot in it (RFC 8252, section
/// 7.1); no fragment (RFC 6749, section 3.1.2), and no parameter that the answer will bring.
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
        return invalid("a redirect URI has no `code`, `state` or `error` in its query: the answer brings them");
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

/// Whether a parameter is one of an answer's.
pub(super) fn is_answer(name: &str) -> bool {
    ["code", "state", "error", "error_description"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_same(one: &str, other: &str) -> bool {
        Parts::of(one).unwrap().is_same_address(&Parts::of(other).unwrap())
    }

    #[test]
    fn an_address_is_the_same_however_a_browser_writes_it() {
        for (asked, came) in [
            ("http://127.0.0.1:8765/callback", "http://127.0.0.1:8765/callback?code=1"),
            ("http://localhost:8888", "http://localhost:8888/?code=1"),
            ("https://App.Example/cb", "HTTPS://app.example:443/cb?code=1"),
            ("http://localhost:80/cb", "http://localhost/cb"),
            ("com.example.app:/cb", "com.example.app:/cb?code=1#_"),
            ("https://app.example/cb?tenant=1", "https://app.example/cb?tenant=1&code=1"),
        ] {
            assert!(is_same(asked, came), "{asked} {came}");
        }
    }

    #[test]
    fn another_scheme_host_port_or_path_is_another_address() {
        for came in [
            "https://127.0.0.1:8765/callback",
            "http://localhost:8765/callback",
            "http://127.0.0.1:8766/callback",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:8765",
            "http://127.0.0.1:8765/",
            "http://127.0.0.1:8765/callback/",
            "http://127.0.0.1:8765/Callback",
            "http://127.0.0.1:8765/%63allback",
            "http://127.0.0.1:8765//callback",
            "http://user@127.0.0.1:8765/callback",
            "http://127.0.0.1:8765@evil.example/callback",
            "http:/127.0.0.1:8765/callback",
            "com.example.app:/callback",
        ] {
            assert!(!is_same("http://127.0.0.1:8765/callback", came), "{came}");
        }
        assert!(!is_same("https://app.example:80/cb", "https://app.example/cb"));
        assert!(!is_same("http://app.example:443/cb", "http://app.example/cb"));
    }

    #[test]
    fn what_has_no_scheme_is_no_uri() {
        for text in ["", "/callback?code=1", "callback", ":", "1a:/", "#a:b", "?a:b", "ü:/", "http//x"] {
            assert!(Parts::of(text).is_none(), "{text}");
        }
    }

    //= R-AUTHORIZE-7
    #[test]
    fn a_redirect_uri_is_https_or_loopback_or_the_apps_own() {
        for uri in [
            "https://app.example/cb",
            "https://app.example/cb?tenant=1",
            "http://127.0.0.1:8765/callback",
            "http://[::1]:8765/",
            "http://[::1]/",
            "https://[2001:db8::1]/cb",
            "https://app.example/.well-known/cb..?x=%2e%2e/../",
            "http://localhost:8888/",
            "http://localhost",
            "com.example.app:/callback",
        ] {
            assert_eq!(check_redirect_uri(uri), Ok(()), "{uri}");
        }
    }

    #[test]
    fn a_redirect_uri_that_can_leak_or_run_something_is_refused() {
        for uri in [
            "",
            "/callback",
            "https://",
            "https://app.example/cb#fragment",
            "https://user@app.example/cb",
            "https://app.example/c b",
            "https://app.example/cb\n",
            "https://äpp.example/cb",
            "https://app.example/cb?code=1",
            "https://app.example/cb?x=1&st%61te=1",
            "https://app.example:99999/cb",
            "https://app.example:0443/cb",
            "https://app.example/a/../cb",
            "https://app.example/%2E/cb",
            "https://app.example/.",
            "https://app.example/a\\b",
            "https://app.example/cb?x=%zz",
            "http://[0:0:0:0:0:0:0:1]:8765/cb",
            "https://[2001:db8:0:0:0:0:0:1]/cb",
            "com.example.app:/a/../cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "myapp:/callback",
        ] {
            assert!(matches!(check_redirect_uri(uri), Err(BuildError::InvalidUrl { .. })), "{uri}");
        }
        assert_eq!(
            check_redirect_uri("http://app.example/cb"),
            Err(BuildError::PlainHttp { host: "app.example".into() })
        );
    }
}
