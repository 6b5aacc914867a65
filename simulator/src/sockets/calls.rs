//! The requests on a socket. The first one has to be `authorize`, with the token in its body.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::Value;

use super::{
    Authorized, Purpose, SocketId,
    frame::{self, SocketRequest},
};
use crate::{
    hosts::{ApiHosts, MARKET_DATA_SOCKETS, TRADING_SOCKETS},
    lists,
    reply::texts,
    sessions::{Session, TokenStatus},
    side::Side,
    simulator::Simulator,
    statistics::LogEntry,
    user::ApiAccess,
};

/// A refusal: its status and its text.
type Refusal = (u16, &'static str);

const DEAD: Refusal = (401, texts::INVALID_TOKEN);
const DENIED: Refusal = (401, texts::ACCESS_DENIED);
const NOT_FOUND: Refusal = (404, "Not found");

impl Simulator {
    pub(super) fn answer_socket(&mut self, id: SocketId, request: &SocketRequest<'_>) {
        let (status, data) = match request.id {
            None => (400, Value::from("the second line is not a number")),
            Some(_) => match self.call(id, request) {
                Ok(data) => (200, data),
                Err((status, text)) => (status, Value::from(text)),
            },
        };
        if let Some(socket) = self.sockets.by_id.get_mut(&id.0) {
            socket.frames.push(frame::answer(status, request.id.unwrap_or_default(), &data));
        }
        let method = Method::from_bytes(b"SOCKET").unwrap_or_default();
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let host = self.sockets.by_id.get(&id.0).map(|socket| socket.host.clone()).unwrap_or_default();
        self.statistics.record(LogEntry {
            at: self.time.unwrap_or_default(),
            method,
            path: name(request.endpoint).to_owned(),
            host,
            has_token: request.endpoint == "authorize" && !request.body.trim().is_empty(),
            fields: BTreeMap::new(),
            status,
        });
    }

    fn call(&mut self, id: SocketId, request: &SocketRequest<'_>) -> Result<Value, Refusal> {
        if request.endpoint == "authorize" {
            return self.authorize_socket(id, request.body.trim()).map(|()| Value::Null);
        }
        let authorized = self.sockets.by_id.get(&id.0).and_then(|socket| socket.authorized.as_ref()).ok_or(DENIED)?;
        let user = self.user_by_id(authorized.user).ok_or(DENIED)?;
        match (authorized.purpose, request.endpoint.to_ascii_lowercase().as_str()) {
            (Purpose::Trading, "user/syncrequest") => Ok(lists::sync_lists(user)),
            (Purpose::Trading, name) => lists::list(user, name).ok_or(NOT_FOUND),
            (Purpose::MarketData, _) => Err(NOT_FOUND),
        }
    }

    fn authorize_socket(&mut self, id: SocketId, token: &str) -> Result<(), Refusal> {
        let host = self.sockets.by_id.get(&id.0).map_or("", |socket| socket.host.as_str());
        let (session, purpose) = self.session_of(token).ok_or(DEAD)?;
        self.check_socket(host, &session, purpose)?;
        match purpose {
            Purpose::Trading => self.statistics.trading_sockets += 1,
            Purpose::MarketData => self.statistics.market_data_sockets += 1,
        }
        if let Some(socket) = self.sockets.by_id.get_mut(&id.0) {
            socket.authorized =
                Some(Authorized { session: session.id, user: session.user, token: token.to_owned(), purpose });
        }
        Ok(())
    }

    fn session_of(&self, token: &str) -> Option<(Session, Purpose)> {
        let now = self.server_time();
        match self.sessions.token_status(now, token) {
            TokenStatus::Good(session) => Some((session, Purpose::Trading)),
            _ => Some((self.sessions.of_market_data(now, token)?.clone(), Purpose::MarketData)),
        }
    }

    /// Whether the user of a session may have a socket for a purpose at a host.
    fn check_socket(&self, host: &str, session: &Session, purpose: Purpose) -> Result<(), Refusal> {
        let user = self.user_by_id(session.user).ok_or(DEAD)?;
        let hosts = self.hosts_of(user);
        let (wanted, other) = match purpose {
            Purpose::Trading => (&TRADING_SOCKETS[..], &MARKET_DATA_SOCKETS[..]),
            Purpose::MarketData => (&MARKET_DATA_SOCKETS[..], &TRADING_SOCKETS[..]),
        };
        if self.dedicated.has_sockets(host) && !names(hosts, wanted, host) {
            return Err(if names(hosts, other, host) { DENIED } else { (421, "Misdirected Request") });
        }
        let side = self.dedicated.side(host).unwrap_or(self.options.default_side);
        let is_foreign = session.side == Side::Demo && side == Side::Live && !self.options.live_accepts_demo_tokens;
        if purpose == Purpose::Trading && is_foreign {
            return Err(DEAD);
        }
        match user.api_access {
            ApiAccess::Granted => Ok(()),
            ApiAccess::Denied => Err(DENIED),
            ApiAccess::DeniedSilently => Err((401, "")),
        }
    }

    /// Whether a host serves the sockets of any user.
    pub(super) fn has_sockets(&self, host: &str) -> bool {
        let serves = |keys: &[&str]| self.users.iter().any(|user| names(self.hosts_of(user), keys, host));
        !self.dedicated.has_sockets(host) || serves(&TRADING_SOCKETS) || serves(&MARKET_DATA_SOCKETS)
    }
}

fn names(hosts: &ApiHosts, keys: &[&str], host: &str) -> bool {
    keys.iter().any(|key| hosts.get(key).is_some_and(|named| named.eq_ignore_ascii_case(host)))
}

/// The name of a request for the log. The first line of an invalid frame could be a token, so it is replaced by `?`.
fn name(endpoint: &str) -> &str {
    let is_name = (1..=40).contains(&endpoint.len()) && endpoint.chars().all(|c| c.is_ascii_alphabetic() || c == '/');
    if is_name { endpoint } else { "?" }
}
