//! A store that processes share: what this process knows of the record and of the lease, and what it asks next.
//!
//! Nothing is sent without the lease, and the lease is given back once there is nothing to send or to save. A process
//! without the lease loads, and uses what it has loaded.
//!
//! ```text
//!           a request or a save is due                  it is given
//! no lease ───────────────────────────► Acquire ──► Load ──────────► lease held: sending and saving are allowed
//!  │    ▲                                 │                              │
//!  │    │                                 └ another holds it: Load,      │ nothing is due · the store has failed ·
//!  │    │                                   half a second's pause        │ the lease ends too early for a request
//!  │    └────────────────────────────── Release ◄────────────────────────┘
//!  └ the store has changed · no token for ten seconds: Load
//! ```

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use jiff::Timestamp;

use super::ExchangeId;
use crate::budget::Operation;
use crate::moments::later;
use crate::record::{AttemptId, Ticket};
use crate::store::{Lease, LeaseHolder, MayLogIn, Revision, StoreError, StoreErrorKind, StoredRecord};
use crate::stored_session::StoredSession;

/// The pause before the lease that another process holds is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// How long the processes that still hold what an empty store has lost have to save it again.
const BELIEVED_EMPTY_AFTER: Duration = Duration::from_secs(1);

/// The first pause after a failure of the store. It doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between tries to reach a store, and between loads without a token.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A store that says more often in a row that another process has come first fails.
const OVERTAKEN_AT_MOST: u32 = 2;

/// No request is expected to take longer: no store gives a lease for longer than ten minutes.
const LONGEST_REQUEST: Duration = Duration::from_secs(400);

/// What a session knows of the store that it shares.
#[derive(Debug)]
pub(super) struct Sharing {
    may_log_in: MayLogIn,
    /// The record that the session is in step with.
    known: Option<Revision>,
    news: News,
    loaded_at: Option<Timestamp>,
    lease: LeaseState,
    /// Whether what was last loaded allows a login.
    allows_login: bool,
    /// What was last loaded had ended, and this process has saved no token since.
    may_be_outdated: bool,
    /// When the store was first seen to hold nothing of use, with the lease held.
    empty_since: Option<Timestamp>,
    /// The lease is not asked for, and a failed store not at all, before this.
    pause: Option<Timestamp>,
    failures: u32,
    trouble: Option<Trouble>,
    asked: Option<Asked>,
    pub(super) announced: Option<Announcement>,
    /// So many saves in a row were overtaken.
    overtaken: u32,
    /// The tokens in use could not be stored yet.
    pub(super) uses_unstored: bool,
    /// When the last snapshot was taken, if it was long on its way to the store.
    pub(super) stored_late: Option<Timestamp>,
}

/// Whether the record may be newer than the one that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    /// It may be.
    Possible,
    /// It is loaded next, since the lease was asked for.
    LoadNow,
}

/// The lease, as this process last saw it.
#[derive(Debug, Clone, Copy)]
enum LeaseState {
    Free,
    Anothers,
    Held { lease: Lease, until: Timestamp },
}

/// What is wrong with the store.
#[derive(Debug, Clone)]
struct Trouble {
    part: Part,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Lease,
    Store,
    /// What is stored can't be read.
    Record,
}

/// A question to the store, and when it is overdue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) id: ExchangeId,
    pub(super) what: Ask,
    since: Timestamp,
    pub(super) until: Timestamp,
}

/// What is asked of the store besides saving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Acquire(Duration),
    Load,
    Release(Lease),
}

/// A login or a refresh that is stored before it is sent. So the store can surely be written to, and after a crash the next
/// process knows that the request may have been sent.
#[derive(Debug)]
pub(super) struct Announcement {
    pub(super) at: Timestamp,
    pub(super) operation: Operation,
    pub(super) attempt: Option<AttemptId>,
    /// The ticket that is presented. In what is stored it is spent.
    pub(super) ticket: Option<Box<Ticket>>,
    pub(super) is_stored: bool,
}

/// What a session is about to do, and what it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation {
    pub(super) now: Timestamp,
    /// The longest that a request takes.
    pub(super) longest: Duration,
    pub(super) wanted: Wanted,
    /// The only copy of a token waits to be stored.
    pub(super) is_unstored: bool,
    pub(super) has_token: bool,
}

/// What the session would do if it had the store for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Nothing,
    Send(Operation),
    Save,
}

/// What the session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permitted {
    /// What it wants.
    Wanted,
    /// This first.
    Ask(Ask),
    /// Nothing before this.
    NotBefore(Timestamp),
}

/// What the session does with a record that was loaded.
#[derive(Debug)]
pub(super) enum Loaded {
    /// Nothing: it is in step with it.
    Known,
    /// Joins it; `None` is an empty store.
    Record(Option<(StoredSession, Option<Duration>)>),
    /// Nothing: it can't be read, and the settings allow a login in its place.
    Unreadable,
    Failed(Failure),
}

/// The store could not be used.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// Whether it was not reported before.
    pub(super) is_new: bool,
    pub(super) retry_at: Timestamp,
}

impl Sharing {
    pub(super) fn new(may_log_in: MayLogIn) -> Self {
        Self {
            may_log_in,
            known: None,
            news: News::Possible,
            loaded_at: None,
            lease: LeaseState::Free,
            allows_login: false,
            may_be_outdated: false,
            empty_since: None,
            pause: None,
            failures: 0,
            trouble: None,
            asked: None,
            announced: None,
            overtaken: 0,
            uses_unstored: false,
            stored_late: None,
        }
    }

    /// What may be done now. The lease is kept as long as the only copy of a token waits to be stored, unless what
    /// is stored can't be read.
    pub(super) fn permit(&self, situation: &Situation) -> Permitted {
        let Situation { now, wanted, is_unstored, has_token, .. } = *situation;
        let longest = situation.longest.min(LONGEST_REQUEST);
        let pause = self.pause.filter(|until| *until > now);
        if self.news == News::LoadNow {
            return Permitted::Ask(Ask::Load);
        }
        let give_back = self.lease().map(|lease| Permitted::Ask(Ask::Release(lease)));
        // What can't be read is left as it is, whatever waits to be stored.
        let is_in_trouble = self.trouble.as_ref().is_some_and(|it| !is_unstored || it.part == Part::Record);
        if let (Some(give_back), true) = (give_back, is_in_trouble) {
            return give_back;
        }
        // What the store has lost may be on its way back.
        let believed_empty = self.empty_since.map(|since| later(since, BELIEVED_EMPTY_AFTER)).filter(|at| *at > now);
        if let (Wanted::Send(_), Some(at)) = (wanted, believed_empty) {
            return give_back.unwrap_or(Permitted::NotBefore(at));
        }
        // What others have stored may be all that is wanted, and loading takes no lease.
        if give_back.is_none() && pause.is_none() && self.load_due(has_token).is_some_and(|at| at <= now) {
            return Permitted::Ask(Ask::Load);
        }
        let acquire = || pause.map_or(Permitted::Ask(Ask::Acquire(lease_time(longest))), Permitted::NotBefore);
        match wanted {
            Wanted::Send(Operation::LogIn) if !self.allows_login => match (give_back, self.may_log_in) {
                (Some(give_back), _) => give_back,
                (None, MayLogIn::Never) => self.load_again(now, pause),
                (None, _) => acquire(),
            },
            Wanted::Save if give_back.is_some() => Permitted::Wanted,
            Wanted::Send(_) if self.held_until().is_some_and(|until| later(now, longest) <= until) => Permitted::Wanted,
            Wanted::Send(_) | Wanted::Save => give_back.unwrap_or_else(acquire),
            Wanted::Nothing => give_back.filter(|_| !is_unstored).unwrap_or(Permitted::Wanted),
        }
    }

    /// A process that never logs in waits for the others.
    fn load_again(&self, now: Timestamp, pause: Option<Timestamp>) -> Permitted {
        let due = self.loaded_at.map_or(now, |at| later(at, ASK_AGAIN)).max(pause.unwrap_or(now));
        if due <= now { Permitted::Ask(Ask::Load) } else { Permitted::NotBefore(due) }
    }

    /// When the record is loaded although nothing has to be sent. A session without a token looks for one.
    pub(super) fn load_due(&self, has_token: bool) -> Option<Timestamp> {
        let due = match self.loaded_at {
            Some(loaded_at) if self.news == News::None => (!has_token).then(|| later(loaded_at, LONGEST_PAUSE)),
            _ => Some(Timestamp::MIN),
        };
        due.map(|at| self.pause.map_or(at, |pause| at.max(pause)))
    }

    pub(super) fn ask(&mut self, now: Timestamp, longest: Duration, id: ExchangeId, what: Ask) {
        match what {
            Ask::Load => self.news = News::None,
            Ask::Release(_) => self.lease = LeaseState::Free,
            Ask::Acquire(_) => {}
        }
        self.asked = Some(Asked { id, what, since: now, until: later(now, longest) });
    }

    pub(super) fn asked(&self) -> Option<Asked> {
        self.asked
    }

    pub(super) fn take_asked(&mut self) -> Option<Asked> {
        self.asked.take()
    }

    pub(super) fn is_failing(&self) -> bool {
        self.trouble.is_some()
    }

    /// The lease that was asked for is given, or another process holds it.
    pub(super) fn acquired(
        &mut self,
        now: Timestamp,
        longest: Duration,
        asked: &Asked,
        lease: Option<Lease>,
    ) -> Option<Failure> {
        self.is_well(Part::Lease);
        self.news = News::LoadNow;
        let Some(lease) = lease else {
            self.lease = LeaseState::Anothers;
            self.pause = Some(later(now, ASK_AGAIN));
            return None;
        };
        let time = match asked.what {
            Ask::Acquire(time) => time.min(lease.time),
            _ => lease.time,
        };
        self.lease = LeaseState::Held { lease, until: later(asked.since, time) };
        let needed = longest.min(LONGEST_REQUEST);
        if time >= needed {
            return None;
        }
        let (given, needed) = (time.as_secs(), needed.as_secs());
        let text = format!("the store gives its lease for {given} s, and a request may take {needed} s");
        Some(self.failed(now, Part::Lease, StoreError::new(StoreErrorKind::Misconfigured, text)))
    }

    /// A lease is given that is no longer waited for. The others need not wait for its end.
    pub(super) fn given_late(&mut self, now: Timestamp, lease: Lease) {
        let is_wanted = matches!(self.asked, Some(Asked { what: Ask::Acquire(_), .. }));
        if !is_wanted && self.lease().is_none() {
            self.lease = LeaseState::Held { lease, until: now };
        }
    }

    pub(super) fn loaded(&mut self, now: Timestamp, stored: Option<StoredRecord>) -> Loaded {
        self.loaded_at = Some(now);
        self.is_well(Part::Store);
        let Some(stored) = stored else {
            self.is_well(Part::Record);
            if self.known.take().is_some() {
                self.empty_since = None;
            }
            self.may_be_outdated = true;
            return Loaded::Record(None);
        };
        let is_known = self.known.replace(stored.revision) == Some(stored.revision);
        match stored.session {
            Ok(session) => {
                self.is_well(Part::Record);
                if is_known { Loaded::Known } else { Loaded::Record(Some((session, stored.age))) }
            }
            Err(_) if self.may_log_in == MayLogIn::EvenIfUnreadable => {
                self.is_well(Part::Record);
                Loaded::Unreadable
            }
            Err(unreadable) => {
                let text = format!("{unreadable} ({place})", place = stored.place);
                let error = StoreError::new(StoreErrorKind::NotReadable, text);
                Loaded::Failed(self.failed(now, Part::Record, error))
            }
        }
    }

    /// A record was loaded and joined. If it `has_ended`, a store that has lost the newest one may have fallen back to it, or
    /// another process holds a newer one that it could not save.
    pub(super) fn joined(&mut self, has_ended: bool) {
        self.may_be_outdated = has_ended;
    }

    /// Whether a login is allowed by what was loaded. A store that may have lost the newest record has to show this twice
    /// within the time that others have to save what they hold. They learn of it when the lease is taken, from some stores
    /// only then.
    pub(super) fn judge(&mut self, now: Timestamp) {
        if !self.may_be_outdated {
            self.empty_since = None;
        } else if self.lease().is_some() {
            self.empty_since.get_or_insert(now);
        }
        let is_believed = self.empty_since.is_some_and(|since| later(since, BELIEVED_EMPTY_AFTER) <= now);
        self.allows_login = self.may_log_in != MayLogIn::Never && (is_believed || !self.may_be_outdated);
    }

    /// The lease could not be taken, or the store could not be read.
    pub(super) fn ask_failed(&mut self, now: Timestamp, what: Ask, error: StoreError) -> Option<Failure> {
        match what {
            Ask::Acquire(_) => Some(self.failed(now, Part::Lease, error)),
            Ask::Load => Some(self.failed(now, Part::Store, error)),
            // It ends by itself.
            Ask::Release(_) => None,
        }
    }

    fn failed(&mut self, now: Timestamp, part: Part, error: StoreError) -> Failure {
        self.allows_login = false;
        self.news = News::Possible;
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        let retry_at = later(now, pause);
        self.pause = Some(retry_at);
        let text = error.to_string();
        let is_new = self.trouble.as_ref().is_none_or(|trouble| trouble.text != text);
        self.trouble = Some(Trouble { part, text });
        Failure { error, is_new, retry_at }
    }

    /// A part of the store has done what it was asked.
    fn is_well(&mut self, part: Part) {
        if self.trouble.take_if(|trouble| trouble.part == part).is_some() {
            self.failures = 0;
        }
    }

    /// There may be a newer record. A record that can't be read may take its time to change; any other trouble may be over,
    /// since the store has just been reached.
    pub(super) fn changed(&mut self) {
        if self.news == News::None {
            self.news = News::Possible;
        }
        if self.trouble.as_ref().is_none_or(|trouble| trouble.part != Part::Record) {
            self.pause = None;
        }
    }

    /// A snapshot was saved under this revision; `None` if another process came first. A snapshot without a token that is good
    /// says nothing about what others hold.
    pub(super) fn saved(&mut self, revision: Option<Revision>, has_token: bool) {
        let Some(revision) = revision else {
            self.lease = LeaseState::Free;
            self.overtaken = self.overtaken.saturating_add(1);
            return;
        };
        self.overtaken = 0;
        self.known = Some(revision);
        if has_token {
            (self.may_be_outdated, self.empty_since) = (false, None);
        }
    }

    /// Whether a store says more often that another process has come first than processes that take leases can.
    pub(super) fn is_always_overtaken(&self) -> bool {
        self.overtaken > OVERTAKEN_AT_MOST
    }

    /// A snapshot could not be saved. Others may have had the same failure, and need time to save what they hold.
    pub(super) fn not_saved(&mut self) {
        self.empty_since = None;
        self.allows_login = false;
        self.news = News::Possible;
    }

    pub(super) fn known(&self) -> Option<Revision> {
        self.known
    }

    pub(super) fn lease(&self) -> Option<Lease> {
        match self.lease {
            LeaseState::Held { lease, .. } => Some(lease),
            _ => None,
        }
    }

    fn held_until(&self) -> Option<Timestamp> {
        match self.lease {
            LeaseState::Held { until, .. } => Some(until),
            _ => None,
        }
    }

    pub(super) fn holder(&self, now: Timestamp) -> LeaseHolder {
        match self.lease {
            LeaseState::Held { until, .. } if now < until => LeaseHolder::ThisProcess { until },
            LeaseState::Anothers => LeaseHolder::AnotherProcess,
            _ => LeaseHolder::Nobody,
        }
    }
}

/// The lease is taken for half as long again as a request may take, so that there is time to store what it brings.
fn lease_time(longest: Duration) -> Duration {
    longest.saturating_add(longest.checked_div(2).unwrap_or_default())
}

#[cfg(test)]
mod tests;
