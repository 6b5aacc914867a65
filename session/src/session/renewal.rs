//! When a session renews: which token a renewal can extend, when the renewal is due, and when the session gives the
//! token up.

use core::time::Duration;

use jiff::Timestamp;

use super::Session;
use crate::network_budget::{Operation, RateBudget};
use crate::record::Access;
use crate::time_arithmetic::ONE_HOUR;

/// A rejected token is given up after this many failed renewals over at least this time.
const GIVE_UP_AFTER: (u32, Duration) = (3, Duration::from_secs(120));

/// The same for a token that nothing would replace, because the app or the refresh token was refused. A fault of half an
/// hour should not end it. But if the token is dead, a person has to act soon.
const GIVE_UP_LAST_TOKEN_AFTER: (u32, Duration) = (3, Duration::from_secs(30 * 60));

impl Session {
    /// Chooses between a renewal and a refresh for an OAuth session that can send both, and says when. A renewal
    /// rotates no refresh token and brings a market data token. So the session renews if the budget has a renewal to
    /// spare at that time. It refreshes instead if the refresh token is due for a refresh or the last renewal has
    /// failed.
    //= R-RENEW-10
    pub(super) fn renew_or_refresh(
        &self,
        now: Timestamp,
        access: &Access,
        refresh_by: Timestamp,
        budget: &RateBudget,
    ) -> (Operation, Timestamp) {
        let due = self.renewal_due(now, access);
        let renewal = self.spare_renewal(now, budget).max(due);
        let refresh = self.allowed(now, Operation::Refresh, budget).max(due);
        let has_failed = self.token.failed_renewals.lasted_at(1, Duration::ZERO).is_some();
        let is_refresh_wanted = self.policy.prefers_refreshes()
            || has_failed
            || refresh_by <= due
            // The age of the refresh token is unknown.
            || self.refreshed_at(now).is_none();
        if is_refresh_wanted || refresh < renewal {
            (Operation::Refresh, due.min(refresh_by))
        } else {
            (Operation::Renew, renewal)
        }
    }

    /// The earliest time for a renewal of a session that could also refresh. Such a session uses only renewals to
    /// spare.
    fn spare_renewal(&self, now: Timestamp, budget: &RateBudget) -> Timestamp {
        self.allowed(now, Operation::Renew, budget).max(budget.next_spare_renewal(now))
    }

    /// The time at which a renewal is due that is sent only to get a market data token. An OAuth session gets one by no
    /// other request.
    //= R-RENEW-12
    pub(super) fn market_data_due(&self, now: Timestamp, budget: &RateBudget) -> Option<Timestamp> {
        // The renewal that confirms the server's time brings a market data token too.
        let is_wanted =
            self.record.market_data.is_open() && !self.policy.prefers_refreshes() && self.clock.confirm_at().is_none();
        self.renewable(now).filter(|_| is_wanted)?;
        Some(self.spare_renewal(now, budget).max(self.token.market_data_at))
    }

    pub(super) fn renewal_due(&self, now: Timestamp, access: &Access) -> Timestamp {
        let due = self.clock.local_time(self.token.renew_at);
        // The session knows whether the token has ended after the second answer with the server's time.
        let confirmed_at = self.clock.confirm_at().filter(|_| self.has_ended(access, now));
        confirmed_at.map_or(due, |at| due.max(at))
    }

    /// The token that a renewal can extend. It has not expired, or only a local clock says that it has.
    //= R-RENEW-5
    pub(super) fn renewable(&self, now: Timestamp) -> Option<&Access> {
        let access = self.record.tokens.access.as_ref()?;
        (!self.has_ended(access, now) || self.may_be_alive(now)).then_some(access)
    }

    /// Whether the token has expired by the best known server time.
    pub(super) fn has_ended(&self, access: &Access, now: Timestamp) -> bool {
        access.expires_at <= self.clock.server_time(now)
    }

    /// Whether a token that has expired by the local clock may still be alive. This is possible as long as the session
    /// has not learnt the server's time. A renewal decides. If no renewal brings a verdict, the session gives the token
    /// up: see [`given_up_at`](Self::given_up_at).
    fn may_be_alive(&self, now: Timestamp) -> bool {
        !self.clock.is_learnt() && self.given_up_at().is_none_or(|at| now < at)
    }

    /// The time at which the session gives up a token that has expired by the local clock, because no renewal has
    /// brought a verdict: after three failed renewals that may have reached the server, over at least two minutes, or
    /// after three failed renewals over at least one hour.
    pub(super) fn given_up_at(&self) -> Option<Timestamp> {
        let (count, time) = GIVE_UP_AFTER;
        let after_expiry = self.token.failed_after_expiry.lasted_at(count, time);
        after_expiry.into_iter().chain(self.token.failed_renewals.lasted_at(count, ONE_HOUR)).min()
    }

    /// The time at which the session gives up a token that callers report as rejected, because its renewals keep
    /// failing.
    pub(super) fn rejected_given_up_at(&self, now: Timestamp) -> Option<Timestamp> {
        let was_refused = self.app_refused.is_some() || self.record.tokens.refresh.is_some();
        let is_last = was_refused && self.has_only_renewals(now);
        self.rejected_has_failed_for(if is_last { GIVE_UP_LAST_TOKEN_AFTER } else { GIVE_UP_AFTER })
    }

    /// The time at which a token that callers report as rejected has failed three renewals over two minutes.
    pub(super) fn rejected_has_failed_at(&self) -> Option<Timestamp> {
        self.rejected_has_failed_for(GIVE_UP_AFTER)
    }

    fn rejected_has_failed_for(&self, (count, time): (u32, Duration)) -> Option<Timestamp> {
        let is_rejected = self.token.is_reported_dead || self.token.is_faulty;
        self.token.failed_renewals.lasted_at(count, time).filter(|_| is_rejected)
    }

    pub(super) fn is_given_up(&self, now: Timestamp) -> bool {
        self.renewable(now).is_some() && self.rejected_given_up_at(now).is_some_and(|at| at <= now)
    }

    /// Makes the renewal of the held token due now, before its regular time.
    pub(crate) fn bring_forward(&mut self, now: Timestamp) {
        let now = self.advance(now);
        self.token.renew_at = self.token.renew_at.min(self.clock.server_time(now));
    }
}
