//! From a session to its snapshot and back.

use alloc::boxed::Box;

use jiff::Timestamp;

use super::{EventKind, Identity, Session, State};
use crate::budget::{Operation, RateBudget};
use crate::clock::{Exchange as Times, ServerClock};
use crate::grant::Grant;
use crate::stored_session::{Content, StoredGrant, StoredSession};

impl Session {
    /// What has to be kept to go on after a restart: tokens, hosts, lock-outs and what else was learnt, but no password
    /// and no secret of an app.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp, budget: &RateBudget) -> StoredSession {
        let waiting = self.waiting();
        let held = self.held.as_ref().filter(|held| !held.lost).map(|held| &held.grant);
        let grant = waiting.or(held);
        let closed = |operation| budget.closed_until(now, operation).map(|until| (operation, until));
        StoredSession(Content {
            grant: grant.map(StoredGrant::of),
            refresh: waiting.and_then(|grant| grant.refresh.clone()).or_else(|| self.refresh.clone()),
            user_id: waiting.or(self.held.as_ref().map(|held| &held.grant)).and_then(|grant| grant.user_id),
            hosts: grant
                .or(self.held.as_ref().map(|held| &held.grant))
                .map(|grant| grant.hosts.clone())
                .unwrap_or_default(),
            clock_offset: self.clock.is_known().then(|| self.clock.offset()),
            worked_before: self.log_ins.worked_before,
            locked_until: budget.locked_until(now),
            closed_until: Operation::ALL.into_iter().filter_map(closed).collect(),
            postponed: self.ticket.as_deref().cloned(),
            refused: self.refreshes.remembered().to_vec(),
            password_expires_at: self.password_expires_at,
        })
    }

    /// Takes over a snapshot: at the start, after a restart, or while running, when another process has stored a newer
    /// one. A token is taken over if it was issued later than the one that is held and is not for another user, and unless
    /// a code waits to be exchanged, which is newer than any; lock-outs always are.
    pub fn adopt(&mut self, now: Timestamp, stored: StoredSession, budget: &mut RateBudget) {
        let now = self.advance(now);
        let StoredSession(content) = stored;
        if let Some(until) = content.locked_until {
            budget.lock_out(until);
        }
        for (operation, until) in content.closed_until {
            budget.close(operation, until);
        }
        if let (Some(offset), false) = (content.clock_offset, self.clock.is_known()) {
            self.clock = ServerClock::with_offset(offset);
        }
        self.log_ins.worked_before |= content.worked_before;
        self.password_expires_at = self.password_expires_at.or(content.password_expires_at);
        self.refreshes.learn(content.refused);
        if self.code.is_some() {
            return;
        }
        let waiting = self.waiting();
        let held = self.held.as_ref().map(|held| &held.grant);
        let known_user = held.or(waiting).and_then(|grant| grant.user_id);
        if known_user.zip(content.user_id).is_some_and(|(known, stored)| known != stored) {
            return;
        }
        // The only copy of a refresh token is not given away for a snapshot without one.
        if waiting.is_some_and(|waiting| waiting.refresh.is_some()) && content.refresh.is_none() {
            return;
        }
        let is_waiting = waiting.is_some();
        let newest = held.map(issued_at).max(waiting.map(issued_at));
        let is_newer = match (&content.grant, newest) {
            (Some(stored), Some(newest)) => stored.issued_at > newest,
            (stored, None) => stored.is_some() || content.refresh.is_some(),
            (None, Some(_)) => false,
        };
        if !is_newer {
            // Its ticket is for the request that comes next, unless a token has come already.
            if newest.is_none() {
                self.ticket = self.ticket.take().or(content.postponed.map(Box::new));
            }
            return;
        }
        self.ticket = content.postponed.map(Box::new);
        // What waits to be stored is older.
        if is_waiting {
            self.state = State::Resting;
        }
        if matches!(self.identity, Identity::App(_)) && content.refresh.is_some() {
            self.refresh.clone_from(&content.refresh);
            self.refreshes.replaced();
        }
        self.resume_work();
        let Some(stored) = content.grant else { return };
        let times = Times { sent: stored.issued_at, received: stored.issued_at, server_time: None };
        let grant = Grant {
            access_token: stored.access_token,
            expires_at: stored.expires_at,
            market_data: stored.market_data,
            refresh: content.refresh,
            user_id: content.user_id,
            user_name: None,
            hosts: content.hosts,
            exchange: times,
        };
        self.follow(now, &grant);
        if grant.expires_at > self.clock.server_time(now) {
            self.tell(now, EventKind::Adopted { expires_at: grant.expires_at });
        }
        self.hold(grant);
    }
}

impl StoredGrant {
    fn of(grant: &Grant) -> Self {
        Self {
            access_token: grant.access_token.clone(),
            issued_at: issued_at(grant),
            expires_at: grant.expires_at,
            market_data: grant.market_data.clone(),
        }
    }
}

/// When the token was asked for, in server time.
pub(super) fn issued_at(grant: &Grant) -> Timestamp {
    let sent = grant.exchange.sent;
    sent.saturating_add(grant.exchange.offset()).unwrap_or(sent)
}
