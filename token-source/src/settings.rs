//! What can be set about a token source, whatever carries its requests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex as ProcessMutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::random::seed;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard};
use tradovate_auth_core::{Environment, Purpose, is_trusted_host};
use tradovate_auth_session::{Event, Policy, RateBudget, StoredSession};

/// The budget of one network address, shared by all sessions that leave by it. A new one is that of another address. Its
/// times are those of the process's clock: see [`now`](crate::now).
#[derive(Debug, Clone, Default)]
pub struct SharedBudget(Arc<Account>);

/// The budgets of this process: one for all of the vendor's hosts, and one for each other host that is logged in to. None
/// is ever dropped: a lock-out outlives the source that met it.
static OF_PROCESS: ProcessMutex<BTreeMap<String, SharedBudget>> = ProcessMutex::new(BTreeMap::new());

#[derive(Debug, Default)]
struct Account {
    budget: Mutex<RateBudget>,
    /// Requests under way, which may be given back to the budget. Changed and read under its lock only.
    under_way: AtomicUsize,
}

impl From<RateBudget> for SharedBudget {
    fn from(budget: RateBudget) -> Self {
        Self(Arc::new(Account { budget: Mutex::new(budget), under_way: AtomicUsize::default() }))
    }
}

impl SharedBudget {
    /// The budget that all sources of this process share, unless they are given another: one for the vendor's hosts, one
    /// for each other host.
    #[must_use]
    pub fn of_process(environment: &Environment) -> Self {
        let base = environment.base_url(Purpose::Login);
        let host = base.and_then(|base| base.as_uri().authority()).map(ToString::to_string);
        // The vendor's hosts are one server: a lock-out on one holds for all.
        let host = host.filter(|_| base.is_some_and(|base| !is_trusted_host(base.host()))).unwrap_or_default();
        OF_PROCESS.lock().unwrap_or_else(PoisonError::into_inner).entry(host).or_default().clone()
    }

    /// Reads the budget, or changes it. Every source that shares it waits until `act` returns, so keep `act` short, and
    /// use neither a source nor this budget in it: that would wait for `act` itself. If `act` panics, the budget stays
    /// usable.
    ///
    /// ```
    /// use tradovate_auth_session::Operation;
    /// use tradovate_auth_token_source::{SharedBudget, now};
    ///
    /// // A call of the program's own counts as well.
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

    pub(crate) fn count(&self) {
        self.0.under_way.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn uncount(&self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether a request is under way.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.0.under_way.load(Ordering::Relaxed) > 0
    }
}

type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

/// The settings that all token sources have.
#[derive(Clone)]
pub struct Settings {
    /// When to renew, how long to wait, how often to try.
    pub policy: Policy,
    /// The budget of the network address: that of the process for the login host unless set.
    pub budget: SharedBudget,
    /// How long a caller waits for a token before it gets an error: 60 seconds unless set.
    pub token_timeout: Duration,
    /// The longest the HTTP client lets a request take: 30 seconds unless set.
    pub timeout: Duration,
    /// What an earlier process has stored.
    pub resume: Option<StoredSession>,
    /// The caller's own key of the user who has authorized the app: see [`Session::with_user_key`].
    ///
    /// [`Session::with_user_key`]: tradovate_auth_session::Session::with_user_key
    pub user_key: Option<String>,
    /// Whether credentials that were refused get another try: see [`Session::with_another_try`].
    ///
    /// [`Session::with_another_try`]: tradovate_auth_session::Session::with_another_try
    pub another_try: bool,
    /// Who hears of events.
    pub on_event: Option<Observer>,
    /// What spreads pauses and renewals: another for each session.
    pub seed: u64,
    /// The source sends nothing: for the tests of programs that use it.
    pub is_fixed: bool,
    /// The clock of the process, unless a test has another. Sources that share a budget must have the same.
    #[doc(hidden)]
    pub clock: Clock,
}

impl Settings {
    /// The defaults for an environment, with a seed of their own.
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
    /// How long an exchange may take. While the HTTP client may still send a request, no other request is sent.
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
