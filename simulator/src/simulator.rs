//! The server: takes a request and a time, and answers.
//! A request passes, in this order: preflight, scripted answers, maintenance, lock-outs, routing, the hourly limits of
//! its caller, penalties and rate windows, and only then the endpoint. The page in the browser knows only scripted
//! answers and maintenance.

use std::{collections::BTreeMap, fmt};

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
    penalties::{Admission, Door, Knock, Penalties},
    rates::{Caller, Callers, Rates},
    registration::{App, OAuthClient},
    reply::{Outcome, Reply, texts},
    script::{Script, Scripted},
    sessions::{Opening, Origin, Session, Sessions, Worth},
    side::Side,
    sockets::Sockets,
    statistics::{LogEntry, Statistics},
    time::{http_date, shifted},
    user::User,
    wrong_hosts::WrongHosts,
};

mod control;

/// The server's side of Tradovate authentication. It has no clock and no randomness: the same requests at the same
/// times get the same answers.
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
pub struct Simulator {
    /// What it began with.
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
    /// The `deviceId` each user first came with.
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
    /// The caller's time, as last told.
    pub(crate) time: Option<Timestamp>,
}

impl Simulator {
    /// Sets up a server.
    #[must_use]
    pub fn builder() -> SimulatorBuilder {
        SimulatorBuilder::new()
    }

    /// Answers a request at a time. The host comes from the request's URI or its `Host`, the caller's
    /// [`Network`] from its extensions.
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
        // Browsers come to the page themselves: no script may read it (RFC 9700, section 2.6).
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
        // The page of the real system is at a host of its own, which shares neither lock-outs nor limits with the API.
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
        if self.is_over_hourly_limit(now, bearer, &network) {
            return Reply::empty(StatusCode::TOO_MANY_REQUESTS);
        }
        let door = (network.clone(), endpoint);
        let (fields, repetition) = match read_body(endpoint, parts, body) {
            Ok(read) => read,
            Err(malformed) => return self.counted(now, door, malformed.into()),
        };
        let host = call::host(&parts.uri, &parts.headers);
        if let Some(reply) = self.wrong_hosts.answer(&host, endpoint) {
            return reply;
        }
        let side = self.dedicated.side(&host).unwrap_or(self.options.default_side);
        let call = Call { endpoint, now, uri: &parts.uri, host, side, network, bearer, fields, repetition };
        if let Some(reply) = self.keep_out(&call) {
            return reply;
        }
        // `Err` is an answer too: one that ends the work on a request early.
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
        self.counted(now, door, reply)
    }

    fn is_over_hourly_limit(&mut self, now: Timestamp, bearer: Option<&str>, network: &Network) -> bool {
        let limits = self.options.limits;
        let (caller, limit) = match bearer.map(|token| self.sessions.worth(now, token)) {
            Some(Worth::Good(session)) => (Caller::User(session.user), limits.authenticated),
            _ => (Caller::Anonymous(network.clone()), limits.anonymous),
        };
        self.callers.is_locked(now, &caller, limit)
    }

    /// Penalties, captchas and rate windows.
    fn keep_out(&mut self, call: &Call<'_>) -> Option<Reply> {
        let limits = self.options.limits;
        let door = (call.network.clone(), call.endpoint);
        let limit = limits.of(call.endpoint);
        let is_over = limit.is_some_and(|limit| self.rates.count(call.now, &door) >= limit.per_hour);
        let knock = Knock { now: call.now, door, fields: call.fields.as_ref(), repetition: &call.repetition };
        let reply = match (self.penalties.admit(&knock, limits.captcha_after, &mut self.mint), limit) {
            (Admission::Penalized(reply), _) => reply,
            (Admission::Ordinary, Some(_))
                if is_over
                    && call.endpoint == Endpoint::AccessTokenRequest
                    && limits.over_limit == OverLimit::Refusal =>
            {
                return Some(self.refuse_login(texts::WRONG_PASSWORD));
            }
            (Admission::Ordinary, Some(limit)) if is_over => {
                self.penalties.over_limit(&knock, limit.back_off, limits.captcha_after, &mut self.mint)
            }
            _ => return None,
        };
        self.statistics.penalties += 1;
        Some(reply)
    }

    /// Counts a handled request in the rate window of its endpoint.
    fn counted(&mut self, now: Timestamp, door: Door, reply: Reply) -> Reply {
        let counts = match door.1 {
            Endpoint::RenewAccessToken => reply.outcome != Outcome::Moved,
            Endpoint::AccessTokenRequest | Endpoint::Me => reply.outcome == Outcome::Failure,
            _ => false,
        };
        if counts {
            self.rates.record(now, door);
        }
        reply
    }

    /// The session and user of a token that is good here, or the answer to one that isn't.
    pub(crate) fn authenticate(&self, call: &Call<'_>) -> Result<(Session, User), Reply> {
        let Some(token) = call.bearer else { return Err(Reply::empty(StatusCode::NOT_FOUND)) };
        let session = match self.sessions.worth(call.now, token) {
            Worth::Good(session) => session,
            Worth::Unknown => return Err(Reply::unauthorized(texts::INVALID_TOKEN)),
            Worth::Expired => return Err(Reply::unauthorized(texts::EXPIRED_TOKEN)),
            Worth::Closed => return Err(self.closed_session()),
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
            // Fixed, since answers about a session leave the state of the server alone.
            ClosedSession::InternalServerError => Reply::internal_error("00000000-0000-4000-a000-000000000408"),
            ClosedSession::Unauthorized => Reply::unauthorized(texts::INVALID_TOKEN),
        }
    }

    /// Refuses an API call on Live from a session whose device is not the one its user first came with.
    pub(crate) fn check_device(&self, call: &Call<'_>, session: &Session, user: &User) -> Result<(), Reply> {
        let is_strange = user.checks_device
            && call.side == Side::Live
            && session.origin == Origin::Login
            && self.devices.get(&user.id).is_some_and(|known| session.device.as_ref() != Some(known));
        if is_strange { Err(Reply::empty(StatusCode::UNAUTHORIZED)) } else { Ok(()) }
    }

    /// Sends a user's request to the host of the organization.
    pub(crate) fn check_host(&self, call: &Call<'_>, user: &User) -> Result<(), Reply> {
        match self.dedicated.place(&call.host, call.side, &self.hosts_of(user)) {
            Placement::Here => Ok(()),
            Placement::At(host) => {
                let path = call.uri.path_and_query().map_or("/", |path| path.as_str());
                let location = format!("https://{host}{path}");
                Err(Reply::empty(StatusCode::TEMPORARY_REDIRECT).with_header(header::LOCATION, &location).moved())
            }
            Placement::Elsewhere => Err(Reply::empty(StatusCode::MISDIRECTED_REQUEST).moved()),
        }
    }

    /// Opens a session, and counts those that it closes.
    pub(crate) fn open_session(&mut self, now: Timestamp, opening: Opening, token: &str, expires: Timestamp) -> u64 {
        let (session, closed) = self.sessions.open(now, opening, token, expires);
        self.statistics.sessions_closed += closed;
        session
    }

    pub(crate) fn hosts_of(&self, user: &User) -> ApiHosts {
        user.hosts.as_ref().or_else(|| self.organizations.get(&user.organization)).cloned().unwrap_or_default()
    }

    pub(crate) fn user_by_id(&self, id: i64) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    /// The time by which everything is decided.
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
