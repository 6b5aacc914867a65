//! A process that waits for a change of the record notices each change of the file.

use super::*;

#[test]
fn a_wait_for_a_change_ends_at_once_if_the_record_was_removed() {
    World::new().store.changed(&helpers::name(), Some(Revision(7)), Duration::MAX).unwrap();
}

/// Waits without a limit, and makes a change meanwhile.
fn is_told_of(world: &World, known: Option<Revision>, change: impl FnOnce()) {
    helpers::waiting(&world.other(), known, change).0.unwrap();
}

#[test]
fn a_removed_record_ends_the_wait() {
    let (world, revision) = World::saved(7);
    is_told_of(&world, Some(revision), || fs::remove_file(world.path("session")).unwrap());
}

#[test]
fn a_record_changed_in_place_ends_the_wait_even_if_its_metadata_are_equal() {
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

#[test]
fn a_lease_acquired_by_another_process_ends_the_wait() {
    let (world, revision) = World::saved(7);
    is_told_of(&world, Some(revision), || {
        assert!(world.store.lease(&helpers::name(), Duration::from_secs(60)).unwrap().is_some());
    });
}
