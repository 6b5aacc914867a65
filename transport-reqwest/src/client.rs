//! [`Client`]: one async call for each endpoint.
//!
//! A request of the core goes in, an answer with the times of its exchange comes out. Redirects, statuses, time-outs,
//! proxies and the length of answers are this module's business, whatever builder the caller brings.

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

use crate::sync::execute;
use crate::tls;

/// Calls the endpoints of one environment, async on tokio. Cheap to clone; clones share connections.
///
/// Statuses are answers and not errors of the client, redirects are followed once and to the vendor's own hosts alone,
/// a call may take 30 seconds, an answer may have 256 KiB. Plain http, which is for this machine only, never passes a
/// proxy.
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
    /// Where the last call went, as reqwest wants it: the next one mostly goes there too, and parsing a URL costs as much
    /// as reading an answer.
    last_url: Arc<Mutex<Option<(SecureUrl, Url)>>>,
}

/// Longer time-outs are none, and overflow the clocks of HTTP clients.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

impl Client {
    /// The longest a whole call may take, unless told otherwise.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

    /// A client with a connection pool of its own. It trusts the root certificates of `webpki-roots`, and uses the proxy
    /// of the environment's variables.
    ///
    /// # Errors
    /// [`CallError::Io`] when TLS can't be set up.
    pub fn new(environment: Environment) -> Result<Self, CallError> {
        let agent = concat!("tradovate-auth/", env!("CARGO_PKG_VERSION"));
        Self::with_builder(environment, tls::http_client_builder()?.user_agent(agent))
    }

    /// A client from a builder of yours: its certificates, resolver, proxy, pool and default headers. What keeps calls
    /// safe is set here, whatever the builder says: no redirects and no retries by the HTTP client, and no proxy where
    /// the environment has plain http. (A finished [`reqwest::Client`] can't be taken, since its redirects are fixed.)
    ///
    /// Give the builder a `connect_timeout` that is shorter than the time-out of the whole call: without one, a host that
    /// can't be reached can't be told from a server that is silent.
    ///
    /// The builder decides about TLS:
    ///
    /// | the builder | trusts |
    /// |---|---|
    /// | [`http_client_builder()`](crate::http_client_builder) | the roots of `webpki-roots`, as [`new`](Self::new) does |
    /// | `ClientBuilder::new()` | the roots of the operating system |
    /// | … with `tls_certs_merge` | these and yours |
    /// | … with `tls_certs_only` | yours alone |
    /// | … with `tls_backend_preconfigured` | what your configuration of rustls trusts |
    ///
    /// If the process has no default provider of cryptography, this makes `ring` the default, because reqwest needs one
    /// for a builder without a configuration of rustls. A program that prefers another provider installs it first.
    ///
    /// # Errors
    /// [`CallError::Io`] when TLS can't be set up.
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
            // Calls are far apart: a connection kept for the next one would be closed by then, or worse, have an
            // answer in it that belongs to nothing.
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

    /// The longest a whole call may take, from resolving the host to the end of the answer; at most an hour. A
    /// redirected call has this time twice.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(LONGEST_TIMEOUT);
        self
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The longest answer that is read, in bytes, after decompression.
    #[must_use]
    pub fn with_max_response_bytes(mut self, limit: usize) -> Self {
        self.max_response_bytes = limit;
        self
    }

    /// Where calls go.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Follows the hosts an answer named, and returns the keys of those it doesn't: see [`Environment::follow`]. Clones
    /// made before don't follow.
    #[must_use = "report the hosts that are not followed"]
    pub fn follow(&mut self, hosts: &ApiHosts) -> Vec<String> {
        self.environment.follow(hosts)
    }

    /// `POST /auth/accesstokenrequest`: logs in. Each login opens a session, and a third closes the user's oldest.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn access_token_request(
        &self,
        credentials: &Credentials,
    ) -> Result<Answer<AccessTokenResponse>, CallError> {
        self.call(&AccessTokenRequest::new(credentials)).await
    }

    /// `GET /auth/renewaccesstoken`: extends the session of a token.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn renew_access_token(&self, token: &AccessToken) -> Result<Answer<AccessTokenResponse>, CallError> {
        self.call(&RenewAccessToken::new(token.clone())).await
    }

    /// `GET /auth/me`: who a token belongs to. Served on Live only.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn me(&self, token: &AccessToken) -> Result<Answer<MeResponse>, CallError> {
        self.call(&Me::new(token.clone())).await
    }

    /// `POST /auth/oauthtoken`: exchanges a code or a refresh token.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn oauth_token(&self, exchange: &OAuthToken) -> Result<Answer<OAuthTokenResponse>, CallError> {
        self.call(exchange).await
    }

    /// Any endpoint, such as a login with a penalty's ticket.
    ///
    /// Dropping the future gives the answer up; the server may handle the request all the same.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call<E: Endpoint>(&self, endpoint: &E) -> Result<Answer<E::Response>, CallError> {
        let request = endpoint.request(&self.environment)?;
        let answer = self.exchange::<E>(&request).await;
        let Err(CallError::Server(Error::Moved(moved))) = &answer else { return answer };
        match self.environment.redirect(&request, moved) {
            Some(redirected) => self.exchange::<E>(&redirected).await,
            None => answer,
        }
    }

    /// Sends one request and parses the response to it.
    async fn exchange<E: Endpoint>(&self, request: &Request<RequestBody>) -> Result<Answer<E::Response>, CallError> {
        let sent = Timestamp::now();
        let response = self.carry(E::NAME, request).await;
        let received = Timestamp::now();
        let reply = E::parse(response?)?;
        Ok(Answer { value: reply.value, exchange: Exchange { sent, received, server_time: reply.server_time } })
    }

    /// Sends one request and brings the response to it, of any status.
    pub(crate) async fn carry(
        &self,
        endpoint: &str,
        request: &Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, CallError> {
        let host = request.uri().host().unwrap_or_default();
        let span = info_span!("tradovate_auth", endpoint, host, status = field::Empty, elapsed_ms = field::Empty);
        let started = Instant::now();
        let response = self.send(request, host).instrument(span.clone()).await;
        record(&span, &response, started.elapsed());
        response
    }

    async fn send(&self, request: &Request<RequestBody>, host: &str) -> Result<Response<ResponseBody>, CallError> {
        // Also for endpoints that are not ours: nothing leaves unencrypted but for this machine.
        let url = SecureUrl::try_from(request.uri().clone())?;
        let converted = self.convert(request, self.parsed(url)?);
        let mut response = execute(&self.http, converted).await.map_err(|error| failed_to_send(host, error))?;
        let mut received = Response::new(ResponseBody::with_limit(self.max_response_bytes));
        *received.status_mut() = response.status();
        *received.headers_mut() = mem::take(response.headers_mut());
        match read(response, received.body_mut(), host).await {
            Err(error) if received.status() == StatusCode::OK => Err(error),
            // Any other status says what it says, with or without the end of its body.
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
        // Not the HTTP client, whose default headers may be secrets of the caller's.
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

/// Whether a request left before it failed. Where that can't be known, it may have.
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
