//! [`Persistence`]: where a session is stored, and what waits for the store.
//!
//! *Stored before used*: the session holds new tokens back until their snapshot is saved, and sends a login after it is
//! announced in a snapshot. Another snapshot, such as one of a lock-out, is saved too, but nothing waits for it.

use alloc::boxed::Box;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::announced_requests::Announcement;
use super::shared_store::{Ask, Permitted, Sharing, Situation, Wanted};
use super::{Action, ExchangeId, Session, StopReason};
use crate::network_budget::{Operation, RateBudget};
use crate::record::{AttemptId, Pause, Tokens};
use crate::store::{MayLogIn, StoreRequest};
use crate::time_arithmetic::later;

#[derive(Debug, Clone, Default)]
pub(super) struct Persistence {
    kind: Kind,
    /// The record has changed, apart from new tokens: a lock-out, a ticket, a refusal.
    pub(super) dirty: bool,
    /// The program called `forget`, and this is not saved yet.
    pub(super) forgets: bool,
    /// New tokens that are used after they are saved.
    pub(super) waiting: Option<Box<Waiting>>,
    pub(super) saving: Option<Saving>,
    /// The request that is stored before it is sent.
    pub(super) announced: Option<Box<Announcement>>,
    pub(super) pause: Pause,
    /// Why the session stops after the save.
    pub(super) stops_with: Option<Box<StopReason>>,
}

#[derive(Debug, Clone, Default)]
enum Kind {
    /// The session is not stored.
    #[default]
    None,
    /// The program stores it (`StoreRequest::Keep`).
    Hook,
    /// In a store that processes share.
    Shared(Box<Sharing>),
}

/// New tokens, and the operation that brought them. `None` if they were adopted.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) tokens: Tokens,
    pub(super) user_id: Option<i64>,
    pub(super) operation: Option<Operation>,
    /// See [`TokenHealth::assumed_offset`](super::TokenHealth::assumed_offset).
    pub(super) assumed_offset: Option<SignedDuration>,
}

/// A save that is requested or in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Saving {
    pub(super) id: ExchangeId,
    /// When the snapshot in flight was taken. `None` if no save is in flight.
    pub(super) taken: Option<Timestamp>,
    /// When the save counts as failed, or when the next save is due.
    pub(super) until: Timestamp,
}

/// The next step of a save.
pub(super) enum Store {
    /// Nothing has to be saved.
    Idle,
    /// The store has until then to answer.
    Asked(Timestamp),
    /// The store has not answered in time.
    Overdue,
    /// The next save is due then.
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

    /// The record has changed and has to be saved, if there is a store.
    pub(super) fn changed(&mut self) {
        self.dirty |= !self.is_none();
    }

    /// Something happened that other processes have to know.
    pub(super) fn share(&mut self) {
        self.dirty |= self.is_shared();
    }

    pub(super) fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    /// When the changed record has to be saved.
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

    /// Whether the last request to the store failed.
    pub(super) fn is_failing(&self) -> bool {
        self.pause.faults() > 0 || self.as_shared().is_some_and(Sharing::is_failing)
    }

    /// The tokens in use are saved, or other processes have saved newer ones.
    pub(super) fn has_stored_tokens(&mut self) {
        if let Some(sharing) = self.shared_mut() {
            sharing.uses_unstored = false;
        }
    }

    /// Ends the pause after a failed save.
    pub(super) fn offer_now(&mut self) {
        self.pause.skip();
        if let Some(saving) = self.saving.as_mut().filter(|saving| saving.taken.is_none()) {
            saving.until = Timestamp::MIN;
        }
    }

    /// The program called `forget`: other processes have to know it.
    pub(super) fn forget(&mut self) {
        self.share();
        self.forgets = self.is_shared();
    }

    /// Saves nothing more, and drops the tokens that wait.
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
        self.announced.as_deref()
    }

    /// The login that is announced but not sent.
    pub(super) fn announced_attempt(&self) -> Option<AttemptId> {
        self.announcement()?.attempt
    }

    /// Whether the store has the announcement of this request, and the request is sent about now.
    pub(super) fn has_announced(&self, operation: Operation, now: Timestamp, lasts: Duration) -> bool {
        let is_fresh = |at| now < later(at, lasts);
        self.announcement().is_some_and(|it| it.is_stored && it.operation == operation && is_fresh(it.at))
    }

    /// Whether this snapshot is a save of this session that took long.
    pub(super) fn is_own_late(&self, written_at: Option<Timestamp>) -> bool {
        self.as_shared().is_some_and(|sharing| written_at.is_some() && sharing.stored_late == written_at)
    }
}

impl Session {
    /// Holds these tokens back until they are saved.
    //= R-REFRESH-3
    pub(super) fn hold_back(&mut self, now: Timestamp, waiting: Waiting) {
        self.persistence.waiting = Some(Box::new(waiting));
        self.save(now);
    }

    /// Saves the record next.
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

    /// What the session may do if processes share its store. Without a shared store, it may do what it wants.
    pub(super) fn permit(&self, now: Timestamp, wanted: Wanted) -> Permitted {
        let Some(sharing) = self.persistence.as_shared() else { return Permitted::Wanted };
        sharing.permit(&Situation {
            now,
            longest: self.policy.deadline(),
            wanted,
            is_unstored: self.has_unstored_token(),
            load_every: self.load_every(now),
        })
    }

    /// Whether a shared store keeps the session from sending this request or from saving.
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
}
