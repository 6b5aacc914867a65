//! [`SecureUrl`] and [`BaseUrl`]: URLs that secrets may be sent to. They use https, or http to this machine.
//!
//! A [`SecureUrl`] is checked once, when it is created. Endpoint paths are appended to a [`BaseUrl`].

use alloc::string::{String, ToString};
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use bytes::Bytes;
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

use crate::wire::error::BuildError;

/// A URL that secrets may be sent to: https, or http if the host is this machine.
///
/// It contains no user name, no password and no fragment. It may contain a query. `http` is allowed for `localhost`,
/// `127.0.0.0/8` and `[::1]` only.
///
/// ```
/// use tradovate_auth_core::SecureUrl;
///
/// assert!(SecureUrl::parse("https://live.tradovateapi.com/auth/oauthtoken").is_ok());
/// assert!(SecureUrl::parse("http://live.tradovateapi.com/auth/oauthtoken").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecureUrl(Uri);

impl SecureUrl {
    /// Parses and checks a URL.
    ///
    /// # Errors
    /// [`BuildError::InvalidUrl`] says what is wrong with the URL. [`BuildError::PlainHttp`] if it uses `http` and the
    /// host is not this machine.
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        if text.contains('#') {
            return Err(invalid("it must not have a fragment"));
        }
        let uri =
            Uri::from_str(text).map_err(|_| invalid("it is not a URL; it has to start with https:// and a host"))?;
        Self::try_from(uri)
    }

    /// The host without port. An IPv6 address has brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host().unwrap_or_default()
    }

    /// Whether the URL uses plain http, which is allowed only to this machine. Such a request must not go through a
    /// proxy.
    #[must_use]
    pub fn is_plain_http(&self) -> bool {
        self.0.scheme() == Some(&Scheme::HTTP)
    }

    /// The URL for [`http::Request`].
    #[must_use]
    pub fn as_uri(&self) -> &Uri {
        &self.0
    }
}

impl TryFrom<Uri> for SecureUrl {
    type Error = BuildError;

    fn try_from(uri: Uri) -> Result<Self, BuildError> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(invalid("it must start with https:// and name a host"));
        };
        if authority.as_str().contains('@') {
            return Err(invalid("it must not have a user name or password in it"));
        }
        let host = authority.host();
        if host.is_empty() {
            return Err(invalid("it must name a host"));
        }
        if has_bad_port(authority) {
            return Err(invalid("its port is not a number from 0 to 65535"));
        }
        match scheme.as_str() {
            "https" => Ok(Self(uri)),
            //= R-HOST-13
            "http" if is_loopback(host) => Ok(Self(uri)),
            "http" => Err(BuildError::PlainHttp { host: host.to_string() }),
            _ => Err(invalid("its scheme must be https")),
        }
    }
}

impl From<SecureUrl> for Uri {
    fn from(url: SecureUrl) -> Self {
        url.0
    }
}

impl FromStr for SecureUrl {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        Self::parse(text)
    }
}

impl fmt::Display for SecureUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A [`SecureUrl`] without a query, such as `https://demo.tradovateapi.com/v1`. Paths are appended to it.
///
/// ```
/// use tradovate_auth_core::BaseUrl;
///
/// let base = BaseUrl::parse("https://demo.tradovateapi.com/v1/")?;
/// assert_eq!(base.to_string(), "https://demo.tradovateapi.com/v1");
/// assert_eq!(base.join("/account/list")?.to_string(), "https://demo.tradovateapi.com/v1/account/list");
/// # Ok::<(), tradovate_auth_core::BuildError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl(SecureUrl);

impl BaseUrl {
    /// Parses and checks a base URL. Slashes at its end are removed.
    ///
    /// # Errors
    /// The same as [`SecureUrl::parse`], and [`BuildError::InvalidUrl`] if the URL has a query.
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        if text.contains('?') {
            return Err(invalid("a base URL must not have a query"));
        }
        SecureUrl::parse(text.trim_end_matches('/')).map(Self)
    }

    /// The base URL of a bare host: `https://HOST/v1`, as the vendor's REST services have it.
    pub(crate) fn of_host(host: &str) -> Result<Self, BuildError> {
        Self::parse(&["https://", host, "/v1"].concat())
    }

    /// The base URL followed by `path`, which starts with a slash and may have a query.
    ///
    /// # Errors
    /// [`BuildError::InvalidUrl`] if the path has no leading slash, a fragment, or characters that a URL can't have.
    pub fn join(&self, path: &str) -> Result<SecureUrl, BuildError> {
        if !path.starts_with('/') || path.contains('#') {
            return Err(invalid("a path must start with a slash and have no fragment"));
        }
        let joined = Bytes::from([self.path(), path].concat());
        let path =
            PathAndQuery::from_maybe_shared(joined).map_err(|_| invalid("the path has characters a URL can't have"))?;
        let mut parts = self.0.0.clone().into_parts();
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).map(SecureUrl).map_err(|_| invalid("it is not a URL"))
    }

    /// The URL of the WebSocket: `wss://HOST/v1/websocket`, or `ws://` to this machine.
    //= R-ENV-2
    pub(crate) fn websocket(&self) -> String {
        let scheme = if self.is_plain_http() { "ws" } else { "wss" };
        let authority = self.0.0.authority().map(Authority::as_str).unwrap_or_default();
        [scheme, "://", authority, self.path(), "/websocket"].concat()
    }

    /// The host, without port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host()
    }

    /// The base URL for [`http::Request`].
    #[must_use]
    pub fn as_uri(&self) -> &Uri {
        self.0.as_uri()
    }

    /// Whether the URL uses plain http, which is allowed only to this machine.
    #[must_use]
    pub fn is_plain_http(&self) -> bool {
        self.0.is_plain_http()
    }

    /// The path without the slash that [`Uri`] writes for an empty path.
    fn path(&self) -> &str {
        self.0.0.path().trim_end_matches('/')
    }
}

impl FromStr for BaseUrl {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        Self::parse(text)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_string().trim_end_matches('/'))
    }
}

/// The same URI with another host. Scheme, path and query stay.
#[must_use]
pub fn at_authority(uri: &Uri, authority: Authority) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(authority);
    Uri::from_parts(parts).ok()
}

/// Whether the host is followed by something that is not a port. The authority must contain no user name.
pub(crate) fn has_bad_port(authority: &Authority) -> bool {
    authority.as_str().len() != authority.host().len() && authority.port_u16().is_none()
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn invalid(reason: &'static str) -> BuildError {
    BuildError::InvalidUrl { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_joins_paths_and_prints_no_trailing_slash() {
        let root = BaseUrl::parse("https://host.example").unwrap();
        assert_eq!(root.to_string(), "https://host.example");
        assert_eq!(root.join("/auth/me").unwrap().to_string(), "https://host.example/auth/me");
        let deep = BaseUrl::parse("http://127.0.0.1:8080/a/v1//").unwrap();
        assert_eq!(deep.join("/x?y=1").unwrap().to_string(), "http://127.0.0.1:8080/a/v1/x?y=1");
        assert_eq!((deep.host(), deep.join("/x").unwrap().host()), ("127.0.0.1", "127.0.0.1"));
        assert_eq!(deep.websocket(), "ws://127.0.0.1:8080/a/v1/websocket");
        for path in ["x", "", "/a b", "/a#b"] {
            assert!(deep.join(path).is_err(), "{path}");
        }
    }
}
