//! Helpers for the tests of all stores: a name, sessions, leases, and the duration of a call.

use std::thread;
use std::time::{Duration, Instant};

use tradovate_auth_session::StoredSession;
use tradovate_auth_session::{Lease, Revision, StoreError};
use tradovate_auth_store::{SessionName, Store};

/// The time of a lease that must not end during a test.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The second that the contract allows, and another one for a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// The time after which a thread that was started to wait surely waits.
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

/// Takes the lease, which must be free, for a long time.
pub(crate) fn leased(store: &dyn Store) -> Lease {
    store.lease(&name(), LONG).unwrap().expect("nobody else has it")
}

/// Takes the lease, saves, and releases the lease.
pub(crate) fn saved(store: &dyn Store, user: i64, known: Option<Revision>) -> Revision {
    let lease = leased(store);
    let revision = store.save(&name(), &session(user), known, lease).unwrap().expect("it is the one known");
    store.release(&name(), lease).unwrap();
    revision
}

/// Returns the result of `work` and its duration.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (work(), begun.elapsed())
}

/// Calls `changed` in another thread, runs `meanwhile`, and returns the result of `changed` and its duration.
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

/// The contract allows equal fences for the leases of two names. The stores of this library give different ones.
pub(crate) fn a_lease_of_another_name_has_another_fence(store: &dyn Store) {
    let lease = leased(store);
    let other = store.lease(&another_name(), LONG).unwrap().unwrap();
    assert_ne!(lease.fence, other.fence);
}

/// The contract allows `changed` to return early. The stores of this library don't do this.
pub(crate) fn changed_waits_until_its_time_is_over_if_the_record_stays_the_same(store: &dyn Store) {
    let known = Some(saved(store, 1, None));
    for (name, known) in [(name(), known), (another_name(), None)] {
        store.changed(&name, known, Duration::ZERO).unwrap();
        let (told, time) = timed(|| store.changed(&name, known, A_MOMENT));
        told.unwrap();
        assert!(time >= A_MOMENT && time < A_MOMENT + SOON, "{time:?}");
    }
}

/// The contract allows `changed` to return early. The stores of this library don't do this.
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
