//! Waiting for another record: what the file system says of the file is looked at ten times a second. A lease that is taken
//! or given back ends the wait too: whoever takes one may want what this process could not save.

use std::fs::Metadata;
use std::time::{Duration, Instant, SystemTime};

use super::record::Found;
use super::{FileStore, place};
use crate::name::SessionName;
use tradovate_auth_session::Revision;
use tradovate_auth_session::StoreError;

const PAUSE: Duration = Duration::from_millis(100);

/// Each time this many looks are over, the record is read whatever they say: the times of files are coarse, and a number
/// of a file that is gone is given again, so two records can look the same. With it a second is the most that is missed.
const LOOKS: u32 = 9;

/// It holds nothing open between two looks, so it can be dropped at any time.
pub(super) struct Watch {
    store: FileStore,
    name: SessionName,
    known: Option<Revision>,
    time: Duration,
    started: Instant,
    seen: Option<Signs>,
    looks: u32,
    /// What the file of the lease looked like at first.
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
        // What can't be looked at is an error of the first look.
        let lease = place::look(&store.lock_path(&name)).ok().flatten().map(|metadata| signs(&metadata));
        Self { store, name, known, time, started: Instant::now(), seen: None, looks: 0, lease }
    }

    /// Looks once. `None`: it is over; else it is how long to wait for the next look.
    pub(super) fn look(&mut self) -> Result<Option<Duration>, StoreError> {
        if self.has_changed()? {
            return Ok(None);
        }
        let left = self.time.saturating_sub(self.started.elapsed());
        Ok((!left.is_zero()).then(|| left.min(PAUSE)))
    }

    fn has_changed(&mut self) -> Result<bool, StoreError> {
        let lease = place::look(&self.store.lock_path(&self.name))?.map(|metadata| signs(&metadata));
        if self.lease != lease {
            return Ok(true);
        }
        // Before the record is read: what comes between the two is seen at the next look.
        let now = place::look(&self.store.record_path(&self.name))?.map(|metadata| signs(&metadata));
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
