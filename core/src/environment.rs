//! [`Environment`]: the URLs for logging in, for trading, and for all other purposes (pages *Environments* and *Dynamic
//! API Hosts*).
//!
//! A preset starts with the vendor's published hosts and follows the hosts that the server names. A custom base URL is
//! pinned: it does not change. This module also decides whether a request may be redirected to another host.

pub(crate) mod api_hosts;
mod oauth_urls;
mod published_hosts;
pub(crate) mod trusted_hosts;
pub(crate) mod url;

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use http::Request;

use crate::environment::api_hosts::ApiHosts;
use crate::environment::published_hosts::{PRODUCTION, STAGING};
use crate::environment::trusted_hosts::is_trusted_host;
use crate::environment::url::{BaseUrl, SecureUrl, at_authority};
use crate::wire::endpoint::paths;
use crate::wire::error::BuildError;
use crate::wire::host_redirect::Moved;
use crate::wire::wiped_body::RequestBody;

/// The purpose of a URL. Each purpose can have a host of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Logins, renewals and OAuth token requests.
    Login,
    /// The call `/auth/me`, which only Live serves.
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

/// One of the vendor's two systems. Each user, account and app exists on one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Live,
    Demo,
}

/// The URLs for one user: for logging in, for trading, and for the other purposes.
///
/// The login host can differ from the trading host: users of prop firms log in on Live and trade on Demo. Each
/// constructor says where its users log in and trade.
///
/// ```
/// use tradovate_auth_core::{Environment, Purpose};
///
/// let evaluation = Environment::evaluation();
/// assert_eq!(evaluation.base_url(Purpose::Login).unwrap().host(), "live.tradovateapi.com");
/// assert_eq!(evaluation.base_url(Purpose::Trading).unwrap().host(), "demo.tradovateapi.com");
/// ```
///
/// Cloning is cheap: clones share their URLs until one of them is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Environment(Arc<Places>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Places {
    login: Side,
    trading: Side,
    /// The base URL for all purposes, if the caller has set one.
    pinned: Option<BaseUrl>,
    /// Base URLs by the keys of `apiHosts`.
    by_key: BTreeMap<String, BaseUrl>,
    authorize_url: Option<SecureUrl>,
    token_url: Option<SecureUrl>,
    /// The URLs for logins, renewals and OAuth token requests, by path. They are joined once, not for each request.
    login_urls: Vec<(&'static str, SecureUrl)>,
}

const LOGIN_PATHS: [&str; 3] = [paths::ACCESS_TOKEN_REQUEST, paths::RENEW_ACCESS_TOKEN, paths::OAUTH_TOKEN];

impl Environment {
    /// The environment of a user's own Live account. Use it also for an OAuth app, which is usually registered on Live:
    /// its tokens work on Live and Demo.
    pub fn live() -> Self {
        Self::preset(Side::Live, Side::Live, &PRODUCTION).with_published_authorize_url()
    }

    /// The environment of a user's own Demo account with an API key.
    pub fn demo() -> Self {
        Self::preset(Side::Demo, Side::Demo, &PRODUCTION).with_published_authorize_url()
    }

    /// The environment of an evaluation account of a prop firm: the user logs in on Live, and the account trades on
    /// Demo.
    //= R-ENV-5
    pub fn evaluation() -> Self {
        Self::preset(Side::Live, Side::Demo, &PRODUCTION).with_published_authorize_url()
    }

    /// The Live side of the vendor's staging system. It has no authorize URL, because none is documented.
    pub fn staging_live() -> Self {
        Self::preset(Side::Live, Side::Live, &STAGING)
    }

    /// The Demo side of the vendor's staging system. It has no authorize URL, because none is documented.
    pub fn staging_demo() -> Self {
        Self::preset(Side::Demo, Side::Demo, &STAGING)
    }

    /// An environment with one base URL for all purposes, such as a simulator or a gateway. The base URL is pinned: the
    /// environment follows no host that the server names, and no redirect.
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

    /// The base URL that is now used for a purpose. `None` if neither the vendor's documents nor an answer names a host
    /// for it.
    //= R-HOST-3
    #[must_use]
    pub fn base_url(&self, purpose: Purpose) -> Option<&BaseUrl> {
        self.0.pinned.as_ref().or_else(|| self.0.by_key.get(purpose.key(self.0.login, self.0.trading)))
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

    /// The URL of the WebSocket for a purpose. `None` if no host is known for the purpose.
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

    /// Whether the caller has set the base URL. Such an environment follows no host that the server names.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.0.pinned.is_some()
    }

    /// Whether the base URL or the token URL uses plain http, which is allowed only to this machine. Such requests must
    /// not go through a proxy.
    #[must_use]
    pub fn uses_plain_http(&self) -> bool {
        self.0.pinned.as_ref().is_some_and(BaseUrl::is_plain_http)
            || self.0.token_url.as_ref().is_some_and(SecureUrl::is_plain_http)
    }

    /// Follows the hosts that an answer names: from now on, requests go there. Returns the keys of the values that are
    /// not followed, because they are not host names or not hosts of the vendor. Report these keys to the user. A
    /// pinned environment follows no host and returns no key.
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
    /// must not be sent there: the environment is pinned, the request was not for a host of the vendor, or the target
    /// is not a host of the vendor over https.
    ///
    /// Follow at most one redirect for each request.
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
