//! The token sources of both transports behind one interface, so that each test runs with both.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::runtime::Runtime;
use tradovate_auth::MayLogIn;
use tradovate_auth::store::SessionName;
use tradovate_auth::ureq::{SharedBudget, Token, TokenError};
use tradovate_auth::{Credentials, Environment, Event, Login, Policy, StoredSession, Verdict};
use tradovate_auth_simulator::Server;
use tradovate_auth_token_source::Clock;

use super::MemoryStore;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ureq,
    Reqwest,
}

/// The runtime of the async sources, except in tests of runtimes.
pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// How long a test waits for something that must happen. Nothing is asserted about time.
const LONG: Duration = Duration::from_secs(60);

/// Waits for a message that must come.
pub(crate) fn await_one<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(LONG).unwrap()
}

/// Waits until a condition is true.
pub(crate) fn await_that(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "the condition did not become true");
        thread::sleep(Duration::from_millis(1));
    }
}

type Save = Arc<dyn Fn(&StoredSession) -> Result<(), String> + Send + Sync>;

pub(crate) enum Builder {
    Ureq(tradovate_auth::ureq::TokenSourceBuilder),
    Reqwest(tradovate_auth::reqwest::TokenSourceBuilder),
}

impl Builder {
    fn map(
        self,
        blocking: impl FnOnce(tradovate_auth::ureq::TokenSourceBuilder) -> tradovate_auth::ureq::TokenSourceBuilder,
        asynchronous: impl FnOnce(
            tradovate_auth::reqwest::TokenSourceBuilder,
        ) -> tradovate_auth::reqwest::TokenSourceBuilder,
    ) -> Self {
        match self {
            Self::Ureq(builder) => Self::Ureq(blocking(builder)),
            Self::Reqwest(builder) => Self::Reqwest(asynchronous(builder)),
        }
    }

    pub(crate) fn token_timeout(self, token_timeout: Duration) -> Self {
        self.map(|builder| builder.token_timeout(token_timeout), |builder| builder.token_timeout(token_timeout))
    }

    pub(crate) fn policy(self, policy: Policy) -> Self {
        self.map(|builder| builder.policy(policy), |builder| builder.policy(policy))
    }

    pub(crate) fn budget(self, budget: &SharedBudget) -> Self {
        self.map(|builder| builder.budget(budget.clone()), |builder| builder.budget(budget.clone()))
    }

    pub(crate) fn clock(self, clock: &Clock) -> Self {
        self.map(|builder| builder.clock(clock.clone()), |builder| builder.clock(clock.clone()))
    }

    pub(crate) fn resume(self, stored: &StoredSession) -> Self {
        self.map(|builder| builder.resume(stored.clone()), |builder| builder.resume(stored.clone()))
    }

    pub(crate) fn on_event(self, observer: impl Fn(&Event) + Send + Sync + Clone + 'static) -> Self {
        let same = observer.clone();
        self.map(|builder| builder.on_event(observer), |builder| builder.on_event(same))
    }

    /// Sets a store hook that may block and panic.
    pub(crate) fn store(self, save: impl Fn(&StoredSession) -> Result<(), String> + Send + Sync + 'static) -> Self {
        let save: Save = Arc::new(save);
        let shared = Arc::clone(&save);
        self.map(
            |builder| builder.store(move |snapshot| save(snapshot)),
            |builder| {
                builder.store(move |snapshot| {
                    let save = Arc::clone(&shared);
                    async move { tokio::task::spawn_blocking(move || save(&snapshot)).await.unwrap() }
                })
            },
        )
    }

    pub(crate) fn shared(self, store: &MemoryStore) -> Self {
        let name = SessionName::new("test", "trader");
        self.map(
            |builder| builder.shared(store.clone(), name.clone()),
            |builder| builder.shared(store.clone(), name.clone()),
        )
    }

    pub(crate) fn user_key(self, key: &str) -> Self {
        self.map(|builder| builder.user_key(key), |builder| builder.user_key(key))
    }

    pub(crate) fn another_try(self) -> Self {
        self.map(
            tradovate_auth::ureq::TokenSourceBuilder::another_try,
            tradovate_auth::reqwest::TokenSourceBuilder::another_try,
        )
    }

    pub(crate) fn may_log_in(self, may_log_in: MayLogIn) -> Self {
        self.map(|builder| builder.may_log_in(may_log_in), |builder| builder.may_log_in(may_log_in))
    }

    pub(crate) fn build(self) -> Source {
        match self {
            Self::Ureq(builder) => Source::Ureq(builder.build()),
            Self::Reqwest(builder) => Source::Reqwest(builder.build().unwrap()),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Source {
    Ureq(tradovate_auth::ureq::TokenSource),
    Reqwest(tradovate_auth::reqwest::TokenSource),
}

#[derive(Debug)]
#[expect(dead_code, reason = "they are only kept alive")]
pub(crate) enum Keeper {
    Ureq(tradovate_auth::ureq::Keeper),
    Reqwest(tradovate_auth::reqwest::Keeper),
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Ureq, Self::Reqwest];

    /// Runs a test that mostly waits with both kinds at the same time.
    pub(crate) fn each_at_once(test: impl Fn(Self) + Sync) {
        thread::scope(|scope| {
            for kind in Self::ALL {
                scope.spawn({
                    let test = &test;
                    move || test(kind)
                });
            }
        });
    }

    /// A builder of this kind with a budget of its own. Ports are reused, so one test's lock-outs must not affect
    /// another test.
    pub(crate) fn builder(self, environment: Environment, login: impl Into<Login>) -> Builder {
        match self {
            Self::Ureq => Builder::Ureq(tradovate_auth::ureq::TokenSource::builder(environment, login)),
            Self::Reqwest => Builder::Reqwest(tradovate_auth::reqwest::TokenSource::builder(environment, login)),
        }
        .budget(&SharedBudget::default())
    }

    /// A source that refreshes although it could renew.
    pub(crate) fn refreshing(self, environment: Environment, login: Login) -> Builder {
        self.builder(environment, login).policy(Policy::default().with_refreshes_preferred(true))
    }

    pub(crate) fn of(self, server: &Server) -> Builder {
        self.builder(server.environment(), server.credentials())
    }
}

impl Source {
    pub(crate) fn token(&self) -> Result<Token, TokenError> {
        match self {
            Self::Ureq(tokens) => tokens.token(),
            Self::Reqwest(tokens) => RUNTIME.block_on(tokens.token()),
        }
    }

    /// Requests a token in a thread or task of its own.
    pub(crate) fn request_token(&self) -> Receiver<Result<Token, TokenError>> {
        let (sender, receiver) = mpsc::channel();
        match self.clone() {
            Self::Ureq(tokens) => drop(thread::spawn(move || sender.send(tokens.token()))),
            Self::Reqwest(tokens) => {
                drop(RUNTIME.spawn(async move { drop(sender.send(tokens.token().await)) }));
            }
        }
        receiver
    }

    /// Requests a token until there is one.
    pub(crate) fn await_token(&self) -> Token {
        let start = Instant::now();
        loop {
            match self.token() {
                Ok(token) => return token,
                Err(error) => assert!(start.elapsed() < LONG, "{error}"),
            }
        }
    }

    pub(crate) fn rejected(&self, token: &Token, status: u16, body: &str) -> Verdict {
        let status = StatusCode::from_u16(status).unwrap();
        match self {
            Self::Ureq(tokens) => tokens.rejected(token, status, body.as_bytes()),
            Self::Reqwest(tokens) => tokens.rejected(token, status, body.as_bytes()),
        }
    }

    pub(crate) fn snapshot(&self) -> StoredSession {
        match self {
            Self::Ureq(tokens) => tokens.snapshot(),
            Self::Reqwest(tokens) => tokens.snapshot(),
        }
    }

    pub(crate) fn forget(&self) {
        match self {
            Self::Ureq(tokens) => tokens.forget(),
            Self::Reqwest(tokens) => tokens.forget(),
        }
    }

    pub(crate) fn replace_credentials(&self, credentials: Credentials) {
        match self {
            Self::Ureq(tokens) => tokens.replace_credentials(credentials),
            Self::Reqwest(tokens) => tokens.replace_credentials(credentials),
        }
    }

    pub(crate) fn keep_alive(&self) -> Keeper {
        match self {
            Self::Ureq(tokens) => Keeper::Ureq(tokens.keep_alive().unwrap()),
            Self::Reqwest(tokens) => {
                let _context = RUNTIME.enter();
                Keeper::Reqwest(tokens.keep_alive())
            }
        }
    }
}
