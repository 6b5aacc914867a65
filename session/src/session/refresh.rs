//! When a session refreshes: when the refresh token is due for a refresh, when the session may present it, and what
//! follows from a refresh that failed.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::workspace_only::hash_of;
use tradovate_auth_core::{Error, OAuthGrant, RefreshToken};

use super::classify_answer::Meaning;
use super::in_flight::Exchange;
use super::{EventKind, Session, StopReason, Trouble};
use crate::network_budget::Operation;
use crate::record::Refresh;
use crate::time_arithmetic::{after, later};

/// An OAuth session refreshes at least once in this time, because an unused refresh token expires.
//= R-REFRESH-4
const REFRESH_AT_LEAST_EVERY: Duration = Duration::from_secs(12 * 3600);

/// The pause before a refused refresh token is sent once more.
//= R-REFRESH-6
const SECOND_TRY: Duration = Duration::from_secs(2);

/// How long a refresh token that was refused twice is not sent.
//= R-REFRESH-7
const BAN: Duration = Duration::from_secs(6 * 3600);

impl Session {
    /// Tells the user by when the next refresh has to come. After this time, the user has to authorize the app again.
    //= R-REFRESH-5
    pub(super) fn report_consent_due(&mut self, now: Timestamp) {
        let expires_at = self.record.tokens.refresh.as_ref().and_then(|refresh| refresh.expires_at);
        if let Some(at) = expires_at {
            self.report(now, EventKind::ConsentDueBy { at });
        }
    }

    /// The time by which the session refreshes, so that its refresh token does not expire unused.
    pub(super) fn refresh_by(&self, now: Timestamp) -> Timestamp {
        later(self.refreshed_at(now).unwrap_or(self.token.since), REFRESH_AT_LEAST_EVERY)
    }

    /// Whether an OAuth session can only renew: its refresh token or its app was refused, or it has no refresh token that
    /// is still valid. Its pauses are then longer.
    //= R-REFRESH-9
    pub(super) fn has_only_renewals(&self, now: Timestamp) -> bool {
        let is_presentable = || self.app_refused.is_none() && self.presentable_at(now).is_some_and(|at| at <= now);
        self.login.app().is_some() && !is_presentable()
    }

    /// The time at which the refresh token was issued or last brought tokens, by the local clock.
    pub(super) fn refreshed_at(&self, now: Timestamp) -> Option<Timestamp> {
        let issued_at = self.record.tokens.refresh.as_ref().and_then(|refresh| refresh.issued_at);
        issued_at.map(|at| self.clock.local_time(at).min(now)).max(self.token.refreshed_at)
    }

    /// Whether an OAuth session may present its refresh token now.
    pub(super) fn may_refresh(&self, now: Timestamp) -> bool {
        self.login.app().is_some() && !self.has_only_renewals(now) && !self.is_refresh_outcome_unknown()
    }

    //= R-REFRESH-10
    fn is_refresh_outcome_unknown(&self) -> bool {
        self.record.tokens.refresh.as_ref().is_some_and(|refresh| refresh.outcome_unknown.is_set())
    }

    /// The time from which the refresh token may be presented, or `None` if it may not be presented again. After a
    /// second refusal it is `None` if the expiry of the token is unknown, or comes before the token may be presented
    /// again. The session trusts the expiry only if it has learnt the server's time.
    //= R-REFRESH-8
    pub(super) fn presentable_at(&self, now: Timestamp) -> Option<Timestamp> {
        let refresh = self.record.tokens.refresh.as_ref()?;
        let server_now = self.clock.server_time(now);
        if self.clock.is_learnt() && refresh.expires_at.is_some_and(|end| end <= server_now) {
            return None;
        }
        let refused = &self.record.refused_refresh_tokens;
        let banned = if refused.is_empty() { None } else { refused.get(&fingerprint(&refresh.token)) };
        let Some(until) = banned.map(|until| (*until).max(now)) else { return Some(now) };
        (after(until, now) < after(refresh.expires_at?, server_now)).then_some(until)
    }

    pub(super) fn refresh_token_refused(
        &mut self,
        now: Timestamp,
        exchange: &Exchange,
        error: Error,
        is_malformed: bool,
    ) {
        let Some(refresh) = self.record.tokens.refresh.as_mut().filter(|refresh| presents(exchange, refresh)) else {
            // The session has adopted another refresh token since.
            return;
        };
        let is_second = refresh.refused_once.is_set() || is_malformed;
        if is_second {
            refresh.refused_once.clear();
        } else {
            refresh.refused_once.set();
        }
        let fingerprint = fingerprint(&refresh.token);
        self.ticket_is_spent();
        if is_malformed && self.renewable(now).is_none() {
            return self.stop_stored(now, StopReason::Refused(error));
        }
        if !is_second {
            let retry_at = self.record.pause.for_at_least(self.moment(now), SECOND_TRY);
            self.persistence.share();
            let trouble = Trouble::Server(error);
            return self.report_failure(now, Operation::Refresh, trouble, retry_at);
        }
        let until = later(now, BAN);
        self.record.refused_refresh_tokens.retain(|_, until| *until > now);
        self.record.refused_refresh_tokens.insert(fingerprint, until);
        self.record.pause.end(self.moment(now));
        self.persistence.dirty = true;
        if is_malformed {
            let trouble = Trouble::Server(error);
            self.report_failure(now, Operation::Refresh, trouble, until);
        }
        let (until, usable_until) = (self.presentable_at(now), self.token_usable_until(now));
        self.report(now, EventKind::RefreshRefused { until, usable_until });
    }

    /// The server refuses the app's settings. Another try does not help. The refresh token may be good.
    pub(super) fn app_refused(&mut self, now: Timestamp, error: Error) {
        self.ticket_is_spent();
        self.record.pause.end(self.moment(now));
        self.app_refused = Some(Box::new(error.clone()));
        if self.renewable(now).is_some() {
            let usable_until = self.token_usable_until(now);
            self.report(now, EventKind::AppRefused { error, usable_until });
        } else {
            self.stop_stored(now, StopReason::Refused(error));
        }
    }

    pub(super) fn refresh_failed(&mut self, now: Timestamp, exchange: &Exchange, meaning: Meaning, trouble: Trouble) {
        if exchange.presents_code() {
            return self.code_failed(now, exchange, meaning, trouble);
        }
        match (meaning, trouble) {
            (Meaning::AppRefused, Trouble::Server(error)) => self.app_refused(now, error),
            (Meaning::Refused | Meaning::Malformed, Trouble::Server(error)) => {
                self.refresh_token_refused(now, exchange, error, meaning == Meaning::Malformed);
            }
            (meaning, trouble) => {
                if meaning == Meaning::Unknown {
                    let refresh = self.record.tokens.refresh.as_mut();
                    if let Some(refresh) = refresh.filter(|refresh| presents(exchange, refresh)) {
                        refresh.outcome_unknown.set();
                    }
                    self.report(now, EventKind::RefreshOutcomeUnknown);
                }
                self.try_again(now, exchange, trouble);
            }
        }
    }
}

/// Distinguishes refresh tokens by a hash, so that no token is kept.
pub(super) fn fingerprint(token: &RefreshToken) -> String {
    hash_of([token.expose()])
}

/// Whether the request presented this refresh token.
pub(super) fn presents(exchange: &Exchange, refresh: &Refresh) -> bool {
    matches!(&exchange.presented, Some(OAuthGrant::RefreshToken(presented)) if refresh.is(presented))
}
