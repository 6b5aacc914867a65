//! [`Sharing`]: what this process knows about the record and the lease of a shared store, and what it asks next.
//!
//! A process sends only while it holds the lease. If the store has changed, it loads the record first. It releases the
//! lease when it has nothing to send or to save. A process without the lease loads the record and uses it.
//!
//! ```text
//!           a request or a save is due                  it is given
//! no lease ───────────────────────────► Acquire ──► Load ──────────► lease held: sending and saving are allowed
//!  │    ▲                                 │                              │
//!  │    │                                 └ another holds it: Load,      │ nothing is due · the store has failed ·
//!  │    │                                   half a second's pause        │ the lease ends too early for a request
//!  │    └────────────────────────────── Release ◄────────────────────────┘
//!  └ the store has changed · no token for ten seconds, or for half a second while another logs in: Load
//! ```

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use jiff::Timestamp;

use super::ExchangeId;
use crate::network_budget::Operation;
use crate::store::{Lease, LeaseHolder, MayLogIn, Revision, StoreError, StoreErrorKind, StoredRecord};
use crate::stored_session::StoredSession;
use crate::time_arithmetic::later;

/// The pause before a lease that another process holds is requested again, and between loads while another process logs
/// in.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// If the store lost its record, the other processes have this long to save it again. They have longer after a failure
/// of the store.
const BELIEVED_EMPTY_AFTER: Duration = Duration::from_secs(1);

/// The first pause after a failure of the store. It doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between tries after failures, and between loads without a token.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// If more saves in a row are overtaken, the store has failed.
const OVERTAKEN_AT_MOST: u32 = 2;

/// The longest time that a request may take. The lease for it is one and a half times as long: ten minutes, the most
/// that `FileStore` grants.
const LONGEST_REQUEST: Duration = Duration::from_secs(400);

/// What a session knows about the store that it shares.
#[derive(Debug, Clone)]
pub(super) struct Sharing {
    may_log_in: MayLogIn,
    /// The revision that the session has merged.
    known: Option<Revision>,
    news: News,
    loaded_at: Option<Timestamp>,
    lease: LeaseState,
    /// Whether the loaded record allows a login.
    allows_login: bool,
    /// The store was empty or the loaded token had expired, and this process has saved no token since.
    may_be_outdated: bool,
    /// When the store was first found empty or with an expired token, while this process held the lease. If it has given
    /// the lease back since, when it did so.
    empty_since: Option<Timestamp>,
    /// How long other processes have to save what the store has lost.
    time_to_save: Duration,
    /// Until this time, the lease is not requested. After a failure, nothing is requested until this time.
    pause: Option<Timestamp>,
    failures: u32,
    trouble: Option<Trouble>,
    asked: Option<Asked>,
    /// How many saves in a row were overtaken.
    overtaken: u32,
    /// The tokens in use are not stored yet.
    pub(super) uses_unstored: bool,
    /// When the last snapshot was taken, if the save took long.
    pub(super) stored_late: Option<Timestamp>,
}

/// Whether the store may hold a newer record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    /// The store may hold a newer record.
    Possible,
    /// A caller was refused with the token, so the store may hold a newer record.
    Reported,
    /// The record has to be loaded next, because the lease was requested.
    LoadNow,
}

/// The state of the lease, as this process last saw it.
#[derive(Debug, Clone, Copy)]
enum LeaseState {
    Free,
    Anothers,
    Held {
        lease: Lease,
        until: Timestamp,
    },
    /// A save was overtaken, so another process may hold the lease. This process releases its lease all the same,
    /// because a store that only showed an older record still keeps the lease for this process.
    Overtaken(Lease),
}

/// A problem of the store.
#[derive(Debug, Clone)]
struct Trouble {
    part: Part,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Lease,
    Store,
    /// The stored record can't be read.
    Record,
}

/// A request to the store, and when its answer is overdue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) id: ExchangeId,
    pub(super) what: Ask,
    since: Timestamp,
    pub(super) until: Timestamp,
}

/// A request to the store, except a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Acquire(Duration),
    Load,
    Release(Lease),
}

/// What the session wants to do, and what it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation {
    pub(super) now: Timestamp,
    /// The longest time that a request takes.
    pub(super) longest: Duration,
    pub(super) wanted: Wanted,
    /// The only copy of a token is not stored yet.
    pub(super) is_unstored: bool,
    pub(super) load_every: Option<Duration>,
}

/// How often the record is loaded if the store reports no change.
pub(super) fn load_every(has_token: bool, is_another_logging_in: bool) -> Option<Duration> {
    match (has_token, is_another_logging_in) {
        (true, _) => None,
        (false, true) => Some(ASK_AGAIN),
        (false, false) => Some(LONGEST_PAUSE),
    }
}

/// What the session would do without other processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Nothing,
    Send(Operation),
    Save,
}

/// What the session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permitted {
    /// What it wants to do.
    Wanted,
    /// It has to send this request to the store first.
    Ask(Ask),
    /// It has to wait until this time.
    NotBefore(Timestamp),
}

/// What the session does with a loaded record.
#[derive(Debug)]
pub(super) enum Loaded {
    /// Nothing. The session knows this record.
    Known,
    /// Merges the record. `None`: the store is empty.
    Record(Option<(StoredSession, Option<Duration>)>),
    /// Nothing. The record can't be read, and the settings allow a login that replaces it.
    Unreadable,
    Failed(Failure),
}

/// A failure of the store.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// Whether the failure was not reported before.
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
            time_to_save: BELIEVED_EMPTY_AFTER,
            pause: None,
            failures: 0,
            trouble: None,
            asked: None,
            overtaken: 0,
            uses_unstored: false,
            stored_late: None,
        }
    }

    /// What the session may do now. It keeps the lease while the only copy of a token is not stored, unless the stored
    /// record can't be read, or a request is due after the store has failed.
    pub(super) fn permit(&self, situation: &Situation) -> Permitted {
        let Situation { now, wanted, is_unstored, load_every, .. } = *situation;
        let longest = situation.longest.min(LONGEST_REQUEST);
        let pause = self.pause.filter(|until| *until > now);
        if self.news == News::LoadNow {
            return Permitted::Ask(Ask::Load);
        }
        let give_back = self.lease().map(|lease| Permitted::Ask(Ask::Release(lease)));
        if let LeaseState::Overtaken(lease) = self.lease {
            return Permitted::Ask(Ask::Release(lease));
        }
        // A record that can't be read is left unchanged, even if a token waits to be stored.
        // No request is sent before a load has worked.
        let keeps_lease = is_unstored && !matches!(wanted, Wanted::Send(_));
        let is_in_trouble = self.trouble.as_ref().is_some_and(|it| !keeps_lease || it.part == Part::Record);
        if let (Some(give_back), true) = (give_back, is_in_trouble) {
            return give_back;
        }
        // The record may contain what the session wants, and a load needs no lease. The lease does not rule out a newer
        // record: the store may have lost the lease and given it to another process.
        let loads = give_back.is_none() || matches!(wanted, Wanted::Send(_));
        if loads && pause.is_none() && self.load_due(load_every).is_some_and(|at| at <= now) {
            return Permitted::Ask(Ask::Load);
        }
        // Other processes may be saving what the store has lost.
        let believed_empty = self.empty_since.map(|since| later(since, self.time_to_save)).filter(|at| *at > now);
        if let (Wanted::Send(_), Some(at)) = (wanted, believed_empty) {
            return give_back.unwrap_or(Permitted::NotBefore(at));
        }
        // Only the holder of the lease sends, so no two processes log in or refresh at the same time.
        //= R-REFRESH-1
        //= R-SESSION-1
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

    /// A process that never logs in waits for the other processes.
    fn load_again(&self, now: Timestamp, pause: Option<Timestamp>) -> Permitted {
        let due = self.loaded_at.map_or(now, |at| later(at, ASK_AGAIN)).max(pause.unwrap_or(now));
        if due <= now { Permitted::Ask(Ask::Load) } else { Permitted::NotBefore(due) }
    }

    /// When the record has to be loaded even if nothing has to be sent.
    pub(super) fn load_due(&self, load_every: Option<Duration>) -> Option<Timestamp> {
        let due = match self.loaded_at {
            Some(loaded_at) if self.news == News::None => load_every.map(|every| later(loaded_at, every)),
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

    /// The answer to a request for the lease: the lease, or `None` if another process holds it.
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

    /// A lease arrived that is no longer needed. It is released, so that other processes need not wait for its end.
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
        if !is_known {
            self.empty_since = None;
        }
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

    /// A record was loaded and merged. If its token `has_ended`, the record may be outdated: the store may have fallen
    /// back to it, or another process could not save a newer one. If the record `has_none` (no token at all), it may be
    /// outdated only if the previous one may have been.
    pub(super) fn merged(&mut self, has_ended: bool, has_none: bool) {
        self.may_be_outdated = has_ended || has_none && self.may_be_outdated;
    }

    /// Decides whether the loaded record allows a login. If the store may have lost the newest record, it must show the
    /// same twice, with a pause in which other processes can save what they hold. Some stores tell other processes only
    /// when the lease is taken.
    pub(super) fn judge(&mut self, now: Timestamp) {
        if !self.may_be_outdated {
            (self.empty_since, self.time_to_save) = (None, BELIEVED_EMPTY_AFTER);
        } else if self.lease().is_some() {
            self.empty_since.get_or_insert(now);
        }
        let is_believed = self.empty_since.is_some_and(|since| later(since, self.time_to_save) <= now);
        self.allows_login = self.may_log_in != MayLogIn::Never && (is_believed || !self.may_be_outdated);
    }

    /// The lease was given back. Nobody else could save until now, so the time to save starts again.
    pub(super) fn gave_back(&mut self, now: Timestamp) {
        self.empty_since = self.empty_since.map(|_| now);
    }

    /// The lease could not be acquired, or the record could not be loaded.
    pub(super) fn ask_failed(&mut self, now: Timestamp, what: Ask, error: StoreError) -> Option<Failure> {
        match what {
            Ask::Acquire(_) => Some(self.failed(now, Part::Lease, error)),
            Ask::Load => Some(self.failed(now, Part::Store, error)),
            // The lease ends by itself.
            Ask::Release(_) => None,
        }
    }

    fn failed(&mut self, now: Timestamp, part: Part, error: StoreError) -> Failure {
        self.allows_login = false;
        // Others may have had the same failure, and need time to save what they hold.
        self.empty_since = None;
        self.news = News::Possible;
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        let retry_at = later(now, pause);
        self.pause = Some(retry_at);
        // Others may be in a pause of the next length.
        self.time_to_save = pause.saturating_mul(2).min(LONGEST_PAUSE).saturating_add(BELIEVED_EMPTY_AFTER);
        let text = error.to_string();
        let is_new = self.trouble.as_ref().is_none_or(|trouble| trouble.text != text);
        self.trouble = Some(Trouble { part, text });
        Failure { error, is_new, retry_at }
    }

    /// A part of the store works.
    fn is_well(&mut self, part: Part) {
        if self.trouble.take_if(|trouble| trouble.part == part).is_some() {
            self.failures = 0;
        }
    }

    /// The store may hold a newer record. If the problem was a record that can't be read, the pause stays. Any other
    /// problem may be over, because the store has just been reached.
    pub(super) fn changed(&mut self) {
        if self.news == News::None {
            self.news = News::Possible;
        }
        if self.trouble.as_ref().is_none_or(|trouble| trouble.part != Part::Record) {
            self.pause = None;
        }
    }

    /// A caller was refused with the token in use: another process may have stored a newer one. If callers are refused
    /// repeatedly, the record is loaded every ten seconds.
    pub(super) fn reported(&mut self, now: Timestamp) {
        if self.news == News::None && self.loaded_at.is_none_or(|at| later(at, LONGEST_PAUSE) <= now) {
            self.news = News::Reported;
        }
    }

    /// Whether a report of a caller has the record loaded.
    pub(super) fn was_reported(&self) -> bool {
        self.news == News::Reported
    }

    /// Whether the store has answered a load, even if its record could not be read.
    pub(super) fn has_loaded(&self) -> bool {
        self.loaded_at.is_some()
    }

    /// A snapshot was saved with this revision. `None`: another process saved first. A snapshot without a valid token
    /// does not show what other processes hold.
    pub(super) fn saved(&mut self, revision: Option<Revision>, has_token: bool) {
        let Some(revision) = revision else {
            if let Some(lease) = self.lease() {
                self.lease = LeaseState::Overtaken(lease);
            }
            self.overtaken = self.overtaken.saturating_add(1);
            return;
        };
        self.overtaken = 0;
        self.known = Some(revision);
        if has_token {
            (self.may_be_outdated, self.empty_since) = (false, None);
        }
    }

    /// Whether the store reports more overtaken saves than processes with leases can cause.
    pub(super) fn is_always_overtaken(&self) -> bool {
        self.overtaken > OVERTAKEN_AT_MOST
    }

    /// A snapshot could not be saved. Other processes may have the same failure and need time to save what they hold.
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

/// The time for which the lease is requested: one and a half times the time of a request, so that there is time to save
/// the result.
fn lease_time(longest: Duration) -> Duration {
    longest.saturating_add(longest.checked_div(2).unwrap_or_default())
}

#[cfg(test)]
mod tests;
