//! Drives one session by hand. Each step of a test is one line.

use http::{Request, Response, header};
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{Credentials, Environment, RequestBody};
use tradovate_auth_session::{Action, Event, ExchangeId, MayLogIn, RateBudget, Session, StoredSession};

use crate::store::{MemoryStore, serve};

/// The time at which tests start.
pub(crate) fn start() -> Timestamp {
    "2026-11-24T14:00:00Z".parse().unwrap()
}

/// The time this many minutes after the start.
pub(crate) fn minute(minutes: i64) -> Timestamp {
    start() + SignedDuration::from_mins(minutes)
}

/// A session of a user of Demo.
pub(crate) fn user(seed: u64) -> Session {
    Session::new(Environment::demo(), Credentials::new("trader", "password"), seed)
}

/// A snapshot from its JSON.
pub(crate) fn stored(text: &str) -> StoredSession {
    serde_json::from_str(text).unwrap()
}

/// An answer without a `Date`.
pub(crate) fn plain(status: u16, body: impl Into<String>) -> Response<String> {
    Response::builder().status(status).body(body.into()).unwrap()
}

/// An answer with the server's time in `Date`.
pub(crate) fn dated(status: u16, body: impl Into<String>, server_time: Timestamp) -> Response<String> {
    with_header(plain(status, body), header::DATE, &http_date(server_time))
}

/// The same answer with one more header.
pub(crate) fn with_header(mut answer: Response<String>, name: header::HeaderName, value: &str) -> Response<String> {
    answer.headers_mut().insert(name, value.parse().unwrap());
    answer
}

/// A time in the format of HTTP.
pub(crate) fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The body of an answer with a token.
pub(crate) fn token_until(text: &str, expires_at: Timestamp) -> String {
    format!(r#"{{"accessToken":"{text}","expirationTime":"{expires_at}","userId":1}}"#)
}

/// A request that the session has handed out.
pub(crate) struct Sent {
    pub(crate) at: Timestamp,
    pub(crate) id: ExchangeId,
    pub(crate) request: Request<RequestBody>,
}

impl Sent {
    /// `accesstokenrequest`, `renewaccesstoken` or `oauthtoken`.
    pub(crate) fn endpoint(&self) -> &str {
        self.request.uri().path().rsplit('/').next().unwrap()
    }
}

/// A session, its budget, and the clock of the program that drives it.
pub(crate) struct Driver {
    pub(crate) session: Session,
    pub(crate) budget: RateBudget,
    pub(crate) now: Timestamp,
    pub(crate) store: MemoryStore,
}

impl Driver {
    /// Drives a session from the start on.
    pub(crate) fn new(session: Session) -> Self {
        Self { session, budget: RateBudget::default(), now: start(), store: MemoryStore::default() }
    }

    /// Drives a session that shares a store. The record in the store is of the same user and has no token.
    pub(crate) fn sharing(session: Session) -> Self {
        let mut driver = Self::new(session.with_shared_store(MayLogIn::WhenNeeded));
        driver.store.put(&driver.stored(), driver.now);
        driver
    }

    /// Polls without advancing the clock. Returns the request that leaves now, if any.
    pub(crate) fn send(&mut self) -> Option<Sent> {
        match serve(&mut self.session, self.now, &mut self.budget, &mut self.store) {
            Action::Send { id, request } => Some(Sent { at: self.now, id, request }),
            _ => None,
        }
    }

    /// Advances the clock to the next request and returns both. Returns `None` if no request leaves before `until`.
    pub(crate) fn send_by(&mut self, until: Timestamp) -> Option<Sent> {
        loop {
            if let Some(sent) = self.send() {
                return Some(sent);
            }
            let Action::Wait { until: next } = self.session.poll(self.now, &mut self.budget) else { return None };
            assert!(next > self.now, "a wait that is over");
            if next > until {
                self.now = until;
                return None;
            }
            self.now = next;
        }
    }

    /// Delivers the answer to a request now.
    pub(crate) fn answer(&mut self, sent: &Sent, response: Response<String>) {
        self.session.receive(self.now, sent.id, response, &mut self.budget);
    }

    /// Sends the request that is due and answers it.
    pub(crate) fn exchange(&mut self, endpoint: &str, response: Response<String>) {
        let sent = self.send().unwrap_or_else(|| panic!("no {endpoint} is due"));
        assert_eq!(sent.endpoint(), endpoint);
        self.answer(&sent, response);
    }

    /// Adopts a stored snapshot.
    pub(crate) fn adopt(&mut self, stored: StoredSession) {
        self.session.adopt(self.now, stored, &mut self.budget);
    }

    /// The text of the token that is handed out.
    pub(crate) fn token(&self) -> Option<String> {
        self.session.token(self.now).map(|token| token.access_token.expose().into())
    }

    /// The snapshot after it was written and read again.
    pub(crate) fn stored(&self) -> StoredSession {
        stored(&serde_json::to_string(&self.session.snapshot(self.now, &self.budget)).unwrap())
    }

    /// All events since the last call.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.next_event()).collect()
    }
}
