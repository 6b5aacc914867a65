//! What the tests of all stores use: a name, sessions, leases, and the time that something takes.

use std::thread;
use std::time::{Duration, Instant};

use tradovate_auth_session::StoredSession;
use tradovate_auth_session::{Lease, Revision, StoreError};
use tradovate_auth_store::{SessionName, Store};

/// Longer than any lease that a test wants to hold.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Within a second, on a machine that has other things to do.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// Until somebody who began to wait surely does.
pub(crate) const A_MOMENT: Duration = Duration::from_millis(300);

pub(crate) fn name() -> SessionName {
    SessionName::new("demo", "trader")
}

fn another_name() -> SessionName {
    SessionName::new("demo", "another")
}

pub(crate) fn session(user: i64) -> StoredSession {
    let text = format!(
        r#"{{"version":1,"writtenAt":"2026-11-24T14:00:01Z","userId":{user},"access":{{"token":"canary-access",
        "issuedAt":"2026-11-24T14:00:00Z","expiresAt":"2026-11-24T15:20:00Z"}},
        "refresh":{{"token":"canary-refresh"}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

/// The lease, which nobody else has, for long.
pub(crate) fn leased(store: &dyn Store) -> Lease {
    store.lease(&name(), LONG).unwrap().expect("nobody else has it")
}

/// Takes the lease, saves, and gives it back.
pub(crate) fn saved(store: &dyn Store, user: i64, known: Option<Revision>) -> Revision {
    let lease = leased(store);
    let revision = store.save(&name(), &session(user), known, lease).unwrap().expect("it is the one known");
    store.release(&name(), lease).unwrap();
    revision
}

/// What comes of it, and how long it takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (work(), begun.elapsed())
}

/// What somebody is told who waits while something happens, and after how long.
pub(crate) fn waiting(
    store: &dyn Store,
    known: Option<Revision>,
    meanwhile: impl FnOnce(),
) -> (Result<(), StoreError>, Duration) {
    thread::scope(|scope| {
        let waiting = scope.spawn(|| timed(|| store.changed(&name(), known, LONG)));
        thread::sleep(A_MOMENT);
        assert!(!waiting.is_finished(), "nobody waits: {:?}", waiting.join());
        meanwhile();
        waiting.join().unwrap()
    })
}

/// The contract lets the leases of two names have the same fence. Those of the stores of the library don't.
pub(crate) fn a_lease_of_another_name_has_another_fence(store: &dyn Store) {
    let lease = leased(store);
    let other = store.lease(&another_name(), LONG).unwrap().unwrap();
    assert_ne!(lease.fence, other.fence);
}

/// The contract lets `changed` return early. The stores of the library don't.
pub(crate) fn changed_waits_until_its_time_is_over_if_the_record_stays_the_same(store: &dyn Store) {
    let known = Some(saved(store, 1, None));
    for (name, known) in [(name(), known), (another_name(), None)] {
        store.changed(&name, known, Duration::ZERO).unwrap();
        let (told, time) = timed(|| store.changed(&name, known, A_MOMENT));
        told.unwrap();
        assert!(time >= A_MOMENT && time < A_MOMENT + SOON, "{time:?}");
    }
}

/// The same.
pub(crate) fn a_save_of_another_session_does_not_end_the_wait(one: &dyn Store, other: &dyn Store) {
    thread::scope(|scope| {
        let waiting = scope.spawn(|| timed(|| one.changed(&name(), None, A_MOMENT * 3)));
        thread::sleep(A_MOMENT);
        let lease = other.lease(&another_name(), LONG).unwrap().unwrap();
        assert!(other.save(&another_name(), &session(2), None, lease).unwrap().is_some());
        let (told, time) = waiting.join().unwrap();
        told.unwrap();
        assert!(time >= A_MOMENT * 3, "{time:?}");
    });
}
