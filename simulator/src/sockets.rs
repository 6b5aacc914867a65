//! The sockets at `/v1/websocket`, for trading and for market data. Like [`Simulator::handle`], they have no clock and
//! no I/O: a connection and the client's text frames come in, and text frames go out. If something happens without a
//! frame, it happens at a time that the socket has named, and the caller polls at this time.
//!
//! A closed session, a revoked token or a changed option needs no notification: the next poll sees it.

use std::{collections::BTreeMap, time::Duration};

use http::{Request, Response, StatusCode};
use jiff::Timestamp;

use crate::{
    call,
    options::ExpiredSocket,
    reply::Reply,
    simulator::Simulator,
    sockets::frame::Incoming,
    time::{elapsed, later, shifted},
};

mod calls;
mod frame;

/// How often the server sends `h` if it sends nothing else.
const HEARTBEAT: Duration = Duration::from_millis(2500);

/// Identifies a socket of a [`Simulator`], from [`Simulator::connect`] to its end. An id is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(u64);

/// What a socket sends to its client, and what happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOutput {
    /// Text frames to send now, in this order.
    pub frames: Vec<String>,
    /// What happens after these frames.
    pub next: SocketNext,
}

/// What happens after the frames of a [`SocketOutput`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketNext {
    /// The socket stays open. Poll it again at this time, or earlier if the simulator has changed. `None` means that
    /// nothing happens without such a change.
    Open(Option<Timestamp>),
    /// The server closes the socket with a close handshake. The socket no longer exists.
    Closed,
    /// The connection breaks without a close handshake. The socket no longer exists.
    Cut,
}

/// All open sockets.
#[derive(Clone, Default)]
pub(crate) struct Sockets {
    by_id: BTreeMap<u64, Socket>,
    opened: u64,
}

#[derive(Clone)]
struct Socket {
    host: String,
    /// When the client last sent a frame, in the caller's time.
    received: Timestamp,
    /// When the server last sent a frame, in the caller's time.
    sent: Timestamp,
    authorized: Option<Authorized>,
    frames: Vec<String>,
    state: State,
}

#[derive(Clone)]
struct Authorized {
    session: u64,
    user: i64,
    token: String,
    purpose: Purpose,
}

/// What the token of an `authorize` request is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Trading,
    MarketData,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The socket sends nothing more and stays connected.
    Silent,
    Cut,
}

/// Marks a request that [`Simulator::connect`] sends.
#[derive(Clone)]
struct Upgrade;

/// Methods for sockets.
impl Simulator {
    /// Connects a socket, or returns the server's refusal. A host that serves no user answers 421. A
    /// [wrong host](Simulator::set_wrong_host) answers 404 without a body. Scripted answers, lock-outs and maintenance
    /// apply too. The host comes from the URI or the `Host` header, as in [`handle`](Self::handle). A host that no
    /// organization has, such as 127.0.0.1, serves both trading and market data.
    ///
    /// ```
    /// use http::Request;
    /// use tradovate_auth_simulator::Simulator;
    ///
    /// let mut simulator = Simulator::builder().build();
    /// let now = "2026-11-24T14:20:30Z".parse()?;
    /// let request = Request::get("wss://demo.tradovateapi.com/v1/websocket").body("")?;
    /// let socket = simulator.connect(now, request).map_err(|refusal| refusal.status().to_string())?;
    /// assert_eq!(simulator.socket_poll(now, socket).frames, ["o"]);
    /// let output = simulator.socket_receive(now, socket, "authorize\n1\n\nunknown");
    /// assert_eq!(output.frames, [r#"a[{"s":401,"i":1,"d":"Invalid access token"}]"#]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The response to the request, if its status is not 101.
    pub fn connect<B: AsRef<[u8]>>(
        &mut self,
        now: Timestamp,
        mut request: Request<B>,
    ) -> Result<SocketId, Box<Response<Vec<u8>>>> {
        request.extensions_mut().insert(Upgrade);
        let host = call::host(request.uri(), request.headers());
        let response = self.handle(now, request);
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(Box::new(response));
        }
        self.sockets.opened += 1;
        let frames = vec!["o".to_owned()];
        let socket = Socket { host, received: now, sent: now, authorized: None, frames, state: State::Open };
        self.sockets.by_id.insert(self.sockets.opened, socket);
        Ok(SocketId(self.sockets.opened))
    }

    /// Takes a text frame from the client, and returns what the socket then sends. A socket whose session has ended
    /// answers no request.
    pub fn socket_receive(&mut self, now: Timestamp, id: SocketId, text: &str) -> SocketOutput {
        self.set_time(now);
        let ends = self.socket_ends(id);
        if let Some(socket) = self.sockets.by_id.get_mut(&id.0) {
            socket.received = now;
            let has_ended = matches!(ends, Some(SocketEnd::Kicked | SocketEnd::Expired(ExpiredSocket::Closes)));
            if let (Incoming::Request(request), false) = (Incoming::read(text), has_ended) {
                self.answer_socket(id, &request);
            }
        }
        self.socket_poll(now, id)
    }

    /// Returns what a socket sends now. A socket that has ended sends nothing, and is [closed](SocketNext::Closed).
    pub fn socket_poll(&mut self, now: Timestamp, id: SocketId) -> SocketOutput {
        self.set_time(now);
        let ends = self.socket_ends(id);
        let timeout = self.options.socket_timeout;
        let Some(socket) = self.sockets.by_id.get_mut(&id.0) else {
            return SocketOutput { frames: Vec::new(), next: SocketNext::Closed };
        };
        let end = match ends {
            _ if socket.state == State::Cut => Some(SocketNext::Cut),
            _ if socket.state == State::Silent => None,
            Some(SocketEnd::Kicked) => Some(socket.close("Session closed")),
            _ if elapsed(now, socket.received) >= timeout => Some(socket.close("No heartbeat")),
            Some(SocketEnd::Expired(ExpiredSocket::Closes)) => Some(socket.close("Token expired")),
            _ => None,
        };
        let is_mute = socket.state != State::Open
            || ends.is_some_and(|end| matches!(end, SocketEnd::Expired(ExpiredSocket::FallsSilent)));
        if is_mute {
            socket.frames.clear();
        } else if end.is_none() && socket.frames.is_empty() && elapsed(now, socket.sent) >= HEARTBEAT {
            socket.frames.push("h".to_owned());
        }
        if !socket.frames.is_empty() {
            socket.sent = now;
        }
        let frames = std::mem::take(&mut socket.frames);
        let closed_at = later(socket.received, timeout);
        let heartbeat_at = (!is_mute).then(|| later(socket.sent, HEARTBEAT));
        if let Some(next) = end {
            self.sockets.by_id.remove(&id.0);
            return SocketOutput { frames, next };
        }
        let is_silent = socket.state == State::Silent;
        let due = [Some(closed_at), heartbeat_at, self.socket_expires(id)];
        let due = due.into_iter().flatten().filter(|_| !is_silent).min();
        SocketOutput { frames, next: SocketNext::Open(due) }
    }

    /// Removes a socket that the client has closed or whose connection is gone.
    pub fn socket_hung_up(&mut self, id: SocketId) {
        self.sockets.by_id.remove(&id.0);
    }

    /// How many sockets are open, authorized or not.
    #[must_use]
    pub fn open_sockets(&self) -> usize {
        self.sockets.by_id.len()
    }

    /// Breaks the connections of all open sockets without a close handshake.
    pub fn cut_sockets(&mut self) {
        self.sockets.set_all(State::Cut);
    }

    /// Stops all open sockets from sending, heartbeats included, and keeps their connections. New sockets are not
    /// affected.
    pub fn silence_sockets(&mut self) {
        self.sockets.set_all(State::Silent);
    }

    /// Answers `GET /v1/websocket`.
    pub(crate) fn web_socket(&self, call: &call::Call<'_>, extensions: &http::Extensions) -> Result<Reply, Reply> {
        if !self.has_sockets(&call.host) {
            return Err(Reply::empty(StatusCode::MISDIRECTED_REQUEST));
        }
        let is_upgrade = extensions.get::<Upgrade>().is_some();
        let status = if is_upgrade { StatusCode::SWITCHING_PROTOCOLS } else { StatusCode::UPGRADE_REQUIRED };
        Ok(Reply::empty(status).with_header(http::header::UPGRADE, "websocket"))
    }

    /// Why a socket has to end; `None` if it continues.
    fn socket_ends(&self, id: SocketId) -> Option<SocketEnd> {
        let authorized = self.sockets.by_id.get(&id.0)?.authorized.as_ref()?;
        match self.sessions.end(authorized.session, &authorized.token) {
            None => Some(SocketEnd::Kicked),
            Some(expires) if expires <= self.server_time() => Some(SocketEnd::Expired(self.options.expired_socket)),
            Some(_) => None,
        }
    }

    /// When the socket's token expires, in the caller's time; `None` if it has expired or if the expiry has no effect.
    fn socket_expires(&self, id: SocketId) -> Option<Timestamp> {
        let authorized = self.sockets.by_id.get(&id.0)?.authorized.as_ref()?;
        let expires = self.sessions.end(authorized.session, &authorized.token)?;
        (expires > self.server_time() && self.options.expired_socket != ExpiredSocket::StaysOpen)
            .then(|| shifted(expires, -self.options.clock_skew))
    }
}

#[derive(Clone, Copy)]
enum SocketEnd {
    /// The session was closed or its tokens revoked.
    Kicked,
    Expired(ExpiredSocket),
}

impl Sockets {
    /// Continues the ids of another set of sockets, so that no id is used twice.
    pub(crate) fn continue_ids_of(&mut self, others: &Self) {
        self.opened = others.opened;
    }

    fn set_all(&mut self, state: State) {
        self.by_id.values_mut().for_each(|socket| socket.state = state);
    }
}

impl Socket {
    fn close(&mut self, reason: &str) -> SocketNext {
        self.frames.push(frame::close(reason));
        SocketNext::Closed
    }
}
