//! Tests of sessions with the simulator in virtual time: days of calls, random faults, and several programs at once.

use std::time::Duration;

use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tradovate_auth::{Action, ClientId, Credentials, Environment, Purpose, RateBudget, Session, Verdict};
use tradovate_auth_simulator::{ApiAccess, ApiHosts, ClosedSession, Endpoint, LockOut, Maintenance, Simulator};

const USER: &str = "synthetic-user";

fn start() -> Timestamp {
    "2026-11-24T13:00:00Z".parse().unwrap()
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn program(seed: u64) -> Session {
    let credentials = Credentials::new(USER, "synthetic-password")
        .with_app("Synthetic App", "1.0")
        .with_api_key(ClientId::Number(8), "synthetic-api-secret");
    Session::new(Environment::demo(), credentials, seed)
}

/// Programs with the same user behind the same address, and their server.
struct World {
    server: Simulator,
    programs: Vec<Session>,
    budget: RateBudget,
    now: Timestamp,
    /// When the latest lock-out began.
    locked_out_at: Option<Timestamp>,
}

impl World {
    fn with(programs: u64) -> Self {
        Self {
            server: Simulator::builder().build(),
            programs: (0..programs).map(program).collect(),
            budget: RateBudget::default(),
            now: start(),
            locked_out_at: None,
        }
    }

    /// Runs all programs for one minute.
    fn minute(&mut self) {
        let end = self.now + seconds(60);
        while self.now < end {
            let mut next = end;
            for program in &mut self.programs {
                match program.poll(self.now, &mut self.budget) {
                    Action::Send { id, request } => {
                        let silent = self.locked_out_at.is_some_and(|at| self.now < at + seconds(3600));
                        assert!(!silent, "a request during a lock-out");
                        let response = self.server.handle(self.now, request);
                        if [423, 429].contains(&response.status().as_u16()) {
                            self.locked_out_at = Some(self.now);
                        }
                        program.receive(self.now, id, response, &mut self.budget);
                        next = self.now;
                    }
                    Action::Wait { until } => {
                        assert!(until > self.now, "a wait that is over");
                        next = next.min(until);
                    }
                    other => panic!("{other:?}"),
                }
            }
            self.now = next;
        }
    }

    /// Makes an API call of a program. Returns its status and the verdict; `None` without a token.
    fn call(&mut self, program: usize) -> Option<(StatusCode, Verdict)> {
        let session = &mut self.programs[program];
        let token = session.token(self.now)?;
        let url = session.environment().url(Purpose::Trading, "/account/list").unwrap();
        let request = Request::get(url.as_uri()).header("Authorization", token.access_token.header()).body("").unwrap();
        let response = self.server.handle(self.now, request);
        let (status, body) = (response.status(), response.body());
        if status.is_success() {
            return Some((status, Verdict::NotAboutTheToken));
        }
        if [423, 429].contains(&status.as_u16()) {
            self.locked_out_at = Some(self.now);
        }
        Some((status, session.rejected(self.now, token.generation, status, body, &mut self.budget)))
    }

    fn requests(&self, endpoint: Endpoint) -> u64 {
        self.server.statistics().requests(endpoint)
    }
}

#[test]
fn a_day_without_faults_needs_one_login() {
    let mut world = World::with(1);
    for _ in 0..24 * 60 {
        world.minute();
        assert_eq!(world.call(0).unwrap().0, StatusCode::OK);
    }
    assert_eq!(world.requests(Endpoint::AccessTokenRequest), 1);
    assert!((20..=24).contains(&world.requests(Endpoint::RenewAccessToken)));
}

//= R-STATUS-5
#[test]
fn a_forbidden_endpoint_that_is_polled_every_second_for_a_day_causes_no_login() {
    for access in [ApiAccess::Denied, ApiAccess::DeniedSilently] {
        let mut world = World::with(1);
        world.server.user_mut(USER).unwrap().api_access = access;
        world.server.options_mut().limits.authenticated = usize::MAX;
        for hour in 1..=24 {
            let before = world.requests(Endpoint::RenewAccessToken);
            for _ in 0..60 {
                world.minute();
                let minute_ended = world.now;
                for second in 0..60 {
                    world.now = minute_ended - seconds(60 - second);
                    if let Some((status, verdict)) = world.call(0) {
                        assert_eq!(status, StatusCode::UNAUTHORIZED);
                        assert!(matches!(verdict, Verdict::Forbidden | Verdict::BeingChecked), "{verdict:?}");
                    }
                }
                world.now = minute_ended;
            }
            let renewals = world.requests(Endpoint::RenewAccessToken) - before;
            assert!(renewals <= 5, "{renewals} renewals in hour {hour}: four that verify, one that is due");
        }
        assert_eq!(world.requests(Endpoint::AccessTokenRequest), 1);
    }
}

#[test]
fn three_programs_with_one_user_do_not_kick_each_other_in_turn() {
    for closed in [ClosedSession::Unauthorized, ClosedSession::RequestTimeout, ClosedSession::InternalServerError] {
        let mut world = World::with(3);
        world.server.options_mut().closed_session = closed;
        for _ in 0..24 * 60 {
            world.minute();
            for program in 0..3 {
                world.call(program);
            }
        }
        let log_ins = world.server.statistics().logins;
        assert!(log_ins <= 3 * 24 * 2, "{closed:?}: {log_ins} logins in a day");
        let failed = world.requests(Endpoint::AccessTokenRequest) - log_ins;
        assert_eq!(failed, 0, "{closed:?}");
    }
}

#[derive(Debug, Clone)]
enum Fault {
    Penalty(u8),
    Captcha,
    LockOut,
    Maintenance { minutes: u8, html: bool },
    Kick,
    Expiry,
    HostMove(bool),
    ClockSkew(i16),
    LostAnswer,
    Garbage(Vec<u8>),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (1_u8..60).prop_map(Fault::Penalty),
        Just(Fault::Captcha),
        Just(Fault::LockOut),
        (1_u8..120, any::<bool>()).prop_map(|(minutes, html)| Fault::Maintenance { minutes, html }),
        Just(Fault::Kick),
        Just(Fault::Expiry),
        any::<bool>().prop_map(Fault::HostMove),
        (-600_i16..600).prop_map(Fault::ClockSkew),
        Just(Fault::LostAnswer),
        prop::collection::vec(any::<u8>(), 0..50).prop_map(Fault::Garbage),
    ]
}

impl World {
    fn apply(&mut self, fault: &Fault) {
        let server = &mut self.server;
        match fault {
            Fault::Penalty(wait) => server.penalize_next(None, Duration::from_secs((*wait).into())),
            Fault::Captcha => server.captcha_next(Endpoint::RenewAccessToken),
            Fault::LockOut => server.lock_out(LockOut::too_many_requests()),
            Fault::Maintenance { minutes, html } => {
                let kind = if *html { Maintenance::Html } else { Maintenance::ErrorId };
                server.plan_maintenance(self.now, self.now + seconds(60 * i64::from(*minutes)), kind);
            }
            Fault::Kick => server.close_sessions(USER),
            Fault::Expiry => server.expire_sessions(USER),
            Fault::HostMove(away) => {
                let demo = if *away { "acme-demo.eval.ninjatrader.com" } else { "demo.tradovateapi.com" };
                server.move_hosts(USER, ApiHosts::standard().with("demo", demo));
            }
            Fault::ClockSkew(skew) => server.options_mut().clock_skew = seconds((*skew).into()),
            Fault::LostAnswer => {
                server.lose_next_answer(None, http::Response::builder().status(504).body(Vec::new()).unwrap());
            }
            Fault::Garbage(bytes) => server.answer_next(None, http::Response::new(bytes.clone())),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn a_day_of_faults_ends_with_a_good_token_and_few_logins(
        faults in prop::collection::vec((1_u16..240, fault()), 0..8),
        closed in prop_oneof![Just(ClosedSession::Unauthorized), Just(ClosedSession::InternalServerError)],
    ) {
        let mut world = World::with(1);
        world.server.options_mut().closed_session = closed;
        for (minutes, fault) in &faults {
            for _ in 0..*minutes {
                world.minute();
                world.call(0);
            }
            world.apply(fault);
        }
        // Faults last for at most two hours, lock-outs and back-offs for one hour each, one after the other.
        for _ in 0..5 * 60 {
            world.minute();
            world.call(0);
        }
        prop_assert_eq!(world.call(0).map(|(status, _)| status), Some(StatusCode::OK));
        let hours = u64::try_from(world.now.duration_since(start()).as_hours()).unwrap() + 1;
        let log_ins = world.server.statistics().logins;
        prop_assert!(log_ins <= 1 + faults.len() as u64 && log_ins <= 3 * hours, "{} logins", log_ins);
    }
}
