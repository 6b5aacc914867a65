//! What others have stored: how a session takes it over, piece by piece, so that of each the newest is kept.

use alloc::boxed::Box;

use jiff::Timestamp;
use tradovate_auth_core::{Exchange as Times, Grant, RefreshGrant, ServerClock};

use super::snapshot::issued_at;
use super::{EventKind, ExchangeId, Identity, Session, State, StopReason, Storing};
use crate::budget::RateBudget;
use crate::stored_session::{Content, History, OwnerMismatch, StoredGrant, StoredSession};

/// Takes over the limits of the network address, whoever has met them.
pub(super) fn learn_limits(now: Timestamp, content: &mut Content, budget: &mut RateBudget) {
    content.limit_waits(now);
    if let Some(gate) = content.locked.and_then(|gate| gate.left_at(now)) {
        budget.learn_lock(gate);
    }
    for (operation, gate) in &content.closed {
        if let Some(gate) = gate.left_at(now) {
            budget.learn_closing(*operation, gate);
        }
    }
    for (operation, sent) in &content.history.sent {
        budget.learn(now, (*operation).into(), sent.iter().copied());
    }
}

impl Session {
    /// Takes over a snapshot: at the start, after a restart, or while running, when another process has stored a newer
    /// one. Of a snapshot of another owner, only the limits of the network address are taken over, and an
    /// [event](EventKind::SnapshotNotUsed) says so. A token is taken over if it was issued later than the one that is held
    /// and is not for another user, and unless a code waits to be exchanged, which is newer than any; so is a refresh token.
    /// Lock-outs always are, and so is what was sent in the hour before.
    ///
    /// What the snapshot says of the server's time is a hint. So if the session starts with a token of a snapshot, one
    /// renewal confirms the token soon, but at most once in 15 minutes over all restarts; the token is handed out meanwhile.
    pub fn adopt(&mut self, now: Timestamp, stored: StoredSession, budget: &mut RateBudget) {
        let now = self.advance(now);
        self.silence.see(now, budget);
        let mut content = *stored.read_at(now).0;
        learn_limits(now, &mut content, budget);
        if self.is_not_used(now, &content) {
            return;
        }
        if let (Some(offset), false) = (content.clock_offset, self.clock.is_known()) {
            self.clock = ServerClock::with_hint(offset);
        }
        let had_token = self.generation > 0;
        self.take_over(now, content);
        self.confirm_first(now, had_token);
    }

    /// Whether a snapshot is another owner's, which is told.
    pub(super) fn is_not_used(&mut self, now: Timestamp, content: &Content) -> bool {
        let known = self.known_user();
        let is_other_user = known.zip(content.user_id).is_some_and(|(known, stored)| known != stored);
        let mismatch = self.owner().mismatch(content.owner.as_ref());
        let mismatch = mismatch.or(is_other_user.then_some(OwnerMismatch::UserId));
        if let Some(mismatch) = mismatch {
            self.tell(now, EventKind::SnapshotNotUsed { mismatch });
        }
        mismatch.is_some()
    }

    /// Who the user is, if an answer or a snapshot has said so.
    pub(super) fn known_user(&self) -> Option<i64> {
        let held = self.held.as_ref().map(|held| &held.grant).or(self.waiting());
        held.and_then(|grant| grant.user_id).or(self.user_id)
    }

    /// A first token that is from a snapshot, before anything was sent: one renewal confirms it.
    pub(super) fn confirm_first(&mut self, now: Timestamp, had_token: bool) {
        let has_sent = self.last_sent > ExchangeId(0);
        if !had_token && !has_sent && self.generation > 0 && !self.clock.is_learnt() {
            self.doubt.confirm(now);
        }
    }

    pub(super) fn take_over(&mut self, now: Timestamp, mut content: Content) {
        let history = core::mem::take(&mut content.history);
        self.log_ins.worked_before |= content.worked_before;
        self.user_id = self.known_user().or(content.user_id);
        self.password_expires_at = self.password_expires_at.or(content.password_expires_at);
        self.refreshes.learn(now, core::mem::take(&mut content.refused));
        let History { log_ins, pause, verified_at, lost_issued_at, followed_host, .. } = history;
        self.log_ins.learn(now, log_ins);
        self.doubt.learn(verified_at);
        self.followed.learn(now, &followed_host, self.newest_issue().is_none());
        // One that has been exchanged has brought what waits to be stored.
        let waits_for_code = self.code.is_some() && self.waiting().is_none();
        if waits_for_code {
            return;
        }
        let lost_issued_at = match &mut self.sharing {
            Some(sharing) => {
                sharing.lost = sharing.lost.max(lost_issued_at);
                sharing.lost
            }
            None => lost_issued_at,
        };
        // A dead token is not brought back by whoever has not heard of its death.
        let is_dead = |grant: &StoredGrant| Some(grant.issued_at) <= lost_issued_at;
        if content.grant.as_ref().is_some_and(is_dead) {
            content.grant = None;
        }
        if self.renewable(now).is_none() {
            // Nothing is held that their pauses say nothing about.
            self.pause.learn(&pause);
        }
        let newest = self.newest_issue();
        let is_lost = newest.is_some() && lost_issued_at >= newest;
        match (content.grant.as_ref().map(|grant| grant.issued_at), newest) {
            // What came before the token that is held says nothing about it.
            (Some(stored), Some(newest)) if stored < newest => return self.take_refresh(content.refresh),
            (None, Some(_)) if !is_lost => return self.take_refresh(content.refresh),
            (Some(stored), Some(newest)) if stored == newest => self.take_rest(content),
            (None, _) if is_lost || content.refresh.is_none() => self.take_rest(content),
            _ => self.take_grant(now, content),
        }
        self.pause.learn(&pause);
        // A newer token that has just been taken over is none of the lost ones.
        if is_lost && lost_issued_at >= self.newest_issue() {
            self.learn_of_loss(now);
        }
    }

    /// When the newest token was issued that is held, or waits to be stored.
    fn newest_issue(&self) -> Option<Timestamp> {
        self.held.as_ref().map(|held| issued_at(&held.grant)).max(self.waiting().map(issued_at))
    }

    /// The newest refresh token that is held, or waits to be stored.
    fn newest_refresh(&self) -> Option<&RefreshGrant> {
        self.waiting().and_then(|waiting| waiting.refresh.as_ref()).or(self.refresh.as_ref())
    }

    /// The ticket and the refresh token of a snapshot whose access token is no other one.
    fn take_rest(&mut self, content: Content) {
        if matches!(self.state, State::Resting) && content.postponed.is_some() {
            self.ticket = content.postponed.map(Box::new);
        }
        self.take_refresh(content.refresh);
    }

    /// A refresh token where it is newer, whatever the access token is that came with it.
    fn take_refresh(&mut self, refresh: Option<RefreshGrant>) {
        let is_newer =
            |refresh: &RefreshGrant| self.newest_refresh().is_none_or(|own| refresh.issued_at > own.issued_at);
        let Some(refresh) = refresh.filter(|_| matches!(self.identity, Identity::App(_))).filter(is_newer) else {
            return;
        };
        if let State::Storing(Storing { grant: Some(waiting), .. }) = &mut self.state {
            waiting.0.refresh = None;
        }
        self.refresh = Some(refresh);
        self.refreshes.replaced();
        if matches!(self.state, State::Stopped(StopReason::ConsentRequired)) {
            self.resume_work();
        }
    }

    /// A newer access token, with all that came with it.
    fn take_grant(&mut self, now: Timestamp, content: Content) {
        self.ticket = content.postponed.map(Box::new);
        // What waits to be stored is older, but for the only copy of a refresh token.
        let is_no_older =
            |stored: &RefreshGrant| self.newest_refresh().is_none_or(|own| stored.issued_at >= own.issued_at);
        let takes_refresh = content.refresh.as_ref().is_some_and(is_no_older);
        let newer_refresh = self.waiting().and_then(|waiting| waiting.refresh.clone()).filter(|_| !takes_refresh);
        if self.waiting().is_some() {
            self.state = State::Resting;
        }
        // What was to bring a token and is overdue says nothing about the one that has come.
        match core::mem::replace(&mut self.state, State::Resting) {
            State::Exchanging(overdue) if overdue.deadline <= now => self.keep_late(*overdue),
            state => self.state = state,
        }
        if matches!(self.identity, Identity::App(_)) && takes_refresh {
            self.refresh = content.refresh;
            self.refreshes.replaced();
        }
        self.resume_work();
        let Some(stored) = content.grant else { return };
        let times = Times { sent: stored.issued_at, received: stored.issued_at, server_time: None };
        let mut grant = Grant::new(stored.access_token, stored.expires_at, times);
        grant.market_data = stored.market_data;
        grant.refresh = newer_refresh;
        grant.user_id = content.user_id;
        grant.hosts = content.hosts;
        if grant.refresh.is_some() {
            return self.store(now, Some((grant, None)));
        }
        self.follow(now, &grant);
        if grant.expires_at > self.clock.server_time(now) {
            self.tell(now, EventKind::Adopted { expires_at: grant.expires_at });
        }
        self.hold(grant);
    }

    /// Another process has learnt that the token is dead.
    fn learn_of_loss(&mut self, now: Timestamp) {
        self.doubt.settle();
        if let Some(held) = self.held.as_mut().filter(|held| !held.lost) {
            held.lost = true;
            self.tell(now, EventKind::SessionLost);
        }
    }
}
