//! The simulated world of an episode: a clock that the test sets, a server in the process, and panics at chosen points.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Fact, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};
use tradovate_auth_core::{BaseUrl, Credentials, Environment};
use tradovate_auth_token_source::sync_primitives::{DeliberatePanic, Mutex, atomic};
use tradovate_auth_token_source::{Clock, SystemClock, Token, TokenError};

/// The number of schedules of each test, unless the variable `SCHEDULES` is set.
const SCHEDULES: usize = 200;

/// The largest number of preemptions in schedules of the first half.
const PREEMPTIONS: usize = 3;

/// The token time-out of callers in tests with back-off. It is shorter than each back-off.
pub(crate) const NO_WAIT: Duration = Duration::from_millis(1);

/// Runs an episode under many schedules.
pub(crate) fn in_many_schedules(episode: impl Fn() + Send + Sync + 'static) {
    let schedules = std::env::var("SCHEDULES").map_or(SCHEDULES, |number| number.parse().expect("a number"));
    let mut config = Config::new();
    config.stack_size = 0x4_0000;
    config.silence_warnings = true;
    let begun = Begun(Arc::default());
    let count = Arc::clone(&begun.0);
    let episode = Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        episode();
    });
    let repeated = Arc::clone(&episode);
    // This scheduler finds most defects within a few hundred schedules.
    Runner::new(PctScheduler::new(PREEMPTIONS, schedules.div_ceil(2)), config.clone()).run(move || episode());
    Runner::new(RandomScheduler::new(schedules / 2), config).run(move || repeated());
}

/// Counts the schedules, and prints the number of the one that failed.
struct Begun(Arc<AtomicU64>);

impl Drop for Begun {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed in schedule {}", self.0.load(Ordering::Relaxed));
        }
    }
}

/// The world of one episode. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Facts>);

#[derive(Default)]
struct Facts {
    seconds: AtomicU64,
    server: Mutex<Server>,
    in_flight: atomic::AtomicUsize,
    requests: AtomicU64,
    /// The expiry of each stored token. It differs for each token.
    stored: Fact<Vec<Timestamp>>,
    /// The number of points to pass before the panic.
    until_panic: Fact<Option<u32>>,
}

/// The requests that the server has answered.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Server {
    pub(crate) logins: u64,
    pub(crate) renewals: u64,
}

fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

impl SystemClock for World {
    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.0.seconds.load(Ordering::Relaxed))
    }

    fn wall(&self) -> Timestamp {
        start()
    }
}

impl World {
    pub(crate) fn clock(&self) -> Clock {
        Clock::anchored(self.clone())
    }

    pub(crate) fn pass(&self, minutes: u64) {
        self.0.seconds.fetch_add(60 * minutes, Ordering::Relaxed);
    }

    pub(crate) fn environment() -> Environment {
        Environment::custom(BaseUrl::parse("http://127.0.0.1:1/v1").unwrap())
    }

    pub(crate) fn credentials() -> Credentials {
        Credentials::new("trader", "password")
    }

    /// Records the arrival of a request. Fails if another one is in flight.
    pub(crate) fn request(&self) -> Request {
        assert_eq!(self.0.in_flight.fetch_add(1, Ordering::SeqCst), 0, "two requests at once");
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        let request = Request(self.clone());
        self.may_panic();
        request
    }

    /// The number of requests that have arrived.
    pub(crate) fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn server(&self) -> Server {
        *self.0.server.lock().unwrap()
    }

    /// Records that a store contains this token.
    pub(crate) fn record_stored(&self, expires_at: Option<Timestamp>) {
        self.0.stored.lock().unwrap().extend(expires_at);
    }

    pub(crate) fn has_stored(&self) -> bool {
        !self.0.stored.lock().unwrap().is_empty()
    }

    /// Checks that this token was stored before a caller got it.
    pub(crate) fn assert_stored(&self, token: &Token) {
        assert!(self.0.stored.lock().unwrap().contains(&token.expires_at()), "published before it was stored");
    }

    /// Causes one panic, at a random one of the next points.
    pub(crate) fn panic_at_one_of(&self, points: u32) {
        *self.0.until_panic.lock().unwrap() = Some(thread_rng().gen_range(0..points));
    }

    /// Causes no panic any more.
    pub(crate) fn panic_never(&self) {
        *self.0.until_panic.lock().unwrap() = None;
    }

    /// A point at which code of the program runs and may panic.
    pub(crate) fn may_panic(&self) {
        let mut left = self.0.until_panic.lock().unwrap();
        match *left {
            Some(0) => {
                *left = None;
                drop(left);
                // Unlike `panic!`, this prints nothing.
                std::panic::resume_unwind(Box::new(DeliberatePanic));
            }
            Some(number) => *left = Some(number - 1),
            None => {}
        }
    }
}

/// A request in flight.
pub(crate) struct Request(World);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Request {
    /// Returns the answer to a request with this path: a token that is valid for about 80 minutes.
    pub(crate) fn answer(self, path: &str) -> Vec<u8> {
        let world = &self.0;
        let mut server = world.0.server.lock().unwrap_or_else(PoisonError::into_inner);
        if path.ends_with("/accesstokenrequest") {
            server.logins += 1;
        } else {
            assert!(path.ends_with("/renewaccesstoken"), "{path}");
            server.renewals += 1;
        }
        let number = server.logins + server.renewals;
        drop(server);
        world.may_panic();
        // Each token has a different expiry.
        let lifetime = SignedDuration::from_mins(80) + SignedDuration::from_secs(number.try_into().unwrap());
        let expiry = start() + SignedDuration::try_from(world.elapsed()).unwrap() + lifetime;
        format!(r#"{{"accessToken":"token-{number}","expirationTime":"{expiry}","userId":7}}"#).into_bytes()
    }
}

/// The caller's token. `None` if the error is [`TokenError::NotYet`].
pub(crate) fn if_available(result: Result<Token, TokenError>) -> Option<Token> {
    match result {
        Ok(token) => Some(token),
        Err(TokenError::NotYet { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}
