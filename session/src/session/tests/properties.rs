//! The laws of the session over random servers, stores, callers and clocks, asserted after every step.

use alloc::vec;

use proptest::prelude::*;

use super::*;
use lab::Lab;

mod lab;
mod server;

#[derive(Debug, Clone)]
enum Reply {
    Grant { life: u64, same_text: bool },
    OtherUser,
    Refused,
    Unauthorized,
    Penalty(u64),
    Captcha,
    LockedOut(u64),
    Status(u16),
    Moved,
    Garbage,
    Incomplete,
    Both,
    ExpiredAlready,
    Failure(Failure),
    Silence,
}

#[derive(Debug, Clone)]
enum Step {
    Pass { seconds: u64 },
    Late { which: usize, reply: Reply, was_given_at_once: bool },
    Again { reply: Reply },
    Rejected { kind: u8, is_old: bool },
    ClockSetForward { seconds: u64 },
    ClockGoesBack,
    AdoptOld { which: usize },
    Restart,
}

fn replies() -> impl Strategy<Value = Reply> {
    let failures = [Failure::NotSent, Failure::MaybeSent, Failure::Oversized, Failure::Truncated];
    prop_oneof![
        8 => (1_u64..200, any::<bool>()).prop_map(|(life, same_text)| Reply::Grant { life, same_text }),
        1 => Just(Reply::OtherUser),
        2 => Just(Reply::Refused),
        2 => Just(Reply::Unauthorized),
        2 => (0_u64..100).prop_map(Reply::Penalty),
        1 => Just(Reply::Captcha),
        1 => (0_u64..7200).prop_map(Reply::LockedOut),
        3 => prop::sample::select(vec![400_u16, 403, 404, 408, 421, 500, 502, 503, 504]).prop_map(Reply::Status),
        1 => Just(Reply::Moved),
        1 => Just(Reply::Garbage),
        1 => Just(Reply::Incomplete),
        1 => Just(Reply::Both),
        1 => Just(Reply::ExpiredAlready),
        3 => prop::sample::select(failures.to_vec()).prop_map(Reply::Failure),
        3 => Just(Reply::Silence),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0_u64..7200).prop_map(|seconds| Step::Pass { seconds }),
        2 => (0_u64..60).prop_map(|seconds| Step::Pass { seconds }),
        3 => (any::<usize>(), replies(), any::<bool>())
            .prop_map(|(which, reply, was_given_at_once)| Step::Late { which, reply, was_given_at_once }),
        1 => replies().prop_map(|reply| Step::Again { reply }),
        4 => (0_u8..6, any::<bool>()).prop_map(|(kind, is_old)| Step::Rejected { kind, is_old: is_old && kind > 3 }),
        1 => (0_u64..1200).prop_map(|seconds| Step::ClockSetForward { seconds }),
        1 => Just(Step::ClockGoesBack),
        1 => any::<usize>().prop_map(|which| Step::AdoptOld { which }),
        1 => Just(Step::Restart),
    ]
}

impl Lab {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Pass { seconds } => self.pass(Duration::from_secs(*seconds)),
            Step::Late { which, reply, was_given_at_once } => {
                if self.given_up.is_empty() || matches!(reply, Reply::Silence) {
                    return;
                }
                let sent = self.given_up.remove(which % self.given_up.len());
                if self.session.late.iter().all(|late| late.id != sent.id) {
                    // Forgotten over many others.
                    return self.session.receive(self.now, sent.id, Response::new("{}"), &mut self.budget);
                }
                let then = if *was_given_at_once { sent.server_time } else { self.server_now() };
                let before = (self.session.generation, matches!(self.session.state, State::Storing(_)));
                self.answer(&sent, reply, then);
                if sent.operation != Operation::Refresh && sent.generation != self.generation {
                    let after = (self.session.generation, matches!(self.session.state, State::Storing(_)));
                    assert_eq!(before, after, "law 1: a superseded answer changes something");
                }
            }
            Step::Again { reply } => {
                let id = ExchangeId(self.session.next_id.saturating_sub(1));
                if self.in_flight.as_ref().is_none_or(|sent| sent.id != id)
                    && self.given_up.iter().all(|sent| sent.id != id)
                    && let Reply::Grant { .. } = reply
                {
                    let body = r#"{"accessToken":"foreign","expirationTime":"2030-01-01T00:00:00Z"}"#;
                    self.session.receive(self.now, id, Response::new(body), &mut self.budget);
                } else if let Some((id, text)) = self.unanswered_stores.pop() {
                    self.has_stored(id, text);
                }
            }
            Step::Rejected { kind, is_old } => {
                let (status, body) =
                    [(401, ""), (401, "Access is denied"), (500, ""), (421, ""), (401, DEAD), (429, "")]
                        [usize::from(*kind)];
                let generation = if *is_old { self.generation.wrapping_sub(1) } else { self.generation };
                let status = StatusCode::from_u16(status).unwrap();
                let verdict = self.session.rejected(self.now, generation, status, body.as_bytes(), &mut self.budget);
                self.is_said_dead |= !is_old && (*kind == 4 || [408, 500].contains(&status.as_u16()));
                if verdict == Verdict::LockedOut {
                    self.silent_until = self.silent_until.max(later(self.now, minutes(60)));
                }
            }
            Step::ClockSetForward { seconds } => {
                let step = Duration::from_secs(*seconds);
                self.now = later(self.now, step);
                self.ahead = self.ahead.saturating_sub(SignedDuration::try_from(step).unwrap());
            }
            Step::ClockGoesBack => {
                let before = crate::moments::earlier(self.now, minutes(30));
                self.session.stored(before, ExchangeId(u32::MAX));
                let _ = self.session.token(before);
            }
            Step::AdoptOld { which } => {
                if !self.snapshots.is_empty() {
                    let text = &self.snapshots[which % self.snapshots.len()];
                    self.session.adopt(self.now, serde_json::from_str(text).unwrap(), &mut self.budget);
                    self.owed = None;
                }
            }
            Step::Restart => {
                if let (true, Some(text)) = (self.has_store, self.snapshots.last()) {
                    self.session = Self::session(self.is_app, true);
                    self.session.adopt(self.now, serde_json::from_str(text).unwrap(), &mut self.budget);
                    (self.in_flight, self.owed, self.last_sent) = (None, None, None);
                    self.given_up.clear();
                    self.unanswered_stores.clear();
                    self.opened.clear();
                    self.unknown.clear();
                    self.barred_until.clear();
                    self.last_verified = None;
                    self.generation = u64::MAX;
                }
            }
        }
        self.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_whatever_happens(
        is_app: bool,
        has_store: bool,
        ahead in -7200_i64..7200,
        replies in prop::collection::vec(replies(), 1..40),
        store_works in prop::collection::vec(0_u8..8, 1..10),
        steps in prop::collection::vec(steps(), 1..40),
    ) {
        let mut lab = Lab::new(is_app, has_store, ahead, replies, store_works);
        for step in &steps {
            lab.step(step);
        }
        // Law 10: once the server is well, the session is usable within a bound, unless it has stopped and says why. After
        // logins of unknown outcome it is silent for up to an hour.
        lab.replies = Vec::from([Reply::Grant { life: 80, same_text: false }]);
        lab.store_works = Vec::from([9]);
        let wait = Duration::try_from(lab.silent_until.duration_since(lab.now)).unwrap_or_default();
        lab.pass(wait + minutes(if is_app { 7 * 60 } else { 4 * 60 }));
        prop_assert!(lab.is_stopped() || lab.session.token(lab.now).is_some(), "law 10: it does not recover");
    }
}
