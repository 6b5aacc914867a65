//! How a session is kept in step with a store that other processes use too: when to look, when to lead, and when a login
//! is allowed.
//!
//! Pure bookkeeping, as that of turns: times come in as arguments. A process leads for as long as it holds the store's
//! lease, which is as long as it has something to send or to store. All others look, and wait.

use std::time::Duration;

use jiff::Timestamp;
use tradovate_auth_session::{Operation, Pending, StoredSession};
use tradovate_auth_store::{Revision, Stored, Unreadable};

/// When a process may open a session of its own, where the store has none that can be used. An open session is never
/// given up for another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogIn {
    /// Never: it uses what others store. It may renew.
    Never,
    /// When the store can be reached, and says twice within a second that it holds nothing, or what it holds has ended.
    #[default]
    WhenNeeded,
    /// Also where what it holds can't be read: another session is stored in its place then.
    EvenIfUnreadable,
}

/// What a process knows of the store.
#[derive(Debug)]
pub struct Fleet {
    log_in: LogIn,
    /// The record that the session is in step with.
    known: Option<Revision>,
    /// Whether there may be a newer one.
    is_stale: bool,
    /// How long the lease is ours for sure.
    leads_until: Option<Timestamp>,
    /// Whether the session may log in, by what was last loaded.
    may_log_in: bool,
    /// When the store was first seen to hold nothing, with its lease taken.
    empty_since: Option<Timestamp>,
    /// Why and until when the store is left alone.
    rest: Option<Timestamp>,
    failures: u32,
    trouble: Option<Trouble>,
}

/// What is wrong with the store.
#[derive(Debug, PartialEq, Eq)]
struct Trouble {
    reason: String,
    /// It could be looked into, but the lease could not be taken.
    is_with_lease: bool,
}

/// What to do with the store.
#[derive(Debug)]
pub enum Step {
    /// The session may be polled.
    Poll,
    /// Take the lease and load.
    Lead,
    /// Load.
    Look,
    /// Save this, since the session does nothing more by itself.
    Save(StoredSession, Option<Revision>),
    /// Give the lease back.
    Release,
    /// Nothing before then.
    Rest(Timestamp),
}

/// The lease is taken for so much of the time that a request may take, so that there is time to store what it brings.
const LEASE: (u32, u32) = (3, 2);

/// No request is taken to be longer: no store gives a lease for longer than ten minutes.
pub(crate) const LONGEST_REQUEST: Duration = Duration::from_secs(400);

/// How long the lease is taken for, where a request may take this long.
#[must_use]
pub fn lease_time(longest: Duration) -> Duration {
    let (times, of) = LEASE;
    longest.min(LONGEST_REQUEST).saturating_mul(times).checked_div(of).unwrap_or(longest)
}

/// The lease as it was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// When it was asked for.
    pub begun: Timestamp,
    /// For how long.
    pub time: Duration,
    /// Whether it was given.
    pub is_ours: bool,
}

/// What a look at the store has brought.
#[derive(Debug)]
pub enum Seen {
    /// The record that the session is in step with.
    Known,
    /// The session is to be synchronized with this.
    Record(Option<(StoredSession, Option<Duration>)>),
    /// Nothing that could be used.
    Trouble {
        /// Why.
        reason: String,
        /// Whether it was not told before.
        is_new: bool,
        /// When the store is looked at again.
        retry_at: Timestamp,
    },
}

/// Between looks at a store that another process leads, where nothing tells of changes.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How long an empty store is given to be filled again by those who still hold what it has lost.
const BELIEVED_EMPTY_AFTER: Duration = Duration::from_secs(1);

/// The longest pause between tries to reach a store.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Fleet {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(log_in: LogIn) -> Self {
        Self {
            log_in,
            known: None,
            is_stale: true,
            leads_until: None,
            may_log_in: false,
            empty_since: None,
            rest: None,
            failures: 0,
            trouble: None,
        }
    }

    /// What to do, where the session has this pending. A request may take as long as `longest`. As long as the only copy of
    /// a token waits to be stored, the lease is kept.
    pub fn step(&mut self, now: Timestamp, pending: Option<Pending>, is_unstored: bool, longest: Duration) -> Step {
        let rest = self.rest.filter(|until| *until > now);
        let leads = self.leads_until.is_some_and(|until| after(now, longest.min(LONGEST_REQUEST)) <= until);
        if self.trouble.is_some() && self.leads_until.is_some() && !is_unstored {
            return Step::Release;
        }
        // What it has lost may be on its way back.
        let believed_empty = self.empty_since.map(|since| after(since, BELIEVED_EMPTY_AFTER)).filter(|at| *at > now);
        if let (Some(Pending::Send(_)), Some(at)) = (pending, believed_empty) {
            return if self.leads_until.is_some() { Step::Release } else { Step::Rest(at) };
        }
        // What others have stored may be all that is wanted, and to look takes no lease.
        if self.is_stale && self.leads_until.is_none() && rest.is_none() {
            return Step::Look;
        }
        match pending {
            Some(Pending::Send(Operation::LogIn)) if !self.may_log_in => self.wait_for_others(now, rest),
            Some(Pending::Store) if self.leads_until.is_some() => Step::Poll,
            Some(_) if leads => Step::Poll,
            Some(_) => rest.map_or(Step::Lead, Step::Rest),
            None if self.leads_until.is_some() && !is_unstored => Step::Release,
            None => Step::Poll,
        }
    }

    /// The session would log in, which it may not by what is known so far.
    fn wait_for_others(&mut self, now: Timestamp, rest: Option<Timestamp>) -> Step {
        if self.leads_until.is_some() {
            return Step::Release;
        }
        match rest {
            Some(until) => Step::Rest(until),
            None if self.log_in == LogIn::Never => {
                self.is_stale = true;
                Step::Rest(after(now, LOOK_AGAIN))
            }
            None => Step::Lead,
        }
    }

    /// Whether the lease is held at a time.
    #[must_use]
    pub fn leads_at(&self, now: Timestamp) -> bool {
        self.leads_until.is_some_and(|until| now < until)
    }

    /// Whether the lease is held, or was when it was last heard of.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.leads_until.is_some()
    }

    /// The record that the session is in step with.
    #[must_use]
    pub fn known(&self) -> Option<Revision> {
        self.known
    }

    /// There may be a newer record.
    pub fn has_changed(&mut self) {
        self.is_stale = true;
        // What is wrong with the record itself may take its time; a lease that can't be had is no reason not to look.
        if self.trouble.as_ref().is_none_or(|trouble| trouble.is_with_lease) {
            self.rest = None;
        }
    }

    /// Until when a session rests that would until then: without a token, what others store meanwhile is looked for.
    pub fn rest(&mut self, now: Timestamp, until: Timestamp, has_token: bool) -> Timestamp {
        if has_token {
            return until;
        }
        self.is_stale = true;
        until.min(after(now, LONGEST_PAUSE))
    }

    /// What became of asking for the lease.
    pub fn led(&mut self, now: Timestamp, lease: Lease) {
        self.is_well(true);
        self.leads_until = lease.is_ours.then(|| after(lease.begun, lease.time));
        if !lease.is_ours {
            self.rest = Some(after(now, LOOK_AGAIN));
        }
    }

    /// What was loaded.
    pub fn loaded(&mut self, now: Timestamp, stored: Option<Stored>) -> Seen {
        self.is_stale = false;
        let Some(stored) = stored else {
            self.is_well(false);
            self.known = None;
            // Those that hold what it has lost are told when the lease is taken, by some stores only then.
            if self.leads() {
                self.empty_since.get_or_insert(now);
            }
            let is_believed = self.empty_since.is_some_and(|since| after(since, BELIEVED_EMPTY_AFTER) <= now);
            self.may_log_in = self.log_in != LogIn::Never && is_believed;
            return Seen::Record(None);
        };
        self.empty_since = None;
        match stored.session {
            Ok(session) => {
                self.is_well(false);
                self.may_log_in = self.log_in != LogIn::Never;
                if self.known.replace(stored.revision) == Some(stored.revision) {
                    return Seen::Known;
                }
                Seen::Record(Some((session, stored.age)))
            }
            Err(unreadable) => self.cannot_read(now, stored.revision, &unreadable),
        }
    }

    /// What was asked of it was answered: its lease, or its record.
    fn is_well(&mut self, with_lease: bool) {
        if self.trouble.take_if(|trouble| trouble.is_with_lease == with_lease).is_some() {
            self.failures = 0;
        }
    }

    fn cannot_read(&mut self, now: Timestamp, revision: Revision, unreadable: &Unreadable) -> Seen {
        self.may_log_in = self.log_in == LogIn::EvenIfUnreadable;
        if self.may_log_in {
            self.is_well(false);
            self.known = Some(revision);
            return Seen::Record(None);
        }
        // It is not told of again.
        self.known = Some(revision);
        self.has_failed(now, false, unreadable.to_string())
    }

    /// The store could not be used, to take its lease or to load from it.
    pub fn has_failed(&mut self, now: Timestamp, with_lease: bool, reason: String) -> Seen {
        self.may_log_in = false;
        self.is_stale = true;
        let pause = Duration::from_millis(250).saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        let retry_at = after(now, pause);
        self.rest = Some(retry_at);
        let trouble = Trouble { reason: reason.clone(), is_with_lease: with_lease };
        let is_new = self.trouble.as_ref() != Some(&trouble);
        self.trouble = Some(trouble);
        Seen::Trouble { reason, is_new, retry_at }
    }

    /// A snapshot was saved under this revision, or else others were before us.
    pub fn saved(&mut self, revision: Option<Revision>) {
        match revision {
            Some(revision) => {
                self.known = Some(revision);
                self.empty_since = None;
            }
            None => self.leads_until = None,
        }
    }

    /// The lease is given back, or lost.
    pub fn released(&mut self) {
        self.leads_until = None;
    }
}

fn after(moment: Timestamp, time: Duration) -> Timestamp {
    moment.saturating_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
