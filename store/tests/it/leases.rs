//! One at a time has the lease, and nobody else saves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

#[test]
fn a_lease_keeps_other_stores_away_until_it_is_given_back() {
    let world = World::new();
    let lease = world.lease();
    assert!(world.other().lease(&world.name, MINUTE).unwrap().is_none());
    world.store.release(&world.name, lease).unwrap();
    assert!(world.other().lease(&world.name, MINUTE).unwrap().is_some());
}

#[test]
fn a_lease_is_for_one_name() {
    let world = World::new();
    let lease = world.lease();
    let other = SessionName::new("app", "other");
    assert!(world.store.save(&other, &session(1), None, &lease).unwrap().is_none());
    assert!(world.store.lease(&other, MINUTE).unwrap().is_some());
    assert!(world.store.save(&other, &session(1), None, &lease).unwrap().is_none());
}

#[test]
fn a_holder_that_wakes_after_another_has_begun_saves_nothing() {
    let (world, revision) = World::saved(1);
    let stopped = world.short_lease();
    let other = world.other();
    let lease = other.lease(&world.name, MINUTE).unwrap().unwrap();

    assert_eq!(world.save(2, Some(revision), &stopped), None);
    let newest = other.save(&world.name, &session(3), Some(revision), &lease).unwrap().unwrap();
    // Not even if it has seen the newest record.
    assert_eq!(world.save(2, Some(newest), &stopped), None);
    assert_eq!(user_of(world.load()), Some(3));

    world.store.release(&world.name, stopped).unwrap();
    assert!(world.store.lease(&world.name, MINUTE).unwrap().is_none());
}

#[test]
fn a_holder_whose_time_is_over_still_saves_where_nobody_else_has_begun() {
    let world = World::new();
    let lease = world.short_lease();
    assert!(world.save(1, None, &lease).is_some());
}

#[test]
fn a_damaged_or_lost_lock_ends_the_lease_and_its_holder_saves_nothing() {
    for damage in [None, Some(""), Some("tradovate-auth lease 1 x"), Some("\0\0\0")] {
        let world = World::new();
        let lease = world.lease();
        match damage {
            Some(content) => fs::write(world.path("lock"), content).unwrap(),
            None => fs::remove_file(world.path("lock")).unwrap(),
        }
        assert_eq!(world.save(1, None, &lease), None);
        let next = world.lease();
        assert_eq!(world.save(1, None, &lease), None);
        assert!(world.save(2, None, &next).is_some());
    }
}

#[test]
fn of_many_threads_one_at_a_time_has_the_lease_and_no_save_is_lost() {
    const THREADS: i64 = 6;
    const ROUNDS: i64 = 10;
    let world = World::new();
    let is_held = AtomicBool::new(false);
    let add_one = |store: &FileStore| {
        let Some(lease) = store.lease(&world.name, MINUTE).unwrap() else { return false };
        assert!(!is_held.swap(true, Ordering::SeqCst));
        let stored = store.load(&world.name).unwrap();
        let revision = stored.as_ref().map(|stored| stored.revision);
        let user = user_of(stored).unwrap_or(0) + 1;
        assert!(store.save(&world.name, &session(user), revision, &lease).unwrap().is_some());
        is_held.store(false, Ordering::SeqCst);
        store.release(&world.name, lease).unwrap();
        true
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let store = world.other();
                for _ in 0..ROUNDS {
                    while !add_one(&store) {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
    });
    assert_eq!(user_of(world.load()), Some(THREADS * ROUNDS));
}
