//! The tokens of a record, and the hosts that the server named with them.
//!
//! A *lineage* starts with a login or a consent. Renewals and refreshes continue it. The newer lineage replaces the
//! older one as a whole, so a record never holds the access token of one login and the market data token of another.
//! Within a lineage, each fact is merged by the time at which it was issued. All times are by the server's clock.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize};
use tradovate_auth_core::workspace_only::{Damage, Fields};
use tradovate_auth_core::{AccessToken, ApiHosts, MarketDataToken, RefreshToken};

use super::merge::{Fact, Flag, is_default};
use crate::time_arithmetic::shifted;

/// The tokens and hosts of one lineage.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tokens {
    /// The time at which the login or consent was requested. `None` if the program supplied the tokens.
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) access: Option<Access>,
    pub(crate) refresh: Option<Refresh>,
    /// The issue time of the newest token that the server has called dead. Tokens as old as this or older are dropped.
    pub(crate) dead_issued_at: Option<Timestamp>,
    /// The hosts in use.
    pub(crate) hosts: ApiHosts,
    /// The time at which these hosts were named, or were left for the configured hosts.
    pub(crate) hosts_at: Option<Timestamp>,
}

/// An access token and the market data token that is handed out with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Access {
    #[serde(with = "secret")]
    pub(crate) token: AccessToken,
    /// The time at which the token was requested.
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) market_data: Option<MarketData>,
}

/// A market data token. It expires together with the access token that it came with, even if that one has been renewed
/// since.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MarketData {
    #[serde(with = "secret")]
    pub(crate) token: MarketDataToken,
    pub(crate) expires_at: Timestamp,
}

/// A refresh token and the results of its last uses.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refresh {
    #[serde(with = "secret")]
    pub(crate) token: RefreshToken,
    /// The time at which the token was requested. `None` if the program supplied it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) issued_at: Option<Timestamp>,
    /// The time at which the token expires, if the server has said so.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) expires_at: Option<Timestamp>,
    /// The token was refused. Only a second refusal confirms that.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) refused_once: Flag,
    /// The session is about to present the token.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) announced: Flag,
    /// The token was presented, but the answer is lost. The session renews before it presents the token again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) outcome_unknown: Flag,
}

impl Refresh {
    pub(crate) fn new(token: RefreshToken, issued_at: Option<Timestamp>, expires_at: Option<Timestamp>) -> Self {
        let (refused_once, announced, outcome_unknown) = Default::default();
        Self { token, issued_at, expires_at, refused_once, announced, outcome_unknown }
    }

    pub(crate) fn is(&self, token: &RefreshToken) -> bool {
        self.token.expose() == token.expose()
    }

    /// Clears the facts about failed uses: the token has brought new tokens.
    pub(crate) fn used(&mut self) {
        self.flags().into_iter().for_each(Flag::clear);
    }

    fn key(&self) -> (Option<Timestamp>, &str) {
        (self.issued_at, self.token.expose())
    }

    fn flags(&mut self) -> [&mut Flag; 3] {
        [&mut self.refused_once, &mut self.announced, &mut self.outcome_unknown]
    }
}

impl Access {
    /// The life of the token. A token whose expiry lies before its issue time counts as long-lived, because the clock
    /// was wrong.
    pub(crate) fn life(&self) -> Duration {
        let life = Duration::try_from(self.expires_at.duration_since(self.issued_at)).unwrap_or_default();
        if life.is_zero() { Duration::MAX } else { life }
    }

    fn key(&self) -> (Timestamp, &str) {
        (self.issued_at, self.token.expose())
    }
}

impl Tokens {
    /// A newer lineage without tokens. It prevents other processes from writing this lineage back.
    pub(crate) fn forgotten(&self, server_now: Timestamp) -> Self {
        Self { started_at: Some(newer(server_now, self.started_at)), ..Self::default() }
    }

    /// Whether a program called `forget` for this lineage. Every other lineage has a token, or had one that is dead.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.started_at.is_some() && *self == Self { started_at: self.started_at, ..Self::default() }
    }

    /// The lineage of a refresh token that the program supplied and that has brought no token yet continues after
    /// `forgotten`: a process that starts after the session was forgotten uses what it was given.
    pub(crate) fn continue_after(&mut self, forgotten: &Self) {
        let is_supplied = self.refresh.as_ref().is_some_and(|refresh| refresh.issued_at.is_none());
        let is_unused = self.access.is_none() && self.dead_issued_at.is_none();
        if is_supplied && is_unused && forgotten.is_forgotten() && self.started_at < forgotten.started_at {
            self.started_at = Some(newer(Timestamp::MIN, forgotten.started_at));
        }
    }

    /// Whether `other` is at least as new in every fact.
    pub(crate) fn is_superseded_by(&self, other: &Self) -> bool {
        let mut merged = other.clone();
        merged.merge(self.clone());
        merged == *other
    }

    pub(crate) fn access_key(&self) -> Option<(Timestamp, &str)> {
        self.access.as_ref().map(Access::key)
    }

    pub(crate) fn refresh_key(&self) -> Option<(Option<Timestamp>, &str)> {
        self.refresh.as_ref().map(Refresh::key)
    }

    /// Whether this lineage has a token that was issued later than the one in `other`, or is newer as a whole.
    pub(crate) fn has_newer_token_than(&self, other: &Self) -> bool {
        if self.started_at != other.started_at {
            return self.started_at > other.started_at && (self.access.is_some() || self.refresh.is_some());
        }
        let access = |tokens: &Self| tokens.access.as_ref().map(|access| access.issued_at);
        let refresh = |tokens: &Self| tokens.refresh.as_ref().and_then(|refresh| refresh.issued_at);
        access(self) > access(other) || refresh(self) > refresh(other)
    }

    /// Adopts other hosts. `at` is by the server's clock.
    pub(crate) fn name_hosts(&mut self, at: Timestamp, hosts: ApiHosts) {
        self.hosts_at = Some(newer(at, self.hosts_at));
        self.hosts = hosts;
    }

    /// Moves the expiry times that a wrong clock has produced. `by` is the error of the clock. The issue times stay,
    /// because they only order the tokens.
    pub(crate) fn correct_ends(&mut self, by: SignedDuration) {
        if let Some(access) = &mut self.access {
            access.expires_at = shifted(access.expires_at, by);
            if let Some(market_data) = &mut access.market_data {
                market_data.expires_at = shifted(market_data.expires_at, by);
            }
        }
        if let Some(refresh) = &mut self.refresh {
            refresh.expires_at.shift(by);
        }
    }

    /// Drops the access token, because the server has called it dead.
    pub(crate) fn access_is_dead(&mut self) {
        if let Some(access) = self.access.take() {
            self.dead_issued_at.merge(Some(access.issued_at));
        }
    }

    fn drop_dead(&mut self) {
        let dead = self.dead_issued_at;
        self.access.take_if(|access| Some(access.issued_at) <= dead);
    }

    pub(crate) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let times = [("startedAt", self.started_at), ("deadIssuedAt", self.dead_issued_at), ("hostsAt", self.hosts_at)];
        for (name, at) in times {
            if let Some(at) = at {
                map.serialize_entry(name, &at)?;
            }
        }
        if let Some(access) = &self.access {
            map.serialize_entry("access", access)?;
        }
        if let Some(refresh) = &self.refresh {
            map.serialize_entry("refresh", refresh)?;
        }
        if !self.hosts.is_empty() {
            map.serialize_entry("hosts", &self.hosts.iter().collect::<BTreeMap<_, _>>())?;
        }
        Ok(())
    }

    pub(crate) fn read(fields: &mut Fields) -> Result<Self, Damage> {
        let hosts: BTreeMap<String, String> = fields.take("hosts")?;
        let mut read = Self {
            started_at: fields.take("startedAt")?,
            access: fields.take("access")?,
            refresh: fields.take("refresh")?,
            dead_issued_at: fields.take("deadIssuedAt")?,
            hosts: hosts.iter().map(|(key, host)| (key.as_str(), host.as_str())).collect(),
            hosts_at: fields.take("hostsAt")?,
        };
        read.drop_dead();
        Ok(read)
    }
}

impl Fact for Tokens {
    fn merge(&mut self, other: Self) {
        if other.started_at != self.started_at {
            if other.started_at > self.started_at {
                *self = other;
            }
            return;
        }
        self.dead_issued_at.merge(other.dead_issued_at);
        match (&mut self.access, other.access) {
            (Some(known), Some(other)) if known.key() == other.key() => {
                known.expires_at = known.expires_at.min(other.expires_at);
                known.market_data.merge(other.market_data);
            }
            (Some(known), Some(other)) if known.key() > other.key() => {}
            (_, None) => {}
            (known, other) => *known = other,
        }
        self.drop_dead();
        self.refresh.merge(other.refresh);
        let named =
            |at: &Option<Timestamp>, hosts: &ApiHosts| (*at, hosts.iter().map(owned).collect::<BTreeMap<_, _>>());
        if named(&other.hosts_at, &other.hosts) > named(&self.hosts_at, &self.hosts) {
            (self.hosts_at, self.hosts) = (other.hosts_at, other.hosts);
        }
    }

    fn ends(&self) -> Option<Timestamp> {
        let refresh = self.refresh.as_ref().map(|refresh| refresh.expires_at.unwrap_or(Timestamp::MAX));
        self.access.as_ref().map(|access| access.expires_at).max(refresh)
    }
}

impl Fact for Option<MarketData> {
    fn merge(&mut self, other: Self) {
        let key = |token: &Self| token.as_ref().map(|it| (it.expires_at, String::from(it.token.expose())));
        if key(&other) > key(self) {
            *self = other;
        }
    }
}

impl Fact for Option<Refresh> {
    fn merge(&mut self, other: Self) {
        match (self, other) {
            (Some(known), Some(mut other)) if known.key() == other.key() => {
                known.expires_at.merge(other.expires_at);
                for (known, other) in known.flags().into_iter().zip(other.flags()) {
                    known.merge(*other);
                }
            }
            (Some(known), Some(other)) if known.key() > other.key() => {}
            (_, None) => {}
            (known, other) => *known = other,
        }
    }
}

impl PartialEq for MarketData {
    fn eq(&self, other: &Self) -> bool {
        (self.expires_at, self.token.expose()) == (other.expires_at, other.token.expose())
    }
}

impl PartialEq for Access {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key() && self.expires_at == other.expires_at && self.market_data == other.market_data
    }
}

impl PartialEq for Refresh {
    fn eq(&self, other: &Self) -> bool {
        let (mut own, mut others) = (self.clone(), other.clone());
        self.key() == other.key() && self.expires_at == other.expires_at && own.flags() == others.flags()
    }
}

/// The time for a new fact. It is always later than `known`, even if the clock has gone back.
pub(crate) fn newer(at: Timestamp, known: Option<Timestamp>) -> Timestamp {
    known.map_or(at, |known| at.max(shifted(known, SignedDuration::from_nanos(1))))
}

fn owned((key, host): (&str, &str)) -> (String, String) {
    (key.into(), host.into())
}

/// Writes and reads secrets. No other code serializes a token.
pub(super) mod secret {
    use core::time::Duration;

    use serde::de::Error as _;
    use serde::{Deserializer, Serializer};
    use tradovate_auth_core::PenaltyTicket;
    use zeroize::Zeroizing;

    use super::{AccessToken, Cow, Deserialize, MarketDataToken, RefreshToken};

    pub(in crate::record) trait Secret: Sized {
        fn text(&self) -> &str;
        fn read(text: &str) -> Option<Self>;
    }

    macro_rules! secret {
        ($($secret:ty: $read:expr,)*) => {$(
            impl Secret for $secret {
                fn text(&self) -> &str {
                    self.expose()
                }

                fn read(text: &str) -> Option<Self> {
                    $read(text)
                }
            }
        )*};
    }

    secret! {
        AccessToken: |text| Self::parse(text).ok(),
        MarketDataToken: |text| Self::parse(text).ok(),
        RefreshToken: |text| Some(Self::new(text)),
        PenaltyTicket: |text| Some(Self::new(text, Duration::ZERO)),
    }

    pub(in crate::record) fn serialize<T: Secret, S: Serializer>(secret: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.text())
    }

    pub(in crate::record) fn deserialize<'de, T: Secret, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        let text = Zeroizing::new(Cow::<str>::deserialize(deserializer)?.into_owned());
        T::read(&text).ok_or_else(|| D::Error::custom("a malformed token"))
    }
}
