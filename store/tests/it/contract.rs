//! What every store promises, wherever it keeps its records. The tests of each store check these rules for both forms.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
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

/// Opens the store of a test once more, as another process does.
pub(crate) type Open<'o> = &'o (dyn Fn() -> Box<dyn Store> + Sync);

/// A rule, under its name.
pub(crate) type Rule = (&'static str, fn(Open<'_>));

macro_rules! rules {
    ($($rule:ident),* $(,)?) => { &[$((stringify!($rule), $rule)),*] };
}

/// Each rule begins with an empty store.
pub(crate) const RULES: &[Rule] = rules![
    nothing_is_stored_at_first,
    what_one_saves_the_other_loads,
    the_age_of_a_record_counts_from_its_save,
    who_does_not_know_the_record_saves_nothing,
    no_revision_comes_twice,
    only_one_holds_the_lease,
    a_lease_that_is_given_back_can_be_taken_at_once,
    a_lease_that_has_ended_can_be_taken_by_another,
    a_lease_says_when_it_ends_and_later_ones_have_higher_numbers,
    a_lease_is_for_one_name,
    who_was_overtaken_saves_nothing,
    who_was_overtaken_does_not_end_the_lease_of_the_other,
    whose_lease_has_ended_still_saves_if_no_other_was_given,
    of_many_at_once_one_gets_the_lease,
    many_who_count_together_lose_no_step,
    another_record_than_the_known_one_is_told_at_once,
    the_known_record_is_waited_for_until_the_time_is_over,
    a_save_by_another_is_told,
    a_save_of_another_session_is_not_told,
];

fn nothing_is_stored_at_first(open: Open<'_>) {
    assert!(open().load(&name()).unwrap().is_none());
}

fn what_one_saves_the_other_loads(open: Open<'_>) {
    let (one, other) = (open(), open());
    let first = saved(&*one, 1, None);
    assert_eq!(found(&*other), Some((first, 1)));
    let second = saved(&*other, 2, Some(first));
    assert_eq!(found(&*one), Some((second, 2)));
    assert!(one.load(&another_name()).unwrap().is_none());
}

fn the_age_of_a_record_counts_from_its_save(open: Open<'_>) {
    let store = open();
    saved(&*store, 1, None);
    thread::sleep(A_MOMENT);
    let age = store.load(&name()).unwrap().unwrap().age.unwrap();
    assert!(age > A_MOMENT.mul_f32(0.96) && age < Duration::from_secs(5), "{age:?}");
}

fn who_does_not_know_the_record_saves_nothing(open: Open<'_>) {
    let store = open();
    let lease = leased(&*store);
    let save = |user, known| store.save(&name(), &session(user), known, lease).unwrap();
    assert_eq!(save(1, Some(Revision(7))), None);
    let first = save(1, None).unwrap();
    for unknown in [None, Some(Revision(first.0.wrapping_add(1)))] {
        assert_eq!(save(2, unknown), None);
    }
    assert_eq!(found(&*store), Some((first, 1)));
    let second = save(2, Some(first)).unwrap();
    assert_eq!(save(3, Some(first)), None);
    assert_eq!(found(&*store), Some((second, 2)));
}

fn no_revision_comes_twice(open: Open<'_>) {
    let store = open();
    let (mut seen, mut known) = (HashSet::new(), None);
    for _ in 0..50 {
        let revision = saved(&*store, 1, known);
        assert!(seen.insert(revision));
        known = Some(revision);
    }
}

fn only_one_holds_the_lease(open: Open<'_>) {
    let (one, other) = (open(), open());
    leased(&*one);
    assert!(other.lease(&name(), LONG).unwrap().is_none());
    assert!(one.lease(&name(), LONG).unwrap().is_none());
}

fn a_lease_that_is_given_back_can_be_taken_at_once(open: Open<'_>) {
    let (one, other) = (open(), open());
    one.release(&name(), leased(&*one)).unwrap();
    assert!(other.lease(&name(), LONG).unwrap().is_some());
}

fn a_lease_that_has_ended_can_be_taken_by_another(open: Open<'_>) {
    let (one, other) = (open(), open());
    one.lease(&name(), A_MOMENT).unwrap().unwrap();
    assert!(other.lease(&name(), LONG).unwrap().is_none());
    thread::sleep(A_MOMENT + Duration::from_millis(50));
    assert!(other.lease(&name(), LONG).unwrap().is_some());
}

fn a_lease_says_when_it_ends_and_later_ones_have_higher_numbers(open: Open<'_>) {
    let (one, other) = (open(), open());
    let first = leased(&*one);
    assert_eq!(first.time, LONG);
    one.release(&name(), first).unwrap();
    let second = other.lease(&name(), Duration::ZERO).unwrap().unwrap();
    assert_eq!(second.time, Duration::ZERO);
    assert!(first.fence < second.fence && second.fence < leased(&*one).fence);
}

fn a_lease_is_for_one_name(open: Open<'_>) {
    let store = open();
    let lease = leased(&*store);
    let save = || store.save(&another_name(), &session(1), None, lease).unwrap();
    assert_eq!(save(), None);
    assert!(store.lease(&another_name(), LONG).unwrap().is_some_and(|other| other.fence != lease.fence));
    assert_eq!(save(), None);
}

fn who_was_overtaken_saves_nothing(open: Open<'_>) {
    let (one, other) = (open(), open());
    let overtaken = ended_lease(&*one);
    let save = |known| one.save(&name(), &session(1), known, overtaken).unwrap();
    let lease = leased(&*other);
    assert_eq!(save(None), None);
    assert_eq!(found(&*one), None);
    let newest = other.save(&name(), &session(2), None, lease).unwrap().unwrap();
    // Not even with the newest record.
    assert_eq!(save(Some(newest)), None);
    other.release(&name(), lease).unwrap();
    assert_eq!(save(Some(newest)), None);
    assert_eq!(found(&*one), Some((newest, 2)));
}

fn who_was_overtaken_does_not_end_the_lease_of_the_other(open: Open<'_>) {
    let (one, other) = (open(), open());
    let overtaken = ended_lease(&*one);
    leased(&*other);
    one.release(&name(), overtaken).unwrap();
    assert!(one.lease(&name(), LONG).unwrap().is_none());
}

fn whose_lease_has_ended_still_saves_if_no_other_was_given(open: Open<'_>) {
    let store = open();
    let ended = ended_lease(&*store);
    assert!(store.save(&name(), &session(1), None, ended).unwrap().is_some());
}

fn of_many_at_once_one_gets_the_lease(open: Open<'_>) {
    let store = open();
    let got = thread::scope(|scope| {
        let lease = || store.lease(&name(), LONG).unwrap().is_some();
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(lease)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|got| *got).count()
    });
    assert_eq!(got, 1);
}

fn many_who_count_together_lose_no_step(open: Open<'_>) {
    let steps = AtomicI64::new(0);
    thread::scope(|scope| {
        for number in 0..6 {
            let steps = &steps;
            scope.spawn(move || {
                let store = open();
                for round in 0..100 {
                    // Some leases end as soon as they are taken, and others take them.
                    let time = if (number + round) % 3 == 0 { Duration::ZERO } else { LONG };
                    let Some(lease) = store.lease(&name(), time).unwrap() else { continue };
                    let (known, count) = found(&*store).map_or((None, 0), |(revision, count)| (Some(revision), count));
                    if store.save(&name(), &session(count + 1), known, lease).unwrap().is_some() {
                        steps.fetch_add(1, Ordering::Relaxed);
                    }
                    store.release(&name(), lease).unwrap();
                }
            });
        }
    });
    assert_eq!(found(&*open()).unwrap().1, steps.into_inner());
}

fn another_record_than_the_known_one_is_told_at_once(open: Open<'_>) {
    let store = open();
    let revision = saved(&*store, 1, None);
    for known in [None, Some(Revision(revision.0.wrapping_sub(1)))] {
        let (told, time) = timed(|| store.changed(&name(), known, LONG));
        told.unwrap();
        assert!(time < SOON, "{time:?}");
    }
}

fn the_known_record_is_waited_for_until_the_time_is_over(open: Open<'_>) {
    let store = open();
    let known = Some(saved(&*store, 1, None));
    for (name, known) in [(name(), known), (another_name(), None)] {
        store.changed(&name, known, Duration::ZERO).unwrap();
        let (told, time) = timed(|| store.changed(&name, known, A_MOMENT));
        told.unwrap();
        assert!(time >= A_MOMENT && time < A_MOMENT + SOON, "{time:?}");
    }
}

fn a_save_by_another_is_told(open: Open<'_>) {
    let (one, other) = (open(), open());
    let mut known = None;
    // The second one is the same session again.
    for user in [1, 1, 2] {
        let mut revision = None;
        let (told, time) = waiting(&*one, known, || revision = Some(saved(&*other, user, known)));
        told.unwrap();
        assert!(time < A_MOMENT + SOON, "{time:?}");
        assert_eq!(found(&*one), revision.map(|revision| (revision, user)));
        known = revision;
    }
}

fn a_save_of_another_session_is_not_told(open: Open<'_>) {
    let (one, other) = (open(), open());
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

/// A lease that has ended already.
pub(crate) fn ended_lease(store: &dyn Store) -> Lease {
    store.lease(&name(), Duration::ZERO).unwrap().expect("nobody else has it")
}

/// Takes the lease, saves, and gives it back.
pub(crate) fn saved(store: &dyn Store, user: i64, known: Option<Revision>) -> Revision {
    let lease = leased(store);
    let revision = store.save(&name(), &session(user), known, lease).unwrap().expect("it is the one known");
    store.release(&name(), lease).unwrap();
    revision
}

/// Whose session is stored, under which revision.
pub(crate) fn found(store: &dyn Store) -> Option<(Revision, i64)> {
    let stored = store.load(&name()).unwrap()?;
    Some((stored.revision, stored.session.unwrap().user_id().unwrap()))
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
        assert!(!waiting.is_finished());
        meanwhile();
        waiting.join().unwrap()
    })
}
