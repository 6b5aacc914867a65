//! [`Turn`]: the right to do the next thing for a session, which ends with what came of it.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use jiff::Timestamp;
use tradovate_auth_core::{CallError, Failure, ResponseBody};
use tradovate_auth_session::ExchangeId;
use tradovate_auth_store::{self as store, Revision, StoreError, Stored};

use crate::cause::cause;
use crate::fleet::{LONGEST_REQUEST, Lease};
use crate::shared::Shared;
use crate::turns::{Claim, Rest};

/// The right, and the duty, to do the next thing for a session. Dropping it tells the session that nobody knows what
/// became of it: by a panic, or with a runtime under it.
#[derive(Debug)]
#[must_use = "the session waits for what comes of it"]
pub struct Turn {
    shared: Arc<Shared>,
    claim: Claim,
    open: Open,
    begun: bool,
    rest: Option<Rest>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Open {
    Nothing,
    Answer(ExchangeId),
    Store(ExchangeId),
    /// The lease, which was asked for at that time, for so long.
    Lead {
        begun: Timestamp,
        time: Duration,
    },
    Look,
    LastWord,
    /// That the lease is given back.
    Release,
}

impl Turn {
    pub(crate) fn new(shared: Arc<Shared>, claim: Claim) -> Self {
        Self { shared, claim, open: Open::Nothing, begun: false, rest: None }
    }

    pub(crate) fn opening(mut self, open: Open) -> Self {
        self.open = open;
        self
    }

    /// Ends it without anything done, for this reason.
    pub(crate) fn rest(mut self, rest: Rest) {
        self.rest = Some(rest);
    }

    /// From now on the server may get the request; a turn dropped before has sent nothing.
    pub fn begin(&mut self) {
        self.begun = true;
    }

    /// What became of the request.
    pub fn answered(mut self, result: Result<Response<ResponseBody>, CallError>) {
        self.settle_answer(result.map_err(|error| (error.failure().unwrap_or(Failure::NotSent), cause(&error))));
    }

    /// Whether the snapshot was stored.
    pub fn stored(mut self, stored: bool) {
        self.settle_store(stored);
    }

    /// The lease, if it is ours now, and what the store holds; or why it can't be used.
    pub fn led(mut self, result: Result<(Option<store::Lease>, Option<Stored>), StoreError>) {
        let needed = self.shared.settings.longest_turn().min(LONGEST_REQUEST);
        self.settle_look(match result {
            Ok((Some(lease), _)) if lease.time < needed => {
                let (given, needed) = (lease.time.as_secs(), needed.as_secs());
                Err(format!("the store gives its lease for {given} s, and a request may take {needed} s"))
            }
            other => other.map_err(|error| error.to_string()),
        });
    }

    /// What the store holds, or why it can't be used.
    pub fn looked(mut self, result: Result<Option<Stored>, StoreError>) {
        self.settle_look(result.map(|stored| (None, stored)).map_err(|error| error.to_string()));
    }

    /// The new revision, nothing where others were before us, or why the store can't be used.
    pub fn saved(mut self, result: Result<Option<Revision>, StoreError>) {
        self.settle_save(result.map_err(|error| error.to_string()));
    }

    /// The lease is given back, or runs out by itself.
    pub fn released(mut self) {
        self.settle_lease();
    }

    fn settle_answer(&mut self, result: Result<Response<ResponseBody>, (Failure, String)>) {
        let Open::Answer(id) = self.open else { return };
        self.open = Open::Nothing;
        self.shared.update(|session, now| {
            let budget = &self.shared.settings.budget;
            let mut guard = budget.lock();
            budget.uncount();
            match result {
                Ok(response) => session.receive(now, id, response, &mut guard),
                Err((failure, cause)) => session.failed_because(now, id, failure, &cause, &mut guard),
            }
        });
    }

    fn settle_look(&mut self, result: Result<(Option<store::Lease>, Option<Stored>), String>) {
        let (given, loaded) = match result {
            Ok((given, stored)) => (given, Ok(stored)),
            Err(reason) => (None, Err(reason)),
        };
        let lease = match self.open {
            Open::Lead { begun, time } => {
                let time = given.map_or(time, |lease| lease.time.min(time));
                Some(Lease { begun, time, is_ours: given.is_some() })
            }
            Open::Look => None,
            _ => return,
        };
        self.open = Open::Nothing;
        self.shared.heard(lease, loaded);
    }

    fn settle_save(&mut self, result: Result<Option<Revision>, String>) {
        let revision = match result {
            Ok(revision) => revision,
            Err(reason) => return self.settle_failed_save(reason),
        };
        let open = std::mem::replace(&mut self.open, Open::Nothing);
        self.shared.with_fleet(|fleet, session, now| {
            fleet.saved(revision);
            match (open, revision) {
                (Open::Store(id), Some(_)) => session.stored(now, id),
                (Open::Store(id), None) => session.store_overtaken(now, id),
                _ => {}
            }
        });
    }

    fn settle_failed_save(&mut self, reason: String) {
        if let Open::Store(id) = std::mem::replace(&mut self.open, Open::Nothing) {
            self.shared.update(|session, now| session.store_failed_because(now, id, reason));
        }
    }

    fn settle_lease(&mut self) {
        if let Open::Release = self.open {
            self.open = Open::Nothing;
            self.shared.with_fleet(|fleet, _, _| fleet.released());
        }
    }

    fn settle_store(&mut self, stored: bool) {
        let Open::Store(id) = self.open else { return };
        self.open = Open::Nothing;
        self.shared.update(|session, now| if stored { session.stored(now, id) } else { session.store_failed(now, id) });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let failure = if self.begun { Failure::MaybeSent } else { Failure::NotSent };
        self.settle_answer(Err((failure, "the request was abandoned".into())));
        self.settle_look(Err("it gave no answer".into()));
        self.settle_store(false);
        self.settle_lease();
        let rest = self.rest.take();
        self.shared.change(|turns| match rest {
            Some(rest) => turns.rest(self.claim, rest),
            None => turns.release(self.claim),
        });
    }
}
