//! The clock of a directory. It measures the ages of records and the ends of leases.
//!
//! The clock shows the wall clock at its first use after a boot, plus the time that has elapsed since. So all processes
//! read the same time, and no step of the wall clock shortens a lock-out or a lease. A file in the directory contains
//! the wall clock's time at the boot:
//!
//! ```text
//! tradovate-auth clock 1 <boot> <milliseconds since 1970 at the boot>↵
//! ```
//!
//! If the system has no boot ids, or if the file can't be written, the clock shows the wall clock.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{permissions, record};

const MAGIC: &str = "tradovate-auth clock 1";

const FILE: &str = "clock";

/// The longest line, in bytes.
const LONGEST: u64 = 256;

/// The id of the boot, and how long ago it was, including the time in which the machine was suspended.
#[derive(Clone, Copy)]
struct Boot<'i> {
    id: &'i str,
    elapsed: Duration,
}

/// The current time of a directory's clock, since 1970.
pub(super) fn now(directory: &Path) -> Duration {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    boot().map_or(wall, |boot| now_since(directory, wall, boot))
}

fn now_since(directory: &Path, wall: Duration, boot: Boot<'_>) -> Duration {
    let path = directory.join(FILE);
    let booted_at = read(&path, boot.id).or_else(|| {
        let millis = wall.saturating_sub(boot.elapsed).as_millis();
        let line = format!("{MAGIC} {} {millis}\n", boot.id);
        record::replace(&path, line.as_bytes(), None).ok()?;
        u64::try_from(millis).ok().map(Duration::from_millis)
    });
    booted_at.map_or(wall, |booted_at| booted_at.saturating_add(boot.elapsed))
}

/// The wall clock's time at this boot, if the file contains it.
fn read(path: &Path, id: &str) -> Option<Duration> {
    let file = permissions::open(path, permissions::options().read(true)).ok().flatten()?;
    let mut line = String::new();
    file.take(LONGEST).read_to_string(&mut line).ok()?;
    let (boot, booted_at) = line.strip_prefix(MAGIC)?.strip_prefix(' ')?.strip_suffix('\n')?.split_once(' ')?;
    let millis = booted_at.bytes().all(|byte| byte.is_ascii_digit()).then(|| booted_at.parse().ok())??;
    (boot == id).then(|| Duration::from_millis(millis))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn boot() -> Option<Boot<'static>> {
    use std::sync::LazyLock;

    use rustix::time::{DynamicClockId, clock_gettime_dynamic};

    static ID: LazyLock<Option<String>> = LazyLock::new(id);
    let elapsed = clock_gettime_dynamic(DynamicClockId::Boottime).ok()?.try_into().ok()?;
    Some(Boot { id: ID.as_deref()?, elapsed })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    // The boot clock of a container may start at another time.
    let namespace = std::fs::read_link("/proc/self/ns/time").ok();
    let namespace = namespace.as_deref().and_then(Path::to_str).unwrap_or_default();
    Some([id.trim(), namespace].concat()).filter(|id| is_word(id))
}

/// Whether the id can be written into the line of the clock.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_word(id: &str) -> bool {
    !id.is_empty() && id.len() < 100 && id.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn boot() -> Option<Boot<'static>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(id: &str, elapsed: u64) -> Boot<'_> {
        Boot { id, elapsed: at(elapsed) }
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_boot_is_identified_by_the_boot_id_of_linux() {
        let of_system = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        assert!(id().unwrap().starts_with(of_system.trim()));
        assert!(is_word("a") && is_word(&"a".repeat(99)));
        assert!(!is_word("") && !is_word(&"a".repeat(100)) && !is_word("a b"));
    }

    #[test]
    fn the_directory_clock_ignores_steps_of_the_wall_clock_until_a_reboot() {
        let directory = tempfile::tempdir().unwrap();
        let now = |wall, boot: Boot<'_>| now_since(directory.path(), at(wall), boot);
        assert_eq!(now(1_000_000, boot("a", 100)), at(1_000_000));
        assert_eq!(now(1_000_010 + 7200, boot("a", 110)), at(1_000_010));
        assert_eq!(now(1_000_020 - 7200, boot("a", 120)), at(1_000_020));
    }

    #[test]
    fn the_directory_clock_restarts_from_the_wall_clock_after_a_reboot() {
        let directory = tempfile::tempdir().unwrap();
        let now = |wall, boot: Boot<'_>| now_since(directory.path(), at(wall), boot);
        assert_eq!(now(1_000_000, boot("a", 100)), at(1_000_000));
        assert_eq!(now(2_000_000, boot("b", 5)), at(2_000_000));
        assert_eq!(now(3_000_000, boot("b", 6)), at(2_000_001));
    }

    #[test]
    fn an_unreadable_clock_file_is_replaced_and_without_a_writable_one_the_wall_clock_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let now = |wall, elapsed| now_since(directory.path(), at(wall), boot("a", elapsed));
        for damaged in ["", "tradovate-auth clock 1 a\n", "tradovate-auth clock 1 a 5", "tradovate-auth clock 1 a +5\n"]
        {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(now(1_000_000, 100), at(1_000_000), "{damaged}");
            assert_eq!(now(5, 101), at(1_000_001), "{damaged}");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!((now(1_000_000, 100), now(1_007_200, 101)), (at(1_000_000), at(1_007_200)));
    }
}
