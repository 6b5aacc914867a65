//! The two sides of the server, Live and Demo. The `Host` of a request decides which side handles it. A user can exist
//! on both sides. A session and an OAuth client belong to one.

use std::{fmt, net::IpAddr};

/// One of the server's two environments: Live or Demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// `live.tradovateapi.com`. Most users log in here. Only this side answers `/auth/me`.
    Live,
    /// `demo.tradovateapi.com`. Simulated and evaluation accounts trade here.
    Demo,
}

impl Side {
    /// The side that a published hostname serves; `None` for every other hostname.
    pub(crate) fn of_published(host: &str) -> Option<Self> {
        match host {
            "live.tradovateapi.com" | "live-api.staging.ninjatrader.dev" | "live-api-d.tradovate.com" => {
                Some(Self::Live)
            }
            "demo.tradovateapi.com" | "demo-api.staging.ninjatrader.dev" => Some(Self::Demo),
            _ => None,
        }
    }

    /// The key in `apiHosts` that names the REST host of this side.
    pub(crate) fn hosts_key(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Demo => "demo",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hosts_key())
    }
}

/// The hostname in an authority or `Host` header: in lower case, without port and trailing dot.
pub(crate) fn hostname(authority: &str) -> String {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether a host is an IP address or `localhost`, which serves every organization.
pub(crate) fn is_local(host: &str) -> bool {
    host.is_empty() || host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostname_is_lower_case_without_port_and_trailing_dot() {
        assert_eq!(hostname("Demo.TradovateAPI.com.:443"), "demo.tradovateapi.com");
        assert_eq!(hostname("[::1]:8080"), "::1");
    }
}
