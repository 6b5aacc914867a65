//! Where the files are: nothing is read from or written to a place that others can get at.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use super::FileStoreError;

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Makes a directory and those it is in, closed to others from the start. One that is there is left as it is.
pub(super) fn make_directory(path: &Path) -> Result<(), FileStoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, DIRECTORY_MODE);
    builder.create(path).map_err(FileStoreError::io("make the directory", path))
}

pub(super) fn check_directory(path: &Path) -> Result<(), FileStoreError> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => FileStoreError::NoDirectory { path: path.into() },
        _ => FileStoreError::io("look at", path)(error),
    })?;
    if !metadata.is_dir() {
        return Err(FileStoreError::NoDirectory { path: path.into() });
    }
    check_private(path, &metadata, DIRECTORY_MODE)
}

/// How files are made: by nobody else, and closed to others from the start.
pub(super) fn options() -> OpenOptions {
    #[cfg(unix)]
    return std::os::unix::fs::OpenOptionsExt::mode(&mut OpenOptions::new(), FILE_MODE).to_owned();
    #[cfg(not(unix))]
    return OpenOptions::new();
}

/// Opens a file of the directory, if it is one and closed to others. `None`: there is none, and none was to be made.
pub(super) fn open(path: &Path, options: &OpenOptions) -> Result<Option<File>, FileStoreError> {
    // That it is no link is looked at before it is opened and not with it: the directory is closed, so nobody but the
    // user can put one there in between. It also keeps from waiting at a pipe.
    look(path)?;
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileStoreError::io("open", path)(error)),
    };
    let metadata = file.metadata().map_err(FileStoreError::io("look at", path))?;
    check_private(path, &metadata, FILE_MODE)?;
    Ok(Some(file))
}

/// What is known of a file without opening it, if there is one.
pub(super) fn look(path: &Path) -> Result<Option<Metadata>, FileStoreError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(_) => Err(FileStoreError::NotAFile { path: path.into() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileStoreError::io("look at", path)(error)),
    }
}

#[cfg(unix)]
fn check_private(path: &Path, metadata: &Metadata, mode: u32) -> Result<(), FileStoreError> {
    use std::os::unix::fs::MetadataExt as _;

    const OTHERS: u32 = 0o077;
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        return Err(FileStoreError::Owner { path: path.into(), user });
    }
    if metadata.mode() & OTHERS != 0 {
        return Err(FileStoreError::OpenToOthers { path: path.into(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "it can't be checked here, see `FileStore`")]
fn check_private(_path: &Path, _metadata: &Metadata, _mode: u32) -> Result<(), FileStoreError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_is_not_there_is_taken_for_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        assert!(open(&path, options().read(true)).unwrap().is_none());
        let new = options().write(true).create_new(true).to_owned();
        assert!(open(&path, &new).unwrap().is_some());
        assert!(matches!(open(&path, &new), Err(FileStoreError::Io { action: "open", .. })));
        let too_long = directory.path().join("a".repeat(5000));
        assert!(matches!(look(&too_long), Err(FileStoreError::Io { action: "look at", .. })));
    }
}
