//! The stores through which processes share a session, and what can happen to them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::redis::Redis;

/// The store through which processes share a session.
pub(crate) enum SharedStore {
    Files(TempDir),
    Redis(Redis),
    Port(u16),
}

impl SharedStore {
    pub(crate) fn files() -> Self {
        Self::Files(tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap())
    }

    pub(crate) fn redis() -> Self {
        Self::Redis(Redis::start())
    }

    pub(crate) fn argument(&self) -> String {
        match self {
            Self::Files(directory) => format!("file:{}", directory.path().display()),
            Self::Redis(redis) => format!("redis://127.0.0.1:{}/", redis.port()),
            Self::Port(port) => format!("redis://127.0.0.1:{port}/"),
        }
    }

    /// Moves the modification time of the session's file into the past, as if the machine's clock were set ahead.
    pub(crate) fn make_older(&self, seconds: i64) {
        let file = fs::File::options().write(true).open(self.file()).unwrap();
        let written = file.metadata().unwrap().modified().unwrap();
        let by = Duration::from_secs(seconds.unsigned_abs());
        file.set_modified(if seconds < 0 { written + by } else { written - by }).unwrap();
    }

    /// The path of the session's file.
    pub(crate) fn file(&self) -> PathBuf {
        let Self::Files(directory) = self else { panic!("no file") };
        let entries = fs::read_dir(directory.path()).unwrap();
        let is_session = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "session");
        entries.map(|entry| entry.unwrap().path()).find(is_session).unwrap()
    }

    /// Whether a process holds the lock of the files now.
    pub(crate) fn is_locked(&self) -> bool {
        let Self::Files(_) = self else { return false };
        let lock = fs::File::open(self.file().with_extension("lock")).unwrap();
        lock.try_lock().is_err()
    }

    /// Makes the store unreachable.
    pub(crate) fn go_away(&mut self) {
        match self {
            Self::Files(directory) => fs::rename(directory.path(), away(directory)).unwrap(),
            Self::Redis(redis) => redis.stop(),
            Self::Port(_) => panic!("it is another's"),
        }
    }

    /// Makes the store reachable again, without its data.
    pub(crate) fn come_back_empty(&mut self) {
        match self {
            Self::Files(directory) => {
                fs::remove_dir_all(away(directory)).unwrap();
                make_private(directory.path());
            }
            Self::Redis(redis) => redis.start_again(),
            Self::Port(_) => panic!("it is another's"),
        }
    }

    /// Makes a backup of the store.
    pub(crate) fn back_up(&self) {
        match self {
            Self::Files(_) => drop(fs::copy(self.file(), self.file().with_extension("backup")).unwrap()),
            Self::Redis(redis) => redis.back_up(),
            Self::Port(_) => panic!("it is another's"),
        }
    }

    /// Replaces the stored data by the backup, with its old times.
    pub(crate) fn restore(&mut self) {
        match self {
            Self::Files(_) => {
                let backup = self.file().with_extension("backup");
                fs::set_permissions(&backup, Permissions::from_mode(0o600)).unwrap();
                fs::rename(backup, self.file()).unwrap();
            }
            Self::Redis(redis) => redis.restart(),
            Self::Port(_) => panic!("it is another's"),
        }
    }

    /// Removes the lease, whoever holds it.
    pub(crate) fn lose_lease(&self) {
        match self {
            Self::Files(_) => fs::remove_file(self.file().with_extension("lock")).unwrap(),
            Self::Redis(redis) => redis.remove_lease(),
            Self::Port(_) => panic!("it is another's"),
        }
    }
}

fn away(directory: &TempDir) -> PathBuf {
    directory.path().with_extension("away")
}

fn make_private(path: &std::path::Path) {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
}
