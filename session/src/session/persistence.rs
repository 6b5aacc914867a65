//! Where a session is stored, and what waits for the store.
//!
//! *Stored before used*: a snapshot is offered until it is stored, and the tokens in it are held back meanwhile. A snapshot
//! without new tokens, such as one of a lock-out, is offered again too, but nothing waits for it.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Action, EventKind, ExchangeId, Session, StopReason};
use crate::budget::{Operation, RateBudget};
use crate::moments::later;
use crate::record::{AttemptId, Pause, Tokens};

/// A snapshot that was on its way to a shared store for longer than this, which is less than the margin of a token, is stored
/// anew.
const LATE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Persistence {
    kind: Kind,
    /// The record has something to store besides new tokens: a lock-out, a ticket, a refusal.
    pub(super) dirty: bool,
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

/// What a session keeps in mind besides if processes share its store.
#[derive(Debug, Default)]
struct Sharing {
    announced: Option<Announcement>,
    /// When the last snapshot was taken, if it was long on its way to the store.
    stored_late: Option<Timestamp>,
}

/// A login or a refresh that is stored before it is sent. So the store can surely be written to, and after a crash the next
/// process knows that the request may have been sent.
#[derive(Debug, Clone, Copy)]
struct Announcement {
    operation: Operation,
    attempt: Option<AttemptId>,
    is_stored: bool,
}

/// What the store has to do next.
pub(super) enum Store {
    /// The record is stored.
    Idle,
    /// Nothing before this.
    Wait(Timestamp),
    Offer,
    /// It has not said what became of the snapshot.
    Overdue,
}

impl Persistence {
    pub(super) fn hook() -> Self {
        Self { kind: Kind::Hook, ..Self::default() }
    }

    pub(super) fn shared() -> Self {
        Self { kind: Kind::Shared(Box::default()), ..Self::default() }
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
        match &self.saving {
            Some(saving) if now < saving.until => Store::Wait(saving.until),
            Some(Saving { taken: Some(_), .. }) => Store::Overdue,
            Some(_) => Store::Offer,
            None if self.dirty && !self.is_none() && self.pause.until().is_none_or(|until| until <= now) => {
                Store::Offer
            }
            None => Store::Idle,
        }
    }

    /// Offers nothing more, and drops what waits.
    pub(super) fn abandon(&mut self) {
        self.saving = None;
        self.waiting = None;
    }

    fn sharing(&mut self) -> Option<&mut Sharing> {
        match &mut self.kind {
            Kind::Shared(sharing) => Some(sharing),
            _ => None,
        }
    }

    fn announcement(&self) -> Option<&Announcement> {
        match &self.kind {
            Kind::Shared(sharing) => sharing.announced.as_ref(),
            _ => None,
        }
    }

    /// The login that is announced and not sent.
    pub(super) fn announced_attempt(&self) -> Option<AttemptId> {
        self.announcement()?.attempt
    }

    fn has_announced(&self, operation: Operation) -> bool {
        self.announcement().is_some_and(|announced| announced.is_stored && announced.operation == operation)
    }

    /// Whether this snapshot, which was long on its way, is this session's own.
    pub(super) fn is_own_late(&self, written_at: Option<Timestamp>) -> bool {
        matches!(&self.kind, Kind::Shared(sharing) if written_at.is_some() && sharing.stored_late == written_at)
    }
}

impl Session {
    /// Whether a login or a refresh has first to be announced to those that share the session.
    pub(super) fn is_to_be_announced(&self, operation: Operation) -> bool {
        // What others have stored is not written over for a code, which may bring nothing.
        matches!(operation, Operation::LogIn | Operation::Refresh)
            && self.code.is_none()
            && self.persistence.is_shared()
            && !self.persistence.has_announced(operation)
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
        if let Some(sharing) = self.persistence.sharing() {
            sharing.announced = Some(Announcement { operation, attempt, is_stored: false });
        }
        self.save(now);
    }

    /// The announced request is sent. Returns the login that it is.
    pub(super) fn take_announcement(&mut self, operation: Operation) -> Option<AttemptId> {
        if self.persistence.announcement().is_some_and(|announced| announced.operation != operation) {
            self.withdraw_announcement();
        }
        self.persistence.sharing()?.announced.take()?.attempt
    }

    /// What was announced is not sent.
    pub(super) fn withdraw_announcement(&mut self) {
        let Some(announced) = self.persistence.sharing().and_then(|sharing| sharing.announced.take()) else { return };
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
        Action::Store { id, snapshot }
    }

    /// A snapshot has been stored.
    pub fn stored(&mut self, now: Timestamp, id: ExchangeId) {
        let now = self.advance(now);
        let Some(saving) = self.persistence.saving.take_if(|saving| saving.id == id) else { return };
        let late = saving.taken.filter(|taken| later(*taken, LATE) < now);
        if let Some(sharing) = self.persistence.sharing() {
            sharing.announced.iter_mut().for_each(|announced| announced.is_stored = true);
            // Others take what it says of the clock for as young as the record. A store that is always slow is asked once
            // more, not for ever.
            let is_first = late.is_some() && sharing.stored_late.is_none();
            sharing.stored_late = late;
            self.persistence.dirty |= is_first;
        }
        self.persistence.pause = Pause::default();
        if let Some(waiting) = self.persistence.waiting.take() {
            self.install(now, *waiting);
        }
    }

    /// A snapshot could not be stored: it is offered again after a pause.
    pub fn store_failed(&mut self, now: Timestamp, id: ExchangeId) {
        self.save_failed(now, id, None);
    }

    /// As [`store_failed`](Self::store_failed), with a reason for the user.
    pub fn store_failed_because(&mut self, now: Timestamp, id: ExchangeId, reason: String) {
        self.save_failed(now, id, Some(reason));
    }

    fn save_failed(&mut self, now: Timestamp, id: ExchangeId, reason: Option<String>) {
        let now = self.advance(now);
        if self.persistence.saving.is_some_and(|saving| saving.id == id) {
            self.not_stored(now, reason);
        }
    }

    pub(super) fn not_stored(&mut self, now: Timestamp, reason: Option<String>) {
        let longest = self.policy.longest_pause();
        let retry_at = self.persistence.pause.after_fault(now, Duration::ZERO, longest, &mut self.jitter);
        self.report(
            now,
            match reason {
                Some(reason) => EventKind::StoreUnusable { reason, retry_at },
                None => EventKind::StoreFailed { retry_at },
            },
        );
        let taken = self.persistence.saving.and_then(|saving| saving.taken);
        if let Some(sharing) = self.persistence.sharing()
            && let Some(taken) = taken.filter(|taken| later(*taken, LATE) < now)
        {
            // It may be there all the same.
            sharing.stored_late = Some(taken);
        }
        self.offer_again(retry_at);
    }

    /// The store holds something else than was thought, or the lease is another's: the snapshot was not stored, and is offered
    /// again once the session has been [synchronized](Self::synchronize).
    pub fn store_overtaken(&mut self, now: Timestamp, id: ExchangeId) {
        let now = self.advance(now);
        if self.persistence.saving.is_some_and(|saving| saving.id == id) {
            self.offer_again(now);
        } else {
            self.withdraw_announcement();
        }
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
