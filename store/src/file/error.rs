//! The errors of the file store. Each says what to do. They contain no content of a file.

use std::io;
use std::path::Path;

use tradovate_auth_session::StoreError;
use tradovate_auth_session::StoreErrorKind::{self, Misconfigured, NotReadable, NotWritable, Unreachable};

/// The user who runs the program has no home directory.
pub(super) fn no_home() -> StoreError {
    StoreError::new(
        Misconfigured,
        "there is no home directory for the files of the store: set HOME, or name a directory",
    )
}

pub(super) fn no_directory(path: &Path) -> StoreError {
    let command = format!("mkdir -m 700 {}", quoted(path));
    StoreError::new(Unreachable, format!("the directory of the store does not exist: create it with `{command}`"))
}

/// Other users can access a file or directory. `mode` has the permissions that it should have.
#[cfg(unix)]
pub(super) fn open_to_others(path: &Path, mode: u32) -> StoreError {
    let command = format!("chmod {mode:o} {}", quoted(path));
    StoreError::new(
        Misconfigured,
        format!("other users of this machine can access {}: forbid it with `{command}`", path.display()),
    )
}

/// A file or directory belongs to another user than the one who runs the program.
#[cfg(unix)]
pub(super) fn of_another_user(path: &Path, user: u32) -> StoreError {
    let text = format!(
        "{} belongs to another user of this machine: run the program as that user, or change the owner with `sudo chown {user} {}`",
        path.display(),
        quoted(path)
    );
    StoreError::new(Misconfigured, text)
}

/// Something else is in the place of a file, such as a symbolic link.
pub(super) fn not_a_file(path: &Path) -> StoreError {
    let text = format!(
        "{} is not a regular file, but a link or something else: remove it, or replace it by a file",
        path.display()
    );
    StoreError::new(NotReadable, text)
}

/// Another process has held the lock for seconds. A change needs it for less, so that process was stopped, or the disk
/// hangs.
pub(super) fn locked(path: &Path) -> StoreError {
    let text = format!(
        "another process has locked {} for seconds: find it with `fuser {}`; continue it with `kill -CONT` if it is \
         stopped, or end it",
        path.display(),
        quoted(path)
    );
    StoreError::new(Unreachable, text)
}

/// The record was replaced, but a crash of the machine can still undo this.
pub(super) fn not_synced(directory: &Path, source: io::Error) -> StoreError {
    let text = format!("a crash of the machine can undo the last change of {}: check the disk", directory.display());
    StoreError::new(NotWritable, text).with_source(source)
}

/// The operating system could not find or read a path.
pub(super) fn unread(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| system(NotReadable, action, path, source)
}

/// The operating system could not write or remove a path.
pub(super) fn unwritten(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            let text = format!(
                "the disk has no space left to write {}: free some space; the file has not changed",
                path.display()
            );
            StoreError::new(NotWritable, text)
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            let text = format!("{} is on a read-only disk: mount the disk with write access", path.display());
            StoreError::new(NotWritable, text)
        }
        _ => system(NotWritable, action, path, source),
    }
}

fn system(kind: StoreErrorKind, action: &str, path: &Path, source: io::Error) -> StoreError {
    StoreError::new(kind, format!("can't {action} {}", path.display())).with_source(source)
}

/// A path, quoted as one word of a shell command.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_advised_chmod_command_quotes_the_path() {
        let error = open_to_others(Path::new("/home/o'neill; $x/`a`"), 0o700);
        let command = r"`chmod 700 '/home/o'\''neill; $x/`a`'`";
        assert!(error.to_string().ends_with(command), "{error}");
    }

    #[test]
    fn a_full_disk_has_its_own_message() {
        let error = |kind: io::ErrorKind| unwritten("write", Path::new("/a"))(kind.into());
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge] {
            assert!(error(kind).to_string().starts_with("the disk has no space left to write /a:"));
        }
        let read_only = error(io::ErrorKind::ReadOnlyFilesystem).to_string();
        assert_eq!(read_only, "/a is on a read-only disk: mount the disk with write access");
        let other = error(io::ErrorKind::PermissionDenied);
        assert_eq!((other.kind(), other.to_string().as_str()), (NotWritable, "can't write /a: permission denied"));
    }
}
