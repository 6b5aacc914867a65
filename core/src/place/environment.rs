//! Where to log in, where to trade, and where everything else is (pages *Environments* and *Dynamic API Hosts*).
//!
//! The presets start from the vendor's published hosts and follow the hosts the server names; a custom base is pinned.
//! Whether a request may be sent on to another host is decided here.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use http::Request;

use crate::place::hosts::ApiHosts;
use crate::place::url::{BaseUrl, SecureUrl, at_authority, is_trusted_host};
use crate::wire::body::RequestBody;
use crate::wire::error::BuildError;
use crate::wire::moved::Moved;

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Logging in and renewing.
    Login,
    /// Who the user is (`/auth/me`): always Live.
    Identity,
    /// Orders, positions, accounts: the REST calls and the socket of trading.
    Trading,
    /// The socket of market data.
    MarketData,
    /// The socket of replay sessions.
    Replay,
    /// Reports.
    Reporting,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Self; 6] =
        [Self::Login, Self::Identity, Self::Trading, Self::MarketData, Self::Replay, Self::Reporting];
}

/// A side of the vendor's service. Users, accounts and apps exist on one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Live,
    Demo,
}

/// The addresses of one user's service.
///
/// Where one logs in is not always where one trades: prop-firm users log in on Live and trade on Demo. So a preset
/// names both; see the constructors.
///
/// ```
/// use tradovate_auth_core::{Environment, Purpose};
///
/// let evaluation = Environment::evaluation();
/// assert_eq!(evaluation.base_url(Purpose::Login).unwrap().host(), "live.tradovateapi.com");
/// assert_eq!(evaluation.base_url(Purpose::Trading).unwrap().host(), "demo.tradovateapi.com");
/// ```
///
/// It is cheap to clone: clones share their addresses until one of them follows others.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Environment(Arc<Places>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Places {
    login: Side,
    trading: Side,
    /// One base for everything.
    pinned: Option<BaseUrl>,
    /// Otherwise the bases by the keys of `apiHosts`.
    by_key: BTreeMap<String, BaseUrl>,
    authorize_url: Option<SecureUrl>,
    token_url: Option<SecureUrl>,
    /// Where sessions are opened and prolonged, by path: joined once for all requests.
    login_urls: Vec<(&'static str, SecureUrl)>,
}

//= R-ENV-1
//= R-ENV-2
//= R-ENV-12
const PRODUCTION: [(&str, &str); 7] = [
    ("live", "live.tradovateapi.com"),
    ("demo", "demo.tradovateapi.com"),
    ("mdLive", "md.tradovateapi.com"),
    ("mdDemo", "md-demo.tradovateapi.com"),
    ("replay", "replay.tradovateapi.com"),
    ("reportingLive", "rpt-live.tradovateapi.com"),
    ("reportingDemo", "rpt-demo.tradovateapi.com"),
];

//= R-ENV-3
const STAGING: [(&str, &str); 4] = [
    ("live", "live-api.staging.ninjatrader.dev"),
    ("demo", "demo-api.staging.ninjatrader.dev"),
    ("mdLive", "md-api.staging.ninjatrader.dev"),
    ("mdDemo", "md-api.staging.ninjatrader.dev"),
];

//= R-ENV-4
const LOGIN_PATHS: [&str; 3] = ["/auth/accesstokenrequest", "/auth/renewaccesstoken", "/auth/oauthtoken"];

//= R-AUTHORIZE-1
const AUTHORIZE: &str = "https://trader.tradovate.com/oauth";

impl Environment {
    /// A Live account of one's own. OAuth apps are usually registered here too; their tokens read Live and Demo.
    pub fn live() -> Self {
        Self::preset(Side::Live, Side::Live, &PRODUCTION).authorizing_at(AUTHORIZE)
    }

    /// A Demo account of one's own with an API key.
    pub fn demo() -> Self {
        Self::preset(Side::Demo, Side::Demo, &PRODUCTION).authorizing_at(AUTHORIZE)
    }

    /// A prop firm's (evaluation) account: users are created on Live and log in there, accounts trade on Demo.
    //= R-ENV-5
    pub fn evaluation() -> Self {
        Self::preset(Side::Live, Side::Demo, &PRODUCTION).authorizing_at(AUTHORIZE)
    }

    /// The vendor's staging system, Live side. It has no documented authorize URL.
    pub fn staging_live() -> Self {
        Self::preset(Side::Live, Side::Live, &STAGING)
    }

    /// The vendor's staging system, Demo side. It has no documented authorize URL.
    pub fn staging_demo() -> Self {
        Self::preset(Side::Demo, Side::Demo, &STAGING)
    }

    /// One base for everything, such as a simulator or a gateway. It is pinned: hosts the server names are not
    /// followed, and neither is a redirect.
    ///
    /// ```
    /// use tradovate_auth_core::{BaseUrl, Environment};
    ///
    /// let environment = Environment::custom(BaseUrl::parse("http://127.0.0.1:8080/v1")?);
    /// assert!(environment.is_pinned());
    /// # Ok::<(), tradovate_auth_core::BuildError>(())
    /// ```
    pub fn custom(base: BaseUrl) -> Self {
        Self::of(Side::Live, Side::Live, Some(base))
    }

    /// The page a browser is sent to for OAuth (page *OAuth*). It may have a query of its own.
    pub fn with_authorize_url(mut self, url: SecureUrl) -> Self {
        Arc::make_mut(&mut self.0).authorize_url = Some(url);
        self
    }

    /// Where OAuth tokens are obtained, where that is not `/auth/oauthtoken` at the login address: the vendor's example
    /// posts to `https://live.tradovateapi.com/auth/oauthtoken`, without `/v1`.
    pub fn with_token_url(mut self, url: SecureUrl) -> Self {
        Arc::make_mut(&mut self.0).token_url = Some(url);
        self
    }

    /// The page a browser is sent to for OAuth, where one is known.
    #[must_use]
    pub fn authorize_url(&self) -> Option<&SecureUrl> {
        self.0.authorize_url.as_ref()
    }

    /// Where OAuth tokens are obtained.
    ///
    /// # Errors
    /// As [`url`](Self::url).
    //= R-OAUTH-2
    pub fn token_url(&self) -> Result<SecureUrl, BuildError> {
        match &self.0.token_url {
            Some(url) => Ok(url.clone()),
            None => self.url(Purpose::Login, "/auth/oauthtoken"),
        }
    }

    /// The base of a purpose with the hosts in force; `None` where no document and no answer has named one.
    #[must_use]
    pub fn base_url(&self, purpose: Purpose) -> Option<&BaseUrl> {
        self.0.pinned.as_ref().or_else(|| self.0.by_key.get(self.key(purpose)))
    }

    /// The URL of a path, such as `/account/list`, at the base of a purpose.
    ///
    /// # Errors
    /// [`BuildError::InvalidUrl`] when the path can't be part of a URL or no base is known for the purpose.
    pub fn url(&self, purpose: Purpose, path: &str) -> Result<SecureUrl, BuildError> {
        let mut joined = self.0.login_urls.iter().filter(|_| purpose == Purpose::Login);
        if let Some((_, url)) = joined.find(|(joined, _)| *joined == path) {
            return Ok(url.clone());
        }
        let unknown = BuildError::InvalidUrl { reason: "no host is known for this purpose before a login names one" };
        self.base_url(purpose).ok_or(unknown)?.join(path)
    }

    /// The URL of the WebSocket of a purpose; `None` where no host is known for it.
    ///
    /// ```
    /// use tradovate_auth_core::{Environment, Purpose};
    ///
    /// let url = Environment::demo().websocket_url(Purpose::MarketData);
    /// assert_eq!(url.as_deref(), Some("wss://md-demo.tradovateapi.com/v1/websocket"));
    /// ```
    #[must_use]
    pub fn websocket_url(&self, purpose: Purpose) -> Option<String> {
        self.base_url(purpose).map(BaseUrl::websocket)
    }

    /// Whether everything stays on one base, whatever hosts the server names.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.0.pinned.is_some()
    }

    /// Whether anything here is reached by plain http, which is accepted on this machine only. Such requests must
    /// never pass a proxy.
    #[must_use]
    pub fn uses_plain_http(&self) -> bool {
        self.0.pinned.as_ref().is_some_and(BaseUrl::is_plain_http)
            || self.0.token_url.as_ref().is_some_and(SecureUrl::is_plain_http)
    }

    /// Follows the hosts an answer names: from now on requests go there. Values that are not hostnames, and hosts that
    /// are not the vendor's own, are not followed; their keys are returned, to be reported. A pinned environment follows
    /// none and returns none.
    ///
    /// ```
    /// use tradovate_auth_core::{ApiHosts, Environment, Purpose};
    ///
    /// let mut environment = Environment::demo();
    /// let hosts = ApiHosts::from_iter([("demo", "acme-demo.eval.ninjatrader.com"), ("mdDemo", "evil.com")]);
    /// let not_followed = environment.follow(&hosts);
    /// assert_eq!(not_followed, ["mdDemo"]);
    /// assert_eq!(environment.base_url(Purpose::Trading).unwrap().host(), "acme-demo.eval.ninjatrader.com");
    /// assert_eq!(environment.base_url(Purpose::MarketData).unwrap().host(), "md-demo.tradovateapi.com");
    /// ```
    #[must_use = "the hosts that are not followed have to be reported"]
    pub fn follow(&mut self, hosts: &ApiHosts) -> Vec<String> {
        if self.is_pinned() {
            return Vec::new();
        }
        let mut not_followed = hosts.refused().to_vec();
        let mut followed = Vec::new();
        for (key, host) in hosts.iter() {
            match BaseUrl::of_host(host) {
                Ok(base) if self.0.by_key.get(key) == Some(&base) => {}
                //= R-HOST-6
                Ok(base) if is_trusted_host(host) => followed.push((key.to_owned(), base)),
                _ => not_followed.push(key.to_owned()),
            }
        }
        if !followed.is_empty() {
            Arc::make_mut(&mut self.0).by_key.extend(followed);
            self.join_login_urls();
        }
        not_followed
    }

    /// The same request for the host it was sent on to, method, path, token and body intact; `None` where it must not
    /// go there: the environment or its token URL is pinned, or the target is not a host of the vendor's over https.
    ///
    /// Follow one such answer for a request, not a chain of them.
    #[must_use]
    //= R-HOST-9
    pub fn redirect(&self, request: &Request<RequestBody>, moved: &Moved) -> Option<Request<RequestBody>> {
        let from_vendor = !self.is_pinned() && request.uri().host().is_some_and(is_trusted_host);
        let target = moved.trusted_authority().filter(|_| from_vendor)?;
        let mut redirected = request.clone();
        *redirected.uri_mut() = at_authority(request.uri(), target.clone())?;
        Some(redirected)
    }

    fn preset(login: Side, trading: Side, hosts: &[(&str, &str)]) -> Self {
        let mut environment = Self::of(login, trading, None);
        let untrusted = environment.follow(&hosts.iter().copied().collect());
        debug_assert!(untrusted.is_empty(), "the vendor's own hosts are trusted");
        environment
    }

    fn of(login: Side, trading: Side, pinned: Option<BaseUrl>) -> Self {
        let (by_key, login_urls) = (BTreeMap::new(), Vec::new());
        let places = Places { login, trading, pinned, by_key, authorize_url: None, token_url: None, login_urls };
        let mut environment = Self(Arc::new(places));
        environment.join_login_urls();
        environment
    }

    fn join_login_urls(&mut self) {
        let base = self.base_url(Purpose::Login);
        let join = |path| Some((path, base?.join(path).ok()?));
        let joined = LOGIN_PATHS.into_iter().filter_map(join).collect();
        Arc::make_mut(&mut self.0).login_urls = joined;
    }

    fn authorizing_at(mut self, url: &str) -> Self {
        Arc::make_mut(&mut self.0).authorize_url = SecureUrl::parse(url).ok();
        self
    }

    //= R-HOST-3
    fn key(&self, purpose: Purpose) -> &'static str {
        match (purpose, self.0.login, self.0.trading) {
            (Purpose::Login, Side::Demo, _) | (Purpose::Trading, _, Side::Demo) => "demo",
            (Purpose::Login | Purpose::Trading | Purpose::Identity, _, _) => "live",
            //= R-SOCKET-7
            (Purpose::MarketData, _, Side::Live) => "mdLive",
            (Purpose::MarketData, _, Side::Demo) => "mdDemo",
            (Purpose::Reporting, _, Side::Live) => "reportingLive",
            (Purpose::Reporting, _, Side::Demo) => "reportingDemo",
            (Purpose::Replay, _, _) => "replay",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn plain_http_is_noticed_wherever_it_is() {
        let local = SecureUrl::parse("http://localhost:1/auth/oauthtoken").unwrap();
        assert!(!Environment::demo().uses_plain_http());
        assert!(Environment::demo().with_token_url(local).uses_plain_http());
        assert!(Environment::custom(BaseUrl::parse("http://127.0.0.1/v1").unwrap()).uses_plain_http());
    }

    #[test]
    fn a_path_of_the_login_host_is_one_of_the_trading_host_too() {
        let url = |purpose| Environment::evaluation().url(purpose, LOGIN_PATHS[1]).unwrap().to_string();
        assert_eq!(url(Purpose::Login), "https://live.tradovateapi.com/v1/auth/renewaccesstoken");
        assert_eq!(url(Purpose::Trading), "https://demo.tradovateapi.com/v1/auth/renewaccesstoken");
    }
}
