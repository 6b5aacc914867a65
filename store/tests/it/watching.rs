//! Whoever waits for another record gets to know of it.

use std::sync::mpsc;
use std::thread;

use super::*;

#[test]
fn a_record_that_is_not_the_known_one_is_told_at_once() {
    let (world, _) = World::saved(7);
    world.store.changed(&world.name, None, Duration::MAX).unwrap();
    world.store.changed(&world.name, Some(Revision(7)), Duration::MAX).unwrap();
    fs::remove_file(world.path("session")).unwrap();
    world.store.changed(&world.name, Some(Revision(7)), Duration::MAX).unwrap();
}

#[test]
fn it_is_over_when_the_time_is() {
    let (world, revision) = World::saved(7);
    world.store.changed(&world.name, Some(revision), Duration::ZERO).unwrap();
    let nobody = SessionName::new("app", "nobody");
    world.store.changed(&nobody, None, Duration::from_millis(1)).unwrap();
}

/// Waits on another thread for as long as it takes, and changes something meanwhile.
fn is_told_of(world: &World, known: Option<Revision>, change: impl FnOnce()) {
    let (sender, told) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| sender.send(world.other().changed(&world.name, known, Duration::MAX)).unwrap());
        assert!(told.recv_timeout(Duration::from_millis(20)).is_err(), "told of nothing");
        change();
        told.recv().unwrap().unwrap();
    });
}

#[test]
fn the_first_record_is_told() {
    let world = World::new();
    is_told_of(&world, None, || assert!(world.save(7, None, &world.lease()).is_some()));
}

#[test]
fn another_record_of_the_same_session_is_told() {
    let (world, revision) = World::saved(7);
    is_told_of(&world, Some(revision), || assert!(world.save(7, Some(revision), &world.lease()).is_some()));
}

#[test]
fn a_record_that_was_removed_is_told() {
    let (world, revision) = World::saved(7);
    is_told_of(&world, Some(revision), || fs::remove_file(world.path("session")).unwrap());
}

#[test]
fn a_record_that_was_changed_in_its_place_is_told_though_it_looks_the_same() {
    let (world, revision) = World::saved(7);
    let path = world.path("session");
    let mut record = fs::read(&path).unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    record.reverse();
    is_told_of(&world, Some(revision), || {
        fs::write(&path, record).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    });
}
