//! What happens to the lease if its file is damaged or lost.

use super::*;

#[test]
fn a_damaged_or_lost_lock_ends_the_lease_and_its_holder_saves_nothing() {
    for damage in [None, Some(""), Some("tradovate-auth lease 1 x"), Some("\0\0\0")] {
        let world = World::new();
        let lease = world.lease();
        match damage {
            Some(content) => fs::write(world.path("lock"), content).unwrap(),
            None => fs::remove_file(world.path("lock")).unwrap(),
        }
        assert_eq!(world.save(1, None, lease), None);
        let next = world.lease();
        assert_eq!(world.save(1, None, lease), None);
        assert!(world.save(2, None, next).is_some());
    }
}

#[test]
fn held_lease_names_the_process_until_the_lease_ends() {
    let world = World::new();
    let held = || world.store.held_lease(&world.name).unwrap();
    assert_eq!(held(), None);
    let lease = world.lease();
    assert_eq!(held().unwrap().process, Some(std::process::id()));
    assert!(held().unwrap().time_left <= lease.time);
    world.store.release(&world.name, lease).unwrap();
    assert_eq!(held(), None);
}
