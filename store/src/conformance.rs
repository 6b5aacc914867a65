//! A conformance suite for stores (feature `conformance`). It tests whether a [`Store`] or an [`AsyncStore`] keeps the
//! contract.
//!
//! Run it in the tests of your store, against a test instance of your database:
//!
//! ```no_run
//! # #[cfg(feature = "file")] {
//! use tradovate_auth_store::FileStore;
//! use tradovate_auth_store::conformance::Suite;
//!
//! Suite::new(|| FileStore::in_directory("/srv/test").unwrap()).run()?;
//! # }
//! # Ok::<(), tradovate_auth_store::conformance::Violations>(())
//! ```
//!
//! The closure opens the store. The checks call it several times, as several processes would, and drop the opened
//! stores. Each check uses session names that no other check and no earlier run has used. So the store need not be
//! empty, and several checks can run at the same time. The records of the checks stay in the store. They contain no
//! real tokens.
//!
//! A run takes a few seconds. Each error of the store is a violation. The suite can't prove that a store is correct. It
//! can't kill your database, so it can't test that a confirmed save survives a crash. Later versions of this crate may have
//! more checks.

mod blocking;
mod cancelled;
mod checks;
mod concurrent;
mod history;
mod world;

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

pub use self::blocking::Blocking;
use self::world::{Broken, World};
use crate::store::{AsyncStore, Store};

/// A future that the suite asks the caller's executor to run: see [`Suite::of_async`].
pub type Task<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The number of checks that run at the same time. Each opens up to six stores: up to six connections to a database.
const AT_A_TIME: usize = 4;

/// The checks of the contract for one store.
pub struct Suite<'s> {
    open: Box<dyn Fn() -> Box<dyn Store> + Send + Sync + 's>,
    asynchronous: Option<Asynchronous<'s>>,
}

/// What the checks of dropped futures use.
struct Asynchronous<'s> {
    open: Arc<dyn Fn() -> Box<dyn AsyncStore> + Send + Sync + 's>,
    block_on: blocking::BlockOn,
}

type Check = fn(&World<'_>) -> Result<(), Broken>;

impl<'s> Suite<'s> {
    /// Creates the checks for a blocking store. Each call of `open` opens the store once more, as another process does.
    /// All opened stores must share their records and leases.
    pub fn new<S: Into<Box<dyn Store>>>(open: impl Fn() -> S + Send + Sync + 's) -> Self {
        Self { open: Box::new(move || open().into()), asynchronous: None }
    }

    /// Creates the checks for an async store: the checks for a blocking store, and checks of futures that are dropped
    /// before they are ready.
    ///
    /// `block_on` runs a future to its end. Several threads call it at the same time. The suite does not call `open`
    /// inside a future, so `open` may itself block on futures. With a multi-threaded runtime of tokio:
    ///
    /// ```
    /// # #[cfg(all(unix, feature = "tokio", feature = "file"))] {
    /// # use std::os::unix::fs::PermissionsExt as _;
    /// # use tradovate_auth_store::FileStore;
    /// # use tradovate_auth_store::conformance::Suite;
    /// # let directory = tempfile::tempdir()?;
    /// # std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o700))?;
    /// let runtime = tokio::runtime::Runtime::new()?;
    /// let handle = runtime.handle().clone();
    /// let open = || FileStore::in_directory(directory.path()).unwrap();
    /// let suite = Suite::of_async(open, move |task| handle.block_on(task));
    /// suite.check("a_cancelled_save_is_done_or_not_done")?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_async<S: Into<Box<dyn AsyncStore>>>(
        open: impl Fn() -> S + Send + Sync + 's,
        block_on: impl Fn(Task<'_>) + Send + Sync + 'static,
    ) -> Self {
        let block_on: blocking::BlockOn = Arc::new(block_on);
        let open: Arc<dyn Fn() -> Box<dyn AsyncStore> + Send + Sync + 's> = Arc::new(move || open().into());
        let asynchronous = Asynchronous { open: Arc::clone(&open), block_on: Arc::clone(&block_on) };
        let open_blocking = move || Box::new(Blocking::with(open(), Arc::clone(&block_on))) as Box<dyn Store>;
        Self { open: Box::new(open_blocking), asynchronous: Some(asynchronous) }
    }

    /// The names of all checks, for test harnesses that list their tests.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.checks().map(|(name, _)| name)
    }

    /// Runs one check.
    ///
    /// # Errors
    /// If the store does not pass it, or if there is no check of this name.
    pub fn check(&self, name: &str) -> Result<(), Violations> {
        match self.checks().find(|(check, _)| *check == name) {
            Some((name, check)) => {
                self.run_one(name, check).map_err(|violation| Violations { violations: vec![violation] })
            }
            None => Err(Violations { violations: vec![("no check has this name", name.to_owned())] }),
        }
    }

    /// Runs all checks, four at a time, each on a thread of its own.
    ///
    /// # Errors
    /// If the store does not pass all of them.
    pub fn run(&self) -> Result<(), Violations> {
        let checks: Vec<_> = self.checks().collect();
        let (next, violations) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..AT_A_TIME {
                scope.spawn(|| {
                    while let Some(&(name, check)) = checks.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(violation) = self.run_one(name, check) {
                            violations.lock().unwrap_or_else(PoisonError::into_inner).push(violation);
                        }
                    }
                });
            }
        });
        let violations = violations.into_inner().unwrap_or_else(PoisonError::into_inner);
        if violations.is_empty() { Ok(()) } else { Err(Violations { violations }) }
    }

    fn checks(&self) -> impl Iterator<Item = (&'static str, Check)> {
        let of_futures = if self.asynchronous.is_some() { cancelled::CHECKS } else { &[] };
        checks::CHECKS.iter().chain(concurrent::CHECKS).chain(of_futures).copied()
    }

    fn run_one(&self, name: &'static str, check: Check) -> Result<(), (&'static str, String)> {
        let world = World::new(&*self.open, self.asynchronous.as_ref());
        world.and_then(|world| check(&world)).map_err(|Broken(what)| (name, what))
    }
}

impl fmt::Debug for Suite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite").field("is_async", &self.asynchronous.is_some()).finish_non_exhaustive()
    }
}

/// The checks that a store has not passed, and what it did. `Debug` and `Display` show the same text: one line for each
/// check. So `unwrap` in a test prints a readable text.
pub struct Violations {
    violations: Vec<(&'static str, String)>,
}

impl Violations {
    /// The names of the checks that the store has not passed.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.violations.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store does not keep the contract")?;
        self.violations.iter().try_for_each(|(name, what)| write!(f, "\n{name}: {what}"))
    }
}

impl fmt::Debug for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Violations {}
