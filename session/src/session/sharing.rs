//! One session in many processes: what is stored is the truth, and every process is kept in step with it.
//!
//! Whoever drives a shared session asks what is [`pending`](Session::pending), takes the store's lease before it acts on
//! it, has the session [`synchronize`](Session::synchronize) with what is stored, and only then polls: what others have
//! done meanwhile is not done again.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::RefreshGrant;

use super::adoption::learn_limits;
use super::snapshot::issued_at;
use super::{EventKind, ExchangeId, Session, State, StopReason};
use crate::budget::{Operation, RateBudget};
use crate::session::plan::Step;
use crate::stored_session::{History, OperationForm, StoredSession};

/// By as much a word to the store and back makes the server's clock seem behind: whoever knows better keeps what it knows,
/// so that it doesn't add up from one process to the next.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(5);

/// What was stored within this time, another process has just had from the server, on a clock that has not been set since.
const FRESH: Duration = Duration::from_secs(60);

/// What a session would do if it were polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pending {
    /// Send a request.
    Send(Operation),
    /// Store a snapshot.
    Store,
}

/// What a session that shares its store keeps in mind besides.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    /// What is about to be sent.
    pub(super) announcement: Announcement,
    /// When the last snapshot was taken, if it was long on its way to the store.
    pub(super) stored_late: Option<Timestamp>,
    /// When the newest token was issued that the server has said to be dead, to anybody, in server time.
    pub(super) lost: Option<Timestamp>,
}

/// A login or a refresh is sent only after the store has been told of it. So the store can surely be written to, and
/// whoever comes after a crash knows that there may have been one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Announcement {
    #[default]
    None,
    Storing(Operation),
    Stored(Operation),
}

impl Announcement {
    pub(super) fn stored(&mut self) {
        if let Self::Storing(operation) = *self {
            *self = Self::Stored(operation);
        }
    }

    /// What others are told of.
    pub(super) fn operation(self) -> Option<Operation> {
        match self {
            Self::None => None,
            Self::Storing(operation) | Self::Stored(operation) => Some(operation),
        }
    }
}

impl Session {
    /// The same session with a store that it shares with other processes: see [`synchronize`](Self::synchronize). Besides
    /// what a store is told of anyway, it is told what others should know: failures and the pauses that follow from them.
    #[must_use]
    pub fn with_shared_store(self) -> Self {
        Self { sharing: Some(Box::default()), ..self.with_store() }
    }

    /// Whether a login or a refresh has first to be told to those that share the session.
    pub(super) fn is_to_be_announced(&self, operation: Operation) -> bool {
        // What others have stored is not written over for a code, which may bring nothing.
        matches!(operation, Operation::LogIn | Operation::Refresh)
            && self.code.is_none()
            && self.sharing.as_ref().is_some_and(|sharing| sharing.announcement != Announcement::Stored(operation))
    }

    pub(super) fn announce(&mut self, now: Timestamp, operation: Operation) {
        if let Some(sharing) = &mut self.sharing {
            sharing.announcement = Announcement::Storing(operation);
        }
        self.save(now);
    }

    /// Whether the only copy of a token waits to be stored: until it is, the lease must not be given away.
    #[must_use]
    pub fn has_unstored_grant(&self) -> bool {
        self.waiting().is_some()
    }

    /// What the next poll would have done, if it were now; nothing where it would only wait.
    pub fn pending(&mut self, now: Timestamp, budget: &RateBudget) -> Option<Pending> {
        let now = self.look(now);
        self.silence.see(now, budget);
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

    /// Brings the session in step with what is stored at this moment, and was saved so long ago by the store's own clock, if
    /// it has one; or with a store that holds nothing. As [`adopt`](Self::adopt), but the times in the snapshot may be those
    /// of another machine's clock, and what is held and not stored is offered to the store again.
    pub fn synchronize(
        &mut self,
        now: Timestamp,
        stored: Option<(StoredSession, Option<Duration>)>,
        budget: &mut RateBudget,
    ) {
        let now = self.advance(now);
        self.silence.see(now, budget);
        if matches!(self.state, State::Stopped(StopReason::Forgotten)) {
            return;
        }
        let access = stored.as_ref().and_then(|(stored, _)| stored.0.grant.as_ref()).map(|grant| grant.issued_at);
        let refresh =
            stored.as_ref().and_then(|(stored, _)| stored.0.refresh.as_ref()).and_then(|token| token.issued_at);
        if let Some((stored, age)) = stored {
            self.synchronize_with(now, stored, age, budget);
        }
        let held = self.renewable(now).map(|held| issued_at(&held.grant));
        let is_behind = held > access || self.refresh.as_ref().is_some_and(|own| own.issued_at > refresh);
        self.unsaved |= self.sharing.is_some() && is_behind;
    }

    fn synchronize_with(
        &mut self,
        now: Timestamp,
        stored: StoredSession,
        age: Option<Duration>,
        budget: &mut RateBudget,
    ) {
        let written_at = stored.0.history.written_at;
        let mut is_own_late = false;
        if let Some(sharing) = &mut self.sharing {
            // What was announced here, others have written over.
            sharing.announcement = Announcement::default();
            is_own_late = written_at.is_some() && written_at == sharing.stored_late;
        }
        let mut content = match age {
            Some(age) => *stored.seen_at(now, age).0,
            None => *stored.read_at(now).0,
        };
        learn_limits(now, &mut content, budget);
        if self.is_not_used(now, &content) {
            return;
        }
        // Whoever has led last has asked the server last. What was long on its way is older than the record.
        if let Some(offset) = content.clock_offset.filter(|_| !is_own_late) {
            let known = self.clock.is_known().then(|| self.clock.offset());
            let is_close =
                |known: &SignedDuration| (SignedDuration::ZERO..=ON_ITS_WAY).contains(&(known.saturating_sub(offset)));
            self.clock.take_hint(known.filter(is_close).unwrap_or(offset));
        }
        let History { written_at: announced_at, announced, refused_once, refresh_outcome_unknown, .. } =
            content.history;
        let presented = content.refresh.clone();
        let had_token = self.generation > 0;
        self.take_over(now, content);
        // Of one that was stored just now, whoever has stored it knows.
        if age.is_none_or(|age| age > FRESH) {
            self.confirm_first(now, had_token);
        }
        if announced == Some(OperationForm::AccessTokenRequest) {
            let sent = announced_at.unwrap_or(now).min(now);
            self.log_ins.learn_of_one(sent);
            self.log_ins.outcome_unknown(now, sent, &mut self.jitter);
        }
        let is_own = |presented: &RefreshGrant| {
            self.refresh.as_ref().is_some_and(|own| own.token.expose() == presented.token.expose())
        };
        if presented.as_ref().is_some_and(is_own) {
            if refused_once {
                self.refreshes.was_refused_once();
            }
            // Of one that was announced and not followed by anything, nobody knows.
            self.refreshes.outcome_unknown |= refresh_outcome_unknown || announced == Some(OperationForm::OAuthToken);
        }
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
        if let Some(sharing) = &mut self.sharing {
            sharing.announcement = Announcement::default();
        }
    }

    /// As [`store_failed`](Self::store_failed), with a reason for the user.
    pub fn store_failed_because(&mut self, now: Timestamp, id: ExchangeId, reason: String) {
        self.has_not_been_stored(now, id, Some(reason));
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
        let has_news = is_refused && self.sharing.is_some() && core::mem::take(&mut self.unsaved);
        has_news.then(|| self.snapshot(now, budget))
    }

    /// Others should know of what has just happened.
    pub(super) fn note(&mut self) {
        self.unsaved |= self.sharing.is_some();
    }
}
