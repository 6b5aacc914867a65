//! [`FileStore`]: sessions in a directory that only one user can access, shared by the user's processes on one machine.
//!
//! A record is replaced as a whole by a rename, so it can be read without a lock. Each change holds a lock of the
//! operating system while it reads and writes files. No process holds this lock while it sends a request. During
//! requests, a process holds the lease: a line in the lock file with an end and a number that grows. If a holder was
//! stopped and continues late, it finds another number and saves nothing.

#[cfg(feature = "tokio")]
mod asynchronous;
mod directory_clock;
mod error;
mod lease;
mod lock;
mod permissions;
mod record;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use etcetera::BaseStrategy as _;
use tradovate_auth_session::StoredSession;

use self::lock::Lock;
use self::record::Found;
use self::watch::Watch;
use crate::name::SessionName;
use crate::record_format::Codec;
#[cfg(feature = "seal")]
use crate::record_format::SealingKey;
use crate::store::{HeldLease, Store};
use tradovate_auth_session::StoreError;
use tradovate_auth_session::{Lease, Revision, StoredRecord, Unreadable};

/// A store in files, for the processes that one user runs on one machine.
///
/// The directory must belong to the user and be closed to all others (`0700`), and so must the files (`0600`):
/// everybody who can read them can trade. Otherwise the store reads and writes nothing, and the error contains the
/// command that corrects the permissions. This is checked on Unix only. On other systems, close the directory yourself.
///
/// A name has these files:
///
/// - `<name>.session`: the record. Remove it to log in again.
/// - `<name>.lock`: the lock and the lease. It may be removed. A lease that is held is then lost.
/// - `<name>.session.unreadable`: a copy of the last record that could not be read and that a login has replaced. If
///   the store has a key, a record that was not sealed is not copied.
///
/// The files must be on a local disk, because locks and renames of network file systems such as NFS are not reliable
/// enough. Containers and services share a session if they run as the same user and share the directory. A `systemd`
/// service gets such a directory with `StateDirectory=` and `StateDirectoryMode=0700`. Its path is in
/// `$STATE_DIRECTORY`.
///
/// Each directory also has the file `clock`: the wall clock's time at the last boot. It may be removed.
///
/// Times are measured from the boot. So a step of the wall clock does not change the age of a record or the end of a
/// lease. After a boot, the wall clock counts. On systems other than Linux and Android, the wall clock always counts.
/// If it is set forward there, a lease can end early. Its holder can't save any more if another process takes the
/// lease. A lease lasts ten minutes at most.
///
/// ```
/// # #[cfg(unix)] {
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use tradovate_auth_session::StoredSession;
/// use tradovate_auth_store::{FileStore, SessionName, Store as _};
/// # use std::os::unix::fs::PermissionsExt as _;
/// # let temporary = tempfile::tempdir()?;
/// # let directory = temporary.path();
/// # std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
///
/// let store = FileStore::in_directory(directory)?;
/// let name = SessionName::new("my app", "user 7");
/// assert!(store.load(&name)?.is_none());
///
/// let lease = store.lease(&name, Duration::from_secs(60))?.expect("nobody else has it");
/// let session: StoredSession = serde_json::from_str(r#"{"version":1,"userId":7}"#)?;
/// let revision = store.save(&name, &session, None, lease)?;
/// store.release(&name, lease)?;
///
/// let stored = store.load(&name)?.expect("it was saved");
/// assert_eq!(Some(stored.revision), revision);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct FileStore {
    directory: Arc<Path>,
    codec: Codec,
}

impl FileStore {
    /// Opens the store of the user who runs the program: the directory `tradovate-auth` in `$XDG_STATE_HOME`
    /// (`~/.local/state` if that is not set), or in `%LOCALAPPDATA%` on Windows. If the directory does not exist, it is
    /// created and closed to others.
    ///
    /// # Errors
    /// [`StoreError`] if the user has no home directory, and the errors of [`in_directory`](Self::in_directory).
    pub fn user() -> Result<Self, StoreError> {
        let places = etcetera::choose_base_strategy().map_err(|_| error::no_home())?;
        // Windows has no directory for state. The directory for caches is `%LOCALAPPDATA%`, which does not roam.
        let state = places.state_dir().unwrap_or_else(|| places.cache_dir());
        // With an empty `$HOME`, the directory would depend on where the program was started.
        if !state.is_absolute() {
            return Err(error::no_home());
        }
        let directory = state.join("tradovate-auth");
        permissions::make_directory(&directory)?;
        Self::in_directory(directory)
    }

    /// Opens a store in an existing directory that is closed to others. The directory is not created. If it is missing,
    /// its name was mistyped or its disk is not mounted, and all programs would log in again in an empty directory.
    ///
    /// # Errors
    /// [`StoreError`] if the directory does not exist or others can access it.
    pub fn in_directory(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = directory.as_ref();
        // The path stays valid if the program changes its working directory.
        let directory = std::path::absolute(path).map_err(error::unread("find", path))?;
        permissions::check_directory(&directory)?;
        Ok(Self { directory: directory.into(), codec: Codec::plain() })
    }

    /// The directory of the files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the lease of a name, if a process holds it. This changes nothing in the store.
    ///
    /// # Errors
    /// If the lease can't be read.
    pub fn held_lease(&self, name: &SessionName) -> Result<Option<HeldLease>, StoreError> {
        lease::held(&mut self.lock(name)?, directory_clock::now(&self.directory))
    }

    /// Seals (encrypts) new records with a key, and reads only records that are sealed with this key: see
    /// [`Codec::sealed`].
    #[cfg(feature = "seal")]
    #[must_use]
    pub fn sealed(self, key: SealingKey) -> Self {
        Self { codec: Codec::sealed(key), ..self }
    }

    fn path(&self, name: &SessionName, ending: &str) -> PathBuf {
        self.directory.join(format!("{name}.{ending}"))
    }

    fn record_path(&self, name: &SessionName) -> PathBuf {
        self.path(name, "session")
    }

    fn lock_path(&self, name: &SessionName) -> PathBuf {
        self.path(name, "lock")
    }

    fn lock(&self, name: &SessionName) -> Result<Lock, StoreError> {
        permissions::check_directory(&self.directory)?;
        Lock::take(self.lock_path(name))
    }

    fn find(&self, name: &SessionName) -> Result<Option<Found>, StoreError> {
        permissions::check_directory(&self.directory)?;
        let found = record::read(&self.record_path(name))?;
        if found.is_none() {
            // A directory that was removed in between must not count as an empty store.
            permissions::check_directory(&self.directory)?;
        }
        Ok(found)
    }
}

impl Store for FileStore {
    fn load(&self, name: &SessionName) -> Result<Option<StoredRecord>, StoreError> {
        let found = self.find(name)?;
        Ok(found.map(|found| StoredRecord {
            revision: found.revision(),
            age: found.age(directory_clock::now(&self.directory)),
            place: format!("the file {}", self.record_path(name).display()),
            session: self.codec.decode(name, &found.record),
        }))
    }

    fn lease(&self, name: &SessionName, time: Duration) -> Result<Option<Lease>, StoreError> {
        lease::take(&mut self.lock(name)?, time, directory_clock::now(&self.directory))
    }

    fn save(
        &self,
        name: &SessionName,
        session: &StoredSession,
        known: Option<Revision>,
        lease: Lease,
    ) -> Result<Option<Revision>, StoreError> {
        let record = self.codec.encode(name, session)?;
        let mut lock = self.lock(name)?;
        if !lease::is_held(lease, &mut lock)? {
            return Ok(None);
        }
        let before = self.find(name)?;
        if before.as_ref().map(Found::revision) != known {
            return Ok(None);
        }
        let path = self.record_path(name);
        match before.map(|before| self.codec.decode(name, &before.record)) {
            // A record that is not sealed is not copied if a key is set: the copy would stay on the disk in plain text.
            None | Some(Ok(_) | Err(Unreadable::Unsealed)) => {}
            Some(Err(_)) => record::keep(&path, &self.path(name, "session.unreadable"))?,
        }
        record::replace(&path, &record, UNIX_EPOCH.checked_add(directory_clock::now(&self.directory)))?;
        Ok(Some(record::revision(&record)))
    }

    fn release(&self, name: &SessionName, lease: Lease) -> Result<(), StoreError> {
        lease::release(lease, &mut self.lock(name)?)
    }

    fn changed(&self, name: &SessionName, known: Option<Revision>, time: Duration) -> Result<(), StoreError> {
        let mut watch = Watch::new(self.clone(), name.clone(), known, time);
        while let Some(pause) = watch.look()? {
            thread::sleep(pause);
        }
        Ok(())
    }
}
