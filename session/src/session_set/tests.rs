//! Many sessions with a simulated clock and a server that grants every request unless a test says otherwise.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use http::header;
use jiff::{SignedDuration, ToSpan};
use proptest::prelude::*;
use tradovate_auth_core::{Credentials, Environment, OAuthApp, RefreshToken};

use super::*;
use crate::network_budget::Operation;
use crate::{Login, StoreErrorKind};

mod paces;
mod reports;
mod served;
mod snapshots;
mod stores;

const LIFE: SignedDuration = SignedDuration::from_mins(80);

fn start() -> Timestamp {
    "2026-11-24T14:00:00Z".parse().unwrap()
}

fn by_password(seed: u64) -> Session {
    Session::new(Environment::demo(), Credentials::new(format!("user-{seed}"), "password"), seed)
}

fn by_oauth(seed: u64) -> Session {
    let token = RefreshToken::new("synthetic-refresh");
    Session::new(Environment::live(), Login::refresh_token(OAuthApp::new("app"), token), seed)
}

fn operation(request: &Request<RequestBody>) -> Operation {
    match request.uri().path() {
        "/v1/auth/accesstokenrequest" => Operation::LogIn,
        "/v1/auth/renewaccesstoken" => Operation::Renew,
        "/v1/auth/oauthtoken" => Operation::Refresh,
        other => panic!("{other}"),
    }
}

/// The server's answer to an operation.
fn granted(now: Timestamp, operation: Operation) -> Response<String> {
    Response::new(match operation {
        Operation::Refresh => r#"{"access_token":"synthetic","token_type":"Bearer","expires_in":4800,
            "refresh_token":"synthetic-refresh","refresh_token_expires_in":93600}"#
            .to_string(),
        _ => format!(r#"{{"accessToken":"synthetic","expirationTime":"{}"}}"#, now + LIFE),
    })
}

/// The same answer with the server's time.
fn dated(now: Timestamp, mut answer: Response<String>) -> Response<String> {
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    answer.headers_mut().insert(header::DATE, date.parse().unwrap());
    answer
}

struct Sent {
    at: Timestamp,
    session: SessionKey,
    operation: Operation,
}

struct World {
    set: SessionSet<&'static str>,
    now: Timestamp,
    sent: Vec<Sent>,
}

impl World {
    fn new() -> Self {
        Self { set: SessionSet::new(), now: start(), sent: Vec::new() }
    }

    fn of(network: &'static str, sessions: impl IntoIterator<Item = Session>) -> (Self, Vec<SessionKey>) {
        let mut world = Self::new();
        let keys = sessions.into_iter().map(|session| world.set.insert(network, session)).collect();
        (world, keys)
    }

    /// The next request. It is not answered.
    fn request(&mut self) -> Option<(SessionKey, ExchangeId, Operation)> {
        match self.set.poll(self.now) {
            SetAction::Send { session, id, request } => {
                let operation = operation(&request);
                self.sent.push(Sent { at: self.now, session, operation });
                Some((session, id, operation))
            }
            SetAction::Wait { until } => {
                assert!(until > self.now, "the wait has already ended");
                None
            }
            other => panic!("{other:?}"),
        }
    }

    /// Runs until this time and grants each request at once. `look` sees the set each time the clock has advanced.
    fn run(&mut self, until: Timestamp, mut look: impl FnMut(&Self)) {
        loop {
            while let Some((session, id, operation)) = self.request() {
                self.set.receive(self.now, session, id, dated(self.now, granted(self.now, operation)));
            }
            let SetAction::Wait { until: next } = self.set.poll(self.now) else { panic!("there is more to do") };
            if next >= until {
                self.now = until;
                return;
            }
            self.now = next;
            look(self);
        }
    }

    fn has_nothing_to_do(&mut self) -> bool {
        matches!(self.set.poll(self.now), SetAction::Wait { until } if until == Timestamp::MAX)
    }

    fn count(&self, operation: Operation) -> usize {
        self.sent.iter().filter(|sent| sent.operation == operation).count()
    }

    /// The highest number of requests of one kind within this time.
    fn most_within(&self, time: SignedDuration, operation: Operation) -> usize {
        let times: Vec<_> = self.sent.iter().filter(|sent| sent.operation == operation).map(|sent| sent.at).collect();
        let within = |(index, first)| times.iter().skip(index).take_while(|at| at.duration_since(first) < time).count();
        times.iter().copied().enumerate().map(within).max().unwrap_or_default()
    }

    fn crowded_events(&mut self) -> Vec<(&'static str, Operation, u64)> {
        let mut crowded = Vec::new();
        while let Some(event) = self.set.next_event() {
            if let SetEvent::Crowded { network, operation, per_hour } = event {
                crowded.push((network, operation, per_hour));
            }
        }
        crowded
    }

    fn usable(&self, keys: &[SessionKey]) -> usize {
        keys.iter().filter(|key| self.set.get(**key).is_some_and(|session| session.token(self.now).is_some())).count()
    }
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

//= R-LIMIT-2
#[test]
fn sixteen_sessions_share_fifteen_renewals_per_hour_for_a_day() {
    let (mut world, keys) = World::of("office", (0..16).map(by_password));
    world.run(start() + hours(24), |world| assert_eq!(world.usable(&keys), 16, "at {}", world.now));
    assert_eq!(world.count(Operation::LogIn), 16, "one per session");
    assert!(world.most_within(hours(1), Operation::Renew) <= 15);
    let needed = 16 * 24 * 60 / 65;
    assert!((needed..=needed * 11 / 10).contains(&world.count(Operation::Renew)), "{}", world.count(Operation::Renew));
    assert_eq!(world.crowded_events(), []);
}

#[test]
fn tokens_of_a_second_network_are_extended_as_rarely_as_those_of_the_first() {
    let mut world = World::new();
    let sessions = (0..8).flat_map(|pair| [("one", 2 * pair), ("two", 2 * pair + 1)]);
    let keys: Vec<_> = sessions.map(|(network, seed)| world.set.insert(network, by_password(seed))).collect();
    world.run(start() + hours(24), |_| {});
    for networks in 0..2 {
        let of_it = |sent: &&Sent| keys.iter().skip(networks).step_by(2).any(|key| *key == sent.session);
        let renewals = world.sent.iter().filter(|sent| sent.operation == Operation::Renew).filter(of_it).count();
        let needed = 8 * 24 * 60 / 65;
        assert!((needed..=needed * 11 / 10).contains(&renewals), "{renewals}");
    }
}

#[test]
fn a_set_with_one_session_renews_after_61_to_65_minutes() {
    let (mut world, _) = World::of("office", [by_password(1)]);
    world.run(start() + hours(2), |_| {});
    let renewed = world.sent.iter().find(|sent| sent.operation == Operation::Renew).unwrap().at;
    let after = renewed.duration_since(start()).as_mins();
    assert!((61..=65).contains(&after), "{after} minutes");
}

#[test]
fn sessions_above_the_hourly_limit_get_one_event_and_log_in_again() {
    let (mut world, keys) = World::of("office", (0..40).map(by_password));
    world.run(start() + SignedDuration::from_mins(12 * 60 + 10), |_| {});
    assert_eq!(world.crowded_events(), [("office", Operation::Renew, 16)]);
    assert!(world.most_within(hours(1), Operation::Renew) <= 15);
    assert!(world.count(Operation::LogIn) > 40);
    // A token that was issued while the renewals were used up is replaced by another login.
    assert!(world.usable(&keys) >= 39, "{}", world.usable(&keys));

    for key in &keys[16..] {
        assert!(world.set.remove(*key).is_some());
    }
    world.run(start() + hours(16), |_| {});
    assert_eq!(world.crowded_events(), [], "there is room for the sessions again");
    for seed in 40..80 {
        world.set.insert("office", by_password(seed));
    }
    world.run(start() + hours(17), |_| {});
    assert_eq!(world.crowded_events().len(), 1, "they are too many again");
}

#[test]
fn three_hundred_sessions_that_refresh_at_once_are_spread_over_time() {
    let (mut world, keys) = World::of("cloud", (0..300).map(by_oauth));
    world.run(start() + hours(24), |_| {});
    assert_eq!(world.usable(&keys), 300);
    let needed = 300 * 24 * 60 / 65;
    let refreshes = world.count(Operation::Refresh);
    assert!((needed..=needed * 11 / 10).contains(&refreshes), "{refreshes}");
    let (first, rest): (Vec<_>, Vec<_>) = world.sent.into_iter().partition(|sent| sent.at < start() + 10.seconds());
    world.sent = first;
    assert_eq!(world.count(Operation::Refresh), 300, "the first tokens come at 33 requests per second");
    assert_eq!(world.most_within(SignedDuration::from_secs(1), Operation::Refresh), 33);
    world.sent = rest;
    assert_eq!(world.most_within(SignedDuration::from_secs(1), Operation::Refresh), 1);
    assert!(world.most_within(SignedDuration::from_mins(1), Operation::Refresh) <= 6, "the average is 4.6");
}

#[test]
fn refreshing_sessions_take_no_renewals_from_other_sessions() {
    let (mut world, keys) = World::of("office", (0..16).map(by_password).chain((16..116).map(by_oauth)));
    world.run(start() + 4.seconds(), |_| {});
    world.run(start() + hours(24), |world| assert_eq!(world.usable(&keys), 116, "at {}", world.now));
    assert_eq!(world.count(Operation::LogIn), 16);
    assert_eq!(world.crowded_events(), []);
}

#[test]
fn oauth_sessions_use_at_most_ten_renewals_per_hour_of_their_network() {
    let (mut world, keys) = World::of("cloud", (0..40).map(by_oauth));
    world.run(start() + 2.seconds(), |_| {});
    world.run(start() + hours(24), |world| assert_eq!(world.usable(&keys), 40, "at {}", world.now));
    assert_eq!(world.most_within(hours(1), Operation::Renew), 10);
    assert!(world.count(Operation::Renew) > 150, "{}", world.count(Operation::Renew));
    assert_eq!(world.crowded_events(), []);
}

#[test]
fn a_few_oauth_sessions_renew_instead_of_refreshing() {
    let (mut world, keys) = World::of("home", (0..5).map(by_oauth));
    world.run(start() + hours(11), |world| assert_eq!(world.usable(&keys), 5, "at {}", world.now));
    assert_eq!(world.count(Operation::Refresh), 5, "one per session");
    assert!((50..60).contains(&world.count(Operation::Renew)), "{}", world.count(Operation::Renew));
}

#[test]
fn an_answered_login_allows_the_login_of_a_waiting_session() {
    let (mut world, _) = World::of("office", (0..6).map(by_password));
    let first: Vec<_> = core::iter::from_fn(|| world.request()).collect();
    assert_eq!(first.len(), 4, "the failed logins of an hour, less one");
    let (session, id, operation) = first[0];
    world.set.receive(world.now, session, id, granted(world.now, operation));
    assert!(world.request().is_some_and(|(next, ..)| next != session));
    assert!(world.request().is_none());
}

#[test]
fn postponed_logins_are_sent_after_their_wait_although_the_logins_of_the_hour_are_used_up() {
    let (mut world, keys) = World::of("office", (0..4).map(by_password));
    let first: Vec<_> = core::iter::from_fn(|| world.request()).collect();
    for (session, id, _) in first {
        world.set.receive(world.now, session, id, Response::new(r#"{"p-ticket":"synthetic","p-time":15}"#));
    }
    assert!(world.set.budget(&"office").unwrap().earliest(world.now, Operation::LogIn) > start() + hours(1));
    world.run(start() + 20.seconds(), |_| {});
    assert_eq!(world.usable(&keys), 4);
}

#[test]
fn the_token_that_expires_first_is_renewed_first() {
    let (mut world, keys) = World::of("office", (0..3).map(by_password));
    // The sessions log in one minute apart, the last one first.
    let mut requests: Vec<_> = core::iter::from_fn(|| world.request()).collect();
    while let Some((session, id, operation)) = requests.pop() {
        world.set.receive(world.now, session, id, granted(world.now, operation));
        world.now += 1.minute();
    }
    // No renewal is allowed until all three are due.
    let opens = start() + SignedDuration::from_mins(76);
    let holds_for = opens.duration_since(world.now).unsigned_abs();
    world.set.with(world.now, keys[0], |_, budget| budget.close(start() + 3.minutes(), Operation::Renew, holds_for));
    world.run(start() + SignedDuration::from_mins(77), |_| {});
    let renewed: Vec<_> = world.sent.iter().filter(|sent| sent.operation == Operation::Renew).collect();
    assert_eq!(renewed.iter().map(|sent| sent.session).collect::<Vec<_>>(), [keys[2], keys[1], keys[0]]);
    assert!(renewed.iter().all(|sent| sent.at == opens));
}

#[test]
fn networks_do_not_affect_each_other() {
    let mut world = World::new();
    let (here, there) = (world.set.insert("here", by_password(1)), world.set.insert("there", by_password(2)));
    let (session, id, _) = world.request().unwrap();
    assert_eq!(session, here);
    world.set.receive(world.now, here, id, Response::builder().status(429).body("").unwrap());
    let until = world.set.budget(&"here").unwrap().locked_until(world.now).unwrap();
    assert_eq!(world.set.budget(&"there").unwrap().locked_until(world.now), None);
    assert!(world.set.budget(&"nowhere").is_none());

    world.run(until - 1.minute(), |_| {});
    assert_eq!(world.usable(&[there]), 1);
    assert_eq!(world.sent.iter().filter(|sent| sent.session == here).count(), 1, "nothing is sent during the lock-out");
    world.run(until + 1.minute(), |_| {});
    assert_eq!(world.usable(&[here, there]), 2);
}

#[test]
fn a_stop_is_reported_once_and_other_credentials_restart_the_session() {
    let (mut world, keys) = World::of("office", [by_password(1)]);
    let (session, id, _) = world.request().unwrap();
    world.set.receive(world.now, session, id, Response::new(r#"{"errorText":"Incorrect username or password."}"#));
    assert!(matches!(world.set.poll(world.now), SetAction::Stopped { session, .. } if session == keys[0]));
    assert!(world.has_nothing_to_do());
    world.set.with(world.now, session, |_, _| ());
    assert!(world.has_nothing_to_do(), "the stop is not reported again");

    world.set.with(world.now, session, |session, _| {
        session.replace_credentials(Credentials::new("user-1", "right"));
    });
    world.run(start() + hours(1), |_| {});
    assert_eq!(world.usable(&keys), 1);
    world.set.with(world.now, session, |session, _| session.forget(start()));
    assert!(matches!(world.set.poll(world.now), SetAction::Stopped { .. }), "it stops for another reason");
}

#[test]
fn a_set_returns_each_event_with_its_session() {
    let (mut world, keys) = World::of("office", (0..2).map(by_password));
    world.run(start() + hours(1), |_| {});
    let mut kinds = BTreeMap::<SessionKey, Vec<String>>::new();
    while let Some(SetEvent::Session { session, event }) = world.set.next_event() {
        kinds.entry(session).or_default().push(event.kind.to_string());
    }
    assert_eq!(kinds.keys().copied().collect::<Vec<_>>(), keys);
    assert!(kinds.values().all(|events| events[0].starts_with("logged in")), "{kinds:?}");
    assert!(world.set.next_event().is_none());

    world.run(start() + hours(2), |_| {});
    assert!(matches!(world.set.next_event(), Some(SetEvent::Session { .. })), "the events since then");
    world.run(start() + hours(4), |_| {});
    world.set.remove(keys[0]);
    world.set.remove(keys[1]);
    assert!(world.set.next_event().is_none(), "removed sessions report no events");
}

#[test]
fn a_removed_session_is_returned_and_no_longer_polled() {
    let (mut world, keys) = World::of("office", (0..2).map(by_password));
    world.run(start() + SignedDuration::from_mins(1), |_| {});
    assert_eq!((world.set.len(), world.set.is_empty()), (2, false));
    let session = world.set.remove(keys[0]).unwrap();
    assert!(session.token(world.now).is_some());
    assert_eq!((world.set.len(), world.set.get(keys[0]).is_none()), (1, true));
    assert!(world.set.remove(keys[0]).is_none());
    assert!(world.set.with(world.now, keys[0], |_, _| ()).is_none());
    world.run(start() + hours(3), |_| {});
    assert!(world.sent.iter().skip(2).all(|sent| sent.session == keys[1]));
    world.set.remove(keys[1]);
    assert!(world.set.is_empty());
    assert!(world.has_nothing_to_do());
}

#[test]
fn a_snapshot_is_stored_before_its_token_is_used() {
    let (mut world, keys) = World::of("office", [by_password(1).with_store()]);
    let SetAction::Store { session, id, .. } = world.set.poll(world.now) else { panic!("no announcement") };
    world.set.store_answered(world.now, session, id, Ok(StoreAnswer::Kept));
    let (session, id, operation) = world.request().unwrap();
    world.set.receive(world.now, session, id, granted(world.now, operation));
    let SetAction::Store { id, .. } = world.set.poll(world.now) else { panic!("nothing to store") };
    assert_eq!(world.usable(&keys), 0);
    let failed = StoreError::new(StoreErrorKind::NotWritable, "the disk is full");
    world.set.store_answered(world.now, session, id, Err(failed));
    let SetAction::Wait { until } = world.set.poll(world.now) else { panic!("no pause after the failure") };
    world.now = until;
    let SetAction::Store { id, .. } = world.set.poll(world.now) else { panic!("the snapshot is not offered again") };
    world.set.store_answered(world.now, session, id, Ok(StoreAnswer::Kept));
    assert_eq!(world.usable(&keys), 1);
}

#[test]
fn a_session_without_an_answer_continues_at_the_deadline() {
    let (mut world, _) = World::of("office", [by_password(1)]);
    let (session, id, _) = world.request().unwrap();
    assert!(matches!(world.set.poll(world.now), SetAction::Wait { until } if until == start() + 45.seconds()));
    world.now = start() + 46.seconds();
    assert!(matches!(world.set.poll(world.now), SetAction::Wait { until } if until < start() + 2.minutes()));
    world.set.receive(world.now, session, id, granted(world.now, Operation::LogIn));
    assert_eq!(world.usable(&[session]), 1, "a late answer is used");
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Granted,
    Fault,
    Error,
    Lost,
    NotSent,
    Penalty,
    Captcha,
    Dead,
    LockedOut,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        20 => Just(Outcome::Granted),
        4 => Just(Outcome::Fault),
        4 => Just(Outcome::Error),
        2 => Just(Outcome::Lost),
        2 => Just(Outcome::NotSent),
        2 => Just(Outcome::Penalty),
        1 => Just(Outcome::Captcha),
        2 => Just(Outcome::Dead),
        1 => Just(Outcome::LockedOut),
    ]
}

proptest! {
    /// With any answers, no network exceeds its hourly limits, nothing is sent during a lock-out, and each wait ends in
    /// the future. Once every request is granted, each session becomes usable again.
    #[test]
    fn a_set_keeps_all_limits_and_every_session_becomes_usable_again(
        outcomes in proptest::collection::vec(outcome(), 1..300),
        passwords in 0_u64..24,
        apps in 0_u64..40,
    ) {
        let mut world = World::new();
        let networks = ["one", "two"];
        let mut keys = BTreeMap::new();
        for seed in 0..passwords {
            let network = networks[usize::from(seed % 3 == 0)];
            keys.insert(world.set.insert(network, by_password(seed)), network);
        }
        for seed in passwords..passwords + apps {
            let network = networks[usize::from(seed % 2 == 0)];
            keys.insert(world.set.insert(network, by_oauth(seed)), network);
        }
        let mut locked = BTreeMap::new();
        let mut outcomes = outcomes.into_iter();
        let mut calm_since = None;
        loop {
            match world.set.poll(world.now) {
                SetAction::Send { session, id, request } => {
                    let operation = operation(&request);
                    let network = keys[&session];
                    prop_assert!(locked.get(network).is_none_or(|until| *until <= world.now), "a request is sent during a lock-out");
                    let now = world.now;
                    let of_hour = |sent: &&Sent| {
                        keys[&sent.session] == network && sent.operation == operation && now < sent.at + hours(1)
                    };
                    let is_over_limit = operation == Operation::Renew && world.sent.iter().filter(of_hour).count() >= 15;
                    prop_assert!(!is_over_limit, "a sixteenth renewal is sent within an hour");
                    world.sent.push(Sent { at: now, session, operation });
                    let answer = |status, text: &str| Response::builder().status(status).body(text.to_string()).unwrap();
                    let outcome = outcomes.next().unwrap_or(Outcome::Granted);
                    if matches!(outcome, Outcome::Fault | Outcome::NotSent) {
                        world.sent.pop(); // the server doesn't count it
                    }
                    match outcome {
                        Outcome::Granted => world.set.receive(now, session, id, granted(now, operation)),
                        Outcome::Fault => world.set.receive(now, session, id, answer(503, "down")),
                        Outcome::Error => world.set.receive(now, session, id, answer(500, "broken")),
                        Outcome::Lost => {}
                        Outcome::NotSent => world.set.failed(now, session, id, Failure::NotSent),
                        Outcome::Penalty => {
                            world.set.receive(now, session, id, answer(200, r#"{"p-ticket":"synthetic","p-time":15}"#));
                        }
                        Outcome::Captcha => {
                            let text = r#"{"p-ticket":"synthetic","p-time":15,"p-captcha":true}"#;
                            world.set.receive(now, session, id, answer(200, text));
                        }
                        Outcome::Dead if operation == Operation::Renew => {
                            world.set.receive(now, session, id, answer(401, "Expired Access Token"));
                        }
                        Outcome::Dead => world.set.receive(now, session, id, answer(502, "")),
                        Outcome::LockedOut => {
                            world.set.receive(now, session, id, answer(429, ""));
                            locked.insert(network, now + hours(1));
                        }
                    }
                }
                SetAction::Wait { until } => {
                    prop_assert!(until > world.now, "the wait has already ended");
                    if outcomes.len() == 0 && calm_since.is_none() {
                        calm_since = Some(world.now);
                    }
                    if calm_since.is_some_and(|since| until > since + hours(8)) {
                        break;
                    }
                    prop_assert!(until < Timestamp::MAX || keys.is_empty(), "a session waits for ever");
                    if until == Timestamp::MAX {
                        break;
                    }
                    world.now = until;
                }
                SetAction::Stopped { reason, .. } => prop_assert!(false, "{reason}"),
                SetAction::Store { .. } => prop_assert!(false, "there is no store"),
            }
            while world.set.next_event().is_some() {}
        }
        let usable = keys.keys().filter(|key| world.set.get(**key).is_some_and(|session| session.token(world.now).is_some()));
        // If too many renewals are needed, a token may have just expired.
        prop_assert!(usable.count() + 2 >= keys.len());
    }
}

#[test]
fn a_set_does_not_spin_while_a_store_does_not_answer_or_gives_no_lease() {
    let session = by_password(1).with_shared_store(crate::MayLogIn::WhenNeeded);
    let snapshot = session.snapshot(start(), &RateBudget::default());
    let (mut world, keys) = World::of("office", [session]);
    let mut asked = 0;
    while world.now < start() + SignedDuration::from_secs(120) {
        match world.set.poll(world.now) {
            SetAction::Store { session, id, request } => {
                asked += 1;
                let answer = match request {
                    StoreRequest::Load => StoreAnswer::Loaded(Some(crate::StoredRecord {
                        revision: crate::Revision(1),
                        age: None,
                        place: String::new(),
                        session: Ok(snapshot.clone()),
                    })),
                    StoreRequest::Acquire(_) => StoreAnswer::Lease(None),
                    other => panic!("{other:?}"),
                };
                // The first question is not answered.
                if asked > 1 {
                    world.set.store_answered(world.now, session, id, Ok(answer));
                }
            }
            SetAction::Wait { until } => {
                assert!(until > world.now, "it asks again half a second later");
                world.now = until;
            }
            other => panic!("{other:?}"),
        }
        assert!(asked < 500, "the set spins");
    }
    assert!(asked > 100 && world.usable(&keys) == 0);
}
