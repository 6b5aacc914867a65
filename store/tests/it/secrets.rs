//! No output contains a token.

use std::fmt::Write as _;

use super::*;

#[test]
fn debug_output_and_errors_contain_no_token() {
    let (world, revision) = World::saved(7);
    let lease = world.lease();
    fs::rename(world.path("session"), world.path("elsewhere")).unwrap();
    fs::create_dir(world.path("session")).unwrap();
    let error = world.try_save(7, Some(revision), lease).unwrap_err();
    fs::remove_dir(world.path("session")).unwrap();
    fs::rename(world.path("elsewhere"), world.path("session")).unwrap();

    let mut shown = format!("{:?} {:?} {lease:?} {error} {error:?}", world.store, world.load());
    let record = fs::read_to_string(world.path("session")).unwrap();
    assert!(record.contains("canary"));
    for change in [record.replace("1 plain", "2 plain"), record.replace("access", "acces"), "canary".into()] {
        fs::write(world.path("session"), change).unwrap();
        let unreadable = world.load().unwrap().session.unwrap_err();
        let _ = write!(shown, " {unreadable} {unreadable:?}");
    }
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn the_lock_file_contains_no_token() {
    let (world, _) = World::saved(7);
    assert!(!fs::read_to_string(world.path("lock")).unwrap().contains("canary"));
}
