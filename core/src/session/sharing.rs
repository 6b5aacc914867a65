//! One session in many processes: what is stored is the truth, and every process is kept in step with it.
//!
//! Whoever drives a shared session asks what is [`pending`](Session::pending), takes the store's lease before it acts on
//! it, has the session [`synchronize`](Session::synchronize) with what is stored, and only then polls: what others have
//! done meanwhile is not done again.

use alloc::string::String;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::snapshot::issued_at;
use super::{EventKind, ExchangeId, Session, State, StopReason};
use crate::budget::{Operation, RateBudget};
use crate::clock::ServerClock;
use crate::grant::RefreshGrant;
use crate::session::plan::Step;
use crate::stored_session::StoredSession;

/// By as much a word to the store and back makes the server's clock seem behind: whoever knows better keeps what it knows,
/// so that it doesn't add up from one process to the next.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(5);

/// What a session would do if it were polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pending {
    /// Send a request.
    Send(Operation),
    /// Store a snapshot.
    Store,
}

impl Session {
    /// The same session with a store that it shares with other processes: see [`synchronize`](Self::synchronize). Besides
    /// what a store is told of anyway, it is told what others should know: failures and the pauses that follow from them.
    #[must_use]
    pub fn with_shared_store(self) -> Self {
        Self { is_shared: true, ..self.with_store() }
    }

    /// What the next poll would have done, if it were now; nothing where it would only wait.
    pub fn pending(&mut self, now: Timestamp, budget: &RateBudget) -> Option<Pending> {
        let now = self.look(now);
        match &self.state {
            State::Stopped(_) => None,
            State::Exchanging(exchange) if now < exchange.deadline => None,
            State::Storing(storing) if now < storing.until => None,
            // Without word of the store, and with nothing that waits for it, the session goes on with what there is to do.
            State::Storing(storing) if storing.offered && storing.grant.is_none() => match self.plan(now, budget) {
                Step::Send(operation) => Some(Pending::Send(operation)),
                Step::Wait(_) | Step::Stop(_) => Some(Pending::Store),
            },
            State::Storing(_) => Some(Pending::Store),
            State::Resting if self.saving_due(now) => Some(Pending::Store),
            State::Exchanging(_) | State::Resting => match self.plan(now, budget) {
                Step::Send(operation) => Some(Pending::Send(operation)),
                Step::Wait(_) | Step::Stop(_) => None,
            },
        }
    }

    /// Brings the session in step with what is stored at this moment, and was saved so long ago by the store's own clock;
    /// or with a store that holds nothing. As [`adopt`](Self::adopt), but the times in the snapshot may be those of another
    /// machine's clock, and what is held and not stored is offered to the store again.
    pub fn synchronize(&mut self, now: Timestamp, stored: Option<(StoredSession, Duration)>, budget: &mut RateBudget) {
        let now = self.advance(now);
        let written_at = stored.as_ref().and_then(|(stored, _)| stored.0.history.written_at);
        let is_own_late = written_at.is_some() && written_at == self.stored_late;
        let content = stored.map(|(stored, age)| *stored.seen_at(now, age).0);
        let access = content.as_ref().and_then(|content| content.grant.as_ref()).map(|grant| grant.issued_at);
        let refresh = content.as_ref().and_then(|content| content.refresh.as_ref()).and_then(|token| token.issued_at);
        if let Some(content) = content {
            // Whoever has led last has asked the server last. What was long on its way is older than the record.
            if let Some(offset) = content.clock_offset.filter(|_| !is_own_late) {
                let known = self.clock.is_known().then(|| self.clock.offset());
                let is_close = |known: &SignedDuration| {
                    (SignedDuration::ZERO..=ON_ITS_WAY).contains(&(known.saturating_sub(offset)))
                };
                self.clock = ServerClock::with_offset(known.filter(is_close).unwrap_or(offset));
            }
            let refused = content.refresh.clone().filter(|_| content.history.refused_once);
            self.take_over(now, content, budget);
            let is_own = |refused: &RefreshGrant| {
                self.refresh.as_ref().is_some_and(|own| own.token.expose() == refused.token.expose())
            };
            if refused.as_ref().is_some_and(is_own) {
                self.refreshes.was_refused_once();
            }
        }
        let held = self.renewable(now).map(|held| issued_at(&held.grant));
        let is_behind = held > access || self.refresh.as_ref().is_some_and(|own| own.issued_at > refresh);
        self.unsaved |= self.is_shared && is_behind;
    }

    /// The store holds something else than was thought, or the lease is another's: the snapshot was not stored, and is
    /// offered again once the session has been [synchronized](Self::synchronize).
    pub fn store_overtaken(&mut self, now: Timestamp, id: ExchangeId) {
        let now = self.advance(now);
        match &mut self.state {
            State::Storing(storing) if storing.id == id && storing.grant.is_some() => {
                storing.offered = false;
                storing.until = now;
            }
            State::Storing(storing) if storing.id == id => {
                self.unsaved = true;
                self.state = State::Resting;
            }
            _ => {}
        }
    }

    /// The store can't be reached, or what it holds can't be read: it is looked at again at `retry_at`. The reason is for
    /// the user.
    pub fn store_unusable(&mut self, now: Timestamp, reason: String, retry_at: Timestamp) {
        let now = self.advance(now);
        self.tell(now, EventKind::StoreUnusable { reason, retry_at });
    }

    /// What others should know of a session that has stopped because it was refused; once.
    pub fn last_word(&mut self, now: Timestamp, budget: &RateBudget) -> Option<StoredSession> {
        let is_refused = matches!(self.state, State::Stopped(StopReason::Refused(_)));
        let has_news = is_refused && self.is_shared && core::mem::take(&mut self.unsaved);
        has_news.then(|| self.snapshot(now, budget))
    }

    /// Others should know of what has just happened.
    pub(super) fn note(&mut self) {
        self.unsaved |= self.is_shared;
    }
}
