//! The store in files, as programs use it.

#[cfg(feature = "tokio")]
mod asynchronous;
mod damage;
mod leases;
#[cfg(unix)]
mod permissions;
mod saving;
mod secrets;
#[cfg(unix)]
mod user;
mod watching;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tradovate_auth_session::StoredSession;
use tradovate_auth_store::{FileLease, FileStore, FileStoreError, Revision, SessionName, Store as _, Stored};

const MINUTE: Duration = Duration::from_secs(60);

/// A directory that is closed to others, and a store in it.
struct World {
    directory: TempDir,
    store: FileStore,
    name: SessionName,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        set_mode(directory.path(), 0o700);
        let store = FileStore::in_directory(directory.path()).unwrap();
        Self { directory, store, name: SessionName::new("app", "user") }
    }

    /// Another store in the same directory, as another process has it.
    fn other(&self) -> FileStore {
        FileStore::in_directory(self.directory.path()).unwrap()
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.directory.path().join(format!("{}.{ending}", self.name))
    }

    /// The files, without the clock, which systems don't have that don't number their boots.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "clock");
        names.sort();
        names
    }

    fn load(&self) -> Option<Stored> {
        self.store.load(&self.name).unwrap()
    }

    fn lease(&self) -> FileLease {
        self.store.lease(&self.name, MINUTE).unwrap().expect("nobody has it")
    }

    /// A lease whose time is over at once.
    fn short_lease(&self) -> FileLease {
        self.store.lease(&self.name, Duration::ZERO).unwrap().expect("nobody has it")
    }

    fn save(&self, user: i64, known: Option<Revision>, lease: &FileLease) -> Option<Revision> {
        self.try_save(user, known, lease).unwrap()
    }

    fn try_save(
        &self,
        user: i64,
        known: Option<Revision>,
        lease: &FileLease,
    ) -> Result<Option<Revision>, FileStoreError> {
        self.store.save(&self.name, &session(user), known, lease)
    }

    /// A session is saved, and nobody has the lease.
    fn saved(user: i64) -> (Self, Revision) {
        let world = Self::new();
        let revision = world.save(user, None, &world.short_lease()).unwrap();
        (world, revision)
    }
}

fn session(user: i64) -> StoredSession {
    let json = format!(
        r#"{{"version":1,"userId":{user},"access":{{"token":"canary-access",
        "issuedAt":"2026-11-24T14:00:00Z","expiresAt":"2026-11-24T15:20:00Z"}},
        "refresh":{{"token":"canary-refresh"}}}}"#
    );
    serde_json::from_str(&json).unwrap()
}

fn user_of(stored: Option<Stored>) -> Option<i64> {
    stored?.session.unwrap().user_id()
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) {}
