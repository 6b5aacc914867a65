//! One process of a fleet: shares a session, asks for its token all the time, and prints what happens to it, a line each.
//!
//! `member ureq|reqwest file:DIRECTORY|redis://… SECONDS`, with the variables of the examples; the wall clock of the process
//! is ahead of the machine's by the seconds in `MEMBER_CLOCK_AHEAD` and is set by those in `MEMBER_CLOCK_STEP` after half a minute, and a request may take the seconds in `MEMBER_TIME_OUT`. The first word of a line says
//! what it is: `lease`, `event`, `token` with its end and whether the server takes it, `gap`, and at the end `uses` and `done`.
//! If it reads the line `forget`, it forgets the session.

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
use tradovate_auth::{Credentials, Environment, Event, Policy, Purpose, RateBudget, StoredSession};
use tradovate_auth::{Lease, Revision, StoreError, StoredRecord};
use tradovate_auth_token_source::{Clock, SystemClock};

fn main() {
    let [transport, place, seconds] = env::args().skip(1).collect::<Vec<_>>().try_into().expect("three arguments");
    let time = Duration::from_secs(seconds.parse().expect("seconds"));
    match (transport.as_str(), place.split_once(':')) {
        ("ureq", Some(("file", path))) => blocking(file(path), time),
        ("ureq", _) => blocking(RedisStore::new(&place).expect("a URL"), time),
        ("reqwest", Some(("file", path))) => asynchronous(file(path), time),
        ("reqwest", _) => asynchronous(RedisStore::new(&place).expect("a URL"), time),
        _ => panic!("which transport?"),
    }
}

fn file(path: &str) -> FileStore {
    FileStore::in_directory(PathBuf::from(path)).expect("a directory")
}

/// The shortest lease there is, unless `MEMBER_TIME_OUT` says something else: one and a half of this.
fn policy() -> Policy {
    Policy::default().with_deadline(time_out())
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

/// A machine whose wall clock is wrong.
struct Wrong {
    ahead: SignedDuration,
    /// The step by which it is set after half a minute.
    step: SignedDuration,
    begun: Instant,
}

impl SystemClock for Wrong {
    fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn wall(&self) -> Timestamp {
        let is_set = self.begun.elapsed() >= Duration::from_secs(30);
        Timestamp::now() + self.ahead + if is_set { self.step } else { SignedDuration::ZERO }
    }
}

fn clock() -> Clock {
    let seconds = |name: &str| {
        env::var(name).map_or(SignedDuration::ZERO, |text| SignedDuration::from_secs(text.parse().expect("seconds")))
    };
    match (seconds("MEMBER_CLOCK_AHEAD"), seconds("MEMBER_CLOCK_STEP")) {
        (SignedDuration::ZERO, SignedDuration::ZERO) => Clock::of_process(),
        (ahead, step) => Clock::anchored(Wrong { ahead, step, begun: Instant::now() }),
    }
}

/// Forgets the session when it is told to.
fn obey(forget: impl Fn() + Send + 'static) {
    thread::spawn(move || {
        std::io::stdin().lock().lines().map_while(Result::ok).filter(|line| line == "forget").for_each(|_| forget());
    });
}

fn tell(event: &Event) {
    println!("event {event}");
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
        .on_event(tell)
        .shared(Telling(store), name)
        .build();
    let _keeper = tokens.keep_alive().expect("a thread");
    let obeys = tokens.clone();
    obey(move || obeys.forget());
    ask(time, || tokens.token(), || tokens.environment().base_url(Purpose::Trading).expect("it is known").to_string());
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
        .on_event(tell)
        .shared(Telling(store), name)
        .build()
        .expect("TLS");
    let _keeper = tokens.keep_alive();
    let obeys = tokens.clone();
    obey(move || obeys.forget());
    ask(
        time,
        || runtime.block_on(tokens.token()),
        || tokens.environment().base_url(Purpose::Trading).expect("it is known").to_string(),
    );
}

/// Asks for a token a hundred times a second. Once there was one there must always be one, and the server must take it.
fn ask(time: Duration, token: impl Fn() -> Result<Token, TokenError>, base: impl Fn() -> String) {
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
                    println!("token {} {}", token.expires_at(), is_taken(&token, &base()));
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

fn is_taken(token: &Token, base: &str) -> String {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
    match agent.get(format!("{base}/account/list")).header("Authorization", token.header()).call() {
        Ok(response) => response.status().as_u16().to_string(),
        Err(error) => error.to_string(),
    }
}

/// How often the store was asked for the record, for the lease, to save, and to release.
static USES: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

fn count(what: usize) {
    USES[what].fetch_add(1, Ordering::SeqCst);
}

/// A store that says when it has taken the lease, and counts its uses.
struct Telling<S>(S);

fn tell_of(lease: Option<Lease>) -> Option<Lease> {
    lease.inspect(|_| println!("lease"))
}

impl<S: Store> Store for Telling<S> {
    fn load(&self, name: &SessionName) -> Result<Option<StoredRecord>, StoreError> {
        count(0);
        self.0.load(name)
    }

    fn lease(&self, name: &SessionName, time: Duration) -> Result<Option<Lease>, StoreError> {
        count(1);
        self.0.lease(name, time).map(tell_of)
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

impl<S: AsyncStore> AsyncStore for Telling<S> {
    fn load<'a>(&'a self, name: &'a SessionName) -> StoreFuture<'a, Option<StoredRecord>> {
        count(0);
        self.0.load(name)
    }

    fn lease<'a>(&'a self, name: &'a SessionName, time: Duration) -> StoreFuture<'a, Option<Lease>> {
        count(1);
        Box::pin(async move { self.0.lease(name, time).await.map(tell_of) })
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
