//! The lock of a name, which the operating system holds for a process, and the text in the lock file.
//!
//! A process holds the lock for a few reads and writes at a time. If the process ends, its lock ends too. If it is
//! stopped while it holds the lock, it keeps the lock, so other processes wait only for a limited time.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::{error, permissions};
use tradovate_auth_session::StoreError;

/// The longest wait for the lock. Writing a record takes milliseconds, or about a second on a slow and busy disk.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

const PAUSE: Duration = Duration::from_millis(5);

/// How many bytes of the file are read. This library writes fewer.
const TEXT_LIMIT: u64 = 512;

pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    pub(super) fn take(path: PathBuf) -> Result<Self, StoreError> {
        Self::take_within(LONGEST_WAIT, path)
    }

    fn take_within(longest: Duration, path: PathBuf) -> Result<Self, StoreError> {
        let started = Instant::now();
        loop {
            if let Some(file) = try_take(&path)? {
                return Ok(Self { file, path });
            }
            if started.elapsed() >= longest {
                return Err(error::locked(&path));
            }
            thread::sleep(PAUSE);
        }
    }

    /// The text in the file, if it is text.
    pub(super) fn read(&mut self) -> Result<Option<String>, StoreError> {
        let mut text = Vec::new();
        self.file
            .rewind()
            .and_then(|()| (&self.file).take(TEXT_LIMIT).read_to_end(&mut text))
            .map_err(error::unread("read", &self.path))?;
        Ok(String::from_utf8(text).ok())
    }

    /// Replaces the text in the file. The file is not synced: if the machine crashes, the holder of the lease ends too.
    pub(super) fn write(&mut self, text: &str) -> Result<(), StoreError> {
        // The file is cut after the write, so that the write needs no new space on a full disk.
        self.file
            .rewind()
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .and_then(|()| self.file.set_len(text.len() as u64))
            .map_err(error::unwritten("write", &self.path))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child process that was just forked still has it open.
        let _ = self.file.unlock();
    }
}

fn try_take(path: &Path) -> Result<Option<File>, StoreError> {
    let options = permissions::options().read(true).write(true).create(true).truncate(false).to_owned();
    let Some(file) = permissions::open(path, &options)? else {
        // `open` would have created the file, so the directory does not exist.
        return Err(error::no_directory(path.parent().unwrap_or(path)));
    };
    if !is_taken(file.try_lock(), path)? {
        return Ok(None);
    }
    // Somebody may have removed the file since it was opened. Other processes then lock another file.
    Ok(is_at(&file, path)?.then_some(file))
}

/// Whether the call has taken the lock. A call that a signal has interrupted has taken nothing.
fn is_taken(tried: Result<(), TryLockError>, path: &Path) -> Result<bool, StoreError> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) if source.kind() == ErrorKind::Interrupted => Ok(false),
        Err(TryLockError::Error(source)) => Err(error::unwritten("lock", path)(source)),
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> Result<bool, StoreError> {
    use std::os::unix::fs::MetadataExt as _;

    let this = file.metadata().map_err(error::unread("look at", path))?;
    let there = permissions::look(path)?;
    Ok(there.is_some_and(|there| (there.dev(), there.ino()) == (this.dev(), this.ino())))
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "files have no number that tells them apart here")]
fn is_at(_file: &File, _path: &Path) -> Result<bool, StoreError> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_lock_call_has_not_taken_the_lock() {
        let path = Path::new("lock");
        let failed = |kind: ErrorKind| is_taken(Err(TryLockError::Error(kind.into())), path);
        assert!(!failed(ErrorKind::Interrupted).unwrap());
        assert!(failed(ErrorKind::Unsupported).is_err());
        assert!(is_taken(Ok(()), path).unwrap() && !is_taken(Err(TryLockError::WouldBlock), path).unwrap());
    }

    #[test]
    fn a_lock_that_stays_held_leads_to_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lock");
        let held = Lock::take(path.clone()).unwrap();
        let error = Lock::take_within(Duration::ZERO, path.clone()).err().unwrap().to_string();
        assert!(error.contains(&format!("`fuser '{}'`", path.display())), "{error}");

        drop(held);
        assert!(Lock::take_within(Duration::ZERO, path).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_on_a_removed_file_is_invalid() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lock");
        let removed = Lock::take(path.clone()).unwrap();
        assert!(is_at(&removed.file, &path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(!is_at(&removed.file, &path).unwrap());

        let there = Lock::take_within(Duration::ZERO, path.clone()).unwrap();
        assert!(is_at(&there.file, &path).unwrap());
        assert!(!is_at(&removed.file, &path).unwrap());
    }

    #[test]
    fn a_released_lock_is_free_although_a_child_process_has_its_file_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lock");
        let lock = Lock::take(path.clone()).unwrap();
        let of_child = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(Lock::take_within(Duration::ZERO, path).is_ok());
        drop(of_child);
    }

    #[test]
    fn no_lock_is_created_in_a_removed_directory() {
        let directory = tempfile::tempdir().unwrap();
        let error = Lock::take(directory.path().join("gone").join("a.lock")).err().unwrap();
        assert!(
            error.to_string().starts_with("the directory of the store does not exist")
                && error.to_string().ends_with("/gone'`"),
            "{error}"
        );
    }
}
