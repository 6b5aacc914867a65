//! A full disk and a read-only disk. Each test mounts its own disk, in a user and mount namespace (`unshare -rm`), so
//! it runs in a process of its own. If the system allows no such namespace, the tests print that they did not run.

use std::env;
use std::process::Command;

use super::*;

const MARK: &str = "TRADOVATE_AUTH_STORE_TEST_DISK";

/// Runs this test in a namespace. Returns true if this process already runs in the namespace.
fn is_in_namespace(test: &str) -> bool {
    if env::var_os(MARK).is_some() {
        return true;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount"]);
        command
    };
    if !unshare().arg("true").output().is_ok_and(|output| output.status.success()) {
        println!("not run: this system has no user namespaces");
        return false;
    }
    // In the namespace, a directory with a mount can't be removed.
    let temporary = tempfile::tempdir().unwrap();
    let mut program = unshare();
    program.arg(env::current_exe().unwrap()).args(["--exact", test]).env(MARK, "").env("TMPDIR", temporary.path());
    let output = program.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

fn mount(arguments: &[&str], directory: &Path) {
    assert!(Command::new("mount").args(arguments).arg(directory).status().unwrap().success());
}

/// A store on a disk of 64 KiB, with a saved session. The mount ends with the namespace.
fn on_small_disk() -> (World, Revision) {
    let directory = tempfile::tempdir().unwrap();
    mount(&["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs"], directory.path());
    let store = FileStore::in_directory(directory.path()).unwrap();
    let revision = helpers::saved(&store, 7, None);
    (World { directory, store, name: helpers::name() }, revision)
}

#[test]
fn on_a_full_disk_a_session_can_be_loaded_and_its_lease_taken_and_nothing_saved() {
    if !is_in_namespace("disks::on_a_full_disk_a_session_can_be_loaded_and_its_lease_taken_and_nothing_saved") {
        return;
    }
    let (world, revision) = on_small_disk();
    let names = world.names();
    let filler = world.path("filler");
    fs::write(&filler, vec![0; 1 << 20]).unwrap_err();
    let lease = world.lease();
    let error = world.try_save(8, Some(revision), lease).unwrap_err();
    assert_says(&error, StoreErrorKind::NotWritable, "the disk has no space left to write");
    assert_eq!(user_of(world.load()), Some(7));
    world.store.release(&world.name, lease).unwrap();
    let lease = world.lease();
    let another = SessionName::new("demo", "another");
    let error = world.store.lease(&another, MINUTE).unwrap_err();
    assert_says(&error, StoreErrorKind::NotWritable, "the disk has no space left to write");
    fs::remove_file(&filler).unwrap();
    fs::remove_file(world.directory.path().join(format!("{another}.lock"))).unwrap();
    assert_eq!(world.names(), names);
    assert!(world.save(8, Some(revision), lease).is_some());
}

#[test]
fn on_a_read_only_disk_a_session_can_be_loaded_and_all_other_calls_fail_with_advice() {
    if !is_in_namespace("disks::on_a_read_only_disk_a_session_can_be_loaded_and_all_other_calls_fail_with_advice") {
        return;
    }
    let (world, revision) = on_small_disk();
    let lease = world.lease();
    mount(&["-o", "remount,ro"], world.directory.path());
    let store = world.other();
    assert_eq!(user_of(store.load(&world.name).unwrap()), Some(7));
    store.changed(&world.name, Some(revision), Duration::from_millis(200)).unwrap();
    let results = [
        store.lease(&world.name, MINUTE).map(drop),
        store.lease(&SessionName::new("demo", "another"), MINUTE).map(drop),
        store.save(&world.name, &session(8), Some(revision), lease).map(drop),
        store.release(&world.name, lease),
    ];
    for result in results {
        assert_says(
            &result.unwrap_err(),
            StoreErrorKind::NotWritable,
            "is on a read-only disk: mount the disk with write access",
        );
    }
    mount(&["-o", "remount,rw"], world.directory.path());
    assert!(world.save(8, Some(revision), lease).is_some());
}
