//! [`World`]: the stores, names and sessions of a check.

use std::time::Duration;

use serde::Deserialize as _;
use serde_json::json;
use tradovate_auth_session::{Lease, Revision, StoreError, StoredSession};

use super::Asynchronous;
use crate::name::SessionName;
use crate::record_format::random;
use crate::store::Store;

/// The time of leases that must not end within a check.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// The second that the contract allows, and another one for a busy machine.
pub(super) const SOON: Duration = Duration::from_secs(2);

/// How long to wait for a change that must not happen. Also the time of leases that end within a check.
pub(super) const A_MOMENT: Duration = Duration::from_millis(300);

/// A violation of the contract, in words.
pub(super) struct Broken(pub(super) String);

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self(format!("the store says: {error}"))
    }
}

/// Ends a check with [`Broken`] if a condition is false.
macro_rules! ensure {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(Broken(format!($($what)+)));
        }
    };
}
pub(super) use ensure;

/// The list of a module's checks, with their names.
macro_rules! checks {
    ($($check:ident),* $(,)?) => { &[$((stringify!($check), $check)),*] };
}
pub(super) use checks;

/// The stores and names of one check.
pub(super) struct World<'w> {
    open: &'w (dyn Fn() -> Box<dyn Store> + Send + Sync + 'w),
    pub(super) asynchronous: Option<&'w Asynchronous<'w>>,
    id: u64,
    pub(super) name: SessionName,
}

impl<'w> World<'w> {
    pub(super) fn new(
        open: &'w (dyn Fn() -> Box<dyn Store> + Send + Sync + 'w),
        asynchronous: Option<&'w Asynchronous<'w>>,
    ) -> Result<Self, Broken> {
        let id = random()?;
        Ok(Self { open, asynchronous, id, name: SessionName::new("conformance", &format!("{id:040x}")) })
    }

    /// Opens the store, as another process does.
    pub(super) fn open(&self) -> Box<dyn Store> {
        (self.open)()
    }

    /// Another unused name. Different labels give different names.
    pub(super) fn name(&self, label: &str) -> SessionName {
        SessionName::new(label, &format!("{:040x}", self.id))
    }

    /// The revision of the record and the user of its session.
    pub(super) fn found(&self, store: &dyn Store) -> Result<Option<(Revision, i64)>, Broken> {
        found(store, &self.name)
    }

    /// Takes the lease, which must be free.
    pub(super) fn leased(&self, store: &dyn Store) -> Result<Lease, Broken> {
        leased(store, &self.name, LONG)
    }

    /// Takes a lease that ends at once.
    pub(super) fn ended_lease(&self, store: &dyn Store) -> Result<Lease, Broken> {
        leased(store, &self.name, Duration::ZERO)
    }

    /// Takes the lease, saves the session of a user, and releases the lease.
    pub(super) fn saved(&self, store: &dyn Store, user: i64, known: Option<Revision>) -> Result<Revision, Broken> {
        saved(store, &self.name, &session(user)?, known)
    }
}

pub(super) fn found(store: &dyn Store, name: &SessionName) -> Result<Option<(Revision, i64)>, Broken> {
    let Some(stored) = store.load(name)? else { return Ok(None) };
    match stored.session {
        Ok(session) => Ok(Some((stored.revision, session.user_id().unwrap_or_default()))),
        Err(unreadable) => Err(Broken(format!("a saved record can't be read: {unreadable} ({})", stored.place))),
    }
}

pub(super) fn leased(store: &dyn Store, name: &SessionName, time: Duration) -> Result<Lease, Broken> {
    store.lease(name, time)?.ok_or_else(|| Broken("nobody holds the lease, and it was not given".into()))
}

pub(super) fn saved(
    store: &dyn Store,
    name: &SessionName,
    session: &StoredSession,
    known: Option<Revision>,
) -> Result<Revision, Broken> {
    let lease = leased(store, name, LONG)?;
    let revision = store.save(name, session, known, lease)?;
    store.release(name, lease)?;
    revision.ok_or_else(|| Broken("the holder of the newest lease knows the record, and could not save".into()))
}

/// The session of a user. Its tokens are made up.
pub(super) fn session(user: i64) -> Result<StoredSession, Broken> {
    read(&json!({
        "version": 1, "writtenAt": "2026-11-24T14:00:01Z", "userId": user,
        "access": {
            "token": "conformance-access", "issuedAt": "2026-11-24T14:00:00Z", "expiresAt": "2026-11-24T15:20:00Z",
        },
        "refresh": { "token": "conformance-refresh" },
    }))
}

/// A session with characters of all kinds. Its record is about as long as a store must be able to keep: 700 kB plain,
/// 940 kB sealed.
pub(super) fn large_session(user: i64) -> Result<StoredSession, Broken> {
    let refused: serde_json::Map<_, _> = (0..7000)
        .map(|number| (format!("{number:04} \0\t'\"\\%_ü🦀 {number:0>40}"), "2026-11-24T20:00:00Z".into()))
        .collect();
    read(&json!({
        "version": 1, "writtenAt": "2026-11-24T14:00:01Z", "userId": user,
        "refresh": { "token": "conformance-refresh" }, "refusedRefreshTokens": refused,
    }))
}

fn read(json: &serde_json::Value) -> Result<StoredSession, Broken> {
    StoredSession::deserialize(json).map_err(|error| Broken(format!("the suite can't make a session: {error}")))
}
