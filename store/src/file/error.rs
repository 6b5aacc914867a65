//! [`FileStoreError`]: what is wrong with the files, and what to do about it. No content of a file is in it.

use std::io;
use std::path::{Path, PathBuf};

use crate::codec::CodecError;

/// Why a [`FileStore`](crate::FileStore) could not do what it was asked to. The record is as it was, if nothing else is
/// said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileStoreError {
    /// The user who runs the program has no home directory.
    #[error("there is no home directory to store sessions in: set HOME, or name a directory")]
    NoHome,
    /// There is no directory at this path.
    #[error("there is no directory to store sessions in: make it with `mkdir -m 700 {}`", quoted(path))]
    NoDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// Others than the user can get at a file or directory.
    #[error("other users can get at {}: close it with `chmod {mode:o} {}`", path.display(), quoted(path))]
    OpenToOthers {
        /// The file or directory.
        path: PathBuf,
        /// The permissions it should have.
        mode: u32,
    },
    /// A file or directory belongs to another user.
    #[error(
        "{} belongs to another user than the program's: run it as that user, or give it over with `sudo chown {user} {}`",
        path.display(), quoted(path)
    )]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// The number of the user who runs the program.
        user: u32,
    },
    /// Something else is where a file should be, such as a symbolic link.
    #[error("{} is no file but a link, or something else: remove it, or put the file it leads to there", path.display())]
    NotAFile {
        /// Where it is.
        path: PathBuf,
    },
    /// Another process has held the lock for seconds. None needs that long: it was stopped, or the disk hangs.
    #[error(
        "another process holds the lock {}: see which one with `fuser {}`, and whether it is stopped",
        path.display(), quoted(path)
    )]
    Locked {
        /// The lock's file.
        path: PathBuf,
    },
    /// The disk is full, or the user's part of it.
    #[error("there is no space left to write {}: make some, what was stored is as it was", path.display())]
    Full {
        /// The file that was written.
        path: PathBuf,
    },
    /// The record has been replaced, but can still be lost if the machine goes down now.
    #[error("the session was stored in {}, but maybe not for good: {source}", path.display())]
    NotSynced {
        /// The directory.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operating system could not do something else.
    #[error("can't {action} {}: {source}", path.display())]
    Io {
        /// What it was to do.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// No record was made of the session.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The async runtime was shut down before it was done, or while it was: what it came to is not known.
    #[error("the async runtime is shutting down")]
    ShutDown,
}

impl FileStoreError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path: path.into() },
            _ => Self::Io { action, path: path.into(), source },
        }
    }
}

/// A path as one word of a command.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_any_characters_is_one_word_of_the_command() {
        let error = FileStoreError::OpenToOthers { path: "/home/o'neill; $x/`a`".into(), mode: 0o700 };
        let command = r"`chmod 700 '/home/o'\''neill; $x/`a`'`";
        assert!(error.to_string().ends_with(command), "{error}");
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let error = |kind: io::ErrorKind| FileStoreError::io("write", Path::new("/a"))(kind.into());
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            assert!(matches!(error(kind), FileStoreError::Full { .. }));
        }
        let shown = error(io::ErrorKind::PermissionDenied).to_string();
        assert_eq!(shown, "can't write /a: permission denied");
    }
}
