//! Where a session is stored, and what waits for the store.
//!
//! *Stored before used*: a snapshot is offered until it is stored, and the tokens in it are held back meanwhile. A snapshot
//! without new tokens, such as one of a lock-out, is offered again too, but nothing waits for it.

use alloc::boxed::Box;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::sharing::{Announcement, Ask, Asked, Failure, Loaded, Permitted, Sharing, Situation, Wanted};
use super::{Action, EventKind, ExchangeId, Session, StopReason};
use crate::budget::{Operation, RateBudget};
use crate::moments::later;
use crate::record::{AttemptId, Pause, Tokens};
use crate::store::{LeaseHolder, MayLogIn, Revision, StoreAnswer, StoreError, StoreErrorKind, StoreRequest};

/// A snapshot that was on its way to a shared store for longer than this, which is less than the margin of a token, is stored
/// anew.
const LATE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Persistence {
    kind: Kind,
    /// The record has something to store besides new tokens: a lock-out, a ticket, a refusal.
    pub(super) dirty: bool,
    /// The owner had all forgotten, and the store does not know it yet.
    pub(super) forgets: bool,
    /// Tokens that are used once they are stored.
    pub(super) waiting: Option<Box<Waiting>>,
    saving: Option<Saving>,
    pub(super) pause: Pause,
    /// Why the session stops once that is stored.
    pub(super) stops_with: Option<Box<StopReason>>,
}

#[derive(Debug, Default)]
enum Kind {
    /// Nowhere.
    #[default]
    None,
    /// By the owner's own hook.
    Hook,
    /// In a store that processes share.
    Shared(Box<Sharing>),
}

/// New tokens, and the operation that brought them; nothing if they were adopted.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) tokens: Tokens,
    pub(super) user_id: Option<i64>,
    pub(super) operation: Option<Operation>,
    /// As [`TokenHealth::assumed_offset`](super::TokenHealth::assumed_offset).
    pub(super) assumed_offset: Option<SignedDuration>,
}

/// A snapshot that is offered to the store.
#[derive(Debug, Clone, Copy)]
struct Saving {
    id: ExchangeId,
    /// When the snapshot was taken that is being stored, if one is.
    taken: Option<Timestamp>,
    /// When the store is taken to have failed, or the snapshot is offered again.
    until: Timestamp,
}

/// What the store has to do next.
pub(super) enum Store {
    /// The record is stored.
    Idle,
    /// Its answer is awaited until then.
    Asked(Timestamp),
    /// It has not answered in time.
    Overdue,
    /// A snapshot is offered again then.
    Paused(Timestamp),
    Offer,
}

impl Persistence {
    pub(super) fn hook() -> Self {
        Self { kind: Kind::Hook, ..Self::default() }
    }

    pub(super) fn shared(may_log_in: MayLogIn) -> Self {
        Self { kind: Kind::Shared(Box::new(Sharing::new(may_log_in))), ..Self::default() }
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self.kind, Kind::None)
    }

    pub(super) fn is_hook(&self) -> bool {
        matches!(self.kind, Kind::Hook)
    }

    pub(super) fn is_shared(&self) -> bool {
        matches!(self.kind, Kind::Shared(_))
    }

    /// The record has something to store, if there is a store.
    pub(super) fn changed(&mut self) {
        self.dirty |= !self.is_none();
    }

    /// Other processes are to know of what has just happened.
    pub(super) fn share(&mut self) {
        self.dirty |= self.is_shared();
    }

    pub(super) fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    /// When the record is stored that has something new.
    pub(super) fn save_due(&self) -> Option<Timestamp> {
        self.pause.until().filter(|_| self.dirty)
    }

    pub(super) fn next(&self, now: Timestamp) -> Store {
        let asked = self.as_shared().and_then(Sharing::asked).map(|asked| asked.until);
        let saving = self.saving.filter(|saving| saving.taken.is_some()).map(|saving| saving.until);
        match (asked.or(saving), &self.saving) {
            (Some(until), _) if now < until => Store::Asked(until),
            (Some(_), _) => Store::Overdue,
            (None, Some(saving)) if now < saving.until => Store::Paused(saving.until),
            (None, Some(_)) => Store::Offer,
            (None, None) if self.dirty && !self.is_none() && self.pause.until().is_none_or(|until| until <= now) => {
                Store::Offer
            }
            (None, None) => Store::Idle,
        }
    }

    pub(super) fn holds_lease(&self) -> bool {
        self.as_shared().is_some_and(|sharing| sharing.lease().is_some())
    }

    /// Whether the store has failed since it last did what it was asked.
    fn is_failing(&self) -> bool {
        self.pause.faults() > 0 || self.as_shared().is_some_and(Sharing::is_failing)
    }

    /// The tokens in use are stored, or others have stored newer ones.
    pub(super) fn has_stored_tokens(&mut self) {
        if let Some(sharing) = self.shared_mut() {
            sharing.uses_unstored = false;
        }
    }

    /// Ends the pause after a save that has failed.
    fn offer_now(&mut self) {
        self.pause.skip();
        if let Some(saving) = self.saving.as_mut().filter(|saving| saving.taken.is_none()) {
            saving.until = Timestamp::MIN;
        }
    }

    /// The owner has all forgotten: other processes are to know of it.
    pub(super) fn forget(&mut self) {
        self.share();
        self.forgets = self.is_shared();
    }

    /// Offers nothing more, and drops what waits.
    pub(super) fn abandon(&mut self) {
        self.saving = None;
        self.waiting = None;
        self.has_stored_tokens();
    }

    pub(super) fn shared_mut(&mut self) -> Option<&mut Sharing> {
        match &mut self.kind {
            Kind::Shared(sharing) => Some(sharing),
            _ => None,
        }
    }

    pub(super) fn as_shared(&self) -> Option<&Sharing> {
        match &self.kind {
            Kind::Shared(sharing) => Some(sharing),
            _ => None,
        }
    }

    pub(super) fn announcement(&self) -> Option<&Announcement> {
        self.as_shared()?.announced.as_ref()
    }

    /// The login that is announced and not sent.
    pub(super) fn announced_attempt(&self) -> Option<AttemptId> {
        self.announcement()?.attempt
    }

    /// Whether other processes know that the request is sent about now.
    fn has_announced(&self, operation: Operation, now: Timestamp, longest: Duration) -> bool {
        let is_fresh = |at| now < later(at, longest.saturating_mul(2));
        self.announcement().is_some_and(|it| it.is_stored && it.operation == operation && is_fresh(it.at))
    }

    /// Whether this snapshot, which was long on its way, is this session's own.
    pub(super) fn is_own_late(&self, written_at: Option<Timestamp>) -> bool {
        self.as_shared().is_some_and(|sharing| written_at.is_some() && sharing.stored_late == written_at)
    }
}

impl Session {
    /// Whether a login or a refresh has first to be announced to those that share the session.
    pub(super) fn is_to_be_announced(&self, now: Timestamp, operation: Operation) -> bool {
        // What others have stored is not written over for a code, which may bring nothing.
        matches!(operation, Operation::LogIn | Operation::Refresh)
            && self.code.is_none()
            && self.persistence.is_shared()
            && !self.persistence.has_announced(operation, now, self.policy.deadline())
    }

    pub(super) fn announce(&mut self, now: Timestamp, operation: Operation) {
        self.withdraw_announcement();
        let attempt = match operation {
            Operation::LogIn => Some(self.record.log_ins.announce(now, &mut self.ids)),
            _ => None,
        };
        if let (None, Some(refresh)) = (attempt, &mut self.record.tokens.refresh) {
            refresh.announced.set();
        }
        let ticket = self.take_ticket(operation);
        if let Some(sharing) = self.persistence.shared_mut() {
            sharing.announced = Some(Announcement { at: now, operation, attempt, ticket, is_stored: false });
        }
        self.save(now);
    }

    /// The announced request is sent.
    pub(super) fn take_announcement(&mut self, operation: Operation) -> Option<Announcement> {
        if self.persistence.announcement().is_some_and(|announced| announced.operation != operation) {
            self.withdraw_announcement();
        }
        self.persistence.shared_mut()?.announced.take()
    }

    /// What was announced is not sent.
    pub(super) fn withdraw_announcement(&mut self) {
        let Some(announced) = self.persistence.shared_mut().and_then(|sharing| sharing.announced.take()) else {
            return;
        };
        if announced.is_stored {
            self.record.postponed.set_if_some(announced.ticket);
        } else {
            // Another process may have stored that it has presented the ticket.
            self.record.postponed.restore(announced.ticket);
        }
        if let Some(attempt) = announced.attempt {
            self.record.log_ins.opened_none(attempt);
        } else if let Some(refresh) = &mut self.record.tokens.refresh {
            refresh.announced.clear();
        }
    }

    /// Uses these tokens once they are stored.
    pub(super) fn hold_back(&mut self, now: Timestamp, waiting: Waiting) {
        self.persistence.waiting = Some(Box::new(waiting));
        self.save(now);
    }

    /// Has the record stored next.
    pub(super) fn save(&mut self, now: Timestamp) {
        self.persistence.dirty = false;
        self.persistence.saving = Some(Saving { id: self.exchanges.next_id(), taken: None, until: now });
    }

    pub(super) fn offer(&mut self, now: Timestamp, budget: &RateBudget) -> Action {
        if self.persistence.saving.is_none() {
            self.save(now);
        }
        let snapshot = self.snapshot(now, budget);
        let mut id = ExchangeId::default();
        if let Some(saving) = &mut self.persistence.saving {
            saving.taken = Some(now);
            saving.until = later(now, self.policy.deadline());
            id = saving.id;
        }
        let shared = self.persistence.as_shared();
        let request = match shared.and_then(|sharing| Some((sharing.known(), sharing.lease()?))) {
            Some((known, lease)) => StoreRequest::Save { snapshot, known, lease },
            None => StoreRequest::Keep(snapshot),
        };
        Action::Store { id, request }
    }

    /// What the session may do, if processes share its store. Otherwise it may do what it wants.
    pub(super) fn permit(&self, now: Timestamp, wanted: Wanted) -> Permitted {
        let Some(sharing) = self.persistence.as_shared() else { return Permitted::Wanted };
        sharing.permit(&Situation {
            now,
            longest: self.policy.deadline(),
            wanted,
            is_unstored: self.has_unstored_grant(),
            has_token: self.token(now).is_some(),
        })
    }

    /// Whether a shared store keeps the session from what it would do now: from this request, or from storing something.
    pub(super) fn waits_for_store(&self, now: Timestamp, due: Option<Operation>) -> bool {
        let wanted = due.map(Wanted::Send).into_iter().chain(self.persistence.dirty.then_some(Wanted::Save));
        self.persistence.as_shared().and_then(Sharing::asked).is_some()
            || wanted.into_iter().any(|wanted| matches!(self.permit(now, wanted), Permitted::NotBefore(_)))
    }

    pub(super) fn ask(&mut self, now: Timestamp, what: Ask) -> Action {
        let id = self.exchanges.next_id();
        let longest = self.policy.deadline();
        if let Some(sharing) = self.persistence.shared_mut() {
            sharing.ask(now, longest, id, what);
        }
        let request = match what {
            Ask::Acquire(time) => StoreRequest::Acquire(time),
            Ask::Load => StoreRequest::Load,
            Ask::Release(lease) => StoreRequest::Release(lease),
        };
        Action::Store { id, request }
    }

    /// What the store has done, or why it has not.
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
                    None
                }
                Loaded::Known => {
                    self.judge(now, false);
                    None
                }
                Loaded::Record(stored) => {
                    let is_empty = stored.is_none();
                    self.synchronize(now, stored, budget);
                    self.judge(now, is_empty);
                    None
                }
            },
            (Ask::Release(_), _) => None,
            (what, Ok(_)) => sharing.ask_failed(now, what, another_answer()),
            (what, Err(error)) => sharing.ask_failed(now, what, error),
        };
        if let Some(Failure { error, retry_at, .. }) = failure.filter(|failure| failure.is_new) {
            self.store_has_failed(now, error, retry_at);
        }
    }

    /// The record was loaded, or the store has none.
    fn judge(&mut self, now: Timestamp, is_empty: bool) {
        let has_ended = self.record.tokens.access.is_some() && !self.holds_token_that_has_not_ended(now);
        if let Some(sharing) = self.persistence.shared_mut() {
            sharing.joined(is_empty || has_ended);
            sharing.judge(now);
        }
    }

    /// By a clock that may be wrong: a token that may have ended is not tried before what other processes may hold.
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

    /// When the record of a shared store is loaded by itself.
    pub(super) fn load_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.persistence.as_shared()?.load_due(self.token(now).is_some())
    }

    /// The store that processes share may hold another record, or another process has taken the lease. The session loads the
    /// record, and offers the store again what it could not save.
    pub fn store_changed(&mut self) {
        let has_unstored_grant = self.has_unstored_grant();
        if let Some(sharing) = self.persistence.shared_mut() {
            sharing.changed();
            if has_unstored_grant {
                self.persistence.offer_now();
            }
        }
    }

    /// The record of the shared store that the session is in step with.
    #[must_use]
    pub fn known_revision(&self) -> Option<Revision> {
        self.persistence.as_shared()?.known()
    }

    /// Who holds the lease of the shared store, as far as this process knows.
    #[must_use]
    pub fn lease_holder(&self, now: Timestamp) -> LeaseHolder {
        self.persistence.as_shared().map_or(LeaseHolder::Nobody, |sharing| sharing.holder(now))
    }

    /// Whether the only copy of a token waits to be stored.
    #[must_use]
    pub fn has_unstored_grant(&self) -> bool {
        let uses_unstored = self.persistence.as_shared().is_some_and(|sharing| sharing.uses_unstored);
        uses_unstored || self.persistence.waiting.is_some()
    }

    /// A new token that the shared store can't take is used by this process once it has no other one. It is still offered to the
    /// store, and neither a refresh nor a login follows before the store takes it.
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

    /// A snapshot has been stored.
    fn stored(&mut self, now: Timestamp) {
        let Some(saving) = self.persistence.saving.take() else { return };
        let late = saving.taken.filter(|taken| later(*taken, LATE) < now);
        if let Some(sharing) = self.persistence.shared_mut() {
            sharing.announced.iter_mut().for_each(|announced| announced.is_stored = true);
            // Others take what it says of the clock for as young as the record. A store that is always slow is asked once
            // more, not for ever.
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

    /// A snapshot could not be stored: it is offered again after a pause.
    fn not_stored(&mut self, now: Timestamp, error: StoreError) {
        let longest = self.policy.longest_pause();
        let retry_at = self.persistence.pause.after_fault(now, Duration::ZERO, longest, &mut self.jitter);
        self.store_has_failed(now, error, retry_at);
        let taken = self.persistence.saving.and_then(|saving| saving.taken);
        if let Some(sharing) = self.persistence.shared_mut()
            && let Some(taken) = taken.filter(|taken| later(*taken, LATE) < now)
        {
            // It may be there all the same.
            sharing.stored_late = Some(taken);
        }
        if let Some(sharing) = self.persistence.shared_mut() {
            sharing.not_saved();
        }
        self.offer_again(retry_at);
    }

    fn store_has_failed(&mut self, now: Timestamp, error: StoreError, retry_at: Timestamp) {
        let usable_until = self.token(now).map(|token| token.usable_until);
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

/// The store has not answered before the deadline.
fn no_answer() -> StoreError {
    StoreError::new(StoreErrorKind::Unreachable, "the store gave no answer in time")
}

fn always_overtaken() -> StoreError {
    StoreError::new(StoreErrorKind::NotWritable, "the store says again and again that another process has saved first")
}

fn another_answer() -> StoreError {
    StoreError::new(StoreErrorKind::NotReadable, "the store answered another question than it was asked")
}
