//! Waits until a record changes. It checks the metadata of the file ten times per second. The wait also ends when a
//! process takes or releases the lease: that process may need a token that this process has not been able to save.

use std::fs::Metadata;
use std::time::{Duration, Instant, SystemTime};

use super::record::Found;
use super::{FileStore, permissions};
use crate::name::SessionName;
use tradovate_auth_session::Revision;
use tradovate_auth_session::StoreError;

const PAUSE: Duration = Duration::from_millis(100);

/// After this number of checks of the metadata, the record itself is read. Times of files are coarse, and inode numbers
/// are reused, so two records can have the same metadata. With this, a change is noticed within one second.
const LOOKS: u32 = 9;

/// A wait for a change of a record. It holds nothing open between two checks, so it can be dropped at any time.
pub(super) struct Watch {
    store: FileStore,
    name: SessionName,
    known: Option<Revision>,
    time: Duration,
    started: Instant,
    seen: Option<Signs>,
    looks: u32,
    /// The metadata of the lease's file at the start.
    lease: Option<Signs>,
}

#[derive(PartialEq)]
struct Signs {
    modified: Option<SystemTime>,
    length: u64,
    #[cfg(unix)]
    number: (u64, i64, i64),
}

impl Watch {
    pub(super) fn new(store: FileStore, name: SessionName, known: Option<Revision>, time: Duration) -> Self {
        // If this check is not possible, the first `look` returns the error.
        let lease = permissions::look(&store.lock_path(&name)).ok().flatten().map(|metadata| signs(&metadata));
        Self { store, name, known, time, started: Instant::now(), seen: None, looks: 0, lease }
    }

    /// Checks once. Returns how long to wait until the next check, or `None` if the wait is over.
    pub(super) fn look(&mut self) -> Result<Option<Duration>, StoreError> {
        if self.has_changed()? {
            return Ok(None);
        }
        let left = self.time.saturating_sub(self.started.elapsed());
        Ok((!left.is_zero()).then(|| left.min(PAUSE)))
    }

    fn has_changed(&mut self) -> Result<bool, StoreError> {
        let lease = permissions::look(&self.store.lock_path(&self.name))?.map(|metadata| signs(&metadata));
        if self.lease != lease {
            return Ok(true);
        }
        // The metadata is checked before the record is read. A change in between is noticed at the next check.
        let now = permissions::look(&self.store.record_path(&self.name))?.map(|metadata| signs(&metadata));
        if self.looks > 0 && now.is_some() && self.seen == now {
            self.looks -= 1;
            return Ok(false);
        }
        self.seen = now;
        self.looks = LOOKS;
        let found = self.store.find(&self.name)?;
        Ok(found.as_ref().map(Found::revision) != self.known)
    }
}

fn signs(metadata: &Metadata) -> Signs {
    #[cfg(unix)]
    use std::os::unix::fs::MetadataExt as _;

    Signs {
        modified: metadata.modified().ok(),
        length: metadata.len(),
        #[cfg(unix)]
        number: (metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::Store as _;

    #[test]
    fn a_record_with_unchanged_metadata_is_read_again_after_several_checks() {
        let directory = tempfile::tempdir().unwrap();
        set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
        let store = FileStore::in_directory(directory.path()).unwrap();
        let name = SessionName::new("app", "user");
        let session = serde_json::from_str(r#"{"version":1}"#).unwrap();
        let lease = store.lease(&name, Duration::from_secs(60)).unwrap().unwrap();
        let revision = store.save(&name, &session, None, lease).unwrap();
        let mut watch = Watch::new(store, name, revision, Duration::from_secs(60));
        for _ in 0..2 {
            for left in (0..=LOOKS).rev() {
                assert!(watch.look().unwrap().is_some());
                assert_eq!(watch.looks, left);
            }
        }
    }
}
