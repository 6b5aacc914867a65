//! If a record can't be read, the store returns the reason and does not change the record. A login that replaces it
//! keeps a copy.

use super::*;
use tradovate_auth_session::Unreadable;
use tradovate_auth_store::Codec;

/// Replaces the content of the record's file, and loads it.
fn load(world: &World, content: &[u8]) -> StoredRecord {
    fs::write(world.path("session"), content).unwrap();
    let stored = world.load().expect("there is something");
    assert_eq!(fs::read(world.path("session")).unwrap(), content);
    stored
}

fn is_unreadable(world: &World, content: &[u8], revision: Revision) -> bool {
    let stored = load(world, content);
    stored.session.is_err() && stored.revision != revision
}

#[test]
fn a_changed_or_cut_record_is_unreadable_and_left_unchanged() {
    let (world, revision) = World::saved(7);
    let record = fs::read(world.path("session")).unwrap();
    for index in 0..record.len() {
        assert!(is_unreadable(&world, &record[..index], revision), "cut off at {index}");
        for bits in [0x01, 0x20, 0xff] {
            let mut changed = record.clone();
            changed[index] ^= bits;
            assert!(is_unreadable(&world, &changed, revision), "byte {index}, bits {bits:02x}");
        }
    }
    assert!(is_unreadable(&world, &[&record[..], b"\n"].concat(), revision));
    assert!(load(&world, &record).session.is_ok());
}

#[test]
fn a_file_with_any_other_content_is_unreadable() {
    let (world, _) = World::saved(7);
    let long = vec![0; Codec::LIMIT * 2];
    let cases: [(&[u8], Unreadable); 5] = [
        (b"", Unreadable::Damaged),
        (b"{}", Unreadable::Foreign),
        (&long, Unreadable::Foreign),
        (b"tradovate-auth session 2 x\n", Unreadable::Newer),
        (b"tradovate-auth session 1 sealed\nAAAA", Unreadable::Sealed),
    ];
    for (content, expected) in cases {
        assert_eq!(load(&world, content).session.unwrap_err(), expected);
    }
}

#[test]
fn a_record_that_was_copied_to_another_name_is_unreadable() {
    let (world, _) = World::saved(7);
    let other = SessionName::new("app", "other");
    fs::copy(world.path("session"), world.directory.path().join(format!("{other}.session"))).unwrap();
    let stored = world.store.load(&other).unwrap().unwrap();
    assert_eq!(stored.session.unwrap_err(), Unreadable::Damaged);
}

#[test]
fn an_unreadable_record_that_is_replaced_is_kept_under_another_name() {
    let (world, _) = World::saved(7);
    let lease = world.lease();
    for (user, content) in [(8, &b"first"[..]), (9, b"second"), (10, b"")] {
        let known = load(&world, content).revision;
        assert_eq!(world.save(user, None, lease), None);
        world.save(user, Some(known), lease).unwrap();
        assert_eq!(user_of(world.load()), Some(user));
        assert_eq!(fs::read(world.path("session.unreadable")).unwrap(), content);
    }
    let known = world.load().unwrap().revision;
    world.save(11, Some(known), lease).unwrap();
    assert_eq!(fs::read(world.path("session.unreadable")).unwrap(), b"");
    assert_eq!(world.names().len(), 3);
}

#[test]
fn an_unreadable_record_is_kept_after_a_crash_between_copy_and_replacement() {
    let (world, _) = World::saved(7);
    let known = load(&world, b"damaged").revision;
    fs::hard_link(world.path("session"), world.path("session.unreadable")).unwrap();
    world.save(8, Some(known), world.lease()).unwrap();
    assert_eq!(fs::read(world.path("session.unreadable")).unwrap(), b"damaged");
    assert_eq!(user_of(world.load()), Some(8));
}

#[cfg(feature = "seal")]
mod sealed {
    use super::*;
    use tradovate_auth_store::SealingKey;

    fn sealed(world: World) -> World {
        World { store: world.other().sealed(SealingKey::from_bytes([7; 32])), ..world }
    }

    #[test]
    fn a_sealed_store_reads_its_records_and_other_stores_do_not() {
        let world = sealed(World::new());
        world.save(7, None, world.lease()).unwrap();
        assert_eq!(user_of(world.load()), Some(7));
        let plain = world.other().load(&world.name).unwrap().unwrap();
        assert_eq!(plain.session.unwrap_err(), Unreadable::Sealed);
        let other = world.other().sealed(SealingKey::from_bytes([8; 32])).load(&world.name).unwrap().unwrap();
        assert_eq!(other.session.unwrap_err(), Unreadable::WrongKey);
    }

    #[test]
    fn a_plain_record_is_replaced_by_a_sealed_one_and_not_kept() {
        let (world, _) = World::saved(7);
        let world = sealed(world);
        let stored = world.load().unwrap();
        assert_eq!(stored.session.unwrap_err(), Unreadable::Unsealed);
        world.save(8, Some(stored.revision), world.lease()).unwrap();
        assert_eq!(user_of(world.load()), Some(8));
        assert!(!world.path("session.unreadable").exists());
    }
}
