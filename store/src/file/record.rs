//! The file of a record. It is read and replaced as a whole.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac_sha256::Hash as Sha256;
use zeroize::Zeroizing;

use super::{error, permissions};
use crate::record_format::{Codec, random};
use tradovate_auth_session::Revision;
use tradovate_auth_session::StoreError;

/// The end of the name of a temporary file, which is not yet a record.
const NEW: &str = ".new";

/// A record as it was read.
pub(super) struct Found {
    /// The bytes of the record. A longer file is cut after one byte more than [`Codec::LIMIT`].
    pub(super) record: Zeroizing<Vec<u8>>,
    modified: SystemTime,
}

impl Found {
    pub(super) fn revision(&self) -> Revision {
        revision(&self.record)
    }

    /// How long ago the record was written, by the directory's clock. `None` if this clock was set back since then.
    pub(super) fn age(&self, now: Duration) -> Option<Duration> {
        now.checked_sub(self.modified.duration_since(UNIX_EPOCH).ok()?)
    }
}

/// The revision of a record. It is derived from the bytes, so a damaged record has one too. No two written records have
/// the same bytes.
pub(super) fn revision(record: &[u8]) -> Revision {
    let hash = Sha256::hash(record);
    Revision(hash.iter().take(8).fold(0, |number, &byte| (number << 8) | u64::from(byte)))
}

pub(super) fn read(path: &Path) -> Result<Option<Found>, StoreError> {
    let Some(file) = permissions::open(path, permissions::options().read(true))? else { return Ok(None) };
    read_all(&file).map(Some).map_err(error::unread("read", path))
}

fn read_all(file: &File) -> io::Result<Found> {
    const MOST: usize = Codec::LIMIT + 1;
    let metadata = file.metadata()?;
    let length = usize::try_from(metadata.len()).unwrap_or(MOST).min(MOST);
    // With room for one more byte, the vector is not reallocated at the end of the file. A reallocation would leave a
    // copy in memory.
    let mut record = Zeroizing::new(Vec::with_capacity(length + 1));
    file.take(MOST as u64).read_to_end(&mut record)?;
    Ok(Found { record, modified: metadata.modified()? })
}

/// Copies a record to `kept`, and replaces an earlier copy. The record itself stays.
pub(super) fn keep(path: &Path, kept: &Path) -> Result<(), StoreError> {
    remove(kept).map_err(error::unwritten("remove", kept))?;
    // A hard link takes no space, but not all file systems support it.
    fs::hard_link(path, kept)
        .or_else(|_| fs::copy(path, kept).and_then(|_| File::open(kept)?.sync_all()))
        .map_err(error::unwritten("keep the unreadable session as", kept))
}

/// Replaces the record durably and sets its time of writing. The caller holds the lock.
pub(super) fn replace(path: &Path, record: &[u8], at: Option<SystemTime>) -> Result<(), StoreError> {
    remove_leftovers(path);
    let new = new_path(path)?;
    let replaced =
        write_new(&new, record, at).and_then(|()| fs::rename(&new, path)).map_err(error::unwritten("write", path));
    if replaced.is_err() {
        let _ = remove(&new);
    }
    replaced?;
    sync_directory_of(path)
}

/// The path of a new temporary file. Each writer has its own. If two processes hold the lock because somebody removed
/// its file, neither of them publishes a half-written file of the other.
fn new_path(path: &Path) -> Result<PathBuf, StoreError> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{:016x}{NEW}", random()?));
    Ok(new.into())
}

fn write_new(new: &Path, record: &[u8], at: Option<SystemTime>) -> io::Result<()> {
    let mut file = permissions::options().write(true).create_new(true).open(new)?;
    file.write_all(record)?;
    // Without this call, the record has the time of the wall clock.
    if let Some(at) = at {
        let _ = file.set_modified(at);
    }
    file.sync_all()
}

/// Removes the temporary files of killed writers, because they contain tokens. A failure does not prevent the save.
fn remove_leftovers(path: &Path) {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return };
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let other = entry.file_name();
        let is_leftover = || {
            let random = other.to_str()?.strip_prefix(name.to_str()?)?.strip_prefix('.')?.strip_suffix(NEW)?;
            (random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(())
        };
        if is_leftover().is_some() {
            let _ = remove(&entry.path());
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Syncs the directory. Otherwise a crash of the machine can undo a rename that other processes have already seen.
#[cfg(unix)]
fn sync_directory_of(path: &Path) -> Result<(), StoreError> {
    let directory = path.parent().unwrap_or(path);
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // File systems that can't sync directories return this error.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result.map_err(|source| error::not_synced(directory, source)),
    }
}

/// Other systems can't sync directories. Windows writes a rename to its journal.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "it is the same function where it can fail")]
fn sync_directory_of(_path: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_failed_sync_of_the_directory_is_an_error_unless_the_file_system_has_no_sync() {
        assert!(sync_directory_of(Path::new("/does/not/exist/record")).is_err());
        assert!(sync_directory_of(Path::new("/proc/self/status")).is_ok());
    }

    #[test]
    fn a_failed_write_leaves_no_temporary_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.session");
        // A file can't be put in the place of a directory.
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"record", None).unwrap_err().to_string().starts_with("can't write "));
        let names: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["a.session"]);
    }

    #[test]
    fn an_unreadable_record_that_cannot_be_kept_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.session");
        fs::write(&path, "damaged").unwrap();
        let kept = directory.path().join("a.session.unreadable");
        fs::create_dir(&kept).unwrap();
        assert!(keep(&path, &kept).unwrap_err().to_string().starts_with("can't remove "));
    }

    #[test]
    fn a_record_that_is_far_too_long_is_read_only_up_to_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.session");
        replace(&path, b"", None).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().record.len(), Codec::LIMIT + 1);
    }
}
