//! Tests of a set with many users behind one network address: the simulator, which counts every request, never locks the
//! address out.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use tradovate_auth::{
    AuthorizationRequest, ClientId, Credentials, Entropy, Environment, Login, Session, SessionKey, SessionSet,
    SetAction,
};
use tradovate_auth_simulator::{ApiHosts, Endpoint, Simulator, SimulatorBuilder, User};

use crate::support::app;

const REDIRECT_URI: &str = "http://localhost:8888/";

fn start() -> Timestamp {
    "2026-11-24T13:00:00Z".parse().unwrap()
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn server(users: u64, user: impl Fn(User) -> User) -> Simulator {
    let users = (0..users).map(|number| user(User::new(&format!("user-{number}"), "synthetic-password")));
    users.fold(Simulator::builder(), SimulatorBuilder::user).build()
}

fn by_password(number: u64) -> Session {
    let credentials = Credentials::new(format!("user-{number}"), "synthetic-password")
        .with_app("Synthetic App", "1.0")
        .with_api_key(ClientId::Number(8), "synthetic-api-secret");
    Session::new(Environment::demo(), credentials, number)
}

/// A session whose user has just given consent.
fn by_consent(server: &mut Simulator, number: u64) -> Session {
    let request = AuthorizationRequest::new(&app(), REDIRECT_URI);
    let (url, mut pending) = request.begin(&Environment::live(), Entropy::from([7; Entropy::LENGTH])).unwrap();
    let redirect = server.consent(&format!("user-{number}"), url.as_str()).unwrap();
    let code = pending.redirected(&redirect).unwrap();
    Session::new(Environment::live(), Login::code(app(), code), number).with_user_key(format!("user-{number}"))
}

/// A set behind one network address, and the server, which answers at once. This is the fastest that a set can send.
struct World {
    server: Simulator,
    set: SessionSet<()>,
    sessions: Vec<SessionKey>,
    now: Timestamp,
    sent: Vec<Timestamp>,
}

impl World {
    fn of(server: Simulator, sessions: impl IntoIterator<Item = Session>) -> Self {
        let mut set = SessionSet::new();
        let sessions = sessions.into_iter().map(|session| set.insert((), session)).collect();
        Self { server, set, sessions, now: start(), sent: Vec::new() }
    }

    /// Runs the set until this time. `check` sees the world each time the clock advances.
    fn run(&mut self, until: Timestamp, check: impl Fn(&Self)) {
        while self.now < until {
            match self.set.poll(self.now) {
                SetAction::Send { session, id, request } => {
                    let response = self.server.handle(self.now, request);
                    assert_ne!(response.status(), StatusCode::TOO_MANY_REQUESTS, "after {} requests", self.sent.len());
                    self.sent.push(self.now);
                    self.set.receive(self.now, session, id, response);
                }
                SetAction::Wait { until: next } => {
                    self.now = next.min(until);
                    check(self);
                }
                other => panic!("{other:?}"),
            }
            while self.set.next_event().is_some() {}
        }
    }

    fn usable(&self) -> usize {
        let is_usable =
            |key: &&SessionKey| self.set.get(**key).is_some_and(|session| session.token(self.now).is_some());
        self.sessions.iter().filter(is_usable).count()
    }

    /// The most requests within a second.
    fn most_in_a_second(&self) -> usize {
        let second = SignedDuration::from_secs(1);
        let from =
            |(index, first)| self.sent.iter().skip(index).take_while(move |at| at.duration_since(first) < second);
        self.sent.iter().copied().enumerate().map(|sent| from(sent).count()).max().unwrap_or_default()
    }
}

//= R-LIMIT-6
#[test]
fn nine_hundred_tokens_that_are_due_at_one_moment_are_extended_in_28_seconds_and_none_ends() {
    let mut server = server(900, |user| user);
    server.set_time(start());
    let sessions: Vec<_> = (0..900).map(|number| by_consent(&mut server, number)).collect();
    let mut world = World::of(server, sessions);
    world.run(start() + minutes(1), |_| {});
    assert_eq!((world.usable(), world.most_in_a_second()), (900, 33));

    // The program does not run while the tokens become due.
    world.now = start() + minutes(75);
    world.sent.clear();
    let all_extended = world.now + SignedDuration::from_secs(28);
    world.run(all_extended, |world| assert_eq!(world.usable(), 900, "at {}", world.now));
    assert_eq!(world.most_in_a_second(), 33);
    let expires_at = |key: &SessionKey| world.set.get(*key)?.token(world.now).map(|token| token.expires_at);
    assert!(world.sessions.iter().all(|key| expires_at(key) > Some(start() + minutes(150))));
    world.run(start() + minutes(100), |world| assert_eq!(world.usable(), 900, "at {}", world.now));
}

//= R-LIMIT-6
#[test]
fn twelve_hundred_users_log_in_without_more_than_a_thousand_requests_per_hour() {
    let mut world = World::of(server(1200, |user| user), (0..1200).map(by_password));
    world.run(start() + minutes(59), |_| {});
    assert_eq!(world.server.statistics().logins, 950);
    world.run(start() + minutes(62), |_| {});
    assert_eq!((world.server.statistics().logins, world.usable()), (1200, 1200));
    assert!(world.most_in_a_second() <= 33);
}

//= R-LIMIT-6
#[test]
fn requests_that_are_redirected_count_as_requests_without_a_token() {
    let hosts = ApiHosts::standard().with("demo", "demo.acme.tradovateapi.com");
    let mut server = server(600, |user| user.of_organization("acme"));
    (0..600).for_each(|number| server.move_hosts(&format!("user-{number}"), hosts.clone()));
    let mut world = World::of(server, (0..600).map(by_password));
    world.run(start() + minutes(59), |_| {});
    assert_eq!(world.server.statistics().requests(Endpoint::AccessTokenRequest), 950);
    world.run(start() + minutes(62), |_| {});
    assert_eq!(world.usable(), 600);
}
