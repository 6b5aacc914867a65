//! The server: takes a request and a time, and returns a response.
//!
//! A request passes these steps in order: preflight, scripted answers, maintenance, lock-outs, routing, the caller's
//! limits, penalties and the endpoint's limit, and then the endpoint. For the authorization page, only scripted
//! answers and maintenance apply.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use jiff::Timestamp;

use crate::{
    authorize,
    builder::{Setup, SimulatorBuilder},
    call::{self, Call},
    cors,
    endpoint::Endpoint,
    fields::{Fields, Malformed, Repetition},
    grants::Grants,
    hosts::{ApiHosts, DedicatedHosts, Placement},
    lock_outs::LockOuts,
    maintenance::Plan,
    mint::Mint,
    network::Network,
    options::{ClosedSession, Options, OverLimit},
    penalties::{Admission, Attempt, LimitKey, Penalties},
    rates::{Caller, Callers, Rates},
    registration::{App, OAuthClient},
    reply::{Outcome, Reply, texts},
    script::{Script, Scripted},
    sessions::{NewSession, Origin, Session, Sessions, TokenStatus},
    side::Side,
    sockets::Sockets,
    statistics::{LogEntry, Statistics},
    time::{http_date, shifted},
    user::User,
    wrong_hosts::WrongHosts,
};

mod control;

/// A simulated authentication server. It has no clock and no randomness: the same requests at the same times get the
/// same answers.
///
/// ```
/// use http::Request;
/// use tradovate_auth_simulator::Simulator;
///
/// let mut simulator = Simulator::builder().build();
/// let request = Request::post("https://live.tradovateapi.com/v1/auth/accesstokenrequest").body(
///     r#"{"name":"synthetic-user","password":"synthetic-password","cid":8,"sec":"synthetic-api-secret"}"#,
/// )?;
/// let response = simulator.handle("2026-11-24T14:20:30Z".parse()?, request);
/// let body = String::from_utf8(response.into_body())?;
/// assert!(body.contains(r#""expirationTime":"2026-11-24T15:40:30.000Z""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Simulator {
    /// The users, registrations and options at the start, for `reset`.
    pub(crate) setup: Setup,
    pub(crate) options: Options,
    pub(crate) users: Vec<User>,
    pub(crate) apps: Vec<App>,
    pub(crate) clients: Vec<OAuthClient>,
    pub(crate) organizations: BTreeMap<String, ApiHosts>,
    pub(crate) dedicated: DedicatedHosts,
    pub(crate) mint: Mint,
    pub(crate) sessions: Sessions,
    pub(crate) grants: Grants,
    /// The `deviceId` of each user's first login.
    pub(crate) devices: BTreeMap<i64, String>,
    pub(crate) penalties: Penalties,
    pub(crate) rates: Rates,
    pub(crate) callers: Callers,
    pub(crate) lock_outs: LockOuts,
    pub(crate) maintenance: Plan,
    pub(crate) script: Script,
    pub(crate) wrong_hosts: WrongHosts,
    pub(crate) sockets: Sockets,
    pub(crate) statistics: Statistics,
    /// The time that the caller has given last; `None` if it has given none.
    pub(crate) time: Option<Timestamp>,
}

impl Simulator {
    /// Returns a builder, which sets up a simulator.
    #[must_use]
    pub fn builder() -> SimulatorBuilder {
        SimulatorBuilder::new()
    }

    /// Answers a request at the time `now`. The host comes from the request's URI or its `Host` header. The caller's
    /// [`Network`] comes from the request's extensions.
    ///
    /// No input causes a panic.
    pub fn handle<B: AsRef<[u8]>>(&mut self, now: Timestamp, request: Request<B>) -> Response<Vec<u8>> {
        self.set_time(now);
        let (parts, body) = request.into_parts();
        let mut response = self.answer(&parts, body.as_ref());
        if !authorize::is_page(parts.uri.path()) {
            cors::decorate(&parts.headers, &mut response);
        }
        if let Some(date) = http_date(self.server_time()).and_then(|date| HeaderValue::try_from(date).ok()) {
            response.headers_mut().entry(header::DATE).or_insert(date);
        }
        self.statistics.record(LogEntry {
            at: now,
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            host: call::host(&parts.uri, &parts.headers),
            has_token: call::bearer(&parts.headers).is_some(),
            fields: logged_fields(&parts, body.as_ref()),
            status: response.status(),
        });
        response
    }

    fn answer(&mut self, parts: &Parts, body: &[u8]) -> Response<Vec<u8>> {
        // Browsers navigate to the page. No script may read it, so it answers no preflight (RFC 9700, section 2.6).
        if !authorize::is_page(parts.uri.path())
            && let Some(reply) = cors::preflight(parts)
        {
            return *reply.response;
        }
        match self.script.take(Endpoint::at(parts.uri.path())) {
            Some(Scripted { response, handle: true, .. }) => {
                self.regular(parts, body);
                response
            }
            Some(Scripted { response, .. }) => response,
            None => *self.regular(parts, body).response,
        }
    }

    fn regular(&mut self, parts: &Parts, body: &[u8]) -> Reply {
        let now = self.server_time();
        let network = parts.extensions.get::<Network>().cloned().unwrap_or_default();
        if let Some(reply) = self.maintenance.answer(now, &mut self.mint) {
            return reply;
        }
        // The vendor's page has a host of its own, which shares neither lock-outs nor limits with the API.
        if authorize::is_page(parts.uri.path()) {
            return self.authorize(parts, body);
        }
        if let Some(reply) = self.lock_outs.answer(now, &network) {
            return reply;
        }
        let Some(endpoint) = Endpoint::at(parts.uri.path()) else {
            return Reply::empty(StatusCode::NOT_FOUND);
        };
        if parts.method != endpoint.method() {
            return Reply::method_not_allowed(&endpoint.method());
        }
        let bearer = call::bearer(&parts.headers);
        if self.is_over_callers_limit(now, bearer, &network) {
            return Reply::empty(StatusCode::TOO_MANY_REQUESTS);
        }
        let key = (network.clone(), endpoint);
        let (fields, repetition) = match read_body(endpoint, parts, body) {
            Ok(read) => read,
            Err(malformed) => return self.counted(now, key, malformed.into()),
        };
        let host = call::host(&parts.uri, &parts.headers);
        if let Some(reply) = self.wrong_hosts.answer(&host, endpoint) {
            return reply;
        }
        let side = self.dedicated.side(&host).unwrap_or(self.options.default_side);
        let call = Call { endpoint, now, uri: &parts.uri, host, side, network, bearer, fields, repetition };
        if let Some(reply) = self.penalty_or_limit(&call) {
            return reply;
        }
        // `Err` is a response too. It ends the handling of the request early.
        let answered = match (endpoint, &call.fields) {
            (Endpoint::AccessTokenRequest, Some(fields)) => self.access_token_request(&call, fields),
            (Endpoint::OauthToken, Some(fields)) => self.oauth_token(&call, fields),
            (Endpoint::Me, _) => self.me(&call),
            (Endpoint::RenewAccessToken, _) => self.renew_access_token(&call),
            (Endpoint::AccountList | Endpoint::UserList | Endpoint::OrderList, _) => self.list(&call),
            (Endpoint::WebSocket, _) => self.web_socket(&call, &parts.extensions),
            (Endpoint::AccessTokenRequest | Endpoint::OauthToken, None) => {
                Err(Reply::bad_request("the body is missing"))
            }
        };
        let (Ok(reply) | Err(reply)) = answered;
        self.counted(now, key, reply)
    }

    fn is_over_callers_limit(&mut self, now: Timestamp, bearer: Option<&str>, network: &Network) -> bool {
        let limits = self.options.limits;
        let (caller, limit) = match bearer.map(|token| self.sessions.token_status(now, token)) {
            Some(TokenStatus::Good(session)) => (Caller::User(session.user), limits.authenticated),
            _ => (Caller::Anonymous(network.clone()), limits.anonymous),
        };
        self.callers.is_locked(now, &caller, limit, limits.per_second)
    }

    /// The answer to a request that is stopped by a penalty, a captcha or its endpoint's limit; otherwise `None`.
    fn penalty_or_limit(&mut self, call: &Call<'_>) -> Option<Reply> {
        let limits = self.options.limits;
        let key = (call.network.clone(), call.endpoint);
        let limit = limits.of(call.endpoint);
        let is_over = limit.is_some_and(|limit| self.rates.count(call.now, &key) >= limit.per_hour);
        let attempt = Attempt { now: call.now, key, fields: call.fields.as_ref(), repetition: &call.repetition };
        let reply = match (self.penalties.admit(&attempt, limits.captcha_after, &mut self.mint), limit) {
            (Admission::Penalized(reply), _) => reply,
            (Admission::WithoutTicket, Some(_))
                if is_over
                    && call.endpoint == Endpoint::AccessTokenRequest
                    && limits.over_limit == OverLimit::Refusal =>
            {
                return Some(self.refuse_login(texts::WRONG_PASSWORD));
            }
            (Admission::WithoutTicket, Some(limit)) if is_over => {
                self.penalties.over_limit(&attempt, limit.back_off, limits.captcha_after, &mut self.mint)
            }
            _ => return None,
        };
        self.statistics.penalties += 1;
        Some(reply)
    }

    /// Counts a handled request against the limit of its endpoint.
    fn counted(&mut self, now: Timestamp, key: LimitKey, reply: Reply) -> Reply {
        let counts = match key.1 {
            Endpoint::RenewAccessToken => reply.outcome != Outcome::Redirected,
            Endpoint::AccessTokenRequest | Endpoint::Me => reply.outcome == Outcome::Failure,
            _ => false,
        };
        if counts {
            self.rates.record(now, key);
        }
        reply
    }

    /// The session and user of a token that this host accepts; otherwise the response that refuses the token.
    pub(crate) fn authenticate(&self, call: &Call<'_>) -> Result<(Session, User), Reply> {
        let Some(token) = call.bearer else { return Err(Reply::empty(StatusCode::NOT_FOUND)) };
        let session = match self.sessions.token_status(call.now, token) {
            TokenStatus::Good(session) => session,
            TokenStatus::Unknown => return Err(Reply::unauthorized(texts::INVALID_TOKEN)),
            TokenStatus::Expired => return Err(Reply::unauthorized(texts::EXPIRED_TOKEN)),
            TokenStatus::Closed => return Err(self.closed_session()),
        };
        let is_foreign =
            session.side == Side::Demo && call.side == Side::Live && !self.options.live_accepts_demo_tokens;
        match self.user_by_id(session.user) {
            Some(user) if !is_foreign => {
                self.check_host(call, user)?;
                Ok((session, user.clone()))
            }
            _ => Err(Reply::unauthorized(texts::INVALID_TOKEN)),
        }
    }

    fn closed_session(&self) -> Reply {
        match self.options.closed_session {
            ClosedSession::RequestTimeout => Reply::empty(StatusCode::REQUEST_TIMEOUT),
            ClosedSession::TooManyRequests => Reply::empty(StatusCode::TOO_MANY_REQUESTS),
            // A fixed id, because answers about a session don't change the state of the server.
            ClosedSession::InternalServerError => Reply::internal_error("00000000-0000-4000-a000-000000000408"),
            ClosedSession::Unauthorized => Reply::unauthorized(texts::INVALID_TOKEN),
        }
    }

    /// Refuses an API call on Live if the session's device is not the device of the user's first login.
    pub(crate) fn check_device(&self, call: &Call<'_>, session: &Session, user: &User) -> Result<(), Reply> {
        let is_strange = user.checks_device
            && call.side == Side::Live
            && session.origin == Origin::Login
            && self.devices.get(&user.id).is_some_and(|known| session.device.as_ref() != Some(known));
        if is_strange { Err(Reply::empty(StatusCode::UNAUTHORIZED)) } else { Ok(()) }
    }

    /// Redirects a request to the host of the user's organization.
    pub(crate) fn check_host(&self, call: &Call<'_>, user: &User) -> Result<(), Reply> {
        match self.dedicated.placement(&call.host, call.side, self.hosts_of(user)) {
            Placement::Here => Ok(()),
            Placement::RedirectTo(host) => {
                let path = call.uri.path_and_query().map_or("/", |path| path.as_str());
                let location = format!("https://{host}{path}");
                Err(Reply::empty(StatusCode::TEMPORARY_REDIRECT).with_header(header::LOCATION, &location).redirected())
            }
            Placement::WrongOrganization => Err(Reply::empty(StatusCode::MISDIRECTED_REQUEST).redirected()),
        }
    }

    /// Opens a session, and counts the sessions that it closes.
    pub(crate) fn open_session(
        &mut self,
        now: Timestamp,
        new_session: NewSession,
        token: &str,
        expires: Timestamp,
    ) -> u64 {
        let (session, closed) = self.sessions.open(now, new_session, token, expires);
        self.statistics.sessions_closed += closed;
        session
    }

    pub(crate) fn hosts_of<'a>(&'a self, user: &'a User) -> &'a ApiHosts {
        static STANDARD: LazyLock<ApiHosts> = LazyLock::new(ApiHosts::standard);
        user.hosts.as_ref().or_else(|| self.organizations.get(&user.organization)).unwrap_or(&STANDARD)
    }

    pub(crate) fn user_by_id(&self, id: i64) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    /// The server's time. All expiries and limits use it.
    pub(crate) fn server_time(&self) -> Timestamp {
        shifted(self.time.unwrap_or(Timestamp::UNIX_EPOCH), self.options.clock_skew)
    }
}

fn read_body(endpoint: Endpoint, parts: &Parts, body: &[u8]) -> Result<(Option<Fields>, Repetition), Malformed> {
    if endpoint.method() != http::Method::POST {
        return Ok((None, Repetition::default()));
    }
    let (fields, repetition) = Fields::read(call::text(&parts.headers, &header::CONTENT_TYPE), body)?;
    Ok((Some(fields), repetition))
}

fn logged_fields(parts: &Parts, body: &[u8]) -> BTreeMap<String, String> {
    match Endpoint::at(parts.uri.path()).map(|endpoint| read_body(endpoint, parts, body)) {
        Some(Ok((Some(fields), repetition))) => fields.redacted(&repetition),
        _ => BTreeMap::new(),
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("time", &self.time)
            .field("options", &self.options)
            .field("users", &self.users.len())
            .finish_non_exhaustive()
    }
}
