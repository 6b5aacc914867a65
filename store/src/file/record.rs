//! The file of a record: read whole, replaced whole.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac_sha256::Hash as Sha256;
use zeroize::Zeroizing;

use super::{error, place};
use crate::codec::{Codec, random};
use tradovate_auth_session::Revision;
use tradovate_auth_session::StoreError;

/// How the names of files end that are not yet a record.
const NEW: &str = ".new";

/// A record as it was found.
pub(super) struct Found {
    /// Its bytes, or if there are too many, one more than are allowed.
    pub(super) record: Zeroizing<Vec<u8>>,
    modified: SystemTime,
}

impl Found {
    pub(super) fn revision(&self) -> Revision {
        revision(&self.record)
    }

    /// How long ago it was written at a time of the directory's clock; nothing where that was set back since.
    pub(super) fn age(&self, now: Duration) -> Option<Duration> {
        now.checked_sub(self.modified.duration_since(UNIX_EPOCH).ok()?)
    }
}

/// It comes of the bytes, so that a damaged record has one as well; no two records that are written are the same.
pub(super) fn revision(record: &[u8]) -> Revision {
    let hash = Sha256::hash(record);
    Revision(hash.iter().take(8).fold(0, |number, &byte| (number << 8) | u64::from(byte)))
}

pub(super) fn read(path: &Path) -> Result<Option<Found>, StoreError> {
    let Some(file) = place::open(path, place::options().read(true))? else { return Ok(None) };
    read_all(&file).map(Some).map_err(error::unread("read", path))
}

fn read_all(file: &File) -> io::Result<Found> {
    const MOST: usize = Codec::LIMIT + 1;
    let metadata = file.metadata()?;
    let length = usize::try_from(metadata.len()).unwrap_or(MOST).min(MOST);
    // With room for one more byte the vector isn't moved to find the end, which would leave a copy behind.
    let mut record = Zeroizing::new(Vec::with_capacity(length + 1));
    file.take(MOST as u64).read_to_end(&mut record)?;
    Ok(Found { record, modified: metadata.modified()? })
}

/// Keeps a record beside, in the place of the one that was kept before. It is still where it was, too.
pub(super) fn keep(path: &Path, kept: &Path) -> Result<(), StoreError> {
    remove(kept).map_err(error::unwritten("remove", kept))?;
    // A second name takes no space; not all file systems have it.
    fs::hard_link(path, kept)
        .or_else(|_| fs::copy(path, kept).and_then(|_| File::open(kept)?.sync_all()))
        .map_err(error::unwritten("keep the unreadable session as", kept))
}

/// Puts a record in the place of the one before, durably, as written at this time. Whoever holds the lock calls it.
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

/// Each writer has a name of its own: should two hold the lock because somebody removed its file, neither puts what the
/// other has half written in place.
fn new_path(path: &Path) -> Result<PathBuf, StoreError> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{:016x}{NEW}", random()?));
    Ok(new.into())
}

fn write_new(new: &Path, record: &[u8], at: Option<SystemTime>) -> io::Result<()> {
    let mut file = place::options().write(true).create_new(true).open(new)?;
    file.write_all(record)?;
    // Without it the record has the time of the wall clock.
    if let Some(at) = at {
        let _ = file.set_modified(at);
    }
    file.sync_all()
}

/// Removes what writers have left that were killed: it holds tokens. What can't be removed is no reason not to save.
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

/// Without it a rename that was seen can be undone by a crash of the machine.
#[cfg(unix)]
fn sync_directory_of(path: &Path) -> Result<(), StoreError> {
    let directory = path.parent().unwrap_or(path);
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // So say file systems that have no such thing for directories.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result.map_err(|source| error::not_synced(directory, source)),
    }
}

/// Directories can't be synced on other systems; Windows writes a rename to its journal.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "it is the same function where it can fail")]
fn sync_directory_of(_path: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.session");
        // A file can't be put in the place of a directory.
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"record", None).unwrap_err().to_string().starts_with("can't write "));
        let names: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["a.session"]);
    }

    #[test]
    fn a_record_that_can_not_be_kept_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.session");
        fs::write(&path, "damaged").unwrap();
        let kept = directory.path().join("a.session.unreadable");
        fs::create_dir(&kept).unwrap();
        assert!(keep(&path, &kept).unwrap_err().to_string().starts_with("can't remove "));
    }

    #[test]
    fn of_a_record_that_is_far_too_long_no_more_is_read_than_tells_that() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.session");
        replace(&path, b"", None).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().record.len(), Codec::LIMIT + 1);
    }
}
