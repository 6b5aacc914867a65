//! The store of an episode. It follows its contract, except for the placed faults.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tradovate_auth_session::{
    Lease, Revision, StoreAnswer, StoreError, StoreErrorKind, StoreRequest, StoredRecord, StoredSession,
};

use crate::digest::Digest;
use crate::mutant::Mutant;

/// A record and its content.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) revision: Revision,
    snapshot: StoredSession,
    /// Stands for the snapshot.
    digest: Digest,
    saved_at: Timestamp,
    pub(crate) access: Option<String>,
    pub(crate) refresh: Option<String>,
    /// The logins and their states.
    pub(crate) attempts: Vec<(u64, String)>,
}

impl Hash for Record {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.revision, self.digest, self.saved_at).hash(state);
    }
}

/// A record with its revision, the lease, and the earlier records.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Store {
    pub(crate) record: Option<Record>,
    earlier: Vec<Option<Record>>,
    revisions: u64,
    fences: u64,
    lease: Option<(u64, Timestamp)>,
    pub(crate) down_until: Option<Timestamp>,
}

pub(crate) type Answered = Result<StoreAnswer, StoreError>;

impl Store {
    pub(crate) fn is_down(&self, now: Timestamp) -> bool {
        self.down_until.is_some_and(|until| now < until)
    }

    pub(crate) fn revision(&self) -> Option<Revision> {
        self.record.as_ref().map(|record| record.revision)
    }

    pub(crate) fn has_earlier(&self) -> bool {
        !self.earlier.is_empty()
    }

    /// Whether a token for which `is_one` holds is stored.
    pub(crate) fn holds(&self, is_one: impl Fn(&str) -> bool) -> bool {
        self.record.as_ref().and_then(|record| record.access.as_deref()).is_some_and(is_one)
    }

    pub(crate) fn answer(
        &mut self,
        now: Timestamp,
        request: &StoreRequest,
        is_stale: bool,
        mutant: Option<Mutant>,
    ) -> Answered {
        if self.is_down(now) {
            return Err(unreachable());
        }
        Ok(match request {
            StoreRequest::Keep(snapshot) => {
                self.put(now, snapshot);
                StoreAnswer::Kept
            }
            StoreRequest::Acquire(time) => StoreAnswer::Lease(self.lease(now, *time, mutant)),
            StoreRequest::Load => StoreAnswer::Loaded(self.load(now, is_stale)),
            StoreRequest::Save { snapshot, known, lease } => {
                let is_next = self.revision() == *known && lease.fence == self.fences;
                let is_saved = is_next || mutant == Some(Mutant::IgnoresFence);
                StoreAnswer::Saved(is_saved.then(|| self.put(now, snapshot)))
            }
            StoreRequest::Release(lease) => {
                self.lease.take_if(|(held, _)| *held == lease.fence);
                StoreAnswer::Released
            }
            _ => return Err(unreachable()),
        })
    }

    /// What an answer contains, in a form that can be compared.
    pub(crate) fn content(&self, answer: &Answered) -> Digest {
        let mut digest = Digest::default();
        match answer {
            Ok(StoreAnswer::Lease(lease)) => digest.add(&(1, lease.as_ref().map(|lease| (lease.fence, lease.time)))),
            Ok(StoreAnswer::Loaded(loaded)) => {
                let revision = loaded.as_ref().map(|loaded| loaded.revision);
                let mut records = self.record.iter().chain(self.earlier.iter().flatten());
                let record = records.find(|record| Some(record.revision) == revision);
                digest.add(&(2, revision, record, loaded.as_ref().map(|loaded| loaded.age)));
            }
            Ok(StoreAnswer::Saved(revision)) => digest.add(&(3, revision)),
            Ok(StoreAnswer::Kept) => digest.add(&4),
            Ok(_) => digest.add(&5),
            Err(_) => digest.add(&6),
        }
        digest
    }

    fn lease(&mut self, now: Timestamp, time: Duration, mutant: Option<Mutant>) -> Option<Lease> {
        let is_held = self.lease.is_some_and(|(_, until)| now < until);
        if is_held && mutant != Some(Mutant::SendsWithoutLease) {
            return None;
        }
        self.fences += 1;
        self.lease = Some((self.fences, now + SignedDuration::try_from(time).unwrap_or_default()));
        Some(Lease { fence: self.fences, time })
    }

    fn load(&self, now: Timestamp, is_stale: bool) -> Option<StoredRecord> {
        let before = self.earlier.last().filter(|_| is_stale).map(Option::as_ref);
        let record = before.unwrap_or(self.record.as_ref())?;
        Some(StoredRecord {
            revision: record.revision,
            age: Duration::try_from(now.duration_since(record.saved_at)).ok(),
            place: "the store".into(),
            session: Ok(record.snapshot.clone()),
        })
    }

    fn put(&mut self, now: Timestamp, snapshot: &StoredSession) -> Revision {
        self.revisions += 1;
        let revision = Revision(self.revisions);
        let value = serde_json::to_value(snapshot).unwrap_or_default();
        let token = |name: &str| Some(value.get(name)?.get("token")?.as_str()?.to_owned());
        let (access, refresh) = (token("access"), token("refresh"));
        let attempts = value.pointer("/logIns/attempts").and_then(Value::as_array).into_iter().flatten();
        let attempts =
            attempts.filter_map(|it| Some((it.get("id")?.as_u64()?, it.get("status")?.as_str()?.to_owned())));
        let attempts = attempts.collect();
        let mut digest = Digest::default();
        digest.add(&value.to_string());
        // The snapshot as a process that loads it reads it.
        let snapshot = serde_json::from_value(value).unwrap_or_else(|_| snapshot.clone());
        let record = Record { revision, snapshot, digest, saved_at: now, access, refresh, attempts };
        self.earlier.push(self.record.replace(record));
        revision
    }

    /// The stored snapshot, for a process with a store of its own that starts.
    pub(crate) fn stored(&self) -> Option<StoredSession> {
        Some(self.record.as_ref()?.snapshot.clone())
    }

    pub(crate) fn roll_back(&mut self) {
        self.record = self.earlier.pop().flatten();
        self.lease = None;
    }
}

pub(crate) fn unreachable() -> StoreError {
    StoreError::new(StoreErrorKind::Unreachable, "the store can't be reached")
}
