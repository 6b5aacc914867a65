//! Tests of the session's public interface and of the JSON of its snapshots, with a simulated clock and a server that
//! is a function of the request.

use std::fmt::Write as _;

use crate::store::MemoryStore;
use http::{Request, Response, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tradovate_auth_core::{Credentials, Environment, Failure, OAuthApp, RefreshToken, RequestBody};
use tradovate_auth_session::{
    Action, EventKind, ExchangeId, Login, Policy, RateBudget, Session, SessionToken, StopReason, StoreAnswer,
    StoreError, StoreErrorKind, StoredSession,
};

mod app_faults;
mod clocks_days_off;
mod far_dates;
mod late_answers;
mod market_data;
mod oauth_renewals;
mod owners;
mod refusal_beside_token;
mod refused_credentials;
mod reports;
mod restarts;
mod unknown_logins;
mod wrong_hosts;

/// How the server treats a request.
pub(crate) enum Answer {
    Response(Response<String>),
    Failure(Failure),
    /// No response before the session's deadline.
    Silence,
}

/// A name, and the answer to each of its requests.
pub(crate) type Case = (&'static str, fn() -> Answer);

/// A request that has left.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) at: Timestamp,
    pub(crate) host: String,
    /// The last part of the path.
    pub(crate) endpoint: String,
    pub(crate) body: Value,
}

impl Sent {
    fn new(at: Timestamp, request: &Request<RequestBody>) -> Self {
        Self {
            at,
            host: request.uri().host().unwrap().into(),
            endpoint: request.uri().path().rsplit('/').next().unwrap().into(),
            body: serde_json::from_slice(request.body().as_ref()).unwrap_or(Value::Null),
        }
    }

    pub(crate) fn is_login(&self) -> bool {
        self.endpoint == "accesstokenrequest"
    }
}

pub(crate) fn start() -> Timestamp {
    "2026-11-24T14:00:00Z".parse().unwrap()
}

pub(crate) fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

pub(crate) fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

pub(crate) fn ok(body: impl Into<String>) -> Answer {
    status(200, body)
}

pub(crate) fn status(status: u16, body: impl Into<String>) -> Answer {
    Answer::Response(Response::builder().status(status).body(body.into()).unwrap())
}

pub(crate) fn redirect(location: &str) -> Answer {
    let response = Response::builder().status(307).header(header::LOCATION, location).body(String::new());
    Answer::Response(response.unwrap())
}

/// The answer to a login or a renewal: a token that expires this many minutes after the start.
pub(crate) fn token(text: &str, to: i64) -> Answer {
    token_with(text, to, "")
}

/// The same answer with further fields. Their text begins with a comma.
pub(crate) fn token_with(text: &str, to: i64, fields: &str) -> Answer {
    ok(format!(r#"{{"accessToken":"{text}","expirationTime":"{}","userId":1{fields}}}"#, start() + minutes(to)))
}

/// The answer to a refresh: a token of 80 minutes and a refresh token of 26 hours.
pub(crate) fn refreshed(access: &str, refresh: &str) -> Answer {
    ok(format!(
        r#"{{"access_token":"{access}","refresh_token":"{refresh}","expires_in":4800,"refresh_token_expires_in":93600}}"#
    ))
}

pub(crate) const WRONG_PASSWORD: &str = r#"{"errorText":"Incorrect username or password."}"#;
pub(crate) const DEAD: &str = "Invalid access token";

/// A program with one session: its clock, its budget, the requests it has sent, and the events it has received.
pub(crate) struct Program {
    pub(crate) session: Session,
    pub(crate) budget: RateBudget,
    pub(crate) now: Timestamp,
    pub(crate) sent: Vec<Sent>,
    pub(crate) events: Vec<EventKind>,
    /// The snapshots that the session offered to the store.
    pub(crate) stored: Vec<String>,
    store: MemoryStore,
    silent: Vec<ExchangeId>,
}

pub(crate) fn disk_full() -> StoreError {
    StoreError::new(StoreErrorKind::NotWritable, "the disk is full")
}

impl Program {
    pub(crate) fn new(session: Session) -> Self {
        Self::starting_at(start(), session)
    }

    pub(crate) fn starting_at(now: Timestamp, session: Session) -> Self {
        let (budget, sent, events, stored, store, silent) = Default::default();
        Self { session, budget, now, sent, events, stored, store, silent }
    }

    /// A user of Demo.
    pub(crate) fn user() -> Self {
        Self::new(trader())
    }

    /// An app on Live that starts from the refresh token `rt-0`.
    pub(crate) fn app() -> Self {
        Self::new(app())
    }

    /// The same app with a policy that prefers refreshes.
    pub(crate) fn refreshing_app() -> Self {
        Self::new(app().with_policy(Policy::default().with_refreshes_preferred(true)))
    }

    /// The same program after a restart, from the snapshot that it stored or from one taken at its end.
    pub(crate) fn restarted(&self, after: SignedDuration, session: Session) -> Self {
        let mut program = Self::starting_at(self.now + after, session);
        program.adopt(&self.snapshot());
        program
    }

    pub(crate) fn snapshot(&self) -> Value {
        serde_json::to_value(self.session.snapshot(self.now, &self.budget)).unwrap()
    }

    pub(crate) fn adopt(&mut self, snapshot: &Value) {
        let stored: StoredSession = serde_json::from_value(snapshot.clone()).unwrap();
        self.session.adopt(self.now, stored, &mut self.budget);
        self.hear();
    }

    /// Drives the session for a time or until it has stopped. Returns the requests that it has sent.
    pub(crate) fn run(&mut self, time: SignedDuration, server: impl FnMut(&Sent) -> Answer) -> Vec<Sent> {
        self.run_to(self.now + time, server)
    }

    pub(crate) fn run_to(&mut self, end: Timestamp, mut server: impl FnMut(&Sent) -> Answer) -> Vec<Sent> {
        let before = self.sent.len();
        for _ in 0..10_000 {
            let until = match self.session.poll(self.now, &mut self.budget) {
                Action::Send { id, request } => {
                    let sent = Sent::new(self.now, &request);
                    self.sent.push(sent.clone());
                    match server(&sent) {
                        Answer::Response(response) => self.session.receive(self.now, id, response, &mut self.budget),
                        Answer::Failure(failure) => self.session.failed(self.now, id, failure, &mut self.budget),
                        Answer::Silence => self.silent.push(id),
                    }
                    self.now
                }
                Action::Store { id, request } => {
                    let answer = self.store.answer(self.now, request);
                    if let StoreAnswer::Kept | StoreAnswer::Saved(_) = answer {
                        self.stored.push(serde_json::to_string(&self.store.session().unwrap()).unwrap());
                    }
                    self.session.store_answered(self.now, id, Ok(answer), &mut self.budget);
                    self.now
                }
                Action::Wait { until } => {
                    assert!(until > self.now, "a wait that is over");
                    self.check_that_nothing_changes_before(until);
                    until
                }
                _ => end,
            };
            self.hear();
            if until >= end {
                self.now = end;
                return self.sent[before..].to_vec();
            }
            self.now = until;
        }
        panic!("the session spins: {:#?}", self.sent);
    }

    /// Between two inputs, the token that is handed out changes only at a time that the session has named.
    fn check_that_nothing_changes_before(&self, until: Timestamp) {
        let handed_out = |at| {
            let token = self.session.token(at)?;
            Some((token.generation, token.usable_until, token.market_data_token.is_some()))
        };
        let just_before = (until - SignedDuration::from_millis(1)).max(self.now);
        assert_eq!(handed_out(just_before), handed_out(self.now), "between {} and {until}", self.now);
    }

    fn hear(&mut self) {
        self.events.extend(std::iter::from_fn(|| self.session.next_event()).map(|event| event.kind));
    }

    /// The time at which the session wants to be polled again.
    pub(crate) fn waits_until(&mut self) -> Timestamp {
        match self.session.poll(self.now, &mut self.budget) {
            Action::Wait { until } => until,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn held(&self) -> Option<SessionToken> {
        self.session.token(self.now)
    }

    /// The text of the token that is handed out.
    pub(crate) fn token(&self) -> Option<String> {
        self.held().map(|token| token.access_token.expose().into())
    }

    /// The reason why the session has stopped after one poll.
    pub(crate) fn after_a_poll(mut self) -> Option<StopReason> {
        let _ = self.session.poll(self.now, &mut self.budget);
        self.session.stop_reason().cloned()
    }

    pub(crate) fn stop_reason(&self) -> Option<&StopReason> {
        self.session.stop_reason()
    }

    /// All events as text, one per line.
    pub(crate) fn log(&self) -> String {
        self.events.iter().fold(String::new(), |mut log, event| {
            writeln!(log, "{event}").unwrap();
            log
        })
    }
}

pub(crate) fn trader() -> Session {
    Session::new(Environment::demo(), Credentials::new("trader", "password"), 7)
}

pub(crate) fn app() -> Session {
    Session::new(Environment::live(), Login::refresh_token(OAuthApp::new("client"), RefreshToken::new("rt-0")), 7)
}
