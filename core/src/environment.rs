//! [`Environment`]: the URLs for logging in, for trading, and for all other purposes (pages *Environments* and *Dynamic
//! API Hosts*).
//!
//! A preset starts with the vendor's published hosts and follows the hosts that the server names. A custom base URL is
//! pinned. This module also decides whether a request may be redirected to another host.

pub(crate) mod api_hosts;
pub(crate) mod url;

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use http::Request;

use crate::environment::api_hosts::ApiHosts;
use crate::environment::url::{BaseUrl, SecureUrl, at_authority, is_trusted_host};
use crate::wire::body::RequestBody;
use crate::wire::error::BuildError;
use crate::wire::host_redirect::Moved;

/// What a URL is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Logging in and renewing.
    Login,
    /// Asking who the user is (`/auth/me`): always Live.
    Identity,
    /// Orders, positions and accounts: REST calls and the trading socket.
    Trading,
    /// The market data socket.
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

/// A side of the vendor's service. Users, accounts and apps exist on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Live,
    Demo,
}

/// The URLs of one user's service.
///
/// The login host can differ from the trading host: users of prop firms log in on Live and trade on Demo. So a preset
/// has both: see the constructors.
///
/// ```
/// use tradovate_auth_core::{Environment, Purpose};
///
/// let evaluation = Environment::evaluation();
/// assert_eq!(evaluation.base_url(Purpose::Login).unwrap().host(), "live.tradovateapi.com");
/// assert_eq!(evaluation.base_url(Purpose::Trading).unwrap().host(), "demo.tradovateapi.com");
/// ```
///
/// Cloning is cheap: clones share their URLs until one of them follows other hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Environment(Arc<Places>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Places {
    login: Side,
    trading: Side,
    /// One base URL for all purposes.
    pinned: Option<BaseUrl>,
    /// Base URLs by the keys of `apiHosts`.
    by_key: BTreeMap<String, BaseUrl>,
    authorize_url: Option<SecureUrl>,
    token_url: Option<SecureUrl>,
    /// The URLs for opening and renewing sessions, by path. They are joined once for all requests.
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
    /// A user's own Live account. OAuth apps are usually registered on Live too. Their tokens work on Live and Demo.
    pub fn live() -> Self {
        Self::preset(Side::Live, Side::Live, &PRODUCTION).authorizing_at(AUTHORIZE)
    }

    /// A user's own Demo account with an API key.
    pub fn demo() -> Self {
        Self::preset(Side::Demo, Side::Demo, &PRODUCTION).authorizing_at(AUTHORIZE)
    }

    /// An evaluation account of a prop firm: users log in on Live, and accounts trade on Demo.
    //= R-ENV-5
    pub fn evaluation() -> Self {
        Self::preset(Side::Live, Side::Demo, &PRODUCTION).authorizing_at(AUTHORIZE)
    }

    /// The Live side of the vendor's staging system. It has no documented authorize URL.
    pub fn staging_live() -> Self {
        Self::preset(Side::Live, Side::Live, &STAGING)
    }

    /// The Demo side of the vendor's staging system. It has no documented authorize URL.
    pub fn staging_demo() -> Self {
        Self::preset(Side::Demo, Side::Demo, &STAGING)
    }

    /// One base URL for all purposes, such as a simulator or a gateway. It is pinned: hosts that the server names and
    /// redirects are not followed.
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

    /// Sets the page where a user consents to an OAuth app (page *OAuth*). The URL may have a query.
    pub fn with_authorize_url(mut self, url: SecureUrl) -> Self {
        Arc::make_mut(&mut self.0).authorize_url = Some(url);
        self
    }

    /// Sets the URL for getting OAuth tokens, if it is not `/auth/oauthtoken` on the login host. The vendor's example
    /// posts to `https://live.tradovateapi.com/auth/oauthtoken`, without `/v1`.
    pub fn with_token_url(mut self, url: SecureUrl) -> Self {
        Arc::make_mut(&mut self.0).token_url = Some(url);
        self
    }

    /// The page where a user consents to an OAuth app, if it is known.
    #[must_use]
    pub fn authorize_url(&self) -> Option<&SecureUrl> {
        self.0.authorize_url.as_ref()
    }

    /// The URL for getting OAuth tokens.
    ///
    /// # Errors
    /// The same as [`url`](Self::url).
    //= R-OAUTH-2
    pub fn token_url(&self) -> Result<SecureUrl, BuildError> {
        match &self.0.token_url {
            Some(url) => Ok(url.clone()),
            None => self.url(Purpose::Login, "/auth/oauthtoken"),
        }
    }

    /// The base URL for a purpose with the hosts in force. `None` if no document and no answer names one.
    #[must_use]
    pub fn base_url(&self, purpose: Purpose) -> Option<&BaseUrl> {
        self.0.pinned.as_ref().or_else(|| self.0.by_key.get(self.key(purpose)))
    }

    /// The URL of a path, such as `/account/list`, for a purpose.
    ///
    /// # Errors
    /// [`BuildError::InvalidUrl`] if the path can't be part of a URL, or no base URL is known for the purpose.
    pub fn url(&self, purpose: Purpose, path: &str) -> Result<SecureUrl, BuildError> {
        let mut joined = self.0.login_urls.iter().filter(|_| purpose == Purpose::Login);
        if let Some((_, url)) = joined.find(|(joined, _)| *joined == path) {
            return Ok(url.clone());
        }
        let unknown = BuildError::InvalidUrl { reason: "no host is known for this purpose before a login names one" };
        self.base_url(purpose).ok_or(unknown)?.join(path)
    }

    /// The URL of the WebSocket for a purpose. `None` if no host is known for it.
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

    /// Whether all requests stay on one base URL, whatever hosts the server names.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.0.pinned.is_some()
    }

    /// Whether a URL uses plain http, which is allowed on this machine only. Such requests must not go through a proxy.
    #[must_use]
    pub fn uses_plain_http(&self) -> bool {
        self.0.pinned.as_ref().is_some_and(BaseUrl::is_plain_http)
            || self.0.token_url.as_ref().is_some_and(SecureUrl::is_plain_http)
    }

    /// Follows the hosts that an answer names: from now on, requests go there. Values that are not host names, and
    /// hosts that are not the vendor's, are not followed. Their keys are returned, so that you can report them. A
    /// pinned environment follows nothing and returns nothing.
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

    /// The same request for the target of a redirect, with the same method, path, token and body. `None` if the request
    /// must not go there: the environment or its token URL is pinned, or the target is not a host of the vendor over
    /// https.
    ///
    /// Follow one redirect per request, not a chain of them.
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
    fn an_environment_with_any_plain_http_url_is_detected() {
        let local = SecureUrl::parse("http://localhost:1/auth/oauthtoken").unwrap();
        assert!(!Environment::demo().uses_plain_http());
        assert!(Environment::demo().with_token_url(local).uses_plain_http());
        assert!(Environment::custom(BaseUrl::parse("http://127.0.0.1/v1").unwrap()).uses_plain_http());
    }

    #[test]
    fn the_same_path_can_be_joined_to_the_login_host_and_the_trading_host() {
        let url = |purpose| Environment::evaluation().url(purpose, LOGIN_PATHS[1]).unwrap().to_string();
        assert_eq!(url(Purpose::Login), "https://live.tradovateapi.com/v1/auth/renewaccesstoken");
        assert_eq!(url(Purpose::Trading), "https://demo.tradovateapi.com/v1/auth/renewaccesstoken");
    }
}
