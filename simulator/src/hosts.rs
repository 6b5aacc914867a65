//! The `apiHosts` of a user's organization, and whether a request came to the right host. Hosts come from the builder
//! or from [`Simulator::move_hosts`](crate::Simulator::move_hosts). They appear in responses and in the `Location` of a
//! 307.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::side::{Side, is_local};

/// The hosts that an authentication response names in `apiHosts`: keys and hostnames as on the wire. Values are not
/// checked, so that a test can simulate a server that sends invalid hostnames.
///
/// ```
/// use tradovate_auth_simulator::ApiHosts;
///
/// let hosts = ApiHosts::standard().with("demo", "acme-demo.eval.ninjatrader.com");
/// assert_eq!(hosts.get("demo"), Some("acme-demo.eval.ninjatrader.com"));
/// assert_eq!(hosts.get("live"), Some("live.tradovateapi.com"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiHosts(BTreeMap<String, String>);

impl ApiHosts {
    /// No hosts. Responses then have no `apiHosts`.
    #[must_use]
    pub fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// The hosts of the shared infrastructure, which serves most users.
    #[must_use]
    pub fn standard() -> Self {
        Self::empty()
            .with("live", "live.tradovateapi.com")
            .with("demo", "demo.tradovateapi.com")
            .with("mdLive", "md.tradovateapi.com")
            .with("mdDemo", "md-demo.tradovateapi.com")
            .with("replay", "replay.tradovateapi.com")
            .with("reportingLive", "rpt-live.tradovateapi.com")
            .with("reportingDemo", "rpt-demo.tradovateapi.com")
            .with("riskMonitorLive", "risk-monitor-live.ninjatrader.com")
            .with("riskMonitorDemo", "risk-monitor-demo.ninjatrader.com")
            .with("userContext", "user-context-api.ninjatrader.com")
    }

    /// Sets or replaces the host of a key.
    #[must_use]
    pub fn with(mut self, key: &str, host: &str) -> Self {
        self.0.insert(key.to_owned(), host.to_owned());
        self
    }

    /// Removes the host of a key.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.0.remove(key);
        self
    }

    /// The host of a key; `None` if the key is absent.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The value of `apiHosts` in a response; `None` if there are no hosts.
    pub(crate) fn to_json(&self) -> Option<Value> {
        (!self.0.is_empty()).then(|| {
            Value::Object(self.0.iter().map(|(key, host)| (key.clone(), Value::from(host.as_str()))).collect())
        })
    }
}

impl Default for ApiHosts {
    fn default() -> Self {
        Self::standard()
    }
}

/// Which hosts serve which side and which organizations. IP addresses and `localhost` are not listed, because they
/// serve every organization.
#[derive(Clone)]
pub(crate) struct DedicatedHosts {
    sides: BTreeMap<String, Side>,
    /// The hosts at which sockets are limited to some organizations, including the shared hosts.
    sockets: BTreeSet<String>,
}

/// The keys of `apiHosts` whose hosts have sockets.
pub(crate) const TRADING_SOCKETS: [&str; 3] = ["live", "demo", "replay"];
pub(crate) const MARKET_DATA_SOCKETS: [&str; 2] = ["mdLive", "mdDemo"];

impl DedicatedHosts {
    pub(crate) fn new() -> Self {
        let mut dedicated = Self { sides: BTreeMap::new(), sockets: BTreeSet::new() };
        dedicated.add(&ApiHosts::standard());
        dedicated
    }

    pub(crate) fn add(&mut self, hosts: &ApiHosts) {
        let sockets = TRADING_SOCKETS.iter().chain(&MARKET_DATA_SOCKETS).filter_map(|key| hosts.get(key));
        self.sockets.extend(sockets.filter(|host| !is_local(host)).map(str::to_ascii_lowercase));
        for side in [Side::Live, Side::Demo] {
            if let Some(host) = hosts.get(side.hosts_key())
                && Side::of_published(host).is_none()
                && !is_local(host)
            {
                self.sides.insert(host.to_ascii_lowercase(), side);
            }
        }
    }

    /// The side that a host serves, if it is known.
    pub(crate) fn side(&self, host: &str) -> Option<Side> {
        Side::of_published(host).or_else(|| self.sides.get(host).copied())
    }

    /// Whether a host serves sockets for the users of some organizations only.
    pub(crate) fn has_sockets(&self, host: &str) -> bool {
        self.sockets.contains(host)
    }

    /// Whether `host` serves a user with these `hosts` on this side.
    pub(crate) fn placement(&self, host: &str, side: Side, hosts: &ApiHosts) -> Placement {
        let Some(expected) = hosts.get(side.hosts_key()) else { return Placement::Here };
        if host.eq_ignore_ascii_case(expected) {
            Placement::Here
        } else if Side::of_published(host).is_some() {
            match Side::of_published(expected) {
                Some(_) => Placement::Here,
                None => Placement::RedirectTo(expected.to_owned()),
            }
        } else if self.sides.contains_key(host) {
            Placement::WrongOrganization
        } else {
            Placement::Here
        }
    }
}

/// Whether a request came to a host that serves its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    Here,
    /// The request came to a shared host, and the organization is served on this other one.
    RedirectTo(String),
    /// The request came to the host of another organization.
    WrongOrganization,
}
