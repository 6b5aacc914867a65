//! Adopts what other processes, or an earlier run, have stored: [`Session::adopt`] merges the record of a snapshot into
//! the session's own and acts on the difference.

use alloc::string::ToString;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{Purpose, ServerClock};

use super::{EventKind, Session, StopReason};
use crate::network_budget::{Operation, RateBudget};
use crate::record::{Fact, Latest, Owner, Pause, Record, Tokens};
use crate::stored_session::{OwnerMismatch, Stored, StoredSession};

/// The largest clock error that a round trip to the store introduces. A process with a better value keeps it, so that
/// errors don't add up from one process to the next.
const ROUND_TRIP: SignedDuration = SignedDuration::from_secs(5);

/// A record that is younger than this comes from a process that has just had an answer from the server.
const FRESH: Duration = Duration::from_secs(60);

impl Session {
    /// Adopts a snapshot: after a restart, or while running if another process has stored a newer one.
    ///
    /// The session adopts the tokens if they are newer than its own. While an OAuth code waits for its exchange, it
    /// adopts no token, because a code is newer than every token. It always adopts the limits of the network address:
    /// lock-outs, endpoints that a captcha has closed, and the logins of the last hour. If the snapshot belongs to
    /// another owner, the session adopts only these limits, and reports
    /// [`SnapshotNotUsed`](EventKind::SnapshotNotUsed).
    ///
    /// A snapshot does not prove that its token is still valid. So a session that starts with a token from a snapshot
    /// sends one renewal to verify it, at most once per 15 minutes over all restarts. Until then the token can be used.
    pub fn adopt(&mut self, now: Timestamp, stored: StoredSession, budget: &mut RateBudget) {
        let now = self.advance(now);
        self.gates.see(now, budget);
        let Some(stored) = self.of_owner(now, *stored.read_at(now, self.is_starting()).0, budget) else { return };
        if let (Some(offset), false) = (stored.clock_offset, self.clock.is_known()) {
            self.clock = ServerClock::with_hint(offset);
        }
        let had_token = self.token.generation > 0;
        self.adopt_record(now, stored.record);
        self.adopt_announced_logins(now);
        if !had_token {
            self.token.assumed_offset = stored.assumed_offset;
        }
        self.confirm_first(now, had_token);
    }

    /// Adopts the record of the shared store with its age, or the fact that the store is empty. This does the same
    /// as [`adopt`](Self::adopt), and two things more: it translates times that another machine's clock measured, and
    /// it saves own tokens again if the store lacks them.
    pub(super) fn synchronize(
        &mut self,
        now: Timestamp,
        stored: Option<(StoredSession, Option<Duration>)>,
        budget: &mut RateBudget,
    ) {
        let now = self.advance(now);
        self.gates.see(now, budget);
        if matches!(self.stopped.as_deref(), Some(StopReason::Forgotten)) {
            return self.forget_also(now, stored.map(|(stored, _)| *stored.0));
        }
        // The store no longer holds the announcement of this process: another record has replaced it, or it is lost.
        self.withdraw_announcement();
        let known = stored.as_ref().map(|(stored, _)| stored.0.record.tokens.clone()).unwrap_or_default();
        if let Some((stored, age)) = stored {
            self.synchronize_with(now, stored, age, budget);
        }
        self.has_supplied_token = false;
        let mut own = self.record.tokens.clone();
        if self.renewable(now).is_none() {
            own.access = None;
        }
        self.persistence.dirty |= self.persistence.is_shared() && own.has_newer_token_than(&known);
    }

    /// This session was told to forget its tokens. The mark that it saves must be newer than the tokens that another
    /// process has stored since.
    fn forget_also(&mut self, now: Timestamp, stored: Option<Stored>) {
        let is_own = |stored: &Stored| self.owner().mismatch(stored.owner.as_ref()).is_none();
        let Some(stored) = stored.filter(is_own).filter(|_| self.persistence.forgets) else { return };
        if stored.record.tokens.started_at >= self.record.tokens.started_at {
            self.record.tokens = stored.record.tokens.forgotten(self.clock.server_time(now));
        }
    }

    fn synchronize_with(
        &mut self,
        now: Timestamp,
        stored: StoredSession,
        age: Option<Duration>,
        budget: &mut RateBudget,
    ) {
        let is_own_late = self.persistence.is_own_late(stored.0.written_at);
        let stored = match age {
            Some(age) => stored.seen_at(now, age),
            None => stored.read_at(now, self.is_starting()),
        };
        let Some(stored) = self.of_owner(now, *stored.0, budget) else { return };
        // The last holder of the lease has the newest answer of the server. A save that was long on its way is older
        // than the record.
        if let Some(offset) = stored.clock_offset.filter(|_| !is_own_late) {
            let known = self.clock.is_known().then(|| self.clock.offset());
            let is_close =
                |known: &SignedDuration| (SignedDuration::ZERO..=ROUND_TRIP).contains(&(known.saturating_sub(offset)));
            self.clock.take_hint(known.filter(is_close).unwrap_or(offset));
        }
        let had_token = self.token.generation > 0;
        self.adopt_record(now, stored.record);
        // The process that has just stored the token knows that it is good.
        if age.is_none_or(|age| age > FRESH) {
            self.confirm_first(now, had_token);
        }
    }

    /// Adopts the limits of the network address. Returns the snapshot if it belongs to the session's owner.
    fn of_owner(&mut self, now: Timestamp, stored: Stored, budget: &mut RateBudget) -> Option<Stored> {
        budget.merge(now, &stored.limits);
        let is_other_user = self.user_id().zip(stored.record.user_id).is_some_and(|(known, stored)| known != stored);
        let mismatch = self.owner().mismatch(stored.owner.as_ref());
        let mismatch = mismatch.or(is_other_user.then_some(OwnerMismatch::UserId));
        if let Some(mismatch) = mismatch {
            self.report(now, EventKind::SnapshotNotUsed { mismatch });
            return None;
        }
        Some(stored)
    }

    /// Whether the session has had no token and has sent nothing yet.
    fn is_starting(&self) -> bool {
        self.token.generation == 0 && !self.has_sent()
    }

    fn has_sent(&self) -> bool {
        self.exchanges.last_sent > super::ExchangeId::default()
    }

    /// If the first token comes from a snapshot and nothing was sent yet, one renewal confirms it.
    fn confirm_first(&mut self, now: Timestamp, had_token: bool) {
        if !had_token && !self.has_sent() && self.token.generation > 0 && !self.clock.is_learnt() {
            self.token.confirm(now);
        }
    }

    fn adopt_record(&mut self, now: Timestamp, mut other: Record) {
        other.correct(now);
        if let Some(code) = self.code.as_mut().filter(|_| self.persistence.waiting.is_none()) {
            // The code is newer than every token and than every postponed request for a token.
            code.known_start.merge(other.tokens.started_at);
            other =
                Record { tokens: Tokens::default(), pause: Pause::default(), postponed: Latest::default(), ..other };
        }
        let is_log_in = other.postponed.get().is_some_and(|ticket| ticket.operation == Operation::LogIn);
        if self.has_another_try && is_log_in {
            // The postponed login may have had another password, and a ticket is valid for the identical request only.
            other.postponed = Latest::default();
        }
        if other.tokens.access.is_none() {
            // Hosts are adopted together with a token. Without a token, the configured host names them again.
            (other.tokens.hosts, other.tokens.hosts_at) = Default::default();
        }
        if core::mem::take(&mut self.has_supplied_token) {
            self.record.tokens.continue_after(&other.tokens);
        }
        let before = self.record.tokens.clone();
        let was_alive = self.renewable(now).is_some();
        self.record.merge(other);
        self.record.log_ins.drop_outdated(now);
        if self.has_another_try {
            self.record.log_ins.try_again();
        }
        if self.persistence.waiting.as_ref().is_some_and(|it| it.tokens.is_superseded_by(&self.record.tokens)) {
            self.persistence.abandon();
        }
        let tokens = &self.record.tokens;
        if tokens.is_forgotten() && before != Tokens::default() && !before.is_forgotten() {
            return self.forgotten_by_another(now);
        }
        let has_other_access = tokens.access_key() != before.access_key();
        let has_other_refresh = tokens.refresh_key() != before.refresh_key();
        if has_other_access && tokens.access.is_some() {
            self.adopted(now);
        } else if has_other_access && was_alive {
            // Another process has learnt that the token is dead.
            self.token.settle();
            self.report(now, EventKind::SessionLost);
        } else if tokens.hosts != before.hosts {
            self.follow_hosts(now);
        }
        if has_other_refresh && matches!(self.stopped.as_deref(), Some(StopReason::ConsentRequired)) {
            self.go_on();
        }
    }

    /// Another process was told to forget the tokens, so this one stops and does not log in again.
    fn forgotten_by_another(&mut self, now: Timestamp) {
        let forgotten = self.record.tokens.clone();
        self.drop_tokens();
        self.record.tokens = forgotten;
        self.stop(now, StopReason::Forgotten);
    }

    /// The record has another access token.
    fn adopted(&mut self, now: Timestamp) {
        // The overdue request was for an earlier token.
        if self.exchanges.in_flight.as_ref().is_some_and(|exchange| exchange.deadline <= now) {
            self.exchanges.give_up();
        }
        self.persistence.has_stored_tokens();
        self.go_on();
        self.follow_hosts(now);
        let Some(access) = &self.record.tokens.access else { return };
        let (expires_at, life) = (access.expires_at, access.life());
        let since = self.clock.local_time(access.issued_at).min(now);
        if expires_at > self.clock.server_time(now) {
            self.report(now, EventKind::Adopted { expires_at });
        }
        self.plan_renewal(since, expires_at, life);
        self.token.refreshed_at = None;
    }

    /// The owner of the session's snapshots: the login, as the settings name it.
    pub(super) fn owner(&self) -> Owner {
        let login = self.hosts.configured.base_url(Purpose::Login).map(ToString::to_string).unwrap_or_default();
        let app = self.login.app().map(|app| app.client_id().into());
        Owner {
            login,
            user: self.login.credentials().map(|credentials| credentials.name().into()),
            key: self.user_key.as_deref().filter(|_| app.is_some()).map(Into::into),
            app,
        }
    }
}
