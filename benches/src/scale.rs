//! Measures many sessions in one process during a day of virtual time, with a server that costs almost nothing.
//!
//! Half of the sessions refresh by OAuth, five hundred behind each network address. The others log in with a password,
//! sixteen behind each address. All start in the same second, which is the worst case for an even load.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use tradovate_auth::{
    Action, ClientId, Credentials, Environment, Login, OAuthApp, Policy, RateBudget, RefreshToken, RequestBody,
    Session, SessionSet, SetAction,
};

use crate::allocations;
use crate::report::{Report, grouped};

/// The numbers of sessions, from a small program to all users of a platform.
pub(crate) const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

const LIFE: SignedDuration = SignedDuration::from_mins(80);

const DAY: usize = 24 * 3600;

/// In this time, all sessions get their first token: 500 sessions need 16 seconds at 33 requests per second.
const FIRST_TOKENS: SignedDuration = SignedDuration::from_secs(20);

/// The most bytes that a session may use, without its tokens.
const BYTES_AIMED_AT: usize = 2048;

/// Prints the costs of a day for each number of sessions.
pub(crate) fn measure(report: &mut Report, sizes: &[usize]) {
    println!("\nMany sessions through a day, in one thread\n");
    println!(
        "| sessions | bytes each, beyond tokens | exchanges | CPU each, a day | `Session::poll` at rest | `SessionSet::poll`: waits | sends | \
         busiest second ÷ mean |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for &sessions in sizes {
        let day = with_set(sessions);
        let spread = Spread::of(&day.extended);
        #[expect(clippy::cast_precision_loss, reason = "a million sessions are far below 2^52")]
        let each = day.cpu.as_secs_f64() * 1e6 / sessions as f64;
        println!(
            "| {} | {} | {} | {each:.0} µs | {:.0} ns | {:.0} ns | {:.0} ns | {} ÷ {:.2} |",
            grouped(sessions as u64),
            day.bytes,
            grouped(day.exchanges as u64),
            day.at_rest.mean(),
            day.waiting.mean(),
            day.sending.mean(),
            spread.busiest,
            spread.mean,
        );
        let name = format!("{} sessions", grouped(sessions as u64));
        report.expect(day.log_ins == sessions / 2, &format!("{name}: {} logins, one each", day.log_ins));
        report.expect(day.usable == sessions, &format!("{name}: {} have a token at the end", day.usable));
        report.expect(day.bytes <= BYTES_AIMED_AT, &format!("{name}: {} bytes each", day.bytes));
        // If only few are due in a second, chance has more influence than the set.
        let is_even = f64::from(spread.busiest) <= 2.0 * spread.mean;
        report.expect(is_even || spread.mean < 10.0, &format!("{name}: {} in a second", spread.busiest));
    }
}

/// Renewals and refreshes per minute of a day with ten thousand sessions: with a set, and with a timer for each
/// session.
pub(crate) fn compare() -> [Vec<u32>; 2] {
    [with_set(10_000).extended, without_set(10_000)]
        .map(|seconds| seconds.chunks(60).map(|minute| minute.iter().sum()).collect())
}

struct Day {
    bytes: usize,
    exchanges: usize,
    log_ins: usize,
    usable: usize,
    cpu: Duration,
    waiting: Cost,
    sending: Cost,
    /// Polls of a single session that has nothing to do.
    at_rest: Cost,
    /// Renewals and refreshes in each second.
    extended: Vec<u32>,
}

fn with_set(sessions: usize) -> Day {
    let start = start_of_day();
    let started = start.checked_add(FIRST_TOKENS).expect("a time");
    let before = allocations::live();
    let mut set = SessionSet::new();
    let shared = Shared::new();
    let keys: Vec<_> = (0..sessions).map(|number| set.insert(network(number), session(&shared, number))).collect();
    let (mut waiting, mut sending) = (Cost::default(), Cost::default());
    let (mut bytes, mut exchanges, mut log_ins) = (None, 0, 0);
    let mut extended = vec![0; DAY];
    let mut now = start;
    let begun = Instant::now();
    while let Some(second) = since(start, now).filter(|second| *second < DAY) {
        let polled = Instant::now();
        let action = set.poll(now);
        let took = polled.elapsed();
        match action {
            SetAction::Send { session, id, request } => {
                sending.add(took);
                exchanges += 1;
                let kind = Kind::of(&request);
                log_ins += usize::from(kind == Kind::LogIn);
                // The exchange that brings the first token is not a renewal.
                extended[second] += u32::from(now > started);
                set.receive(now, session, id, answer(now, kind));
                while let Some(event) = set.next_event() {
                    black_box(event);
                }
            }
            SetAction::Wait { until } => {
                waiting.add(took);
                if now > started {
                    bytes.get_or_insert_with(|| {
                        let keys = size_of_val(keys.as_slice());
                        (allocations::live() - before - keys - extended.len() * size_of::<u32>()) / sessions
                    });
                }
                now = until;
            }
            other => panic!("a session without a store, with good credentials: {other:?}"),
        }
    }
    let cpu = begun.elapsed();
    let usable = keys.iter().filter(|key| set.get(**key).is_some_and(|session| session.token(now).is_some())).count();
    let mut at_rest = Cost::default();
    let mut budget = RateBudget::default();
    let few = keys.iter().step_by(sessions.div_ceil(10_000));
    for key in few {
        set.with(now, *key, |session, _| {
            black_box(session.poll(now, &mut budget));
            let polled = Instant::now();
            black_box(session.poll(now, &mut budget));
            at_rest.add(polled.elapsed());
        });
    }
    let tokens = usize::midpoint(ACCESS.len() * 3, REFRESH.len());
    Day {
        bytes: bytes.unwrap_or_default() - tokens,
        exchanges,
        log_ins,
        usable,
        cpu,
        waiting,
        sending,
        at_rest,
        extended,
    }
}

/// Runs a day of a program with a timer for each session.
fn without_set(sessions: usize) -> Vec<u32> {
    let start = start_of_day();
    let started = start.checked_add(FIRST_TOKENS).expect("a time");
    let mut budgets: Vec<RateBudget> = (0..=network(sessions | 1)).map(|_| RateBudget::default()).collect();
    let shared = Shared::new();
    let mut all: Vec<Session> = (0..sessions).map(|number| session(&shared, number)).collect();
    let mut agenda: BinaryHeap<_> = (0..sessions).map(|number| Reverse((start, number))).collect();
    let mut extended = vec![0; DAY];
    while let Some(Reverse((now, number))) = agenda.pop() {
        let Some(second) = since(start, now).filter(|second| *second < DAY) else { break };
        let (session, budget) = (&mut all[number], &mut budgets[network(number)]);
        match session.poll(now, budget) {
            Action::Send { id, request } => {
                let kind = Kind::of(&request);
                extended[second] += u32::from(now > started);
                session.receive(now, id, answer(now, kind), budget);
                agenda.push(Reverse((now, number)));
            }
            Action::Wait { until } => agenda.push(Reverse((until, number))),
            other => panic!("a session without a store, with good credentials: {other:?}"),
        }
    }
    extended
}

fn start_of_day() -> Timestamp {
    "2026-11-24T00:00:00Z".parse().expect("a time")
}

/// The second of the day.
fn since(start: Timestamp, now: Timestamp) -> Option<usize> {
    usize::try_from(now.duration_since(start).as_secs()).ok()
}

/// What the sessions of a program share.
struct Shared {
    live: Environment,
    demo: Environment,
    app: OAuthApp,
}

impl Shared {
    fn new() -> Self {
        Self { live: Environment::live(), demo: Environment::demo(), app: OAuthApp::new("synthetic-client") }
    }
}

/// Sessions with even numbers refresh, sessions with odd numbers have a password.
fn session(Shared { live, demo, app }: &Shared, number: usize) -> Session {
    let seed = number as u64;
    if number.is_multiple_of(2) {
        let login = Login::refresh_token(app.clone(), RefreshToken::new(REFRESH));
        return Session::new(live.clone(), login, seed).with_policy(Policy::default().with_refreshes_preferred(true));
    }
    let credentials = Credentials::new(format!("user-{number}"), "synthetic-password")
        .with_app("Sample App", "1.0")
        .with_api_key(ClientId::Number(8), "00000000-1111-2222-3333-444444444444");
    Session::new(demo.clone(), credentials, seed)
}

/// The network of a session: an even number for sessions that refresh, an odd one for the others.
fn network(number: usize) -> usize {
    let (kind, behind_one) = if number.is_multiple_of(2) { (0, 500) } else { (1, 16) };
    2 * (number / (2 * behind_one)) + kind
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    LogIn,
    Renew,
    Refresh,
}

impl Kind {
    fn of(request: &Request<RequestBody>) -> Self {
        match request.uri().path() {
            "/v1/auth/accesstokenrequest" => Self::LogIn,
            "/v1/auth/renewaccesstoken" => Self::Renew,
            _ => Self::Refresh,
        }
    }
}

const ACCESS: &str =
    "synthetic-access-token-5JpoWV7XRYzUM02LPNeuWWkR8uvNNLe3VwI7b7aUQx0oYcFhT2mHk1jv4nBd9sZpEqLgRw6tXiCyAaSuOfKvJ";
const REFRESH: &str = "synthetic-refresh-token-5JpoWV7XRYzUM02LPNeuWWkR8uvNNLe3VwI7b7aU";

fn answer(now: Timestamp, kind: Kind) -> Response<String> {
    Response::new(match kind {
        Kind::Refresh => format!(
            r#"{{"access_token":"{ACCESS}","token_type":"Bearer","expires_in":4800,"refresh_token":"{REFRESH}","refresh_token_expires_in":93600}}"#
        ),
        Kind::LogIn | Kind::Renew => {
            let end = now.checked_add(LIFE).expect("a time");
            format!(
                r#"{{"accessToken":"{ACCESS}","mdAccessToken":"{ACCESS}","expirationTime":"{end}","userId":15460,"userStatus":"Active","hasLive":true}}"#
            )
        }
    })
}

/// The duration of calls, by the wall clock.
#[derive(Debug, Default)]
struct Cost {
    calls: u32,
    time: Duration,
}

impl Cost {
    fn add(&mut self, time: Duration) {
        self.calls += 1;
        self.time += time;
    }

    /// The mean in nanoseconds.
    fn mean(&self) -> f64 {
        self.time.as_secs_f64() * 1e9 / f64::from(self.calls.max(1))
    }
}

/// How even a load is.
struct Spread {
    busiest: u32,
    mean: f64,
}

impl Spread {
    fn of(seconds: &[u32]) -> Self {
        let sum: u32 = seconds.iter().sum();
        let length = u32::try_from(seconds.len()).expect("a day is short");
        Self { busiest: seconds.iter().max().copied().unwrap_or_default(), mean: f64::from(sum) / f64::from(length) }
    }
}
