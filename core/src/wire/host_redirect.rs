//! [`Moved`]: an answer that sends the caller to another host (307, 308, 421; page *Dynamic API Hosts*).
//!
//! Only the host is used, and only if it is trusted. The request keeps its method, path, token and body.
//! [`Environment::redirect`](crate::Environment::redirect) decides whether the request may go there.

use alloc::string::{String, ToString};

use http::uri::{Authority, Scheme};
use http::{HeaderMap, StatusCode, Uri, header};

use crate::environment::api_hosts::is_bare_hostname;
use crate::environment::trusted_hosts::is_trusted_host;
use crate::environment::url::has_bad_port;

/// A redirect: the user's organization is on another host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct Moved {
    status: StatusCode,
    target: Option<Target>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    host: String,
    /// The target for the request. `None` if the redirect must not be followed: it is not https, not to a trusted host,
    /// or has a user name or an invalid port.
    authority: Option<Authority>,
}

impl Moved {
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap) -> Self {
        //= R-HOST-10
        let location = headers.get(header::LOCATION).filter(|_| status != StatusCode::MISDIRECTED_REQUEST);
        let target = location.and_then(|value| target(value.as_bytes()));
        Self { status, target }
    }

    /// The status: 307, 308 or 421. A 421 names no target, so its `Location` is ignored.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The host that the server named, without port. It may be untrusted.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.target.as_ref().map(|target| target.host.as_str())
    }

    /// The target for the request, if it is https on a domain of the vendor.
    pub(crate) fn trusted_authority(&self) -> Option<&Authority> {
        self.target.as_ref()?.authority.as_ref()
    }

    fn text(&self) -> String {
        let status = self.status.as_u16().to_string();
        let (host, advice) = match &self.target {
            Some(Target { authority: Some(authority), .. }) => {
                (authority.as_str(), "log in there, or with an environment that follows the vendor's hosts")
            }
            Some(Target { host, authority: None }) => {
                let fault = if is_trusted_host(host) {
                    "but not with a usable https address"
                } else {
                    "which is not a host of the vendor"
                };
                return alloc::format!(
                    "moved ({status}): the server names {host}, {fault}, so nothing was sent there; check the base URL \
                     and the proxy"
                );
            }
            None => (
                "another host, which the answer doesn't name",
                "log in again at the vendor's default host to get the names of the hosts",
            ),
        };
        ["moved (", &status, "): the user's organization is served by ", host, "; ", advice].concat()
    }
}

fn target(location: &[u8]) -> Option<Target> {
    let uri = Uri::try_from(location).ok()?;
    let authority = uri.authority()?;
    let host = authority.host();
    if !is_bare_hostname(host) {
        return None;
    }
    let is_bare = !authority.as_str().contains('@') && !has_bad_port(authority);
    //= R-HOST-9
    let trusted = uri.scheme() == Some(&Scheme::HTTPS) && is_bare && is_trusted_host(host);
    Some(Target { host: host.into(), authority: trusted.then(|| authority.clone()) })
}
