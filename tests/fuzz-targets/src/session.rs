//! The fuzz target for a whole session: arbitrary events in arbitrary order.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{
    AuthorizationRequest, AuthorizedCode, Credentials, Entropy, Environment, Failure, OAuthApp, RefreshToken,
    is_trusted_host,
};
use tradovate_auth_session::{
    Action, ExchangeId, Lease, MayLogIn, RateBudget, Revision, Session, StoreAnswer, StoreError, StoreErrorKind,
    StoreRequest, StoredRecord, StoredSession, Unreadable,
};

use crate::{CANARY, assert_hidden, response, status};

#[derive(Arbitrary, Debug)]
enum Start {
    User,
    RefreshToken,
    Code,
    Snapshot,
}

/// Where the session is stored.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Storage {
    None,
    Hook,
    Shared(Allowed),
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    Never,
    WhenNeeded,
    EvenIfUnreadable,
}

#[derive(Arbitrary, Debug)]
enum Event<'a> {
    Poll,
    Wait {
        seconds: u32,
    },
    /// An answer to an earlier request, identified by how many requests ago it was sent.
    Answer {
        back: u8,
        status: u8,
        body: Body<'a>,
    },
    Failed {
        back: u8,
        failure: u8,
    },
    /// A store's answer to an earlier request, identified in the same way. It may be the answer to another request.
    StoreAnswers {
        back: u8,
        answer: GivenAnswer,
    },
    StoreChanged,
    Rejected {
        generation: u8,
        status: u8,
        body: &'a [u8],
    },
    Adopt {
        back: u8,
    },
    Restart {
        back: u8,
    },
    ReplaceCredentials {
        same_user: bool,
    },
    Forget,
    TimeGoesBack {
        seconds: u16,
    },
    LockOut {
        seconds: u16,
    },
}

#[derive(Arbitrary, Debug)]
enum Body<'a> {
    Bytes(&'a [u8]),
    Login { life: i16, user: u8 },
    OAuth { life: i16, rotates: bool },
    Penalty { seconds: u8 },
    Refused,
    InvalidGrant,
    Dead,
    Moved(u8),
}

/// What a store answers.
#[derive(Arbitrary, Debug)]
enum GivenAnswer {
    /// The answer of a working store.
    AsAsked,
    Kept,
    Lease {
        seconds: u16,
    },
    AnothersLease,
    /// A record of another process, which saved an earlier snapshot of this session.
    Loaded {
        back: u8,
        age: Option<u16>,
        revision: u8,
    },
    Nothing,
    Unreadable,
    Saved {
        revision: u8,
    },
    Overtaken,
    Released,
    Failed {
        kind: u8,
    },
}

/// What a session requests from its store.
#[derive(Clone, Copy)]
enum Question {
    Keep,
    Acquire(Duration),
    Load,
    Save,
    Release,
}

/// The surroundings of the session: what it sent, and what it stored.
struct World {
    session: Session,
    budget: RateBudget,
    now: Timestamp,
    /// The latest time that the session has seen. For the session, time never goes back.
    latest: Timestamp,
    storage: Storage,
    sent: Vec<ExchangeId>,
    /// The requests to the store.
    asked: Vec<(ExchangeId, Question)>,
    snapshots: Vec<StoredSession>,
    minted: u32,
}

/// Runs a session. The input is a start and a list of events, as [`Arbitrary`] reads them.
pub fn session(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let (Ok(start), Ok(storage)) = (Start::arbitrary(&mut input), Storage::arbitrary(&mut input)) else { return };
    let mut world = World::new(&start, storage);
    for _ in 0..200 {
        if input.is_empty() {
            return;
        }
        let Ok(event) = Event::arbitrary(&mut input) else { return };
        world.happen(event);
        world.check();
    }
}

fn credentials(name: &str) -> Credentials {
    Credentials::new(name, CANARY)
}

fn code() -> AuthorizedCode {
    let request = AuthorizationRequest::new(&OAuthApp::new("app"), "http://127.0.0.1/");
    let (_, mut pending) = request.begin(&Environment::live(), Entropy::from([7; Entropy::LENGTH])).expect("a login");
    let query = format!("code={CANARY}&state=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc");
    pending.redirected_query(&query).expect("a code")
}

impl World {
    fn new(start: &Start, storage: Storage) -> Self {
        let app = || OAuthApp::new("app").with_client_secret(tradovate_auth_core::ClientSecret::new(CANARY));
        let session = match start {
            Start::User => Session::new(Environment::demo(), credentials("trader"), 7),
            Start::RefreshToken => Session::new(
                Environment::live(),
                tradovate_auth_session::Login::refresh_token(app(), RefreshToken::new(CANARY)),
                7,
            ),
            Start::Code => Session::new(Environment::live(), tradovate_auth_session::Login::code(app(), code()), 7),
            Start::Snapshot => Session::new(Environment::live(), tradovate_auth_session::Login::app(app()), 7),
        };
        let now = "2026-11-24T14:00:00Z".parse().expect("a time");
        Self {
            session: match storage {
                Storage::None => session,
                Storage::Hook => session.with_store(),
                Storage::Shared(Allowed::Never) => session.with_shared_store(MayLogIn::Never),
                Storage::Shared(Allowed::WhenNeeded) => session.with_shared_store(MayLogIn::WhenNeeded),
                Storage::Shared(Allowed::EvenIfUnreadable) => session.with_shared_store(MayLogIn::EvenIfUnreadable),
            },
            budget: RateBudget::default(),
            now,
            latest: now,
            storage,
            sent: Vec::new(),
            asked: Vec::new(),
            snapshots: Vec::new(),
            minted: 0,
        }
    }

    fn happen(&mut self, event: Event<'_>) {
        self.latest = self.latest.max(self.now);
        match event {
            Event::Poll => self.poll(),
            Event::Wait { seconds } => self.pass(i64::from(seconds)),
            Event::Answer { back, status, body } => self.answer(back, status, &body),
            Event::Failed { back, failure } => {
                let failure = [Failure::NotSent, Failure::MaybeSent, Failure::Oversized, Failure::Truncated]
                    [usize::from(failure % 4)];
                if let Some(id) = recent(&self.sent, back) {
                    self.session.failed(self.now, id, failure, &mut self.budget);
                }
            }
            Event::StoreAnswers { back, answer } => self.store_answers(back, &answer),
            Event::StoreChanged => self.session.store_changed(),
            Event::Rejected { generation, status: code, body } => {
                let generation = u64::from(generation);
                let _ = self.session.rejected(self.now, generation, status(code), body, &mut self.budget);
            }
            Event::Adopt { back } => {
                if let Some(stored) = recent(&self.snapshots, back) {
                    self.session.adopt(self.now, stored, &mut self.budget);
                }
            }
            Event::Restart { back } => {
                let stored = recent(&self.snapshots, back);
                *self = Self {
                    now: self.now,
                    latest: self.now,
                    minted: self.minted,
                    ..Self::new(&Start::User, self.storage)
                };
                if let Some(stored) = stored {
                    self.session.adopt(self.now, stored, &mut self.budget);
                }
            }
            Event::ReplaceCredentials { same_user } => {
                self.session.replace_credentials(credentials(if same_user { "trader" } else { "other" }));
            }
            Event::Forget => self.session.forget(self.now),
            Event::TimeGoesBack { seconds } => self.pass(-i64::from(seconds)),
            Event::LockOut { seconds } => {
                // The session and the other sessions of the budget read one clock, which they have all seen.
                self.session.failed(self.now, ExchangeId::default(), Failure::NotSent, &mut self.budget);
                self.budget.lock_out(self.now, Duration::from_secs(seconds.into()));
            }
        }
    }

    fn pass(&mut self, seconds: i64) {
        self.now = self.now.saturating_add(SignedDuration::from_secs(seconds)).expect("a time");
    }

    /// Polls until the session waits or stops, which must happen soon.
    fn poll(&mut self) {
        for _ in 0..8 {
            let action = self.session.poll(self.now, &mut self.budget);
            assert_hidden(&format!("{action:?}"));
            match action {
                Action::Send { id, request } => {
                    let uri = request.uri();
                    assert_eq!(uri.scheme_str(), Some("https"), "{uri}");
                    assert!(uri.host().is_some_and(is_trusted_host), "{uri}");
                    assert!(
                        self.budget.locked_until(self.latest).is_none(),
                        "the session sends nothing during a lock-out"
                    );
                    assert!(!self.sent.contains(&id), "each request has an id of its own");
                    self.sent.push(id);
                }
                Action::Store { id, request } => {
                    let is_shared = matches!(self.storage, Storage::Shared(_));
                    assert_eq!(
                        is_shared,
                        !matches!(request, StoreRequest::Keep(_)),
                        "each kind of store gets its own requests"
                    );
                    let question = self.question(&request);
                    // A snapshot that could not be stored is offered again with its id.
                    let is_again = matches!(question, Question::Keep | Question::Save);
                    assert!(self.storage != Storage::None);
                    assert!(
                        is_again || self.asked.iter().all(|(asked, _)| *asked != id),
                        "each question has its own id"
                    );
                    self.asked.push((id, question));
                }
                Action::Wait { until } => {
                    assert!(until > self.now, "the wait ends in the future");
                    return;
                }
                _ => return,
            }
        }
        panic!("the session polls without an end");
    }

    fn question(&mut self, request: &StoreRequest) -> Question {
        match request {
            StoreRequest::Keep(snapshot) | StoreRequest::Save { snapshot, .. } => {
                let written = serde_json::to_string(snapshot).expect("a snapshot");
                self.snapshots.push(serde_json::from_str(&written).expect("a snapshot that can be read"));
                if matches!(request, StoreRequest::Keep(_)) { Question::Keep } else { Question::Save }
            }
            StoreRequest::Acquire(time) => Question::Acquire(*time),
            StoreRequest::Load => Question::Load,
            _ => Question::Release,
        }
    }

    fn store_answers(&mut self, back: u8, given: &GivenAnswer) {
        let Some((id, question)) = recent(&self.asked, back) else { return };
        let record = |session, revision: usize, age: Option<u16>| {
            let (revision, age) = (Revision(revision as u64), age.map(|age| Duration::from_secs(age.into())));
            StoreAnswer::Loaded(Some(StoredRecord { revision, age, place: String::new(), session }))
        };
        let lease = |time| StoreAnswer::Lease(Some(Lease { fence: self.asked.len() as u64, time }));
        let answer = match (given, question) {
            (GivenAnswer::AsAsked, Question::Keep) | (GivenAnswer::Kept, _) => StoreAnswer::Kept,
            (GivenAnswer::AsAsked, Question::Acquire(time)) => lease(time),
            (GivenAnswer::AsAsked, Question::Load) => match self.snapshots.last() {
                Some(stored) => record(Ok(stored.clone()), self.snapshots.len(), Some(0)),
                None => StoreAnswer::Loaded(None),
            },
            (GivenAnswer::AsAsked, Question::Save) => StoreAnswer::Saved(Some(Revision(self.snapshots.len() as u64))),
            (GivenAnswer::AsAsked, Question::Release) | (GivenAnswer::Released, _) => StoreAnswer::Released,
            (GivenAnswer::Lease { seconds }, _) => lease(Duration::from_secs((*seconds).into())),
            (GivenAnswer::AnothersLease, _) => StoreAnswer::Lease(None),
            (GivenAnswer::Loaded { back, age, revision }, _) => {
                let Some(stored) = recent(&self.snapshots, *back) else { return };
                record(Ok(stored), usize::from(*revision), *age)
            }
            (GivenAnswer::Nothing, _) => StoreAnswer::Loaded(None),
            (GivenAnswer::Unreadable, _) => record(Err(Unreadable::Damaged), usize::from(back), None),
            (GivenAnswer::Saved { revision }, _) => StoreAnswer::Saved(Some(Revision((*revision).into()))),
            (GivenAnswer::Overtaken, _) => StoreAnswer::Saved(None),
            (GivenAnswer::Failed { kind }, _) => {
                let kinds = [
                    StoreErrorKind::Unreachable,
                    StoreErrorKind::NotReadable,
                    StoreErrorKind::NotWritable,
                    StoreErrorKind::Misconfigured,
                ];
                let error = StoreError::new(kinds[usize::from(kind % 4)], "a synthetic failure");
                return self.session.store_answered(self.now, id, Err(error), &mut self.budget);
            }
        };
        self.session.store_answered(self.now, id, Ok(answer), &mut self.budget);
    }

    fn answer(&mut self, back: u8, code: u8, body: &Body<'_>) {
        let Some(id) = recent(&self.sent, back) else { return };
        self.minted += 1;
        let minted = self.minted;
        let end = |life: i16| self.now.saturating_add(SignedDuration::from_secs(life.into())).expect("a time");
        let mut status = StatusCode::OK;
        let mut location = String::new();
        let text = match body {
            Body::Bytes(bytes) => {
                status = crate::status(code);
                String::from_utf8_lossy(bytes).into_owned()
            }
            Body::Login { life, user } => format!(
                r#"{{"accessToken":"{CANARY}{minted}","expirationTime":"{}","userId":{}}}"#,
                end(*life),
                user % 3
            ),
            Body::OAuth { life, rotates } => format!(
                r#"{{"access_token":"{CANARY}{minted}","expires_in":{life},"refresh_token":"{CANARY}{}"}}"#,
                if *rotates { minted } else { 0 }
            ),
            Body::Penalty { seconds } => format!(r#"{{"p-ticket":"{CANARY}","p-time":{seconds}}}"#),
            Body::Refused => r#"{"errorText":"Incorrect username or password."}"#.into(),
            Body::InvalidGrant => r#"{"error":"invalid_grant"}"#.into(),
            Body::Dead => {
                status = StatusCode::UNAUTHORIZED;
                "Invalid access token".into()
            }
            Body::Moved(host) => {
                status = StatusCode::TEMPORARY_REDIRECT;
                let host = ["acme.ninjatrader.com", "live.tradovateapi.com", "evil.example"][usize::from(host % 3)];
                location = format!("https://{host}/v1/auth/x");
                String::new()
            }
        };
        let response = response(status, &[("location", location.as_bytes())], text.as_bytes());
        self.session.receive(self.now, id, response, &mut self.budget);
    }

    fn check(&mut self) {
        if let Some(token) = self.session.token(self.now) {
            assert!(token.usable_until > self.now, "a returned token is valid");
            assert!(
                token.usable_until <= token.expires_at.saturating_add(SignedDuration::from_hours(24)).expect("a time")
            );
            assert_hidden(&format!("{token:?}"));
        }
        while let Some(event) = self.session.next_event() {
            assert_hidden(&format!("{event} {event:?}"));
        }
        if self.sent.len().is_multiple_of(8) {
            assert_hidden(&format!("{:?} {:?}", self.session, self.session.snapshot(self.now, &self.budget)));
        }
    }
}

fn recent<T: Clone>(list: &[T], back: u8) -> Option<T> {
    list.iter().rev().nth(usize::from(back % 8)).cloned()
}
