//! A store that the programs of a fleet share, as its interface describes it, with all that it may get wrong.
//!
//! Its clock is right. Revisions and fences never come twice, whatever it loses.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_session::Revision;

use crate::scenario::StoreFault;

/// How many earlier records it may fall back to.
const EARLIER_KEPT: usize = 8;

/// A record, by its snapshot.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) revision: Revision,
    pub(super) snapshot: usize,
    pub(super) text: String,
    saved_at: Timestamp,
    pub(super) is_damaged: bool,
}

impl Record {
    /// How old it is.
    pub(super) fn age(&self, now: Timestamp) -> Duration {
        Duration::try_from(now.duration_since(self.saved_at)).unwrap_or_default()
    }
}

/// It can't be reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Down;

#[derive(Debug, Default)]
pub(super) struct SharedStore {
    pub(super) record: Option<Record>,
    earlier: Vec<Option<Record>>,
    revisions: u64,
    fences: u64,
    lease: Option<(u64, Timestamp)>,
    down_until: Option<Timestamp>,
    stale_until: Option<Timestamp>,
    loses_word: bool,
    /// When the user has last consented for its fleet.
    pub(super) consented_at: Option<Timestamp>,
}

impl SharedStore {
    pub(super) fn is_down(&self, now: Timestamp) -> bool {
        self.down_until.is_some_and(|until| now < until)
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.is_damaged)
    }

    /// What is loaded, and whether it is another record than the last one.
    pub(super) fn load(&self, now: Timestamp) -> Result<(Option<Record>, bool), Down> {
        if self.is_down(now) {
            return Err(Down);
        }
        let is_stale = self.stale_until.is_some_and(|until| now < until) && !self.earlier.is_empty();
        Ok(if is_stale { (self.earlier.last().cloned().flatten(), true) } else { (self.record.clone(), false) })
    }

    pub(super) fn lease(&mut self, now: Timestamp, time: Duration) -> Result<Option<u64>, Down> {
        if self.is_down(now) {
            return Err(Down);
        }
        if self.lease.is_some_and(|(_, until)| now < until) {
            return Ok(None);
        }
        self.fences += 1;
        self.lease = Some((self.fences, now + SignedDuration::try_from(time).unwrap_or_default()));
        Ok(Some(self.fences))
    }

    pub(super) fn release(&mut self, now: Timestamp, fence: u64) {
        if !self.is_down(now) {
            self.lease.take_if(|(held, _)| *held == fence);
        }
    }

    /// Saves if nothing has come in between, or whatever has, where it is `forced`; and whether the word of it is lost.
    pub(super) fn save(
        &mut self,
        now: Timestamp,
        (snapshot, text): (usize, String),
        known: Option<Revision>,
        fence: u64,
        forced: bool,
    ) -> Result<(Option<Revision>, bool), Down> {
        if self.is_down(now) {
            return Err(Down);
        }
        let is_known = self.record.as_ref().map(|record| record.revision) == known;
        if !forced && (!is_known || fence != self.fences) {
            return Ok((None, false));
        }
        self.revisions += 1;
        let revision = Revision(self.revisions);
        let record = Record { revision, snapshot, text, saved_at: now, is_damaged: false };
        self.earlier.push(self.record.replace(record));
        if self.earlier.len() > EARLIER_KEPT {
            self.earlier.remove(0);
        }
        Ok((Some(revision), std::mem::take(&mut self.loses_word)))
    }

    /// Whether what was acknowledged is lost by it.
    pub(super) fn befall(&mut self, now: Timestamp, fault: StoreFault) -> bool {
        match fault {
            StoreFault::Down(lasts) => self.down_until = self.down_until.max(Some(now + lasts)),
            StoreFault::Stale(lasts) => self.stale_until = self.stale_until.max(Some(now + lasts)),
            StoreFault::WordLost => self.loses_word = true,
            StoreFault::RollsBack(records) => {
                self.lease = None;
                for _ in 0..records.min(EARLIER_KEPT + 1) {
                    self.record = self.earlier.pop().flatten();
                }
                return true;
            }
            StoreFault::Damaged(_) => {
                if let Some(record) = &mut self.record {
                    self.revisions += 1;
                    record.revision = Revision(self.revisions);
                    record.is_damaged = true;
                    return true;
                }
            }
        }
        false
    }

    /// Somebody removes a record that can't be read.
    pub(super) fn remove_damaged(&mut self) {
        self.record.take_if(|record| record.is_damaged);
        self.earlier.retain(|record| record.as_ref().is_none_or(|record| !record.is_damaged));
    }

    /// It is well again.
    pub(super) fn mend(&mut self) {
        (self.down_until, self.stale_until, self.loses_word) = (None, None, false);
        self.remove_damaged();
    }
}
