//! Laws 9 and 15 with random servers, stores, callers and clocks: `poll` never spins, and between two inputs nothing
//! changes before the time that `poll` has named.

use http::{StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tradovate_auth_core::Failure;
use tradovate_auth_session::{
    Action, ExchangeId, MayLogIn, RateBudget, Session, StoreAnswer, StoreRequest, StoredSession, WakeUp,
};

use crate::driver::{dated, plain, start, with_header};
use crate::session::{DEAD, WRONG_PASSWORD, app, disk_full, trader};
use crate::store::MemoryStore;

#[derive(Debug, Clone)]
enum Reply {
    /// A token that lives for some minutes.
    Token {
        life: u32,
        has_date: bool,
    },
    /// The same body for all endpoints.
    Body(u16, &'static str),
    LockedOut(u32),
    Failure(Failure),
    Silence,
}

#[derive(Debug, Clone)]
enum Step {
    Pass { seconds: u32 },
    Late { which: usize, reply: Reply },
    Rejected { status: u16, body: &'static str },
    Adopt { which: usize },
    ClockSet { seconds: u32 },
    Stored,
}

fn replies() -> impl Strategy<Value = Reply> {
    let bodies = [
        (200, WRONG_PASSWORD),
        (200, r#"{"error":"invalid_grant"}"#),
        (200, r#"{"error":"invalid_client"}"#),
        (200, r#"{"p-ticket":"t","p-time":15}"#),
        (200, r#"{"p-captcha":true}"#),
        (200, "{"),
        (200, r#"{"accessToken":"at","access_token":"at","error":"no","errorText":"no"}"#),
        (400, ""),
        (401, DEAD),
        (404, ""),
        (408, ""),
        (421, ""),
        (500, ""),
        (503, ""),
    ];
    let failures = [Failure::NotSent, Failure::MaybeSent, Failure::Truncated];
    prop_oneof![
        8 => (1_u32..200, any::<bool>()).prop_map(|(life, has_date)| Reply::Token { life, has_date }),
        8 => prop::sample::select(bodies.to_vec()).prop_map(|(status, body)| Reply::Body(status, body)),
        1 => (0_u32..7200).prop_map(Reply::LockedOut),
        2 => prop::sample::select(failures.to_vec()).prop_map(Reply::Failure),
        2 => Just(Reply::Silence),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let rejections = [(401, DEAD), (401, ""), (421, ""), (500, ""), (429, ""), (200, r#"{"p-captcha":true}"#)];
    prop_oneof![
        8 => (0_u32..7200).prop_map(|seconds| Step::Pass { seconds }),
        2 => (0_u32..60).prop_map(|seconds| Step::Pass { seconds }),
        2 => (any::<usize>(), replies()).prop_map(|(which, reply)| Step::Late { which, reply }),
        3 => prop::sample::select(rejections.to_vec()).prop_map(|(status, body)| Step::Rejected { status, body }),
        1 => any::<usize>().prop_map(|which| Step::Adopt { which }),
        1 => (0_u32..1200).prop_map(|seconds| Step::ClockSet { seconds }),
        1 => Just(Step::Stored),
    ]
}

struct Lab {
    session: Session,
    budget: RateBudget,
    now: Timestamp,
    /// How far the server's clock is ahead.
    ahead: SignedDuration,
    replies: Vec<Reply>,
    served: usize,
    unanswered: Vec<(ExchangeId, bool)>,
    store: MemoryStore,
    /// What the store has done and not yet reported.
    unstored: Vec<(ExchangeId, StoreAnswer)>,
    snapshots: Vec<StoredSession>,
}

impl Lab {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Pass { seconds } => self.pass(self.now + SignedDuration::from_secs((*seconds).into())),
            Step::Late { which, reply } => {
                if !self.unanswered.is_empty() {
                    let (id, is_refresh) = self.unanswered.remove(which % self.unanswered.len());
                    self.answer(id, is_refresh, reply);
                }
            }
            Step::Rejected { status, body } => {
                let generation = self.session.token(self.now).map_or(0, |token| token.generation);
                let status = StatusCode::from_u16(*status).unwrap();
                self.session.rejected(self.now, generation, status, body.as_bytes(), &mut self.budget);
            }
            Step::Adopt { which } => {
                if !self.snapshots.is_empty() {
                    let stored = self.snapshots[which % self.snapshots.len()].clone();
                    self.session.adopt(self.now, stored, &mut self.budget);
                }
            }
            Step::ClockSet { seconds } => {
                let by = SignedDuration::from_secs((*seconds).into());
                self.now += by;
                self.ahead -= by;
            }
            Step::Stored => {
                if let Some((id, answer)) = self.unstored.pop() {
                    self.session.store_answered(self.now, id, Ok(answer), &mut self.budget);
                }
            }
        }
    }

    fn answer(&mut self, id: ExchangeId, is_refresh: bool, reply: &Reply) {
        let server_now = self.now + self.ahead;
        let response = match reply {
            Reply::Silence => return self.unanswered.push((id, is_refresh)),
            Reply::Failure(failure) => return self.session.failed(self.now, id, *failure, &mut self.budget),
            Reply::Body(status, body) => plain(*status, *body),
            Reply::LockedOut(seconds) => with_header(plain(429, ""), header::RETRY_AFTER, &seconds.to_string()),
            Reply::Token { life, has_date } => {
                let end = server_now + SignedDuration::from_mins((*life).into());
                let number = self.served;
                let body = if is_refresh {
                    let seconds = life * 60;
                    let refresh = format!(r#""refresh_token":"rt-{number}","refresh_token_expires_in":93600"#);
                    format!(r#"{{"access_token":"at-{number}","expires_in":{seconds},{refresh}}}"#)
                } else {
                    let market_data = if life % 3 == 0 { r#","mdAccessToken":"md""# } else { "" };
                    let password = server_now + SignedDuration::from_hours(i64::from(*life) * 2);
                    let password = format!(r#","passwordExpirationTime":"{password}""#);
                    format!(r#"{{"accessToken":"at-{number}","expirationTime":"{end}"{market_data}{password}}}"#)
                };
                if *has_date { dated(200, body, server_now) } else { plain(200, body) }
            }
        };
        self.session.receive(self.now, id, response, &mut self.budget);
    }

    fn pass(&mut self, end: Timestamp) {
        for _ in 0..3000 {
            match self.session.poll(self.now, &mut self.budget) {
                Action::Send { id, request } => {
                    let is_refresh = request.uri().path().ends_with("oauthtoken");
                    let reply = self.replies[self.served % self.replies.len()].clone();
                    self.served += 1;
                    self.answer(id, is_refresh, &reply);
                }
                Action::Store { id, request } => {
                    self.served += 1;
                    let is_save = matches!(request, StoreRequest::Keep(_) | StoreRequest::Save { .. });
                    let answer = self.store.answer(self.now, request);
                    match self.served % 5 {
                        0 => self.session.store_answered(self.now, id, Err(disk_full()), &mut self.budget),
                        1 => self.unstored.push((id, answer)),
                        _ => self.session.store_answered(self.now, id, Ok(answer), &mut self.budget),
                    }
                    self.snapshots.extend(self.store.session().filter(|_| is_save));
                }
                Action::Wait { until } => {
                    let wake_up = self.nothing_changes_before(until, end);
                    if until > end {
                        self.now = end;
                        return;
                    }
                    self.now = until;
                    self.is_what_was_named(wake_up);
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
            while self.session.next_event().is_some() {}
        }
        panic!("law 9: the session spins");
    }

    fn token(&self, at: Timestamp) -> Option<(u64, Timestamp, bool)> {
        self.session.token(at).map(|it| (it.generation, it.usable_until, it.market_data_token.is_some()))
    }

    /// Checks that nothing changes before `until`. Returns what the session waits for.
    fn nothing_changes_before(&mut self, until: Timestamp, end: Timestamp) -> WakeUp {
        assert!(until > self.now, "law 9: a wait that is over");
        while self.session.next_event().is_some() {}
        let moment = SignedDuration::from_nanos(1);
        let (token, is_verifying) = (self.token(self.now), self.session.is_verifying());
        let wake_up = self.session.waits_for().expect("a reason to wait");
        assert_eq!(self.token(until - moment), token, "law 15, before {wake_up:?}");
        let last = (until - moment).min(end);
        let wait = last.duration_since(self.now);
        for part in [3, 2, 1].map(|part| self.now + wait / part) {
            let action = self.session.poll(part, &mut self.budget);
            assert!(
                matches!(action, Action::Wait { until: again } if again == until),
                "law 15: {action:?}, {wake_up:?}"
            );
            assert_eq!(self.session.waits_for(), Some(wake_up));
            assert_eq!((self.token(part), self.session.is_verifying()), (token, is_verifying), "law 15: {wake_up:?}");
            let event = self.session.next_event();
            assert!(event.is_none(), "law 15: {event:?}, before {wake_up:?}");
        }
        wake_up
    }

    /// Checks that the change happens that the wake-up names.
    fn is_what_was_named(&mut self, wake_up: WakeUp) {
        let is_as_named = match wake_up {
            WakeUp::TokenUnusable | WakeUp::TokenExpires => self.token(self.now).is_none(),
            WakeUp::MarketDataTokenEnds => self.token(self.now).is_none_or(|(.., has_market_data)| !has_market_data),
            _ => true,
        };
        assert!(is_as_named, "{wake_up:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_session_does_not_change_before_the_time_that_poll_named(
        is_app: bool,
        store in 0_u8..3,
        ahead in -7200_i64..7200,
        replies in prop::collection::vec(replies(), 1..30),
        steps in prop::collection::vec(steps(), 1..30),
    ) {
        let session = if is_app { app() } else { trader() };
        let session = match store {
            0 => session,
            1 => session.with_store(),
            _ => session.with_shared_store(MayLogIn::WhenNeeded),
        };
        let (budget, ahead) = (RateBudget::default(), SignedDuration::from_secs(ahead));
        let (unanswered, store, unstored, snapshots) = Default::default();
        let now = start();
        let mut lab = Lab { session, budget, now, ahead, replies, served: 0, unanswered, store, unstored, snapshots };
        for step in &steps {
            lab.step(step);
        }
    }
}
