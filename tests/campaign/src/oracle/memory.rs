//! What a session has been told: by the answers that reached it, its callers and its owner. A session that comes back
//! from a snapshot has been told what it had been told when it stored that.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::names::Name;
use crate::wire::{Granted, Operation};

/// A token as the server has described it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub grant: Granted,
    /// A renewal has been told that it is dead.
    pub is_lost: bool,
}

/// What a good answer has brought.
#[derive(Debug, Clone)]
pub(super) struct Brought {
    pub grant: Granted,
    /// How long the answer took.
    pub trip: SignedDuration,
    /// The host that it has named for logins.
    pub host: Option<String>,
}

/// What may have become of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opened {
    Yes,
    Unknown,
}

/// A penalty that is to be answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owed {
    pub operation: Operation,
    pub ticket: Name,
    pub body: u64,
    pub not_before: Timestamp,
}

/// A refresh token that was refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct RefusedToken {
    pub times: u32,
    pub at: Timestamp,
}

/// What a session knows, as far as its owner and the server have told it.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing that it has been told")]
pub(super) struct Memory {
    pub held: Option<Held>,
    /// All tokens that good answers have brought.
    pub granted: BTreeMap<Name, Brought>,
    /// Who the user is, if an answer has said so.
    pub user: Option<i64>,
    /// Whether its credentials have brought a token.
    pub worked: bool,
    pub code: Option<Name>,
    /// The code may have been handled.
    pub is_code_used: bool,
    /// Refusals of its credentials in a row, and the time of the last one.
    pub refusals: (u32, Option<Timestamp>),
    pub refused_tokens: BTreeMap<Name, RefusedToken>,
    /// The app was blamed by its configured host.
    pub blamed: u32,
    /// It was blamed while a token was good: once that has ended, the session stops.
    pub is_app_refused: bool,
    /// Logins that have opened a session, or may have, by the time at which they were sent.
    pub logins: VecDeque<(Timestamp, Opened)>,
    /// When the outcome of the last login became unknown.
    pub unknown_at: Option<Timestamp>,
    pub owed: Option<Owed>,
    /// A penalty that was answered, though nobody knows whether the answer arrived.
    pub answered: Option<Owed>,
    /// A request was sent on to this host.
    pub redirect: Option<(Operation, String)>,
    /// The host that answers have named for logins.
    pub followed: Option<String>,
    /// Whether something said that the followed host is wrong, and how often it could not be connected to.
    pub host_signals: u32,
    pub went_home: Option<Timestamp>,
    /// The configured host has been tried, and has not answered yet: both may be asked.
    pub is_home: bool,
    /// A gate has kept a request of this kind out.
    pub kept_out: Option<Operation>,
    /// Losses of the session before the token's time.
    pub losses: VecDeque<Timestamp>,
    /// Callers have met something that may mean that the token is dead.
    pub is_reported: bool,
    pub verified_at: Option<Timestamp>,
    /// Renewals of the held token that have failed.
    pub failed_renewals: Vec<Timestamp>,
    /// Failures of each kind of request in a row, and the time of the last one.
    pub failures: BTreeMap<Operation, (u32, Timestamp)>,
    pub refreshed_at: Option<Timestamp>,
    /// It may renew once after its start, whatever the time (law 3).
    pub may_verify_start: bool,
    /// It may renew once more to compare its clock, which is off by more than a day.
    pub may_compare_clocks: bool,
    /// How often answers have told it the server's time since its start; twice is enough for each clock.
    pub times_told: u32,
}

impl Memory {
    /// The same after a restart.
    pub(super) fn restarted(&self, stepped: SignedDuration) -> Self {
        let mut memory = self.clone();
        memory.may_verify_start = self.held.is_some();
        memory.times_told = 0;
        memory.is_reported = false;
        memory.failed_renewals.clear();
        (memory.redirect, memory.blamed, memory.is_app_refused) = (None, 0, false);
        memory.failures.clear();
        // By a wall clock that was set ahead, more time has passed.
        let by = stepped.max(SignedDuration::ZERO);
        let earlier = |time: &mut Timestamp| *time -= by;
        memory.logins.iter_mut().for_each(|(time, _)| earlier(time));
        memory.losses.iter_mut().for_each(earlier);
        memory.refused_tokens.values_mut().for_each(|refused| earlier(&mut refused.at));
        if let Some(owed) = &mut memory.owed {
            earlier(&mut owed.not_before);
        }
        let times = [
            &mut memory.refusals.1,
            &mut memory.unknown_at,
            &mut memory.verified_at,
            &mut memory.went_home,
            &mut memory.refreshed_at,
        ];
        times.into_iter().flatten().for_each(earlier);
        memory
    }

    /// It holds a token that a good answer has brought.
    pub(super) fn hold(&mut self, token: Name) {
        let Some(Brought { grant, host, .. }) = self.granted.get(&token).cloned() else { return };
        self.followed = host.or(self.followed.take());
        self.held = Some(Held { grant, is_lost: false });
        self.worked = true;
        self.user = grant.user.or(self.user);
        self.failures.clear();
    }

    /// A good answer was taken.
    pub(super) fn take(&mut self, token: Name) {
        self.hold(token);
        self.refusals = (0, None);
        self.is_reported = false;
        self.may_verify_start = false;
        self.failed_renewals.clear();
        (self.owed, self.answered, self.redirect, self.blamed) = (None, None, None, 0);
        (self.host_signals, self.is_home, self.kept_out) = (0, false, None);
        self.code = None;
    }

    /// The owner has given it other settings, or the same ones again.
    pub(super) fn owner_has_acted(&mut self) {
        (self.refusals, self.worked, self.blamed) = ((0, None), false, 0);
        self.is_app_refused = false;
        self.owed = None;
        self.failures.clear();
    }

    /// Whether it can know the server's time.
    pub(super) fn knows_time(&self) -> bool {
        self.times_told > 1
    }

    pub(super) fn failed(&mut self, operation: Operation, now: Timestamp) {
        let (times, at) = self.failures.entry(operation).or_insert((0, now));
        (*times, *at) = (*times + 1, now);
    }

    pub(super) fn has_failed(&self) -> bool {
        !self.failures.is_empty() || self.kept_out.is_some()
    }

    /// Whether the end of a token is near, as far as the session can know: it may count the life of an OAuth token from
    /// the request on.
    pub(super) fn is_due(&self, token: Name, server_now: Timestamp, unsure: SignedDuration) -> bool {
        let Some(Brought { grant, trip, .. }) = self.granted.get(&token) else { return false };
        let lead = SignedDuration::from_mins(15).min(grant.life / 2);
        grant.expires.is_none_or(|end| end - lead - lead / 10 - unsure - *trip <= server_now)
    }

    /// Logins since a time that have opened a session, or may have.
    pub(super) fn logins_since(&self, time: Timestamp) -> usize {
        self.logins.iter().filter(|(at, _)| *at > time).count()
    }

    /// Whether the token has to be taken for lost: callers have met it dead, and three renewals have failed over two
    /// minutes.
    pub(super) fn is_given_up(&self, now: Timestamp) -> bool {
        let over = self.failed_renewals.first().is_some_and(|first| *first + SignedDuration::from_secs(119) <= now);
        self.is_reported && self.failed_renewals.len() >= 3 && over
    }
}
