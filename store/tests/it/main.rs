//! The store in files, as programs use it.

mod asking;
#[cfg(feature = "tokio")]
mod asynchronous;
mod conformance;
mod damage;
#[cfg(target_os = "linux")]
mod disks;
mod helpers;
mod leases;
#[cfg(unix)]
mod permissions;
mod saving;
mod secrets;
#[cfg(unix)]
mod user;
mod watching;
mod wrong_stores;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tradovate_auth_session::{Lease, Revision, StoreError, StoreErrorKind, StoredRecord};
use tradovate_auth_store::{FileStore, SessionName, Store};

use helpers::session;

const MINUTE: Duration = Duration::from_secs(60);

/// A directory that is closed to others, and a store in it.
struct World {
    directory: TempDir,
    store: FileStore,
    name: SessionName,
}

impl World {
    fn new() -> Self {
        Self::in_directory(tempfile::tempdir().unwrap())
    }

    /// A store on a disk in memory, if there is one. If many threads write to one name on a slow disk, one of them can
    /// wait for the lock longer than the store allows.
    fn in_memory() -> Self {
        Self::in_directory(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn in_directory(directory: TempDir) -> Self {
        set_mode(directory.path(), 0o700);
        let store = FileStore::in_directory(directory.path()).unwrap();
        Self { directory, store, name: helpers::name() }
    }

    /// Another store in the same directory, as another process has it.
    fn other(&self) -> FileStore {
        FileStore::in_directory(self.directory.path()).unwrap()
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.directory.path().join(format!("{}.{ending}", self.name))
    }

    /// The names of the files, except the clock, which exists only on systems with boot ids.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "clock");
        names.sort();
        names
    }

    fn load(&self) -> Option<StoredRecord> {
        self.store.load(&self.name).unwrap()
    }

    fn lease(&self) -> Lease {
        helpers::leased(&self.store)
    }

    fn save(&self, user: i64, known: Option<Revision>, lease: Lease) -> Option<Revision> {
        self.try_save(user, known, lease).unwrap()
    }

    fn try_save(&self, user: i64, known: Option<Revision>, lease: Lease) -> Result<Option<Revision>, StoreError> {
        self.store.save(&self.name, &session(user), known, lease)
    }

    /// A store with a saved session. Nobody holds the lease.
    fn saved(user: i64) -> (Self, Revision) {
        let world = Self::new();
        let revision = helpers::saved(&world.store, user, None);
        (world, revision)
    }
}

/// Asserts that an error has this kind and that its text contains `text`.
#[track_caller]
fn assert_says(error: &StoreError, kind: StoreErrorKind, text: &str) {
    assert!(error.kind() == kind && error.to_string().contains(text), "{error:?}");
}

fn user_of(stored: Option<StoredRecord>) -> Option<i64> {
    stored?.session.unwrap().user_id()
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) {}
