//! The shared store of a fleet. It follows its interface, except for the injected faults.
//!
//! Its clock is right. Revisions and fencing numbers are never reused, whatever the store loses.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_session::{
    Lease, Revision, StoreAnswer, StoreError, StoreErrorKind, StoreRequest, StoredRecord, Unreadable,
};

use super::store::Snapshot;
use crate::journal::Loss;
use crate::scenario::StoreFault;
use crate::wire::Kept;

/// The number of earlier records that it may fall back to.
const EARLIER_KEPT: usize = 8;

/// A record with its snapshot.
#[derive(Debug, Clone)]
pub(super) struct Record {
    revision: Revision,
    snapshot: Snapshot,
    saved_at: Timestamp,
    is_damaged: bool,
}

/// The result of a load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// The loaded snapshot with its number, if there is a readable one.
    pub(super) kept: Option<(usize, Kept)>,
    pub(super) revision: Option<Revision>,
    /// Whether it is an earlier record than the last one.
    pub(super) is_stale: bool,
    pub(super) is_readable: bool,
    /// How long the snapshot was on its way to the store, and the time at which the answer left the store.
    pub(super) late: SignedDuration,
    pub(super) loaded_at: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct SharedStore {
    pub(super) record: Option<Record>,
    earlier: Vec<Option<Record>>,
    revisions: u64,
    fences: u64,
    lease: Option<(u64, Timestamp)>,
    down_until: Option<Timestamp>,
    stale_until: Option<Timestamp>,
    /// The store cannot save before this time.
    full_until: Option<Timestamp>,
    loses_confirmation: bool,
    /// The last time at which the user consented for the fleet.
    pub(super) consented_at: Option<Timestamp>,
}

impl SharedStore {
    pub(super) fn is_down(&self, now: Timestamp) -> bool {
        self.down_until.is_some_and(|until| now < until)
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.is_damaged)
    }

    pub(super) fn revision(&self) -> Option<Revision> {
        self.record.as_ref().map(|record| record.revision)
    }

    /// Answers a question. With `forced`, a save overwrites any record.
    pub(super) fn answer(
        &mut self,
        now: Timestamp,
        request: &StoreRequest,
        snapshot: Option<Snapshot>,
        forced: bool,
    ) -> (Result<StoreAnswer, StoreError>, Option<Found>) {
        if self.is_down(now) {
            return (Err(StoreError::new(StoreErrorKind::Unreachable, "the store is down")), None);
        }
        let answer = match (request, snapshot) {
            (StoreRequest::Acquire(time), _) => StoreAnswer::Lease(self.lease(now, *time)),
            (StoreRequest::Load, _) => {
                let (record, found) = self.load(now);
                return (Ok(StoreAnswer::Loaded(record)), Some(found));
            }
            (StoreRequest::Save { .. }, _) if self.full_until.is_some_and(|until| now < until) => {
                return (Err(StoreError::new(StoreErrorKind::NotWritable, "the disk is full")), None);
            }
            (StoreRequest::Save { known, lease, .. }, Some(snapshot)) => {
                StoreAnswer::Saved(self.save(now, snapshot, *known, lease.fence, forced))
            }
            (StoreRequest::Release(lease), _) => {
                self.lease.take_if(|(held, _)| *held == lease.fence);
                StoreAnswer::Released
            }
            _ => return (Err(StoreError::new(StoreErrorKind::Misconfigured, "no question to a shared store")), None),
        };
        (Ok(answer), None)
    }

    /// Whether the confirmation of the last save is lost.
    pub(super) fn loses_confirmation(&mut self) -> bool {
        std::mem::take(&mut self.loses_confirmation)
    }

    fn load(&self, now: Timestamp) -> (Option<StoredRecord>, Found) {
        let is_stale = self.stale_until.is_some_and(|until| now < until) && !self.earlier.is_empty();
        let record = if is_stale { self.earlier.last().and_then(Option::as_ref) } else { self.record.as_ref() };
        let stored = record.map(|record| StoredRecord {
            place: "the store".into(),
            revision: record.revision,
            age: Duration::try_from(now.duration_since(record.saved_at)).ok(),
            session: match serde_json::from_str(&record.snapshot.text) {
                Ok(session) if !record.is_damaged => Ok(session),
                _ => Err(Unreadable::Damaged),
            },
        });
        let found = Found {
            kept: record.filter(|record| !record.is_damaged).map(|it| (it.snapshot.number, it.snapshot.kept)),
            revision: record.map(|record| record.revision),
            is_stale,
            is_readable: record.is_none_or(|record| !record.is_damaged),
            late: record.map_or(SignedDuration::ZERO, |record| record.saved_at.duration_since(record.snapshot.taken)),
            loaded_at: now,
        };
        (stored, found)
    }

    fn lease(&mut self, now: Timestamp, time: Duration) -> Option<Lease> {
        if self.lease.is_some_and(|(_, until)| now < until) {
            return None;
        }
        self.fences += 1;
        self.lease = Some((self.fences, now + SignedDuration::try_from(time).unwrap_or_default()));
        Some(Lease { fence: self.fences, time })
    }

    fn save(
        &mut self,
        now: Timestamp,
        snapshot: Snapshot,
        known: Option<Revision>,
        fence: u64,
        forced: bool,
    ) -> Option<Revision> {
        if !forced && (self.revision() != known || fence != self.fences) {
            return None;
        }
        self.revisions += 1;
        let revision = Revision(self.revisions);
        let record = Record { revision, snapshot, saved_at: now, is_damaged: false };
        self.earlier.push(self.record.replace(record));
        if self.earlier.len() > EARLIER_KEPT {
            self.earlier.remove(0);
        }
        Some(revision)
    }

    /// Applies a fault. Returns how acknowledged data is lost, if it is.
    pub(super) fn apply_fault(&mut self, now: Timestamp, fault: StoreFault) -> Option<Loss> {
        match fault {
            StoreFault::Down(lasts) => self.down_until = self.down_until.max(Some(now + lasts)),
            StoreFault::Stale(lasts) => self.stale_until = self.stale_until.max(Some(now + lasts)),
            StoreFault::Full(lasts) => self.full_until = self.full_until.max(Some(now + lasts)),
            StoreFault::LosesLease => {
                self.lease = None;
                return Some(Loss::Lease);
            }
            StoreFault::ConfirmationLost => self.loses_confirmation = true,
            StoreFault::RollsBack(records) => {
                self.lease = None;
                for _ in 0..records.min(EARLIER_KEPT + 1) {
                    self.record = self.earlier.pop().flatten();
                }
                return Some(Loss::RolledBack);
            }
            StoreFault::Damaged(_) => {
                if let Some(record) = &mut self.record {
                    self.revisions += 1;
                    record.revision = Revision(self.revisions);
                    record.is_damaged = true;
                    return Some(Loss::Unreadable);
                }
            }
        }
        None
    }

    /// Removes a record that cannot be read.
    pub(super) fn remove_damaged(&mut self) -> bool {
        self.earlier.retain(|record| record.as_ref().is_none_or(|record| !record.is_damaged));
        self.record.take_if(|record| record.is_damaged).is_some()
    }

    /// Ends all faults of the store.
    pub(super) fn mend(&mut self) {
        (self.down_until, self.stale_until, self.full_until, self.loses_confirmation) = (None, None, None, false);
    }
}
