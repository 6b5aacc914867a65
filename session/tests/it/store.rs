//! A store in memory for the tests of shared sessions. It answers at once and never fails.

use std::time::Duration;

use jiff::Timestamp;
use tradovate_auth_session::{
    Action, Lease, RateBudget, Revision, Session, StoreAnswer, StoreRequest, StoredRecord, StoredSession,
};

/// The record and the time at which it was saved.
#[derive(Default)]
pub(crate) struct MemoryStore {
    record: Option<(Revision, StoredSession, Timestamp)>,
    saved: u64,
}

impl MemoryStore {
    /// A store that holds this record, saved at that time.
    pub(crate) fn holding(session: &StoredSession, saved_at: Timestamp) -> Self {
        let mut store = Self::default();
        store.put(session, saved_at);
        store
    }

    pub(crate) fn put(&mut self, session: &StoredSession, saved_at: Timestamp) -> Revision {
        self.saved += 1;
        // The record is written as text and read again, as in a real store.
        let session = serde_json::from_str(&serde_json::to_string(session).unwrap()).unwrap();
        self.record = Some((Revision(self.saved), session, saved_at));
        Revision(self.saved)
    }

    pub(crate) fn session(&self) -> Option<StoredSession> {
        self.record.as_ref().map(|(_, session, _)| session.clone())
    }

    pub(crate) fn answer(&mut self, now: Timestamp, request: StoreRequest) -> StoreAnswer {
        match request {
            StoreRequest::Keep(snapshot) => {
                self.put(&snapshot, now);
                StoreAnswer::Kept
            }
            StoreRequest::Acquire(time) => StoreAnswer::Lease(Some(Lease { fence: 1, time })),
            StoreRequest::Load => StoreAnswer::Loaded(self.record.as_ref().map(|(revision, session, saved_at)| {
                let age = Duration::try_from(now.duration_since(*saved_at)).ok();
                StoredRecord { revision: *revision, age, place: String::new(), session: Ok(session.clone()) }
            })),
            StoreRequest::Save { snapshot, .. } => StoreAnswer::Saved(Some(self.put(&snapshot, now))),
            _ => StoreAnswer::Released,
        }
    }
}

/// Answers the session's questions to the store until the session asks for something else.
pub(crate) fn serve(session: &mut Session, now: Timestamp, budget: &mut RateBudget, store: &mut MemoryStore) -> Action {
    loop {
        match session.poll(now, budget) {
            Action::Store { id, request } => {
                session.store_answered(now, id, Ok(store.answer(now, request)), budget);
            }
            action => return action,
        }
    }
}

/// Makes a session load a record that was saved this long ago.
pub(crate) fn load(session: &mut Session, now: Timestamp, budget: &mut RateBudget, record: StoredRecord) {
    session.store_changed();
    loop {
        match session.poll(now, budget) {
            Action::Store { id, request: StoreRequest::Load } => {
                let answer = Ok(StoreAnswer::Loaded(Some(record)));
                return session.store_answered(now, id, answer, budget);
            }
            Action::Store { id, request } => {
                let answer = Ok(MemoryStore::default().answer(now, request));
                session.store_answered(now, id, answer, budget);
            }
            action => panic!("{action:?}"),
        }
    }
}
