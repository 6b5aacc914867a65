//! [`Client`]: one async call for each endpoint.
//!
//! A call takes a request of the core and returns the answer with its times. This module controls redirects, statuses,
//! time-outs, proxies and the size of answers, also if the caller sets a builder.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use reqwest::{ClientBuilder, Url};
use tracing::{Instrument, Span, debug, field, info_span};
use tradovate_auth_core::{
    AccessToken, AccessTokenRequest, AccessTokenResponse, Answer, ApiHosts, BuildError, CallError, Credentials,
    Endpoint, Environment, Error, Exchange, Failure, Me, MeResponse, OAuthToken, OAuthTokenResponse, RenewAccessToken,
    RequestBody, ResponseBody, SecureUrl,
};

use crate::sync_primitives::execute;
use crate::tls;

/// An async HTTP client for the endpoints of one environment. Needs tokio. Cloning is cheap: clones share one HTTP
/// client.
///
/// An answer with an error status is a [`CallError::Server`], which says what to do. A redirect is followed once, and
/// only to a host of the vendor. By default, a call may take 30 seconds and an answer may have 256 KiB. Plain http is
/// allowed only to this machine, and never through a proxy.
///
/// ```
/// use tradovate_auth_core::{BaseUrl, Credentials, Environment};
/// use tradovate_auth_reqwest::Client;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let nobody_listens = Environment::custom(BaseUrl::parse("http://127.0.0.1:1/v1")?);
/// let client = Client::new(nobody_listens)?;
/// let error = client.access_token_request(&Credentials::new("trader", "password")).await.unwrap_err();
/// assert!(error.to_string().starts_with("nothing was sent to 127.0.0.1: "));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    environment: Environment,
    timeout: Duration,
    max_response_bytes: usize,
    /// The URL of the last call in reqwest's type. The next call usually has the same URL, and parsing a URL takes as
    /// long as reading an answer.
    last_url: Arc<Mutex<Option<(SecureUrl, Url)>>>,
}

/// The longest time-out. A longer one is reduced to this, because it could overflow the clocks of HTTP clients.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

impl Client {
    /// The default time-out of a whole call: 30 seconds.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

    /// Creates a client with its own connection pool. It trusts the root certificates of `webpki-roots`, and uses the
    /// proxy from the environment variables.
    ///
    /// # Errors
    /// [`CallError::Io`] if TLS can't be set up.
    pub fn new(environment: Environment) -> Result<Self, CallError> {
        let agent = concat!("tradovate-auth/", env!("CARGO_PKG_VERSION"));
        Self::with_builder(environment, tls::http_client_builder()?.user_agent(agent))
    }

    /// Creates a client from your builder: its certificates, resolver, proxy, pool and default headers.
    ///
    /// The client overrides some options of the builder: no redirects and no retries by the HTTP client, and no proxy
    /// if the environment uses plain http. It does not take a finished [`reqwest::Client`], because it could not change
    /// how that client handles redirects.
    ///
    /// Set a `connect_timeout` on the builder that is shorter than the time-out of the whole call. Otherwise an
    /// unreachable host can't be distinguished from a silent server.
    ///
    /// The builder decides which certificates are trusted:
    ///
    /// | the builder | trusts |
    /// |---|---|
    /// | [`http_client_builder()`](crate::http_client_builder) | the roots of `webpki-roots`, as [`new`](Self::new) does |
    /// | `ClientBuilder::new()` | the roots of the operating system |
    /// | … with `tls_certs_merge` | these and yours |
    /// | … with `tls_certs_only` | yours alone |
    /// | … with `tls_backend_preconfigured` | what your configuration of rustls trusts |
    ///
    /// If the process has no default cryptography provider, this function installs `ring` as the default, because
    /// reqwest needs one for a builder without a rustls configuration. If your program prefers another provider,
    /// install it first.
    ///
    /// # Errors
    /// [`CallError::Io`] if TLS can't be set up.
    ///
    /// ```
    /// use reqwest::{ClientBuilder, Proxy};
    /// use tradovate_auth_core::Environment;
    /// use tradovate_auth_reqwest::Client;
    ///
    /// # let roots: Vec<reqwest::Certificate> = Vec::new();
    /// let builder = ClientBuilder::new().tls_certs_merge(roots).proxy(Proxy::https("http://proxy.example:3128")?);
    /// let client = Client::with_builder(Environment::demo(), builder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_builder(environment: Environment, builder: ClientBuilder) -> Result<Self, CallError> {
        tls::install_provider();
        let plain_http = environment.uses_plain_http();
        let builder = if plain_http { builder.no_proxy() } else { builder };
        let http = builder
            //= R-HOST-11
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // Calls are far apart, so a kept connection would usually be closed before the next call. A kept connection
            // could also contain an answer that belongs to no request.
            .pool_max_idle_per_host(0)
            .https_only(!plain_http)
            .build()
            .map_err(|error| CallError::io(Failure::NotSent, "any host", error))?;
        Ok(Self {
            http,
            environment,
            timeout: Self::DEFAULT_TIMEOUT,
            max_response_bytes: ResponseBody::DEFAULT_LIMIT,
            last_url: Arc::default(),
        })
    }

    /// Sets the time-out of a whole call, from resolving the host to the end of the answer. Default: 30 seconds; at
    /// most one hour. A redirected call may take twice this time.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(LONGEST_TIMEOUT);
        self
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sets the largest size of an answer, in bytes after decompression. Default: 256 KiB.
    #[must_use]
    pub fn with_max_response_bytes(mut self, limit: usize) -> Self {
        self.max_response_bytes = limit;
        self
    }

    /// The environment that calls are sent to.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Follows the hosts that an answer named, and returns the keys of the hosts that it does not follow: see
    /// [`Environment::follow`]. Existing clones of the client don't change.
    #[must_use = "report the hosts that are not followed"]
    pub fn follow(&mut self, hosts: &ApiHosts) -> Vec<String> {
        self.environment.follow(hosts)
    }

    /// Logs in: `POST /auth/accesstokenrequest`. Each login opens a server session. A third one closes the user's
    /// oldest server session.
    ///
    /// # Errors
    /// [`CallError`] if the call fails or the server refuses it.
    pub async fn access_token_request(
        &self,
        credentials: &Credentials,
    ) -> Result<Answer<AccessTokenResponse>, CallError> {
        self.call(&AccessTokenRequest::new(credentials)).await
    }

    /// Renews a token: `GET /auth/renewaccesstoken`. This opens no server session.
    ///
    /// # Errors
    /// [`CallError`] if the call fails or the server refuses it.
    pub async fn renew_access_token(&self, token: &AccessToken) -> Result<Answer<AccessTokenResponse>, CallError> {
        self.call(&RenewAccessToken::new(token.clone())).await
    }

    /// Returns the user of a token: `GET /auth/me`. Only Live serves this endpoint.
    ///
    /// # Errors
    /// [`CallError`] if the call fails or the server refuses it.
    pub async fn me(&self, token: &AccessToken) -> Result<Answer<MeResponse>, CallError> {
        self.call(&Me::new(token.clone())).await
    }

    /// Requests tokens for a code, or with a refresh token: `POST /auth/oauthtoken`.
    ///
    /// # Errors
    /// [`CallError`] if the call fails or the server refuses it.
    pub async fn oauth_token(&self, exchange: &OAuthToken) -> Result<Answer<OAuthTokenResponse>, CallError> {
        self.call(exchange).await
    }

    /// Calls any endpoint, such as a login with a penalty's ticket.
    ///
    /// Dropping the future discards the answer. The server may still handle the request.
    ///
    /// # Errors
    /// [`CallError`] if the call fails or the server refuses it.
    pub async fn call<E: Endpoint>(&self, endpoint: &E) -> Result<Answer<E::Response>, CallError> {
        let request = endpoint.request(&self.environment)?;
        let answer = self.exchange::<E>(&request).await;
        let Err(CallError::Server(Error::Moved(moved))) = &answer else { return answer };
        match self.environment.redirect(&request, moved) {
            Some(redirected) => self.exchange::<E>(&redirected).await,
            None => answer,
        }
    }

    /// Sends one request and parses the response.
    async fn exchange<E: Endpoint>(&self, request: &Request<RequestBody>) -> Result<Answer<E::Response>, CallError> {
        let sent = Timestamp::now();
        let response = self.send_request(E::NAME, request).await;
        let received = Timestamp::now();
        let reply = E::parse(response?)?;
        Ok(Answer { value: reply.value, exchange: Exchange { sent, received, server_time: reply.server_time } })
    }

    /// Sends one request and returns the response, with any status.
    pub(crate) async fn send_request(
        &self,
        endpoint: &str,
        request: &Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, CallError> {
        let host = request.uri().host().unwrap_or_default();
        let span = info_span!("tradovate_auth", endpoint, host, status = field::Empty, elapsed_ms = field::Empty);
        let started = Instant::now();
        let response = self.send_untraced(request, host).instrument(span.clone()).await;
        record(&span, &response, started.elapsed());
        response
    }

    async fn send_untraced(
        &self,
        request: &Request<RequestBody>,
        host: &str,
    ) -> Result<Response<ResponseBody>, CallError> {
        // Endpoints of other crates are checked here too: plain http is allowed only to this machine.
        let url = SecureUrl::try_from(request.uri().clone())?;
        let converted = self.convert(request, self.parsed(url)?);
        let mut response = execute(&self.http, converted).await.map_err(|error| failed_to_send(host, error))?;
        let mut received = Response::new(ResponseBody::with_limit(self.max_response_bytes));
        *received.status_mut() = response.status();
        *received.headers_mut() = mem::take(response.headers_mut());
        match read(response, received.body_mut(), host).await {
            Err(error) if received.status() == StatusCode::OK => Err(error),
            // With any other status the answer is useful even if its body is incomplete.
            _ => Ok(received),
        }
    }

    fn parsed(&self, url: SecureUrl) -> Result<Url, BuildError> {
        let mut last = self.last_url.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, parsed)) = last.as_ref().filter(|(last, _)| *last == url) {
            return Ok(parsed.clone());
        }
        let parsed = Url::parse(&url.to_string()).map_err(|_| BuildError::InvalidUrl { reason: "it is not a URL" })?;
        *last = Some((url, parsed.clone()));
        Ok(parsed)
    }

    fn convert(&self, request: &Request<RequestBody>, url: Url) -> reqwest::Request {
        let mut converted = reqwest::Request::new(request.method().clone(), url);
        converted.headers_mut().clone_from(request.headers());
        *converted.timeout_mut() = Some(self.timeout);
        if !request.body().is_empty() {
            *converted.body_mut() = Some(request.body().clone().into_bytes().into());
        }
        converted
    }
}

async fn read(mut response: reqwest::Response, received: &mut ResponseBody, host: &str) -> Result<(), CallError> {
    let oversized = |limit| CallError::oversized(host, limit);
    received.announce(response.content_length().unwrap_or_default()).map_err(oversized)?;
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(()),
            Ok(Some(chunk)) => received.extend(&chunk).map_err(oversized)?,
            Err(error) => return Err(CallError::io(Failure::Truncated, host, error.without_url())),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The HTTP client is not printed, because its default headers may contain secrets of the program.
        f.debug_struct("Client")
            .field("environment", &self.environment)
            .field("timeout", &self.timeout)
            .field("max_response_bytes", &self.max_response_bytes)
            .finish_non_exhaustive()
    }
}

fn record(span: &Span, response: &Result<Response<ResponseBody>, CallError>, elapsed: Duration) {
    let _entered = span.enter();
    span.record("elapsed_ms", u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
    match response {
        Ok(response) => {
            span.record("status", response.status().as_u16());
            debug!("the server answered");
        }
        Err(error) => debug!(%error, "the call failed"),
    }
}

/// The error for a request without a response. If it is not known whether the request was sent, it counts as possibly
/// sent.
fn failed_to_send(host: &str, error: reqwest::Error) -> CallError {
    let not_sent = error.is_connect() || error.is_builder();
    CallError::io(if not_sent { Failure::NotSent } else { Failure::MaybeSent }, host, error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_goes_to_its_own_url() {
        let client = Client::new(Environment::demo()).unwrap();
        for url in
            ["https://a.example/v1/x", "https://a.example/v1/x", "https://a.example/v1/y", "https://a.example/v1/x?y"]
        {
            assert_eq!(client.parsed(SecureUrl::parse(url).unwrap()).unwrap().as_str(), url);
        }
    }
}
