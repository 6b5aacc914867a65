//! [`ApiHosts`]: the hosts that the server names for a user's organization in `apiHosts` (page *Dynamic API Hosts*).
//!
//! It accepts only bare host names. It checks each one and repairs none. [`Environment`](crate::Environment) uses them
//! for its URLs.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::environment::{Purpose, Side};
use crate::wire::ascii::all_bytes;
use crate::wire::excerpt;
use crate::wire::json::value::{Scalar, Text};

/// The longest host name that the vendor's specification allows, in characters.
const HOST_LIMIT: usize = 64;

/// The content of `apiHosts`: host names by key. Unknown keys are kept, so that a snapshot contains them too.
///
/// Keys seen: `live`, `demo`, `mdLive`, `mdDemo`, `replay`, `reportingLive`, `reportingDemo`, `riskMonitorLive`,
/// `riskMonitorDemo`, `userContext`. No host is derived from the host of another key.
///
/// ```
/// use tradovate_auth_core::ApiHosts;
///
/// let mut known = ApiHosts::from_iter([("live", "live.tradovateapi.com"), ("demo", "demo.tradovateapi.com")]);
/// known.update(&ApiHosts::from_iter([("demo", "acme-demo.eval.ninjatrader.com"), ("replay", "https://evil.com/")]));
/// assert_eq!(known.get("live"), Some("live.tradovateapi.com"));
/// assert_eq!(known.get("demo"), Some("acme-demo.eval.ninjatrader.com"));
/// assert_eq!(known.refused(), ["replay"]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiHosts {
    //= R-HOST-2
    hosts: BTreeMap<String, String>,
    refused: Vec<String>,
}

impl ApiHosts {
    /// The host for a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.hosts.get(key).map(String::as_str)
    }

    /// All keys with their hosts, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.hosts.iter().map(|(key, host)| (key.as_str(), host.as_str()))
    }

    /// Whether no key has a host.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// The keys whose values were refused, because they are not bare host names. Report these keys to the user. Earlier
    /// hosts for these keys are kept.
    #[must_use]
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// Replaces these hosts with those of a newer answer, key by key. A key that the newer answer does not name keeps
    /// its host. The refused keys are replaced by those of the newer answer.
    //= R-HOST-4
    //= R-HOST-8
    pub fn update(&mut self, newer: &Self) {
        self.hosts.extend(newer.hosts.iter().map(|(key, host)| (key.clone(), host.clone())));
        self.refused.clone_from(&newer.refused);
    }
}

impl Purpose {
    /// The key of the host for this purpose, for a user who logs in and trades on these sides.
    //= R-HOST-3
    pub(super) fn key(self, login: Side, trading: Side) -> &'static str {
        match (self, login, trading) {
            (Self::Login, Side::Demo, _) | (Self::Trading, _, Side::Demo) => "demo",
            (Self::Login | Self::Trading | Self::Identity, _, _) => "live",
            //= R-SOCKET-7
            (Self::MarketData, _, Side::Live) => "mdLive",
            (Self::MarketData, _, Side::Demo) => "mdDemo",
            (Self::Reporting, _, Side::Live) => "reportingLive",
            (Self::Reporting, _, Side::Demo) => "reportingDemo",
            (Self::Replay, _, _) => "replay",
        }
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for ApiHosts {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let mut hosts = Self::default();
        for (key, host) in pairs {
            if is_bare_hostname(host) {
                hosts.hosts.insert(key.into(), host.into());
            } else {
                hosts.refused.push(excerpt::name(key));
            }
        }
        hosts
    }
}

/// Whether a text is a bare host name: labels of letters, digits and inner hyphens, separated by dots, at most 64
/// characters. It has no scheme, port, path, user name or white space.
//= R-HOST-5
pub(crate) fn is_bare_hostname(text: &str) -> bool {
    let is_label = |label: &[u8]| !label.is_empty() && !label.starts_with(b"-") && !label.ends_with(b"-");
    text.len() <= HOST_LIMIT
        && all_bytes(text, |byte| byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'.'))
        && text.as_bytes().split(|byte| *byte == b'.').all(is_label)
}

/// Reads `apiHosts` from the wire. A value that is not an object counts as absent, because hosts only inform: without
/// them, the answer is still good. In the object, a host may be `null`. Other values that are not host names are
/// refused. A duplicate key makes the whole answer invalid.
//= R-HOST-1
impl<'de> Deserialize<'de> for ApiHosts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HostsVisitor)
    }
}

struct HostsVisitor;

impl<'de> Visitor<'de> for HostsVisitor {
    type Value = ApiHosts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<ApiHosts, E> {
        Ok(ApiHosts::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<ApiHosts, E> {
        Ok(ApiHosts::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<ApiHosts, E> {
        Ok(ApiHosts::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<ApiHosts, E> {
        Ok(ApiHosts::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<ApiHosts, E> {
        Ok(ApiHosts::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<ApiHosts, E> {
        Ok(ApiHosts::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ApiHosts, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(ApiHosts::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ApiHosts, A::Error> {
        let mut hosts = ApiHosts::default();
        let mut without_host = BTreeSet::new();
        while let Some(Text(key)) = map.next_key()? {
            let is_new = match map.next_value()? {
                Scalar::Text(host) if is_bare_hostname(&host) => {
                    !without_host.contains(&key) && hosts.hosts.insert(key.into_owned(), host.into_owned()).is_none()
                }
                value => {
                    if !matches!(value, Scalar::Null) {
                        hosts.refused.push(excerpt::name(&key));
                    }
                    !hosts.hosts.contains_key(&*key) && without_host.insert(key)
                }
            };
            if !is_new {
                return Err(A::Error::custom("a host key comes twice"));
            }
        }
        Ok(hosts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    //= R-HOST-1
    #[test]
    fn hosts_that_are_not_an_object_count_as_absent() {
        for json in
            ["null", "true", "1", "-1", "1.5", r#""a.com""#, r#""\u0061.com""#, "[]", r#"[{"demo":"a.com"}, [1]]"#]
        {
            assert_eq!(serde_json::from_str::<ApiHosts>(json).unwrap(), ApiHosts::default(), "{json}");
        }
    }

    #[test]
    fn hosts_with_duplicate_keys_are_refused() {
        let error = serde_json::from_str::<ApiHosts>(r#"{"demo":null,"d\u0065mo":"b.com"}"#).unwrap_err().to_string();
        assert!(error.starts_with("a host key comes twice"));
    }
}
