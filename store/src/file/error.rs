//! The errors of the file store, with what to do about them. They contain no content of a file.

use std::io;
use std::path::Path;

use tradovate_auth_session::StoreError;
use tradovate_auth_session::StoreErrorKind::{self, Misconfigured, NotReadable, NotWritable, Unreachable};

/// The user who runs the program has no home directory.
pub(super) fn no_home() -> StoreError {
    StoreError::new(Misconfigured, "there is no home directory to store sessions in: set HOME, or name a directory")
}

pub(super) fn no_directory(path: &Path) -> StoreError {
    let command = format!("mkdir -m 700 {}", quoted(path));
    StoreError::new(Unreachable, format!("there is no directory to store sessions in: make it with `{command}`"))
}

/// Other users can access a file or directory. It should have these permissions.
#[cfg(unix)]
pub(super) fn open_to_others(path: &Path, mode: u32) -> StoreError {
    let command = format!("chmod {mode:o} {}", quoted(path));
    StoreError::new(Misconfigured, format!("other users can get at {}: close it with `{command}`", path.display()))
}

/// A file or directory belongs to another user than the one who runs the program.
#[cfg(unix)]
pub(super) fn of_another_user(path: &Path, user: u32) -> StoreError {
    let text = format!(
        "{} belongs to another user than the program's: run it as that user, or give it over with `sudo chown {user} {}`",
        path.display(),
        quoted(path)
    );
    StoreError::new(Misconfigured, text)
}

/// Something else is in the place of a file, such as a symbolic link.
pub(super) fn not_a_file(path: &Path) -> StoreError {
    let text = format!(
        "{} is no file but a link, or something else: remove it, or put the file it leads to there",
        path.display()
    );
    StoreError::new(NotReadable, text)
}

/// Another process has held the lock for seconds. No process needs it for that long: it was stopped, or the disk hangs.
pub(super) fn locked(path: &Path) -> StoreError {
    let text = format!(
        "another process holds the lock {}: see which one with `fuser {}`, and whether it is stopped",
        path.display(),
        quoted(path)
    );
    StoreError::new(Unreachable, text)
}

/// The record was replaced, but a crash of the machine can still undo this.
pub(super) fn not_synced(directory: &Path, source: io::Error) -> StoreError {
    let text = format!("the session was stored in {}, but maybe not for good", directory.display());
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
            let text =
                format!("there is no space left to write {}: make some, what was stored is as it was", path.display());
            StoreError::new(NotWritable, text)
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            let text = format!("{} is on a read-only disk: mount it for writing", path.display());
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
    fn a_path_of_any_characters_is_one_word_of_the_command() {
        let error = open_to_others(Path::new("/home/o'neill; $x/`a`"), 0o700);
        let command = r"`chmod 700 '/home/o'\''neill; $x/`a`'`";
        assert!(error.to_string().ends_with(command), "{error}");
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let error = |kind: io::ErrorKind| unwritten("write", Path::new("/a"))(kind.into());
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge] {
            assert!(error(kind).to_string().starts_with("there is no space left to write /a"));
        }
        let read_only = error(io::ErrorKind::ReadOnlyFilesystem).to_string();
        assert_eq!(read_only, "/a is on a read-only disk: mount it for writing");
        let other = error(io::ErrorKind::PermissionDenied);
        assert_eq!((other.kind(), other.to_string().as_str()), (NotWritable, "can't write /a: permission denied"));
    }
}
