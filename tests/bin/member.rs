//! One process of a fleet: shares a session, requests its token all the time, and prints one line for each observation.
//!
//! Usage: `member ureq|reqwest file:DIRECTORY|redis://… SECONDS`, with the variables of the examples. The process's
//! wall clock is `MEMBER_CLOCK_AHEAD` seconds ahead of the machine's, and is changed by `MEMBER_CLOCK_STEP` seconds
//! after ten seconds. A request may take `MEMBER_TIME_OUT` seconds. The line `forget` on stdin makes the process
//! forget the session.
//!
//! The first word of a printed line says what was observed: `lease` (the process took the lease), `event` with the name
//! of the event, `token` with its expiry and the status of a call with it, and `gap` (no token). At the end come `uses`
//! with the numbers of store calls, and `done`.

use std::env;
use std::io::BufRead as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tradovate_auth::redis::RedisStore;
use tradovate_auth::store::{AsyncStore, FileStore, SessionName, Store, StoreFuture};
use tradovate_auth::ureq::{SharedBudget, Token, TokenError, from_env};
use tradovate_auth::{
    Credentials, Environment, Event, EventKind, Policy, Purpose, RateBudget, StopReason, StoredSession,
};
use tradovate_auth::{Lease, Revision, StoreError, StoreErrorKind, StoredRecord};
use tradovate_auth_token_source::{Clock, SystemClock};

fn main() {
    let [transport, store, seconds] = env::args().skip(1).collect::<Vec<_>>().try_into().expect("three arguments");
    let time = Duration::from_secs(seconds.parse().expect("seconds"));
    match (transport.as_str(), store.split_once(':')) {
        ("ureq", Some(("file", path))) => blocking(file(path), time),
        ("ureq", _) => blocking(RedisStore::new(&store).expect("a URL"), time),
        ("reqwest", Some(("file", path))) => asynchronous(file(path), time),
        ("reqwest", _) => asynchronous(RedisStore::new(&store).expect("a URL"), time),
        _ => panic!("which transport?"),
    }
}

fn file(path: &str) -> FileStore {
    FileStore::in_directory(PathBuf::from(path)).expect("a directory")
}

/// Sets the longest pause after faults to the shortest possible one, so that no test waits long for a repeated try. Sets
/// the request timeout, and with it the lease, which is one and a half times as long: as short as possible, unless
/// `MEMBER_TIME_OUT` is set.
fn policy() -> Policy {
    Policy::default().with_deadline(time_out()).with_longest_pause(Duration::ZERO)
}

fn time_out() -> Duration {
    Duration::from_secs(env::var("MEMBER_TIME_OUT").map_or(5, |seconds| seconds.parse().expect("seconds")))
}

fn budget() -> SharedBudget {
    RateBudget::unlimited().into()
}

fn settings() -> (Environment, Credentials, SessionName) {
    let (environment, credentials) = from_env().expect("the variables");
    let name = SessionName::of_user(&environment, &credentials);
    (environment, credentials, name)
}

/// The clock of a machine whose wall clock is wrong.
struct WrongClock {
    ahead: SignedDuration,
    /// By how much the wall clock is changed after ten seconds.
    step: SignedDuration,
    begun: Instant,
}

impl SystemClock for WrongClock {
    fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn wall(&self) -> Timestamp {
        let is_set = self.begun.elapsed() >= Duration::from_secs(10);
        Timestamp::now() + self.ahead + if is_set { self.step } else { SignedDuration::ZERO }
    }
}

fn clock() -> Clock {
    let seconds = |name: &str| {
        env::var(name).map_or(SignedDuration::ZERO, |text| SignedDuration::from_secs(text.parse().expect("seconds")))
    };
    match (seconds("MEMBER_CLOCK_AHEAD"), seconds("MEMBER_CLOCK_STEP")) {
        (SignedDuration::ZERO, SignedDuration::ZERO) => Clock::of_process(),
        (ahead, step) => Clock::anchored(WrongClock { ahead, step, begun: Instant::now() }),
    }
}

/// Forgets the session when the line `forget` comes.
fn forget_on_command(forget: impl Fn() + Send + 'static) {
    thread::spawn(move || {
        std::io::stdin().lock().lines().map_while(Result::ok).filter(|line| line == "forget").for_each(|_| forget());
    });
}

/// Prints the name of an event, on which the tests rely, and its text for the reader of a failed test.
fn print_event(event: &Event) {
    let name = match &event.kind {
        EventKind::StoreFailed { error, .. } => match error.kind() {
            StoreErrorKind::Unreachable => "store_failed_unreachable",
            StoreErrorKind::NotReadable => "store_failed_not_readable",
            StoreErrorKind::NotWritable => "store_failed_not_writable",
            _ => "store_failed",
        },
        EventKind::Stopped(StopReason::Forgotten) => "stopped_forgotten",
        kind => kind.name(),
    };
    println!("event {name}: {event}");
}

fn blocking(store: impl Store, time: Duration) {
    use tradovate_auth::ureq::{Client, TokenSource};
    let (environment, credentials, name) = settings();
    let tokens = TokenSource::builder(environment.clone(), credentials)
        .client(Client::new(environment).with_timeout(time_out()))
        .policy(policy())
        .clock(clock())
        .budget(budget())
        .token_timeout(Duration::ZERO)
        .on_event(print_event)
        .shared(ObservedStore(store), name)
        .build();
    let _keeper = tokens.keep_alive().expect("a thread");
    let to_forget = tokens.clone();
    forget_on_command(move || to_forget.forget());
    observe_tokens(
        time,
        || tokens.token(),
        || tokens.environment().base_url(Purpose::Trading).expect("it is known").to_string(),
    );
}

fn asynchronous(store: impl AsyncStore, time: Duration) {
    use tradovate_auth::reqwest::{Client, TokenSource};
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (environment, credentials, name) = settings();
    let _context = runtime.enter();
    let tokens = TokenSource::builder(environment.clone(), credentials)
        .client(Client::new(environment).expect("TLS").with_timeout(time_out()))
        .policy(policy())
        .clock(clock())
        .budget(budget())
        .token_timeout(Duration::ZERO)
        .on_event(print_event)
        .shared(ObservedStore(store), name)
        .build()
        .expect("TLS");
    let _keeper = tokens.keep_alive();
    let to_forget = tokens.clone();
    forget_on_command(move || to_forget.forget());
    observe_tokens(
        time,
        || runtime.block_on(tokens.token()),
        || tokens.environment().base_url(Purpose::Trading).expect("it is known").to_string(),
    );
}

/// Requests a token a hundred times a second. After the first token there must always be one, and the server must
/// accept it.
fn observe_tokens(time: Duration, token: impl Fn() -> Result<Token, TokenError>, base: impl Fn() -> String) {
    let begun = Instant::now();
    let (mut held, mut gap) = (None::<Token>, None);
    while begun.elapsed() < time {
        match (token(), &held) {
            (Ok(token), held_before) => {
                if let Some(since) = gap.take() {
                    println!("gap of {:?}", Instant::elapsed(&since));
                }
                let is_another = held_before.as_ref().is_none_or(|held| held.generation() != token.generation());
                if is_another {
                    println!("token {} {}", token.expires_at(), status_of_call(&token, &base()));
                    held = Some(token);
                }
            }
            (Err(_), None) => {}
            (Err(error), Some(_)) => {
                if gap.is_none() {
                    println!("gap begins: {error}");
                    gap = Some(Instant::now());
                }
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
    let uses = USES.each_ref().map(|uses| uses.load(Ordering::SeqCst).to_string());
    println!("uses {}", uses.join(" "));
    println!("done");
}

fn status_of_call(token: &Token, base: &str) -> String {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
    match agent.get(format!("{base}/account/list")).header("Authorization", token.header()).call() {
        Ok(response) => response.status().as_u16().to_string(),
        Err(error) => error.to_string(),
    }
}

/// How often the store's methods load, lease, save and release were called.
static USES: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

fn count(what: usize) {
    USES[what].fetch_add(1, Ordering::SeqCst);
}

/// A store that prints when it grants the lease, and counts the calls.
struct ObservedStore<S>(S);

fn print_lease(lease: Option<Lease>) -> Option<Lease> {
    lease.inspect(|_| println!("lease"))
}

impl<S: Store> Store for ObservedStore<S> {
    fn load(&self, name: &SessionName) -> Result<Option<StoredRecord>, StoreError> {
        count(0);
        self.0.load(name)
    }

    fn lease(&self, name: &SessionName, time: Duration) -> Result<Option<Lease>, StoreError> {
        count(1);
        self.0.lease(name, time).map(print_lease)
    }

    fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> Result<Option<Revision>, StoreError> {
        count(2);
        self.0.save(name, session, known, lease)
    }

    fn release(&self, name: &SessionName, lease: Lease) -> Result<(), StoreError> {
        count(3);
        self.0.release(name, lease)
    }

    fn changed(&self, name: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), StoreError> {
        self.0.changed(name, known, time)
    }
}

impl<S: AsyncStore> AsyncStore for ObservedStore<S> {
    fn load<'a>(&'a self, name: &'a SessionName) -> StoreFuture<'a, Option<StoredRecord>> {
        count(0);
        self.0.load(name)
    }

    fn lease<'a>(&'a self, name: &'a SessionName, time: Duration) -> StoreFuture<'a, Option<Lease>> {
        count(1);
        Box::pin(async move { self.0.lease(name, time).await.map(print_lease) })
    }

    fn save<'a>(
        &'a self,
        name: &'a SessionName,
        session: &'a StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> StoreFuture<'a, Option<Revision>> {
        count(2);
        self.0.save(name, session, known, lease)
    }

    fn release<'a>(&'a self, name: &'a SessionName, lease: Lease) -> StoreFuture<'a, ()> {
        count(3);
        self.0.release(name, lease)
    }

    fn changed<'a>(&'a self, name: &'a SessionName, known: Option<Revision>, time: Duration) -> StoreFuture<'a, ()> {
        self.0.changed(name, known, time)
    }
}
