//! The two environments a server can play and how it finds out which: by the `Host` of a request.
//! A user, a session and an OAuth client each belong to a side.

use std::{fmt, net::IpAddr};

/// Live or Demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// `live.tradovateapi.com`: where most users log in, and the only one that answers `/auth/me`.
    Live,
    /// `demo.tradovateapi.com`: where simulated and evaluation accounts trade.
    Demo,
}

impl Side {
    /// The side that a published hostname plays; `None` for every other name.
    pub(crate) fn of_published(host: &str) -> Option<Self> {
        match host {
            "live.tradovateapi.com" | "live-api.staging.ninjatrader.dev" | "live-api-d.tradovate.com" => {
                Some(Self::Live)
            }
            "demo.tradovateapi.com" | "demo-api.staging.ninjatrader.dev" => Some(Self::Demo),
            _ => None,
        }
    }

    /// The key of `apiHosts` that names the REST host of this side.
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

/// The hostname in an authority or `Host` header, lower case, without port and closing dot.
pub(crate) fn hostname(authority: &str) -> String {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether the name stands for this machine or an address, where no organization can be told from another.
pub(crate) fn is_local(host: &str) -> bool {
    host.is_empty() || host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostname_has_no_port_no_dot_and_no_capitals() {
        assert_eq!(hostname("Demo.TradovateAPI.com.:443"), "demo.tradovateapi.com");
        assert_eq!(hostname("[::1]:8080"), "::1");
    }
}
