//! [`Client`]: one blocking call for each endpoint.
//!
//! A request of the core goes in, an answer with the times of its exchange comes out. Redirects, statuses, time-outs,
//! proxies and the length of answers are this module's business, whatever agent the caller brings.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use http::header::CONTENT_LENGTH;
use http::uri::Scheme;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use tracing::{Span, debug, field, info_span};
use tradovate_auth_core::{
    AccessToken, AccessTokenRequest, AccessTokenResponse, Answer, ApiHosts, CallError, Credentials, Endpoint,
    Environment, Error, Exchange, Failure, Me, MeResponse, OAuthToken, OAuthTokenResponse, RenewAccessToken,
    RequestBody, ResponseBody, SecureUrl,
};
use ureq::{Agent, AsSendBody, Body, SendBody};
use zeroize::Zeroize as _;

/// Calls the endpoints of one environment, blocking. Cheap to clone; clones share connections.
///
/// Statuses are answers and not errors of the client, redirects are followed once and to the vendor's own hosts alone,
/// a call may take 30 seconds, an answer may have 256 KiB. Plain http, which is for this machine only, never passes a
/// proxy.
///
/// ```
/// use tradovate_auth_core::{BaseUrl, Credentials, Environment};
/// use tradovate_auth_ureq::Client;
///
/// let nobody_listens = Environment::custom(BaseUrl::parse("http://127.0.0.1:1/v1")?);
/// let error = Client::new(nobody_listens).access_token_request(&Credentials::new("trader", "password")).unwrap_err();
/// assert!(error.to_string().starts_with("nothing was sent to 127.0.0.1: "));
/// # Ok::<(), tradovate_auth_core::BuildError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    environment: Environment,
    timeout: Duration,
    max_response_bytes: usize,
}

/// Longer time-outs are none, and overflow the clocks of HTTP clients.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// Connecting takes no longer than this. A host that can't be reached in this time got nothing, so the call can be told
/// from one that a silent server may have handled.
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// How much is read from a connection at once.
const CHUNK: usize = 1024;

impl Client {
    /// The longest a whole call may take, unless told otherwise.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

    /// A client with an agent of its own.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        // Calls are far apart: a connection kept for the next one would be closed by then, or worse.
        let config = Agent::config_builder()
            .user_agent(concat!("tradovate-auth/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections(0);
        Self {
            agent: config.build().new_agent(),
            environment,
            timeout: Self::DEFAULT_TIMEOUT,
            max_response_bytes: ResponseBody::DEFAULT_LIMIT,
        }
    }

    /// Uses an agent of yours: its pool, certificates, resolver, proxy and middleware. What keeps calls safe is set
    /// for each call here, whatever the agent says: redirects, statuses, https, and the time-outs of the whole call and of
    /// connecting.
    #[must_use]
    pub fn with_agent(mut self, agent: Agent) -> Self {
        self.agent = agent;
        self
    }

    /// The longest a whole call may take, from resolving the host to the end of the answer; at most an hour. A
    /// redirected call has this time twice. Connecting may take a third of it, at most ten seconds.
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
    #[must_use = "the hosts that are not followed have to be reported"]
    pub fn follow(&mut self, hosts: &ApiHosts) -> Vec<String> {
        self.environment.follow(hosts)
    }

    /// `POST /auth/accesstokenrequest`: logs in. Each login opens a session, and a third closes the user's oldest.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn access_token_request(&self, credentials: &Credentials) -> Result<Answer<AccessTokenResponse>, CallError> {
        self.call(&AccessTokenRequest::new(credentials))
    }

    /// `GET /auth/renewaccesstoken`: extends the session of a token.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn renew_access_token(&self, token: &AccessToken) -> Result<Answer<AccessTokenResponse>, CallError> {
        self.call(&RenewAccessToken::new(token.clone()))
    }

    /// `GET /auth/me`: who a token belongs to. Served on Live only.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn me(&self, token: &AccessToken) -> Result<Answer<MeResponse>, CallError> {
        self.call(&Me::new(token.clone()))
    }

    /// `POST /auth/oauthtoken`: exchanges a code or a refresh token.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn oauth_token(&self, exchange: &OAuthToken) -> Result<Answer<OAuthTokenResponse>, CallError> {
        self.call(exchange)
    }

    /// Any endpoint, such as a login with a penalty's ticket.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call<E: Endpoint>(&self, endpoint: &E) -> Result<Answer<E::Response>, CallError> {
        let request = endpoint.request(&self.environment)?;
        let answer = self.exchange::<E>(&request);
        let Err(CallError::Server(Error::Moved(moved))) = &answer else { return answer };
        match self.environment.redirect(&request, moved) {
            Some(redirected) => self.exchange::<E>(&redirected),
            None => answer,
        }
    }

    /// Sends one request and parses the response to it.
    fn exchange<E: Endpoint>(&self, request: &Request<RequestBody>) -> Result<Answer<E::Response>, CallError> {
        let sent = Timestamp::now();
        let response = self.carry(E::NAME, request);
        let received = Timestamp::now();
        let reply = E::parse(response?)?;
        Ok(Answer { value: reply.value, exchange: Exchange { sent, received, server_time: reply.server_time } })
    }

    /// Sends one request and brings the response to it, of any status.
    pub(crate) fn carry(
        &self,
        endpoint: &str,
        request: &Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, CallError> {
        let host = request.uri().host().unwrap_or_default();
        let span = info_span!("tradovate_auth", endpoint, host, status = field::Empty, elapsed_ms = field::Empty);
        let _entered = span.enter();
        let started = Instant::now();
        let response = self.send(request, host);
        record(&span, &response, started.elapsed());
        response
    }

    fn send(&self, request: &Request<RequestBody>, host: &str) -> Result<Response<ResponseBody>, CallError> {
        // Also for endpoints that are not ours: nothing leaves unencrypted but for this machine.
        SecureUrl::try_from(request.uri().clone())?;
        let response = if request.body().is_empty() {
            // An empty body of any other type is sent as `content-length: 0`, which a GET should not have.
            self.run(request.clone(), ()).map_err(|error| {
                let failure = if never_connects(&error) { Failure::NotSent } else { Failure::MaybeSent };
                failed(failure, host, error)
            })
        } else {
            let mut body = Marked { rest: request.body().as_ref(), touched: false };
            let mut request = request.clone();
            request.headers_mut().insert(CONTENT_LENGTH, body.rest.len().into());
            self.run(request, SendBody::from_reader(&mut body)).map_err(|error| {
                // A server can't handle what it has nothing of the body of.
                let failure = if body.touched { Failure::MaybeSent } else { Failure::NotSent };
                failed(failure, host, error)
            })
        };
        let (parts, mut body) = response?.into_parts();
        let mut received = ResponseBody::with_limit(self.max_response_bytes);
        match read(&mut body, &mut received, host) {
            Err(error) if parts.status == StatusCode::OK => Err(error),
            // Any other status says what it says, with or without the end of its body.
            _ => Ok(Response::from_parts(parts, received)),
        }
    }

    fn run<B>(&self, request: Request<B>, body: impl AsSendBody) -> Result<Response<Body>, ureq::Error> {
        let (parts, _) = request.into_parts();
        let plain_http = parts.uri.scheme() == Some(&Scheme::HTTP);
        let config = self.agent.configure_request(Request::from_parts(parts, body));
        let config = if plain_http { config.proxy(None) } else { config };
        let request = config
            .http_status_as_error(false)
            //= R-HOST-11
            .max_redirects(0)
            .max_redirects_will_error(false)
            .https_only(!plain_http)
            .timeout_global(Some(self.timeout))
            .timeout_connect(Some((self.timeout / 3).min(LONGEST_CONNECT)))
            .build();
        self.agent.run(request)
    }
}

fn read(body: &mut Body, received: &mut ResponseBody, host: &str) -> Result<(), CallError> {
    let oversized = |limit| CallError::oversized(host, limit);
    received.announce(body.content_length().unwrap_or_default()).map_err(oversized)?;
    let mut reader = body.as_reader();
    let mut chunk = Chunk([0; CHUNK]);
    loop {
        match reader.read(&mut chunk.0) {
            Ok(0) => return Ok(()),
            Ok(length) => received.extend(chunk.0.get(..length).unwrap_or_default()).map_err(oversized)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CallError::io(Failure::Truncated, host, error)),
        }
    }
}

/// What is read at once. It is wiped in one go, as `Zeroizing` doesn't with an array.
struct Chunk([u8; CHUNK]);

impl Drop for Chunk {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// A request body that tells whether any of it may have left.
struct Marked<'b> {
    rest: &'b [u8],
    touched: bool,
}

impl Read for Marked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.touched = true;
        self.rest.read(buffer)
    }
}

fn record(span: &Span, response: &Result<Response<ResponseBody>, CallError>, elapsed: Duration) {
    span.record("elapsed_ms", u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
    match response {
        Ok(response) => {
            span.record("status", response.status().as_u16());
            debug!("answered");
        }
        Err(error) => debug!(%error, "failed"),
    }
}

/// Errors that only come before a request leaves.
fn never_connects(error: &ureq::Error) -> bool {
    use ureq::{Error, Timeout};

    match error {
        Error::ConnectProxyFailed(_)
        | Error::ConnectionFailed
        | Error::HostNotFound
        | Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
        Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}

fn failed(failure: Failure, host: &str, error: ureq::Error) -> CallError {
    match error {
        // Which keeps its own cause, as `ureq`'s error does not.
        ureq::Error::Io(error) => CallError::io(failure, host, error),
        error => CallError::io(failure, host, error),
    }
}
