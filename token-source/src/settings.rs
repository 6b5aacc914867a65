//! The settings of a token source, independent of its HTTP client.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex as ProcessMutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::random::seed;
use crate::sync_primitives::atomic::{AtomicUsize, Ordering};
use crate::sync_primitives::{Mutex, MutexGuard};
use tradovate_auth_core::{Environment, Purpose, is_trusted_host};
use tradovate_auth_session::{Event, Policy, RateBudget, StoredSession};

/// The budget of one network address, for all sources that use this address. It counts the requests of the sources. It
/// doesn't count your API calls: the server counts these for the user of the token (5000 an hour, 100 in a second), and
/// your program has to stay below. Clones share one budget. [`Default`] creates the budget of another address. Its times come from the clock of the process: see [`now`](crate::now).
#[derive(Debug, Clone, Default)]
pub struct SharedBudget(Arc<Account>);

/// The budgets of this process: one for all hosts of the vendor, and one for each other login host. Budgets are never
/// removed, so a lock-out remains known after the source that received it was dropped.
static OF_PROCESS: ProcessMutex<BTreeMap<String, SharedBudget>> = ProcessMutex::new(BTreeMap::new());

#[derive(Debug, Default)]
struct Account {
    budget: Mutex<RateBudget>,
    /// The number of requests in flight. Their answers can make room in the budget. It is changed and read only while
    /// `budget` is locked.
    in_flight: AtomicUsize,
}

impl From<RateBudget> for SharedBudget {
    fn from(budget: RateBudget) -> Self {
        Self(Arc::new(Account { budget: Mutex::new(budget), in_flight: AtomicUsize::default() }))
    }
}

impl SharedBudget {
    /// Returns the budget of this process for a login host: one budget for all hosts of the vendor, and one for each
    /// other host.
    #[must_use]
    pub fn of_process(environment: &Environment) -> Self {
        let base = environment.base_url(Purpose::Login);
        let host = base.and_then(|base| base.as_uri().authority()).map(ToString::to_string);
        // All hosts of the vendor are one server: a lock-out by one host applies to all.
        let host = host.filter(|_| base.is_some_and(|base| !is_trusted_host(base.host()))).unwrap_or_default();
        OF_PROCESS.lock().unwrap_or_else(PoisonError::into_inner).entry(host).or_default().clone()
    }

    /// Calls `act` with the budget, to read or change it. All sources that share the budget wait until `act` returns,
    /// so keep it short. Inside `act`, use neither a source nor this budget: that would be a deadlock. If `act` panics,
    /// the budget stays usable.
    ///
    /// ```
    /// use tradovate_auth_session::Operation;
    /// use tradovate_auth_token_source::{SharedBudget, now};
    ///
    /// // Counts a call that the program makes itself.
    /// fn may_ask_who_i_am(budget: &SharedBudget) -> bool {
    ///     let now = now();
    ///     budget.with(|budget| {
    ///         let is_allowed = budget.earliest(now, Operation::Identify) <= now;
    ///         if is_allowed {
    ///             budget.take(now, Operation::Identify);
    ///         }
    ///         is_allowed
    ///     })
    /// }
    /// assert!(may_ask_who_i_am(&SharedBudget::default()));
    /// ```
    pub fn with<T>(&self, act: impl FnOnce(&mut RateBudget) -> T) -> T {
        act(&mut self.lock())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, RateBudget> {
        self.0.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn request_sent(&self) {
        self.0.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn request_ended(&self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether a request that shares this budget is in flight.
    pub(crate) fn has_requests_in_flight(&self) -> bool {
        self.0.in_flight.load(Ordering::Relaxed) > 0
    }
}

type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

/// The settings that blocking and async token sources have in common.
#[derive(Clone)]
pub struct Settings {
    /// When to renew, how long to wait, and how often to try.
    pub policy: Policy,
    /// The budget of the network address. Default: the budget of the process for the login host.
    pub budget: SharedBudget,
    /// How long a caller waits for a token before it gets an error. Default: 60 seconds.
    pub token_timeout: Duration,
    /// The longest time that the HTTP client allows for one request. Default: 30 seconds.
    pub timeout: Duration,
    /// The snapshot of an earlier process, if any.
    pub resume: Option<StoredSession>,
    /// The program's own key of the user who has authorized the app: see [`Session::with_user_key`].
    ///
    /// [`Session::with_user_key`]: tradovate_auth_session::Session::with_user_key
    pub user_key: Option<String>,
    /// Whether to send refused credentials once more: see [`Session::with_another_try`].
    ///
    /// [`Session::with_another_try`]: tradovate_auth_session::Session::with_another_try
    pub another_try: bool,
    /// The callback that receives events, if any.
    pub on_event: Option<Observer>,
    /// The seed for the random part of pauses and renewals. Each session needs its own.
    pub seed: u64,
    /// Whether the source never sends a request: for tests of programs that use it.
    pub is_fixed: bool,
    /// The clock of the session. Default: the clock of the process. Sources that share a budget must also share a
    /// clock.
    #[doc(hidden)]
    pub clock: Clock,
}

impl Settings {
    /// The default settings for an environment, with a new seed.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        Self {
            policy: Policy::default(),
            budget: SharedBudget::of_process(environment),
            token_timeout: Duration::from_secs(60),
            timeout: Duration::from_secs(30),
            resume: None,
            user_key: None,
            another_try: false,
            on_event: None,
            seed: seed(),
            is_fixed: false,
            clock: Clock::of_process(),
        }
    }
}

impl Settings {
    /// The longest time that one request may take. It is at least the time-out of the HTTP client, so no second
    /// request is sent while the client may still send the first.
    pub(crate) fn longest_exchange(&self) -> Duration {
        self.policy.deadline().max(self.timeout)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("policy", &self.policy)
            .field("token_timeout", &self.token_timeout)
            .finish_non_exhaustive()
    }
}
