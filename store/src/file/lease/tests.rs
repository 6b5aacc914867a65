use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

const NOW: Duration = Duration::from_secs(1_795_000_000);
const MINUTE: Duration = Duration::from_secs(60);

struct World {
    directory: TempDir,
}

impl World {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("a.lock")
    }

    fn lock(&self) -> Lock {
        Lock::take(self.path()).unwrap()
    }

    fn take(&self, time: Duration, now: Duration) -> Option<Lease> {
        take(&mut self.lock(), time, now).unwrap()
    }

    fn holds(&self, lease: Lease) -> bool {
        is_held(lease, &mut self.lock()).unwrap()
    }
}

#[test]
fn no_other_process_gets_the_lease_before_its_end() {
    let world = World::new();
    let first = world.take(MINUTE, NOW).unwrap();
    assert!(world.take(MINUTE, NOW + Duration::from_millis(59_999)).is_none());
    assert!(world.holds(first));

    let second = world.take(MINUTE, NOW + MINUTE).unwrap();
    assert!(second.fence > first.fence);
    assert!(!world.holds(first));
    assert!(world.holds(second));
}

#[test]
fn the_holder_of_the_lease_is_read_without_a_change() {
    let world = World::new();
    let held = |now| held(&mut world.lock(), now).unwrap();
    assert_eq!(held(NOW), None);
    let lease = world.take(MINUTE, NOW).unwrap();
    let second = Duration::from_secs(1);
    assert_eq!(held(NOW + second), Some(HeldLease::new(MINUTE.checked_sub(second).unwrap(), Some(process::id()))));
    assert_eq!(held(NOW + MINUTE), None);
    assert!(world.holds(lease));
    release(lease, &mut world.lock()).unwrap();
    assert_eq!(held(NOW + second), None);
}

#[test]
fn an_expired_lease_counts_as_held_until_another_is_acquired() {
    let world = World::new();
    let first = world.take(Duration::ZERO, NOW).unwrap();
    assert!(world.holds(first));
}

#[test]
fn a_release_frees_the_lease_and_a_stale_release_changes_nothing() {
    let world = World::new();
    let first = world.take(MINUTE, NOW).unwrap();
    release(first, &mut world.lock()).unwrap();
    let second = world.take(MINUTE, NOW).unwrap();
    release(first, &mut world.lock()).unwrap();
    assert!(world.take(MINUTE, NOW).is_none());
    assert!(world.holds(second));
}

#[test]
fn a_lease_lasts_ten_minutes_at_most_after_the_clock_is_set_back() {
    let world = World::new();
    let first = world.take(MINUTE, NOW).unwrap();
    let earlier = Duration::from_secs(NOW.as_secs() - 86_400);
    assert!(world.take(MINUTE, earlier).is_none());
    assert!(world.take(MINUTE, earlier + LONGEST / 2).is_none());
    assert!(world.holds(first));
    assert!(world.take(MINUTE, earlier + LONGEST).is_some());
    assert!(!world.holds(first));
}

#[test]
fn no_lease_is_longer_than_ten_minutes() {
    let world = World::new();
    assert_eq!(world.take(Duration::MAX, NOW).unwrap().time, LONGEST);
    assert!(world.take(MINUTE, NOW + Duration::from_millis(599_999)).is_none());
    assert!(world.take(MINUTE, NOW + LONGEST).is_some());
}

#[test]
fn a_damaged_lease_line_ends_the_lease_and_the_next_fence_is_higher() {
    let world = World::new();
    let first = world.take(MINUTE, NOW).unwrap();
    let line = fs::read(world.path()).unwrap();
    let damaged = [
        Vec::new(),
        b"\0".repeat(40),
        b"\xff\xfe".to_vec(),
        b"x".repeat(5000),
        line[..line.len() - 1].to_vec(),
        [&line[..], b"x"].concat(),
    ];
    for content in damaged {
        fs::write(world.path(), &content).unwrap();
        assert!(!world.holds(first));
        let next = world.take(MINUTE, NOW + Duration::from_secs(1)).unwrap();
        assert!(next.fence > first.fence);
        release(next, &mut world.lock()).unwrap();
    }
}

#[test]
fn a_lease_line_with_a_changed_byte_is_refused() {
    let line = Line { fence: 7, holder: "12-00ff".into(), end: 1_795_000_000_123 }.text();
    assert!(Line::parse(&line).is_some());
    for index in 0..line.len() {
        assert!(Line::parse(&line[..index]).is_none(), "cut at {index}");
        for value in 0..0x7f_u8 {
            let mut changed = line.clone().into_bytes();
            if std::mem::replace(&mut changed[index], value) != value {
                let changed = String::from_utf8(changed).unwrap();
                assert!(Line::parse(&changed).is_none(), "{changed:?}");
            }
        }
    }
}

#[test]
fn a_removed_lease_file_ends_the_lease() {
    let world = World::new();
    let first = world.take(MINUTE, NOW).unwrap();
    fs::remove_file(world.path()).unwrap();
    let second = world.take(MINUTE, NOW).unwrap();
    assert!(!world.holds(first));
    assert!(world.holds(second));
}

#[test]
fn a_shorter_lease_line_replaces_a_longer_one_completely() {
    let world = World::new();
    let first = world.take(MINUTE, NOW).unwrap();
    release(first, &mut world.lock()).unwrap();
    assert!(fs::read_to_string(world.path()).unwrap().ends_with('\n'));
    assert!(world.holds(first));
}
