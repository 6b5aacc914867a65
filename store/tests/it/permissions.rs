//! The store neither reads nor writes files that other users can access. The error contains the command that forbids the access.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use super::*;

/// The error of each method.
fn errors(world: &World) -> [Option<String>; 4] {
    let results = [
        world.store.load(&world.name).map(drop),
        world.store.changed(&world.name, None, Duration::ZERO),
        world.store.lease(&world.name, MINUTE).map(drop),
        FileStore::in_directory(world.directory.path()).map(drop),
    ];
    results.map(|result| result.err().map(|error| error.to_string()))
}

/// Runs the command between the backticks of an error, as a user would.
fn run_command_of(error: &str) {
    let command = error.split('`').nth(1).unwrap();
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn new_files_and_directories_are_closed_to_others() {
    let (world, _) = World::saved(7);
    assert_eq!((mode(&world.path("session")), mode(&world.path("lock"))), (0o600, 0o600));
}

#[test]
fn a_directory_open_to_others_is_refused_until_the_advised_chmod_is_run() {
    for open in [0o750, 0o705, 0o710, 0o777] {
        let (world, _) = World::saved(7);
        set_mode(world.directory.path(), open);
        for error in errors(&world) {
            let error = error.expect("it is refused");
            assert!(error.contains(&format!("`chmod 700 '{}'`", world.directory.path().display())), "{error}");
        }
        run_command_of(errors(&world)[0].as_ref().unwrap());
        assert_eq!(errors(&world), [const { None }; 4]);
        assert_eq!(mode(world.directory.path()), 0o700);
    }
}

#[test]
fn a_record_open_to_others_is_not_used_until_the_advised_chmod_is_run() {
    let (world, revision) = World::saved(7);
    let lease = world.lease();
    set_mode(&world.path("session"), 0o644);
    let [load, changed, ..] = errors(&world);
    let save = world.try_save(8, Some(revision), lease).unwrap_err().to_string();
    for error in [load.unwrap(), changed.unwrap(), save.clone()] {
        assert!(error.contains(&format!("`chmod 600 '{}'`", world.path("session").display())), "{error}");
    }
    run_command_of(&save);
    assert!(world.save(8, Some(revision), lease).is_some());
}

#[test]
fn a_lock_file_open_to_others_is_refused() {
    let (world, _) = World::saved(7);
    set_mode(&world.path("lock"), 0o666);
    let [.., lease, _] = errors(&world);
    assert!(lease.unwrap().contains("`chmod 600 '"));
}

#[test]
fn the_advised_chmod_command_works_for_a_path_with_quotes() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("o'neill's $HOME; touch x");
    let error = FileStore::in_directory(&directory).unwrap_err().to_string();
    run_command_of(&error);
    assert!(FileStore::in_directory(&directory).is_ok());
}

#[test]
fn links_and_pipes_and_directories_are_refused_in_place_of_files() {
    for ending in ["session", "lock"] {
        let (world, _) = World::saved(7);
        let path = world.path(ending);
        let elsewhere = world.path("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        let make: [&dyn Fn(); 4] = [
            &|| symlink(&elsewhere, &path).unwrap(),
            &|| symlink("/nowhere", &path).unwrap(),
            &|| fs::create_dir(&path).unwrap(),
            &|| assert!(Command::new("mkfifo").arg("-m600").arg(&path).status().unwrap().success()),
        ];
        for make in make {
            make();
            let result = match ending {
                "session" => world.store.load(&world.name).map(drop),
                _ => world.store.lease(&world.name, MINUTE).map(drop),
            };
            assert_says(&result.unwrap_err(), StoreErrorKind::NotReadable, "is not a regular file, but a link");
            fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).unwrap();
        }
    }
}

#[test]
fn files_of_another_user_are_refused() {
    let (world, _) = World::saved(7);
    // Only the superuser can change the owner of a file.
    for path in [world.path("session"), world.directory.path().into()] {
        if std::os::unix::fs::chown(&path, Some(12345), None).is_err() {
            return;
        }
        let error = world.store.load(&world.name).unwrap_err();
        assert_says(&error, StoreErrorKind::Misconfigured, &format!("`sudo chown 0 '{}'`", path.display()));
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    }
}

#[test]
fn a_file_in_the_place_of_the_directory_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for path in [file.path().into(), file.path().join("deeper")] {
        let error = FileStore::in_directory(path).unwrap_err();
        assert_says(&error, StoreErrorKind::Unreachable, "the directory of the store does not exist");
    }
}
