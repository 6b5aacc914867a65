//! Checks whose calls don't overlap. Each check begins with names that were not used before.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use tradovate_auth_session::Revision;

use super::Check;
use super::world::{A_MOMENT, Broken, LONG, SOON, World, checks, ensure, found, large_session, leased, saved, session};
use crate::store::Store;

pub(super) const CHECKS: &[(&str, Check)] = checks![
    nothing_is_stored_at_first,
    a_saved_session_is_loaded_by_others,
    the_age_of_a_record_counts_from_its_save,
    a_save_needs_the_known_record,
    no_revision_is_used_twice,
    two_names_never_share_a_record,
    a_large_record_is_loaded_unchanged,
    a_record_and_its_lease_survive_a_reopen,
    one_process_at_a_time_holds_the_lease,
    a_released_lease_can_be_taken_at_once,
    a_lease_ends_when_its_time_is_over,
    later_leases_have_higher_fences,
    a_lease_is_for_one_name,
    the_holder_of_an_earlier_lease_can_not_save,
    the_holder_of_an_earlier_lease_can_not_release_the_next_one,
    a_holder_whose_lease_has_ended_saves_if_no_other_was_given,
    changed_returns_at_once_if_the_revision_differs,
    changed_returns_within_a_second_of_a_save,
    changed_returns_when_its_time_is_over,
];

fn nothing_is_stored_at_first(world: &World<'_>) -> Result<(), Broken> {
    let found = world.found(&*world.open())?;
    ensure!(found.is_none(), "a name that nobody has used has the record {found:?}");
    Ok(())
}

fn a_saved_session_is_loaded_by_others(world: &World<'_>) -> Result<(), Broken> {
    let (one, other) = (world.open(), world.open());
    let first = world.saved(&*one, 1, None)?;
    expect(world, &*other, Some((first, 1)))?;
    let second = world.saved(&*other, 2, Some(first))?;
    expect(world, &*one, Some((second, 2)))?;
    let stored = one.load(&world.name)?;
    let place = stored.map(|stored| stored.place).unwrap_or_default();
    ensure!(!place.is_empty() && !place.contains("conformance-access"), "the place of the record is {place:?}");
    Ok(())
}

fn the_age_of_a_record_counts_from_its_save(world: &World<'_>) -> Result<(), Broken> {
    let store = world.open();
    world.saved(&*store, 1, None)?;
    thread::sleep(A_MOMENT);
    let age = store.load(&world.name)?.and_then(|stored| stored.age);
    let is_right = age.is_some_and(|age| age > nearly(A_MOMENT) && age < Duration::from_secs(5));
    ensure!(is_right, "{A_MOMENT:?} after the save, the age of the record is {age:?}");
    Ok(())
}

fn a_save_needs_the_known_record(world: &World<'_>) -> Result<(), Broken> {
    let store = world.open();
    let lease = world.leased(&*store)?;
    let save = |user, known| -> Result<_, Broken> { Ok(store.save(&world.name, &session(user)?, known, lease)?) };
    ensure!(save(1, Some(Revision(7)))?.is_none(), "a save that knows a record was done though there is none");
    let first = save(1, None)?.ok_or_else(|| Broken("the first save was not done".into()))?;
    for unknown in [None, Some(Revision(first.0.wrapping_add(1)))] {
        ensure!(save(2, unknown)?.is_none(), "the record is {first:?}, and a save that knows {unknown:?} was done");
    }
    expect(world, &*store, Some((first, 1)))?;
    let second = save(2, Some(first))?.ok_or_else(|| Broken("a save that knows the record was not done".into()))?;
    ensure!(save(3, Some(first))?.is_none(), "a save that knows the record before the newest was done");
    expect(world, &*store, Some((second, 2)))
}

fn no_revision_is_used_twice(world: &World<'_>) -> Result<(), Broken> {
    let store = world.open();
    let (mut seen, mut known) = (HashSet::new(), None);
    for _ in 0..50 {
        let revision = world.saved(&*store, 1, known)?;
        ensure!(seen.insert(revision), "{revision:?} was given twice");
        known = Some(revision);
    }
    Ok(())
}

/// Names consist of letters, digits, `.`, `-` and `_`, and have at most 114 characters. The last two names have 114
/// characters and differ only in the last 32.
fn two_names_never_share_a_record(world: &World<'_>) -> Result<(), Broken> {
    let store = world.open();
    let long = "long".repeat(10);
    let (long, longer) = (format!("{long}a"), format!("{long}b"));
    let labels = ["", ".", "..", "../../etc", "-", "_", "A", "a", "a b", "'; --", "%", "ü🦀", "\0", &long, &longer];
    let names = || (0..).zip(labels.map(|label| world.name(label)));
    for (user, name) in names() {
        saved(&*store, &name, &session(user)?, None)?;
    }
    for (user, name) in names() {
        let found = found(&*store, &name)?.map(|(_, user)| user);
        ensure!(found == Some(user), "the name {name} has the session of {found:?} instead of {user}");
    }
    Ok(())
}

fn a_large_record_is_loaded_unchanged(world: &World<'_>) -> Result<(), Broken> {
    let (store, large) = (world.open(), large_session(1)?);
    let first = saved(&*store, &world.name, &large, None)?;
    let loaded = store.load(&world.name)?.and_then(|stored| stored.session.ok());
    let is_same = loaded.is_some_and(|loaded| serde_json::to_value(loaded).ok() == serde_json::to_value(large).ok());
    ensure!(is_same, "a session of 700 kB was saved, and another one or none was loaded");
    let second = world.saved(&*store, 2, Some(first))?;
    expect(world, &*store, Some((second, 2)))
}

fn a_record_and_its_lease_survive_a_reopen(world: &World<'_>) -> Result<(), Broken> {
    let store = world.open();
    let lease = world.leased(&*store)?;
    let first = store.save(&world.name, &session(1)?, None, lease)?;
    drop(store);
    let first = first.ok_or_else(|| Broken("the first save was not done".into()))?;
    let store = world.open();
    expect(world, &*store, Some((first, 1)))?;
    ensure!(store.lease(&world.name, LONG)?.is_none(), "the lease was given twice, once before the store was reopened");
    let second = store.save(&world.name, &session(2)?, Some(first), lease)?;
    ensure!(second.is_some(), "the store was reopened, and the holder of its lease can't save any more");
    drop(store);
    expect(world, &*world.open(), second.map(|second| (second, 2)))
}

fn one_process_at_a_time_holds_the_lease(world: &World<'_>) -> Result<(), Broken> {
    let (one, other) = (world.open(), world.open());
    world.leased(&*one)?;
    for store in [other, one] {
        ensure!(store.lease(&world.name, LONG)?.is_none(), "the lease was given while it was held");
    }
    Ok(())
}

fn a_released_lease_can_be_taken_at_once(world: &World<'_>) -> Result<(), Broken> {
    let (one, other) = (world.open(), world.open());
    one.release(&world.name, world.leased(&*one)?)?;
    ensure!(other.lease(&world.name, LONG)?.is_some(), "the lease was released, and was not given to the next process");
    Ok(())
}

fn a_lease_ends_when_its_time_is_over(world: &World<'_>) -> Result<(), Broken> {
    let (one, other) = (world.open(), world.open());
    let asked = Instant::now();
    leased(&*one, &world.name, A_MOMENT)?;
    let given = Instant::now();
    while other.lease(&world.name, LONG)?.is_none() {
        let late = given.elapsed().saturating_sub(A_MOMENT);
        ensure!(late < SOON, "a lease of {A_MOMENT:?} was not over {late:?} after its end");
        thread::sleep(Duration::from_millis(20));
    }
    let held = asked.elapsed();
    ensure!(held > nearly(A_MOMENT), "a lease of {A_MOMENT:?} was over after {held:?}");
    Ok(())
}

fn later_leases_have_higher_fences(world: &World<'_>) -> Result<(), Broken> {
    let (one, other) = (world.open(), world.open());
    let first = world.leased(&*one)?;
    one.release(&world.name, first)?;
    let second = world.ended_lease(&*other)?;
    let third = world.leased(&*one)?;
    let fences = [first.fence, second.fence, third.fence];
    ensure!(
        fences.is_sorted_by(|earlier, later| earlier < later),
        "the fences of three leases in a row are {fences:?}"
    );
    for (lease, asked) in [(first, LONG), (second, Duration::ZERO)] {
        ensure!(lease.time <= asked, "a lease of {asked:?} was asked for, and one of {:?} was given", lease.time);
    }
    Ok(())
}

fn a_lease_is_for_one_name(world: &World<'_>) -> Result<(), Broken> {
    let store = world.open();
    let lease = world.leased(&*store)?;
    let another = world.name("another");
    let save = || -> Result<_, Broken> { Ok(store.save(&another, &session(1)?, None, lease)?) };
    ensure!(save()?.is_none(), "a save was done with the lease of another name");
    let other = leased(&*store, &another, LONG)?;
    // Two names may have equal fences, so a test with one lease is not enough.
    let is_refused = other.fence == lease.fence || save()?.is_none();
    ensure!(is_refused, "a save was done with the lease of another name, though its own lease is another one");
    Ok(())
}

fn the_holder_of_an_earlier_lease_can_not_save(world: &World<'_>) -> Result<(), Broken> {
    let (one, other) = (world.open(), world.open());
    let earlier = world.ended_lease(&*one)?;
    let lease = world.leased(&*other)?;
    let is_refused = |known| -> Result<(), Broken> {
        let saved = one.save(&world.name, &session(1)?, known, earlier)?;
        ensure!(saved.is_none(), "a holder has saved, though another one was given a later lease");
        Ok(())
    };
    is_refused(None)?;
    expect(world, &*one, None)?;
    let newest = other.save(&world.name, &session(2)?, None, lease)?;
    let newest = newest.ok_or_else(|| Broken("the holder of the newest lease could not save".into()))?;
    is_refused(Some(newest))?;
    other.release(&world.name, lease)?;
    is_refused(Some(newest))?;
    expect(world, &*one, Some((newest, 2)))
}

fn the_holder_of_an_earlier_lease_can_not_release_the_next_one(world: &World<'_>) -> Result<(), Broken> {
    let (one, other) = (world.open(), world.open());
    let earlier = world.ended_lease(&*one)?;
    world.leased(&*other)?;
    one.release(&world.name, earlier)?;
    ensure!(one.lease(&world.name, LONG)?.is_none(), "an earlier holder has released the lease of the next one");
    Ok(())
}

fn a_holder_whose_lease_has_ended_saves_if_no_other_was_given(world: &World<'_>) -> Result<(), Broken> {
    let store = world.open();
    let ended = world.ended_lease(&*store)?;
    let saved = store.save(&world.name, &session(1)?, None, ended)?;
    ensure!(saved.is_some(), "nobody was given a later lease, and the holder of an ended one could not save");
    Ok(())
}

fn changed_returns_at_once_if_the_revision_differs(world: &World<'_>) -> Result<(), Broken> {
    let store = world.open();
    let revision = world.saved(&*store, 1, None)?;
    for known in [None, Some(Revision(revision.0.wrapping_sub(1)))] {
        let begun = Instant::now();
        store.changed(&world.name, known, WATCHED)?;
        let time = begun.elapsed();
        ensure!(time < SOON, "the record is {revision:?}, and it took {time:?} to say that it is not {known:?}");
    }
    Ok(())
}

fn changed_returns_within_a_second_of_a_save(world: &World<'_>) -> Result<(), Broken> {
    let (one, other) = (world.open(), world.open());
    let mut known = None;
    // The second save stores the same session again: the new revision is a change, too.
    for user in [1, 1, 2] {
        let (saved, told, time) = thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                // `changed` may return early for no reason.
                let begun = Instant::now();
                while begun.elapsed() < WATCHED {
                    one.changed(&world.name, known, WATCHED.saturating_sub(begun.elapsed()))?;
                    if world.found(&*one)?.map(|(revision, _)| revision) != known {
                        break;
                    }
                }
                Ok::<_, Broken>(Instant::now())
            });
            thread::sleep(A_MOMENT);
            let saved = world.saved(&*other, user, known);
            let begun = Instant::now();
            let told = waiting.join().unwrap_or_else(|_| Err(Broken("`changed` has panicked".into())));
            (saved, told, begun.elapsed())
        });
        let (revision, _) = (saved?, told?);
        ensure!(time < SOON, "a save by another process was not seen for {time:?}");
        known = Some(revision);
    }
    Ok(())
}

fn changed_returns_when_its_time_is_over(world: &World<'_>) -> Result<(), Broken> {
    let store = world.open();
    let known = Some(world.saved(&*store, 1, None)?);
    for (name, known) in [(world.name.clone(), known), (world.name("another"), None)] {
        for time in [Duration::ZERO, A_MOMENT] {
            let begun = Instant::now();
            store.changed(&name, known, time)?;
            let late = begun.elapsed().saturating_sub(time);
            ensure!(late < SOON, "it was to wait for {time:?}, and returned {late:?} later");
        }
    }
    Ok(())
}

/// The longest wait of the checks for a change.
const WATCHED: Duration = Duration::from_secs(3);

/// A bit less than a time: clocks may count in milliseconds, and may run at slightly different speeds.
fn nearly(time: Duration) -> Duration {
    time.mul_f32(0.96)
}

/// Fails unless this record is stored.
fn expect(world: &World<'_>, store: &dyn Store, expected: Option<(Revision, i64)>) -> Result<(), Broken> {
    let found = world.found(store)?;
    ensure!(found == expected, "the record should be {expected:?} (revision and user), and is {found:?}");
    Ok(())
}
