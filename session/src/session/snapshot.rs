//! From a session to its snapshot.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::ToString;

use jiff::Timestamp;
use tradovate_auth_core::internal::moved;
use tradovate_auth_core::{Grant, Purpose};

use super::{Identity, Session, State};
use crate::budget::{Operation, RateBudget};
use crate::stored_session::{Content, History, Owner, StoredGrant, StoredSession};

/// The operations whose hour is remembered in a snapshot: those that fail are few. The others are far from their limits,
/// or those of one session alone.
const REMEMBERED: [Operation; 1] = [Operation::LogIn];

impl Session {
    /// What has to be kept to go on after a restart: tokens, hosts, lock-outs and what else was learnt, but no password
    /// and no secret of an app.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp, budget: &RateBudget) -> StoredSession {
        let waiting = self.waiting();
        let held = self.held.as_ref().filter(|held| !held.lost).map(|held| &held.grant);
        let grant = waiting.or(held);
        let gates = self.silence.closed_at(now.max(self.now), budget);
        StoredSession(Box::new(Content {
            owner: Some(self.owner()),
            grant: grant.map(StoredGrant::of),
            refresh: waiting.and_then(|grant| grant.refresh.clone()).or_else(|| self.refresh.clone()),
            user_id: waiting.and_then(|grant| grant.user_id).or(self.known_user()),
            hosts: grant
                .or(self.held.as_ref().map(|held| &held.grant))
                .map(|grant| grant.hosts.clone())
                .unwrap_or_default(),
            clock_offset: self.clock.is_known().then(|| self.clock.offset()),
            worked_before: self.log_ins.worked_before,
            locked: gates.iter().find(|(operation, _)| operation.is_none()).map(|(_, gate)| *gate),
            closed: gates.iter().filter_map(|(operation, gate)| Some(((*operation)?, *gate))).collect(),
            postponed: self.ticket.as_deref().cloned(),
            refused: self.refreshes.remembered(now.max(self.now)).cloned().collect(),
            password_expires_at: self.password_expires_at,
            history: self.history(now, budget),
        }))
    }

    /// Whose the session is: derived from its settings, so that nothing else can say otherwise.
    pub(super) fn owner(&self) -> Owner {
        let login = self.home.base_url(Purpose::Login).map(ToString::to_string).unwrap_or_default();
        match &self.identity {
            Identity::User(credentials) => Owner { login, user: Some(credentials.name().into()), ..Owner::default() },
            Identity::App(app) => {
                let key = self.user_key.as_deref().map(Into::into);
                Owner { login, app: Some(app.client_id().into()), key, ..Owner::default() }
            }
        }
    }

    fn history(&self, now: Timestamp, budget: &RateBudget) -> History {
        let now = now.max(self.now);
        let sent = |operation| {
            let sent = budget.taken(now, operation).collect::<VecDeque<_>>();
            (!sent.is_empty()).then(|| (Operation::into(operation), sent))
        };
        let lost = self.held.as_ref().filter(|held| held.lost).map(|held| issued_at(&held.grant));
        let sharing = self.sharing.as_deref();
        let mut log_ins = self.log_ins.clone();
        if let State::Exchanging(exchange) = &self.state
            && exchange.operation == Operation::LogIn
            && sharing.is_none()
        {
            // Whoever goes on from here doesn't learn its outcome. A shared store has its announcement.
            log_ins.outcome_unknown(now, exchange.sent, &mut self.jitter.clone());
        }
        History {
            written_at: Some(now),
            log_ins,
            sent: REMEMBERED.into_iter().filter_map(sent).collect(),
            pause: self.pause.clone(),
            verified_at: self.doubt.verified_at(),
            followed_host: self.followed.clone(),
            refused_once: self.refreshes.is_refused_once(),
            refresh_outcome_unknown: self.refreshes.outcome_unknown,
            announced: sharing.and_then(|sharing| sharing.announcement.operation()).map(Operation::into),
            lost_issued_at: sharing.and_then(|sharing| sharing.lost).max(lost),
        }
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
    moved(grant.exchange.sent, grant.exchange.measured_offset())
}
