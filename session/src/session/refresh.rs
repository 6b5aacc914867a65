//! When a session refreshes: when the refresh token is due for a refresh, and when the session may present it.

use alloc::string::String;
use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::RefreshToken;
use tradovate_auth_core::internal::hash_of;

use super::Session;
use crate::time_arithmetic::{after, later};

/// An OAuth session refreshes at least once in this time, because an unused refresh token expires.
//= R-REFRESH-4
const REFRESH_AT_LEAST_EVERY: Duration = Duration::from_secs(12 * 3600);

impl Session {
    /// The time by which the session refreshes, so that its refresh token does not expire unused.
    pub(super) fn refresh_by(&self, now: Timestamp) -> Timestamp {
        later(self.refreshed_at(now).unwrap_or(self.token.since), REFRESH_AT_LEAST_EVERY)
    }

    /// Whether an OAuth session can only renew, because its refresh token or its app was refused.
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
}

/// Distinguishes refresh tokens by a hash, so that no token is kept.
pub(super) fn fingerprint(token: &RefreshToken) -> String {
    hash_of([token.expose()])
}
