//! A save replaces the whole record, and only if the caller knows the record before it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::SystemTime;

use super::*;

#[test]
fn the_age_of_a_record_is_unknown_after_the_clock_was_set_back() {
    let (world, _) = World::saved(7);
    let file = fs::File::options().write(true).open(world.path("session")).unwrap();
    let set = |time| file.set_modified(time).unwrap();
    // The clock of the directory can be behind the wall clock by some milliseconds, so the time of the save counts.
    set(file.metadata().unwrap().modified().unwrap() - MINUTE);
    assert!(world.load().unwrap().age.is_some_and(|age| age >= MINUTE));
    set(SystemTime::now() + MINUTE);
    assert_eq!(world.load().unwrap().age, None);
}

#[test]
fn a_session_has_one_record_file_and_one_lock_file() {
    assert!(World::new().load().is_none());
    assert!(World::new().names().is_empty());
    let (world, _) = World::saved(7);
    assert_eq!(world.names(), [format!("{}.lock", world.name), format!("{}.session", world.name)]);
}

/// The wall clock is one hour ahead of its value at the boot.
#[test]
#[cfg(target_os = "linux")]
fn no_step_of_the_wall_clock_changes_the_age_of_a_record_or_ends_a_lease() {
    let (before, world) = (World::saved(7).0, World::new());
    let clock = |world: &World| world.path("session").with_file_name("clock");
    let line = fs::read_to_string(clock(&before)).unwrap();
    let (start, booted_at) = line.trim_end().rsplit_once(' ').unwrap();
    let earlier = booted_at.parse::<u64>().unwrap() - 3_600_000;
    fs::copy(clock(&before), clock(&world)).unwrap();
    fs::write(clock(&world), format!("{start} {earlier}\n")).unwrap();
    let lease = world.lease();
    assert!(world.save(8, None, lease).is_some());
    assert!(world.load().unwrap().age.is_some_and(|age| age < MINUTE));
    assert!(world.store.lease(&world.name, MINUTE).unwrap().is_none());
    let modified = fs::metadata(world.path("session")).unwrap().modified().unwrap();
    assert!(modified < SystemTime::now() - 30 * MINUTE, "it is written down by the same clock");
}

#[test]
fn a_save_with_the_revision_of_a_removed_record_fails() {
    let (world, revision) = World::saved(7);
    fs::remove_file(world.path("session")).unwrap();
    assert!(world.load().is_none());
    let lease = world.lease();
    assert_eq!(world.save(8, Some(revision), lease), None);
    assert_ne!(world.save(7, None, lease).unwrap(), revision);
}

#[test]
fn a_read_during_writes_sees_a_complete_record() {
    let (world, mut known) = World::saved(0);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut newest = 0;
            while !is_over.load(Ordering::Relaxed) {
                let user = user_of(world.load()).unwrap();
                assert!(user >= newest);
                newest = user;
            }
        });
        let lease = world.lease();
        for user in 1..=100 {
            known = world.save(user, Some(known), lease).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}

#[test]
fn only_files_of_killed_writers_are_removed() {
    let (world, revision) = World::saved(7);
    let others = ["notes.new", "session.new", "session.0123456789abcdef.new.bak", "session.0123456789abcdeg.new"];
    let leftovers = ["session.0123456789abcdef.new", "session.ffffffffffffffff.new"];
    for ending in others.iter().chain(&leftovers) {
        fs::write(world.path(ending), "half a rec").unwrap();
    }
    let of_another_name = world.directory.path().join("x.session.0123456789abcdef.new");
    fs::write(&of_another_name, "half a rec").unwrap();

    world.save(8, Some(revision), world.lease()).unwrap();
    assert!(others.iter().all(|ending| world.path(ending).exists()));
    assert!(of_another_name.exists());
    assert!(!leftovers.iter().any(|ending| world.path(ending).exists()));
}

#[test]
fn a_record_can_be_loaded_while_the_lock_is_held() {
    let (world, _) = World::saved(7);
    let lock = fs::File::open(world.path("lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(user_of(world.load()), Some(7));
}

#[test]
fn a_removed_directory_does_not_count_as_an_empty_store() {
    let (world, revision) = World::saved(7);
    let lease = world.lease();
    let elsewhere = world.directory.path().with_extension("elsewhere");
    fs::rename(world.directory.path(), &elsewhere).unwrap();
    let results = [
        world.store.load(&world.name).map(drop),
        world.store.lease(&world.name, MINUTE).map(drop),
        world.try_save(8, Some(revision), lease).map(drop),
        world.store.changed(&world.name, None, MINUTE),
        world.store.release(&world.name, lease),
        FileStore::in_directory(world.directory.path()).map(drop),
    ];
    fs::rename(&elsewhere, world.directory.path()).unwrap();
    for result in results {
        let error = result.unwrap_err();
        let command = format!("`mkdir -m 700 '{}'`", world.directory.path().display());
        assert_says(&error, StoreErrorKind::Unreachable, &command);
    }
    assert_eq!(user_of(world.load()), Some(7));
}
