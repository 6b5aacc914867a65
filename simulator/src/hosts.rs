//! The `apiHosts` of a user's organization, and whether a request has come to the right host.
//! Hosts enter by registration or when a user is moved; they leave in answers and in the `Location` of a 307.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::side::{Side, is_local};

/// The hostnames an authentication answer carries, as key and value of the wire. Values are not checked: a
/// test may want a server that names nonsense.
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
    /// No host at all; answers then carry no `apiHosts`.
    #[must_use]
    pub fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// The shared infrastructure that most users are on.
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

    /// The same hosts with one of them named or renamed.
    #[must_use]
    pub fn with(mut self, key: &str, host: &str) -> Self {
        self.0.insert(key.to_owned(), host.to_owned());
        self
    }

    /// The same hosts without one of them.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.0.remove(key);
        self
    }

    /// The host of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// As it stands in an answer; `None` when there is nothing to tell.
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

/// The hosts that organizations are told apart by. An address or `localhost` is none: all
/// are served there.
pub(crate) struct DedicatedHosts {
    sides: BTreeMap<String, Side>,
    /// The hosts at which sockets can be told apart by organization, the shared ones included.
    sockets: BTreeSet<String>,
}

/// The keys of `apiHosts` whose hosts have sockets.
pub(crate) const TRADING_SOCKETS: [&str; 3] = ["live", "demo", "replay"];
pub(crate) const MARKET_DATA_SOCKETS: [&str; 2] = ["mdLive", "mdDemo"];

impl DedicatedHosts {
    pub(crate) fn new() -> Self {
        let mut dedicated = Self { sides: BTreeMap::new(), sockets: BTreeSet::new() };
        dedicated.learn(&ApiHosts::standard());
        dedicated
    }

    pub(crate) fn learn(&mut self, hosts: &ApiHosts) {
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

    /// The side a host plays, where that is known.
    pub(crate) fn side(&self, host: &str) -> Option<Side> {
        Side::of_published(host).or_else(|| self.sides.get(host).copied())
    }

    /// Whether a host has sockets for the users of some organizations only.
    pub(crate) fn has_sockets(&self, host: &str) -> bool {
        self.sockets.contains(host)
    }

    /// Where the requests of a user with these hosts belong, seen from the host one was sent to.
    pub(crate) fn place(&self, host: &str, side: Side, hosts: &ApiHosts) -> Placement {
        let Some(expected) = hosts.get(side.hosts_key()) else { return Placement::Here };
        if host.eq_ignore_ascii_case(expected) {
            Placement::Here
        } else if Side::of_published(host).is_some() {
            match Side::of_published(expected) {
                Some(_) => Placement::Here,
                None => Placement::At(expected.to_owned()),
            }
        } else if self.sides.contains_key(host) {
            Placement::Elsewhere
        } else {
            Placement::Here
        }
    }
}

/// Whether a request has come to the host that serves its user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    Here,
    /// At a shared host, while the organization is served on this one.
    At(String),
    /// At the host of some other organization.
    Elsewhere,
}
