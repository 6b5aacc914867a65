//! Runs the session with a simulated clock and a scripted server. The trace of a test shows the events in order, one
//! per line.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use http::{Request, Response, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::workspace_only::later;
use tradovate_auth_core::{Contradiction, Credentials, Error, OAuthApp, RefreshToken, RequestBody};

use super::*;
use crate::store::{
    Lease, MayLogIn, Revision, StoreAnswer, StoreError, StoreErrorKind, StoreRequest, StoredRecord, Unreadable,
};
use crate::stored_session::StoredSession;

mod bans;
mod canaries;
mod clock;
mod code;
mod events;
mod hosts;
mod kicks;
mod late;
mod notices;
mod oauth;
mod outdated;
mod penalties_and_lock_outs;
mod program_calls;
mod rare;
mod rejected;
mod renewal;
mod resume;
mod saves;
mod sharing;
mod stops;
mod store;
mod store_races;
mod tokens_in_events;

/// How the server of a test treats a request.
enum Answer {
    Response(Response<String>),
    Failure(Failure),
    /// No response and no failure.
    Silence,
    /// A token that lives this many minutes by the server's clock.
    Token(&'static str, u64),
}

fn ok(body: impl Into<String>) -> Answer {
    status(200, body)
}

fn status(status: u16, body: impl Into<String>) -> Answer {
    Answer::Response(Response::builder().status(status).body(body.into()).unwrap())
}

fn with_header(answer: Answer, name: header::HeaderName, value: &str) -> Answer {
    let Answer::Response(mut response) = answer else { panic!("no response") };
    response.headers_mut().insert(name, value.parse().unwrap());
    Answer::Response(response)
}

fn moved(location: &str) -> Answer {
    with_header(status(307, ""), header::LOCATION, location)
}

const BAD_PASSWORD: &str = r#"{"errorText":"Incorrect username or password."}"#;
const INVALID_GRANT: &str = r#"{"error":"invalid_grant"}"#;
const DEAD: &str = "Invalid access token";

/// A session, its budget, and a server that answers from a script. Everything that happens is recorded in the trace.
struct World {
    session: Session,
    budget: RateBudget,
    now: Timestamp,
    script: VecDeque<Answer>,
    /// Whether the store works, one entry for each use. After the last entry, the store works.
    store_works: VecDeque<Option<bool>>,
    /// How far the server's clock is ahead, if its answers have a `Date`.
    ahead: Option<SignedDuration>,
    silent: Vec<ExchangeId>,
    trace: Vec<String>,
    stored: Vec<StoredSession>,
    /// The record of a shared store that no other process uses.
    record: Option<StoredRecord>,
    saved_at: Timestamp,
}

fn start() -> Timestamp {
    "2026-11-24T14:00:00Z".parse().unwrap()
}

/// Answers the request of a store that a program has for itself.
fn keep(world: &mut World) -> StoredSession {
    let action = world.session.poll(world.now, &mut world.budget);
    let Action::Store { id, request: StoreRequest::Keep(snapshot) } = action else { panic!("nothing to store") };
    world.session.store_answered(world.now, id, Ok(StoreAnswer::Kept), &mut world.budget);
    snapshot
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl World {
    /// An OAuth session refreshes although it could renew, because most scripts are about refreshes.
    fn of(mut session: Session, script: impl IntoIterator<Item = Answer>) -> Self {
        session.policy = session.policy.with_refreshes_preferred(true);
        Self {
            session,
            budget: RateBudget::default(),
            now: start(),
            script: script.into_iter().collect(),
            store_works: VecDeque::new(),
            ahead: None,
            silent: Vec::new(),
            trace: Vec::new(),
            stored: Vec::new(),
            record: None,
            saved_at: start(),
        }
    }

    /// A user of Demo.
    fn user(script: impl IntoIterator<Item = Answer>) -> Self {
        Self::of(Session::new(Environment::demo(), Credentials::new("trader", "password"), 0), script)
    }

    /// An OAuth app on Live.
    fn app(script: impl IntoIterator<Item = Answer>) -> Self {
        let token = RefreshToken::new("rt-0");
        Self::of(Session::new(Environment::live(), Login::refresh_token(OAuthApp::new("client"), token), 0), script)
    }

    fn storing(mut self, works: impl IntoIterator<Item = Option<bool>>) -> Self {
        self.session = self.session.with_store();
        self.store_works = works.into_iter().collect();
        self
    }

    fn ahead(mut self, ahead: SignedDuration) -> Self {
        self.ahead = Some(ahead);
        self
    }

    fn line(&mut self, text: impl AsRef<str>) {
        let at = clock(self.now);
        self.trace.push(format!("{at:>9} {}", text.as_ref()));
    }

    /// Drives the session until a time, or until it has stopped.
    fn run(&mut self, time: Duration) -> &mut Self {
        let end = later(start(), time);
        for _ in 0..10_000 {
            let action = self.session.poll(self.now, &mut self.budget);
            self.write_events();
            match action {
                Action::Send { id, request } => self.send(id, &request),
                Action::Store { id, request } => self.ask_store(id, request),
                Action::Wait { until } => {
                    assert!(until > self.now, "waits are in the future");
                    if until > end {
                        self.now = end;
                        return self;
                    }
                    self.now = until;
                }
                Action::Stopped { .. } => {
                    self.now = end;
                    return self;
                }
            }
            self.write_events();
        }
        panic!("the session spins:\n{}", self.trace.join("\n"));
    }

    fn ask_store(&mut self, id: ExchangeId, request: StoreRequest) {
        let answer = match request {
            StoreRequest::Keep(snapshot) => return self.keep(id, snapshot, StoreAnswer::Kept),
            StoreRequest::Save { snapshot, .. } => {
                let revision = Revision(self.stored.len() as u64 + 1);
                return self.keep(id, snapshot, StoreAnswer::Saved(Some(revision)));
            }
            StoreRequest::Acquire(time) => StoreAnswer::Lease(Some(Lease { fence: 1, time })),
            StoreRequest::Load => StoreAnswer::Loaded(self.loaded()),
            StoreRequest::Release(_) => StoreAnswer::Released,
        };
        self.store_answers(id, Ok(answer));
    }

    fn loaded(&self) -> Option<StoredRecord> {
        let age = Duration::try_from(self.now.duration_since(self.saved_at)).ok();
        self.record.clone().map(|record| StoredRecord { age, ..record })
    }

    fn keep(&mut self, id: ExchangeId, snapshot: StoredSession, answer: StoreAnswer) {
        let works = self.store_works.pop_front().unwrap_or(Some(true));
        match works {
            Some(true) => {
                self.line("store");
                if let StoreAnswer::Saved(Some(revision)) = answer {
                    self.record = Some(stored_record(revision, Ok(snapshot.clone())));
                    self.saved_at = self.now;
                }
                self.stored.push(snapshot);
                self.store_answers(id, Ok(answer));
            }
            Some(false) => {
                self.line("store, in vain");
                self.store_answers(id, Err(disk_full()));
            }
            None => {
                self.line("store, no answer");
                self.silent.push(id);
            }
        }
    }

    /// Stores the offered snapshot.
    fn stored(&mut self, id: ExchangeId) {
        let answer = if self.session.persistence.is_hook() {
            StoreAnswer::Kept
        } else {
            StoreAnswer::Saved(Some(Revision(u64::MAX)))
        };
        self.store_answers(id, Ok(answer));
    }

    fn store_answers(&mut self, id: ExchangeId, answer: Result<StoreAnswer, StoreError>) {
        self.session.store_answered(self.now, id, answer, &mut self.budget);
    }

    fn send(&mut self, id: ExchangeId, request: &Request<RequestBody>) {
        let host = request.uri().host().unwrap_or_default();
        let path = request.uri().path().trim_start_matches("/v1/auth/");
        let body = String::from_utf8_lossy(request.body().as_ref()).into_owned();
        let bearer = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
        let field = |name: &str| {
            let (_, rest) = body.split_once(&format!(r#""{name}":""#))?;
            rest.split('"').next()
        };
        let carried = bearer.and_then(|bearer| bearer.strip_prefix("Bearer "));
        let carried = carried.or_else(|| field("refresh_token")).or_else(|| field("code"));
        let carried = carried.map(|carried| format!(" ({carried})")).unwrap_or_default();
        let ticket = if body.contains("p-ticket") { " with the ticket" } else { "" };
        let first = host.split('.').next().unwrap_or_default();
        self.line(format!("→ {first} {path}{carried}{ticket}"));
        let answer = self.script.pop_front().unwrap_or_else(|| panic!("no answer left:\n{}", self.trace.join("\n")));
        match answer {
            Answer::Silence => self.silent.push(id),
            answer => self.answer(id, answer),
        }
        self.write_what_it_brought();
    }

    /// The effects of an answer, for the trace line of its request.
    fn write_what_it_brought(&mut self) {
        let events: Vec<_> =
            core::iter::from_fn(|| self.session.next_event()).map(|event| brief(&event.kind)).collect();
        if let (Some(line), false) = (self.trace.last_mut(), events.is_empty()) {
            line.push_str(": ");
            line.push_str(&events.join("; "));
        }
    }

    fn answer(&mut self, id: ExchangeId, answer: Answer) {
        match answer {
            Answer::Token(text, life) => {
                let server_now = self.now.saturating_add(self.ahead.unwrap_or_default()).unwrap();
                self.answer(id, token_until(text, later(server_now, minutes(life))));
            }
            Answer::Response(mut response) => {
                if let Some(ahead) = self.ahead {
                    let date =
                        self.now.saturating_add(ahead).unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
                    response.headers_mut().insert(header::DATE, date.parse().unwrap());
                }
                self.session.receive(self.now, id, response, &mut self.budget);
            }
            Answer::Failure(failure) => self.session.failed(self.now, id, failure, &mut self.budget),
            Answer::Silence => {}
        }
    }

    /// Delivers the answer to the oldest request that has had none.
    fn answer_late(&mut self, answer: Answer) -> &mut Self {
        self.line("← late");
        let id = self.silent.remove(0);
        self.answer(id, answer);
        self.write_what_it_brought();
        self
    }

    /// Reports an answer that a caller has received with the token.
    fn reject(&mut self, status: u16, body: &str) -> Verdict {
        let generation = self.session.token.generation;
        self.reject_of(generation, status, body)
    }

    fn reject_of(&mut self, generation: u64, status: u16, body: &str) -> Verdict {
        let status = StatusCode::from_u16(status).unwrap();
        let verdict = self.session.rejected(self.now, generation, status, body.as_bytes(), &mut self.budget);
        self.line(format!("a call is answered {} {body:?}: {verdict:?}", status.as_u16()));
        self.write_events();
        verdict
    }

    fn token(&self) -> Option<String> {
        self.session.token(self.now).map(|token| token.access_token.expose().to_string())
    }

    fn write_events(&mut self) {
        while let Some(event) = self.session.next_event() {
            self.line(brief(&event.kind));
        }
    }

    /// The requests in the trace show bearers on purpose, so only the rest of the trace is searched for secrets.
    fn hide_requests(&mut self) {
        for line in &mut self.trace {
            if let Some((_, request)) = line.split_once('→') {
                *line = request.split_once(": ").map(|(_, brought)| brought.into()).unwrap_or_default();
            }
        }
    }

    fn trace(&self) -> String {
        self.trace.join("\n")
    }

    fn snapshot(&self) -> StoredSession {
        self.session.snapshot(self.now, &self.budget)
    }
}

fn stored_record(revision: Revision, session: Result<StoredSession, Unreadable>) -> StoredRecord {
    StoredRecord { revision, age: None, place: "the file a".into(), session }
}

fn disk_full() -> StoreError {
    StoreError::new(StoreErrorKind::NotWritable, "the disk is full")
}

/// A snapshot of an app whose answers bring no refresh token.
fn without_refresh_token(stored: &StoredSession) -> StoredSession {
    let mut value = serde_json::to_value(stored).unwrap();
    value.as_object_mut().unwrap().remove("refresh");
    serde_json::from_value(value).unwrap()
}

/// Changes a snapshot as another process would have written it.
fn changed(
    stored: &StoredSession,
    change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>),
) -> StoredSession {
    let mut value = serde_json::to_value(stored).unwrap();
    change(value.as_object_mut().unwrap());
    serde_json::from_value(value).unwrap()
}

fn adopt(world: &mut World, stored: StoredSession) {
    world.session.adopt(world.now, stored, &mut world.budget);
    world.write_events();
}

/// A time as minutes and seconds since the start.
fn clock(at: Timestamp) -> String {
    let since = at.duration_since(start());
    let (minutes, seconds, millis) = (since.as_mins(), since.as_secs() % 60, since.subsec_millis());
    if millis == 0 { format!("{minutes}:{seconds:02}") } else { format!("{minutes}:{seconds:02}.{millis:03}") }
}

/// A short form of an event. Its times are relative to the start of the trace.
fn brief(event: &EventKind) -> String {
    let minute = |at: &Timestamp| clock(*at);
    match event {
        EventKind::Failed { operation, trouble: Trouble::Server(error), retry_at, .. } => {
            format!("{operation} failed ({}); next try at {}", name(error), minute(retry_at))
        }
        EventKind::Failed { operation, trouble: Trouble::Io { failure, .. }, retry_at, .. } => {
            format!("{operation} failed ({failure:?}); next try at {}", minute(retry_at))
        }
        EventKind::Refused { error, retry_at, .. } => {
            format!("refused ({}); next try at {}", name(error), minute(retry_at))
        }
        EventKind::ConsentDueBy { at } => format!("consent due by {}", minute(at)),
        EventKind::Stopped(StopReason::Refused(error)) => format!("stopped: {}", name(error)),
        EventKind::Stopped(reason) => format!("stopped: {reason:?}"),
        other => other.to_string(),
    }
}

fn name(error: &Error) -> String {
    match error {
        Error::Status { status, .. } => status.as_u16().to_string(),
        Error::Refused(refusal) => format!("Refused, {:?}", refusal.kind),
        Error::Contradiction(Contradiction::TokenBesideRefusal { .. }) => "TokenBesideRefusal".into(),
        Error::Contradiction(contradiction) => format!("{contradiction:?}"),
        Error::Incomplete { present, .. } => format!("Incomplete, only {}", present.join(", ")),
        other => format!("{other:?}").split(['(', ' ']).next().unwrap().into(),
    }
}

fn token_until(text: &str, expires_at: Timestamp) -> Answer {
    ok(format!(r#"{{"accessToken":"{text}","expirationTime":"{expires_at}","userId":1}}"#))
}

/// A token that expires this many minutes after the start.
fn token_to(text: &str, minute: u64) -> Answer {
    token_until(text, later(start(), minutes(minute)))
}

/// An OAuth answer with a token of 80 minutes and a refresh token of 26 hours.
fn refreshed(access: &str, refresh: &str) -> Answer {
    ok(format!(
        r#"{{"access_token":"{access}","refresh_token":"{refresh}","expires_in":4800,"refresh_token_expires_in":93600}}"#
    ))
}

/// The same answer without the expiry of the refresh token.
fn refreshed_without_end(access: &str, refresh: &str) -> Answer {
    ok(format!(r#"{{"access_token":"{access}","refresh_token":"{refresh}","expires_in":4800}}"#))
}
