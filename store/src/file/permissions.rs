//! Opens and creates files and directories. The store reads and writes only what other users can't access.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use super::error;
use tradovate_auth_session::StoreError;

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Creates a directory and its parents, closed to other users from the start. An existing directory stays as it is.
pub(super) fn make_directory(path: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, DIRECTORY_MODE);
    builder.create(path).map_err(error::unwritten("make the directory", path))
}

pub(super) fn check_directory(path: &Path) -> Result<(), StoreError> {
    let metadata = fs::metadata(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => error::no_directory(path),
        _ => error::unread("look at", path)(source),
    })?;
    if !metadata.is_dir() {
        return Err(error::no_directory(path));
    }
    check_private(path, &metadata, DIRECTORY_MODE)
}

/// Options for creating a file: it must not exist yet, and it is closed to other users from the start.
pub(super) fn options() -> OpenOptions {
    #[cfg(unix)]
    return std::os::unix::fs::OpenOptionsExt::mode(&mut OpenOptions::new(), FILE_MODE).to_owned();
    #[cfg(not(unix))]
    return OpenOptions::new();
}

/// Opens a file of the directory, if it is a regular file that is closed to others. `None` if the file does not exist
/// and `options` do not create it.
pub(super) fn open(path: &Path, options: &OpenOptions) -> Result<Option<File>, StoreError> {
    use ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};

    // The check for a symbolic link happens before the file is opened. This is safe, because the directory is closed:
    // only the user could put a link in its place meanwhile. The check also prevents a wait for a pipe.
    look(path)?;
    let file = match options.open(path) {
        Ok(file) => file,
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(None),
        // These errors can only come from creating the file or opening it for writing.
        Err(source) if matches!(source.kind(), ReadOnlyFilesystem | StorageFull | QuotaExceeded) => {
            return Err(error::unwritten("open", path)(source));
        }
        Err(source) => return Err(error::unread("open", path)(source)),
    };
    let metadata = file.metadata().map_err(error::unread("look at", path))?;
    check_private(path, &metadata, FILE_MODE)?;
    Ok(Some(file))
}

/// The metadata of a file without opening it, if it exists.
pub(super) fn look(path: &Path) -> Result<Option<Metadata>, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(_) => Err(error::not_a_file(path)),
        Err(source) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(error::unread("look at", path)(source)),
    }
}

#[cfg(unix)]
fn check_private(path: &Path, metadata: &Metadata, mode: u32) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt as _;

    const OTHERS: u32 = 0o077;
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        return Err(error::of_another_user(path, user));
    }
    if metadata.mode() & OTHERS != 0 {
        return Err(error::open_to_others(path, mode));
    }
    Ok(())
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "it can't be checked here, see `FileStore`")]
fn check_private(_path: &Path, _metadata: &Metadata, _mode: u32) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_returns_none_only_for_a_missing_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        assert!(open(&path, options().read(true)).unwrap().is_none());
        let new = options().write(true).create_new(true).to_owned();
        assert!(open(&path, &new).unwrap().is_some());
        assert!(open(&path, &new).unwrap_err().to_string().starts_with("can't open "));
        let too_long = directory.path().join("a".repeat(5000));
        assert!(look(&too_long).unwrap_err().to_string().starts_with("can't look at "));
    }
}
