//! Handles the answers of the store: a lease, a record to merge, tokens that may now be used, or a failure.

use core::time::Duration;

use jiff::Timestamp;

use super::policy::SHORTEST_MARGIN;
use super::shared_store::{Ask, Asked, Failure, Loaded, Sharing, load_every};
use super::{EventKind, ExchangeId, Session};
use crate::network_budget::RateBudget;
use crate::record::Pause;
use crate::store::{LeaseHolder, Revision, StoreAnswer, StoreError, StoreErrorKind};
use crate::time_arithmetic::later;

impl Session {
    /// Reports the answer of the store to an [`Action::Store`](super::Action::Store), or its error. An answer with an
    /// unknown id changes nothing, except that a lease in it is released.
    pub fn store_answered(
        &mut self,
        now: Timestamp,
        id: ExchangeId,
        answer: Result<StoreAnswer, StoreError>,
        budget: &mut RateBudget,
    ) {
        let now = self.advance(now);
        self.gates.see(now, budget);
        let was_failing = self.persistence.is_failing();
        self.take_answer(now, id, answer, budget);
        if was_failing && !self.persistence.is_failing() {
            self.report(now, EventKind::StoreRestored);
        }
    }

    fn take_answer(
        &mut self,
        now: Timestamp,
        id: ExchangeId,
        answer: Result<StoreAnswer, StoreError>,
        budget: &mut RateBudget,
    ) {
        if self.persistence.saving.is_some_and(|saving| saving.id == id) {
            match answer {
                Ok(StoreAnswer::Kept) if self.persistence.is_hook() => self.stored(now),
                Ok(StoreAnswer::Saved(revision)) if self.persistence.is_shared() => {
                    let has_token = self.persistence.waiting.is_some() || self.holds_token_that_has_not_ended(now);
                    if let Some(sharing) = self.persistence.shared_mut() {
                        sharing.saved(revision, has_token);
                    }
                    let is_failing = self.persistence.as_shared().is_some_and(Sharing::is_always_overtaken);
                    match revision {
                        Some(_) => self.stored(now),
                        None if is_failing => self.not_stored(now, always_overtaken()),
                        None => self.offer_again(now),
                    }
                }
                Ok(_) => self.not_stored(now, another_answer()),
                Err(error) => self.not_stored(now, error),
            }
            return;
        }
        let Some(sharing) = self.persistence.shared_mut() else { return };
        if sharing.asked().is_some_and(|asked| asked.id == id) {
            if let Some(asked) = sharing.take_asked() {
                self.shared_store_answered(now, asked, answer, budget);
            }
        } else if let Ok(StoreAnswer::Lease(Some(lease))) = answer {
            sharing.given_late(now, lease);
        }
    }

    fn shared_store_answered(
        &mut self,
        now: Timestamp,
        asked: Asked,
        answer: Result<StoreAnswer, StoreError>,
        budget: &mut RateBudget,
    ) {
        let longest = self.policy.deadline();
        let Some(sharing) = self.persistence.shared_mut() else { return };
        let failure = match (asked.what, answer) {
            (Ask::Acquire(_), Ok(StoreAnswer::Lease(lease))) => sharing.acquired(now, longest, &asked, lease),
            (Ask::Load, Ok(StoreAnswer::Loaded(stored))) => match sharing.loaded(now, stored) {
                Loaded::Failed(failure) => Some(failure),
                Loaded::Unreadable => {
                    sharing.judge(now);
                    self.judge_announced_refresh(now);
                    None
                }
                Loaded::Known => {
                    self.judge(now, false);
                    None
                }
                Loaded::Record(stored) => {
                    let is_empty = stored.is_none();
                    self.synchronize(now, stored, budget);
                    self.judge(now, is_empty || self.has_lost_token());
                    None
                }
            },
            (Ask::Release(_), _) => {
                sharing.gave_back(now);
                None
            }
            (what, Ok(_)) => sharing.ask_failed(now, what, another_answer()),
            (what, Err(error)) => sharing.ask_failed(now, what, error),
        };
        if let Some(Failure { error, retry_at, .. }) = failure.filter(|failure| failure.is_new) {
            self.store_has_failed(now, error, retry_at);
        }
    }

    /// The record was loaded, or the store is empty.
    fn judge(&mut self, now: Timestamp, is_empty: bool) {
        let has_ended = self.record.tokens.access.is_some() && !self.holds_token_that_has_not_ended(now);
        let has_none = self.has_lost_token();
        if let Some(sharing) = self.persistence.shared_mut() {
            sharing.merged(is_empty || has_ended, has_none);
            sharing.judge(now);
        }
        self.judge_announced_refresh(now);
    }

    /// Marks a refresh that another process has announced as one of unknown outcome, if this process now holds the
    /// lease: the other process has stored no result.
    pub(super) fn judge_announced_refresh(&mut self, now: Timestamp) {
        let is_own = self.persistence.announcement().is_some() || self.exchanges.in_flight.is_some();
        let is_others = matches!(self.lease_holder(now), LeaseHolder::ThisProcess { .. }) && !is_own;
        if let Some(refresh) = self.record.tokens.refresh.as_mut().filter(|it| is_others && it.announced.is_set()) {
            refresh.announced.clear();
            refresh.outcome_unknown.set();
        }
    }

    /// Whether there is no token, although there was one, or a login may have brought one.
    fn has_lost_token(&self) -> bool {
        let tokens = &self.record.tokens;
        tokens.access.is_none() && (tokens.dead_issued_at.is_some() || self.record.log_ins.may_have_opened_one())
    }

    /// Whether the session holds a token that has not expired by the best known server time. If the local clock may be
    /// wrong, a token that seems to have expired is tried only after the store was asked for a newer one.
    fn holds_token_that_has_not_ended(&self, now: Timestamp) -> bool {
        self.record.tokens.access.as_ref().is_some_and(|access| !self.has_ended(access, now))
    }

    /// The store has not answered in time.
    pub(super) fn store_is_overdue(&mut self, now: Timestamp, budget: &mut RateBudget) {
        match self.persistence.shared_mut().and_then(Sharing::take_asked) {
            Some(asked) => self.shared_store_answered(now, asked, Err(no_answer()), budget),
            None => self.not_stored(now, no_answer()),
        }
    }

    /// When the record of a shared store has to be loaded.
    pub(super) fn load_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.persistence.as_shared()?.load_due(self.load_every(now))
    }

    /// How often the record of a shared store is loaded if the store reports no change.
    pub(super) fn load_every(&self, now: Timestamp) -> Option<Duration> {
        let sent = self.exchanges.in_flight.as_ref().and_then(|exchange| exchange.attempt);
        let own = sent.or(self.persistence.announced_attempt());
        let is_another_logging_in = || self.record.log_ins.is_another_under_way(now, own, self.policy.deadline());
        let has_token = self.token(now).is_some();
        load_every(has_token, !has_token && is_another_logging_in())
    }

    /// Whether a shared store has not yet answered a load.
    pub(super) fn has_yet_to_load(&self) -> bool {
        self.persistence.as_shared().is_some_and(|sharing| !sharing.has_loaded())
    }

    /// Reports that the record in the shared store may have changed, or that another process has acquired the lease.
    /// The session loads the record, and retries saves that failed.
    pub fn store_changed(&mut self) {
        let has_unstored_token = self.has_unstored_token();
        if let Some(sharing) = self.persistence.shared_mut() {
            sharing.changed();
            if has_unstored_token {
                self.persistence.offer_now();
            }
        }
    }

    /// The revision of the shared record that the session has merged last. `None` without a shared store, and before
    /// the first record.
    #[must_use]
    pub fn known_revision(&self) -> Option<Revision> {
        self.persistence.as_shared()?.known()
    }

    /// Which process holds the lease of the shared store, as far as this process knows.
    #[must_use]
    pub fn lease_holder(&self, now: Timestamp) -> LeaseHolder {
        self.persistence.as_shared().map_or(LeaseHolder::Nobody, |sharing| sharing.holder(now))
    }

    /// Whether the session holds a new token that is not stored yet. While this is `true`, poll even if there is a
    /// valid token. Otherwise the new token is stored only when the valid one has expired.
    #[must_use]
    pub fn has_unstored_token(&self) -> bool {
        let uses_unstored = self.persistence.as_shared().is_some_and(|sharing| sharing.uses_unstored);
        // A dead token does not have to be saved.
        let has_token = self.record.tokens.access.is_some() || self.record.tokens.refresh.is_some();
        uses_unstored && has_token || self.persistence.waiting.is_some()
    }

    /// If a new token can't be saved in the shared store, this process uses it when it has no other one. It keeps
    /// trying to save it. It neither refreshes nor logs in before the token is saved.
    pub(super) fn use_unstored(&mut self, now: Timestamp) {
        let is_failing = self.persistence.is_failing() && self.persistence.is_shared();
        if !is_failing || self.token.generation == 0 || self.token(now).is_some() {
            return;
        }
        let Some(waiting) = self.persistence.waiting.take() else { return };
        self.persistence.saving.take_if(|saving| saving.taken.is_none());
        self.persistence.dirty = true;
        if let Some(sharing) = self.persistence.shared_mut() {
            sharing.uses_unstored = true;
        }
        self.install(now, *waiting);
    }

    /// A snapshot was saved.
    fn stored(&mut self, now: Timestamp) {
        let Some(saving) = self.persistence.saving.take() else { return };
        let late = saving.taken.filter(|taken| later(*taken, SHORTEST_MARGIN) < now);
        self.persistence.announced.iter_mut().for_each(|announced| announced.is_stored = true);
        if let Some(sharing) = self.persistence.shared_mut() {
            // A snapshot that was saved late contains an old clock offset, but other processes take the offset to be as
            // new as the record. The error must not be more than the margin of a token. So the snapshot is saved once
            // more, but only once: the store may be slow every time.
            let is_first = late.is_some() && sharing.stored_late.is_none();
            sharing.stored_late = late;
            sharing.uses_unstored = false;
            self.persistence.dirty |= is_first;
        }
        self.persistence.forgets = false;
        self.persistence.pause = Pause::default();
        if let Some(waiting) = self.persistence.waiting.take() {
            self.install(now, *waiting);
        }
    }

    /// A snapshot could not be saved. It is saved again after a pause.
    fn not_stored(&mut self, now: Timestamp, error: StoreError) {
        let longest = self.policy.longest_pause();
        let retry_at = self.persistence.pause.after_fault(self.moment(now), Duration::ZERO, longest, &mut self.jitter);
        self.store_has_failed(now, error, retry_at);
        let taken = self.persistence.saving.and_then(|saving| saving.taken);
        if let Some(sharing) = self.persistence.shared_mut() {
            // The save may have worked in spite of the error.
            sharing.stored_late = taken.filter(|taken| later(*taken, SHORTEST_MARGIN) < now).or(sharing.stored_late);
            sharing.not_saved();
        }
        self.offer_again(retry_at);
    }

    fn store_has_failed(&mut self, now: Timestamp, error: StoreError, retry_at: Timestamp) {
        let usable_until = self.token_usable_until(now);
        self.report(now, EventKind::StoreFailed { error, retry_at, usable_until });
    }

    fn offer_again(&mut self, at: Timestamp) {
        self.withdraw_announcement();
        if let (Some(saving), Some(_)) = (&mut self.persistence.saving, &self.persistence.waiting) {
            (saving.taken, saving.until) = (None, at);
        } else {
            self.persistence.saving = None;
            self.persistence.dirty = true;
        }
    }
}

/// The store has not answered within the deadline.
fn no_answer() -> StoreError {
    StoreError::new(StoreErrorKind::Unreachable, "the store gave no answer in time")
}

fn always_overtaken() -> StoreError {
    StoreError::new(StoreErrorKind::NotWritable, "the store says again and again that another process has saved first")
}

fn another_answer() -> StoreError {
    StoreError::new(StoreErrorKind::NotReadable, "the store answered another question than it was asked")
}
