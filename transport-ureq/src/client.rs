//! [`Client`]: one blocking call for each endpoint.
//!
//! A call takes a request of the core and returns the answer with its times. This module controls redirects, statuses,
//! time-outs, proxies and the size of answers, also if the caller sets an agent.

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

/// A blocking HTTP client for the endpoints of one environment. Cloning is cheap: clones share one agent.
///
/// An answer with an error status is a [`CallError::Server`], which says what to do. A redirect is followed once, and
/// only to a host of the vendor. By default, a call may take 30 seconds and an answer may have 256 KiB. Plain http is
/// allowed only to this machine, and never through a proxy.
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

/// The longest time-out. A longer one is reduced to this, because it could overflow the clocks of HTTP clients.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// The longest time for connecting. If this time is over, nothing was sent. A server that is connected but silent may
/// have handled the request.
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// The number of bytes that are read from a connection at once.
const CHUNK: usize = 1024;

impl Client {
    /// The default time-out of a whole call: 30 seconds.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

    /// Creates a client with its own agent.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        // Calls are far apart, so a kept connection would usually be closed before the next call.
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

    /// Sets your own agent, with its pool, certificates, resolver, proxy and middleware.
    ///
    /// The client overrides some options of the agent for each call: no redirects, no errors for statuses, https
    /// (except to this machine), and the time-outs of the whole call and of connecting.
    #[must_use]
    pub fn with_agent(mut self, agent: Agent) -> Self {
        self.agent = agent;
        self
    }

    /// Sets the time-out of a whole call, from resolving the host to the end of the answer. Default: 30 seconds; at
    /// most one hour. A redirected call may take twice this time. Connecting may take a third of this time, at most ten
    /// seconds.
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
    pub fn access_token_request(&self, credentials: &Credentials) -> Result<Answer<AccessTokenResponse>, CallError> {
        self.call(&AccessTokenRequest::new(credentials))
    }

    /// Renews a token: `GET /auth/renewaccesstoken`. This opens no server session.
    ///
    /// # Errors
    /// [`CallError`] if the call fails or the server refuses it.
    pub fn renew_access_token(&self, token: &AccessToken) -> Result<Answer<AccessTokenResponse>, CallError> {
        self.call(&RenewAccessToken::new(token.clone()))
    }

    /// Returns the user of a token: `GET /auth/me`. Only Live serves this endpoint.
    ///
    /// # Errors
    /// [`CallError`] if the call fails or the server refuses it.
    pub fn me(&self, token: &AccessToken) -> Result<Answer<MeResponse>, CallError> {
        self.call(&Me::new(token.clone()))
    }

    /// Requests tokens for a code, or with a refresh token: `POST /auth/oauthtoken`.
    ///
    /// # Errors
    /// [`CallError`] if the call fails or the server refuses it.
    pub fn oauth_token(&self, exchange: &OAuthToken) -> Result<Answer<OAuthTokenResponse>, CallError> {
        self.call(exchange)
    }

    /// Calls any endpoint, such as a login with a penalty's ticket.
    ///
    /// # Errors
    /// [`CallError`] if the call fails or the server refuses it.
    pub fn call<E: Endpoint>(&self, endpoint: &E) -> Result<Answer<E::Response>, CallError> {
        let request = endpoint.request(&self.environment)?;
        let answer = self.exchange::<E>(&request);
        let Err(CallError::Server(Error::Moved(moved))) = &answer else { return answer };
        match self.environment.redirect(&request, moved) {
            Some(redirected) => self.exchange::<E>(&redirected),
            None => answer,
        }
    }

    /// Sends one request and parses the response.
    fn exchange<E: Endpoint>(&self, request: &Request<RequestBody>) -> Result<Answer<E::Response>, CallError> {
        let sent = Timestamp::now();
        let response = self.send_request(E::NAME, request);
        let received = Timestamp::now();
        let reply = E::parse(response?)?;
        Ok(Answer { value: reply.value, exchange: Exchange { sent, received, server_time: reply.server_time } })
    }

    /// Sends one request and returns the response, with any status.
    pub(crate) fn send_request(
        &self,
        endpoint: &str,
        request: &Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, CallError> {
        let host = request.uri().host().unwrap_or_default();
        let span = info_span!("tradovate_auth", endpoint, host, status = field::Empty, elapsed_ms = field::Empty);
        let _entered = span.enter();
        let started = Instant::now();
        let response = self.send_untraced(request, host);
        record(&span, &response, started.elapsed());
        response
    }

    fn send_untraced(&self, request: &Request<RequestBody>, host: &str) -> Result<Response<ResponseBody>, CallError> {
        // Endpoints of other crates are checked here too: plain http is allowed only to this machine.
        SecureUrl::try_from(request.uri().clone())?;
        let response = if request.body().is_empty() {
            // With any other type, an empty body is sent with `content-length: 0`, which a GET should not have.
            self.run(request.clone(), ()).map_err(|error| {
                let failure = if occurs_before_sending(&error) { Failure::NotSent } else { Failure::MaybeSent };
                call_error(failure, host, error)
            })
        } else {
            let mut body = TrackedBody { rest: request.body().as_ref(), was_read: false };
            let mut request = request.clone();
            request.headers_mut().insert(CONTENT_LENGTH, body.rest.len().into());
            self.run(request, SendBody::from_reader(&mut body)).map_err(|error| {
                // A server can't handle a request if no byte of its body was sent.
                let failure = if body.was_read { Failure::MaybeSent } else { Failure::NotSent };
                call_error(failure, host, error)
            })
        };
        let (parts, mut body) = response?.into_parts();
        let mut received = ResponseBody::with_limit(self.max_response_bytes);
        match read(&mut body, &mut received, host) {
            Err(error) if parts.status == StatusCode::OK => Err(error),
            // With any other status the answer is useful even if its body is incomplete.
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

/// A read buffer that is wiped as a whole. `Zeroizing` wipes an array byte by byte.
struct Chunk([u8; CHUNK]);

impl Drop for Chunk {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// A request body that records whether ureq has started to read it, so that a part may have been sent.
struct TrackedBody<'b> {
    rest: &'b [u8],
    was_read: bool,
}

impl Read for TrackedBody<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.was_read = true;
        self.rest.read(buffer)
    }
}

fn record(span: &Span, response: &Result<Response<ResponseBody>, CallError>, elapsed: Duration) {
    span.record("elapsed_ms", u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
    match response {
        Ok(response) => {
            span.record("status", response.status().as_u16());
            debug!("the server answered");
        }
        Err(error) => debug!(%error, "the call failed"),
    }
}

/// Whether this error can only occur before the request is sent.
fn occurs_before_sending(error: &ureq::Error) -> bool {
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

fn call_error(failure: Failure, host: &str, error: ureq::Error) -> CallError {
    match error {
        // `io::Error` keeps its own cause, which `ureq::Error` drops.
        ureq::Error::Io(error) => CallError::io(failure, host, error),
        error => CallError::io(failure, host, error),
    }
}
