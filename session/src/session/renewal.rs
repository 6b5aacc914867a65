//! When a session renews: which token a renewal can extend, when the renewal is due, when the session gives the token
//! up, and what follows from a renewal that failed.

use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::Error;

use super::classify_answer::Meaning;
use super::in_flight::Exchange;
use super::retry::RENEWALS_PER_REST;
use super::token_health::FailedRenewals;
use super::{EventKind, Session, Trouble};
use crate::network_budget::{Operation, RateBudget};
use crate::record::{Access, LAST_RESORT_PAUSE};
use crate::time_arithmetic::{ONE_HOUR, after};

/// A token is given up after this many failed renewals over at least this time, if the session can then request another
/// one.
const GIVE_UP_AFTER: (u32, Duration) = (3, Duration::from_secs(120));

/// If the session can't request another token, it gives the token up after this time. A fault of half an hour should not
/// end the last token. But if the token is dead, a person has to act soon.
const GIVE_UP_LAST_TOKEN_AFTER: Duration = Duration::from_secs(30 * 60);

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
        // If the second is full, the token is due all the same. The session chooses again when the second is over.
        let is_second_full = budget.second_is_full_until(now) == Some(refresh);
        if is_refresh_wanted || refresh < renewal || is_second_full {
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
        !self.clock.is_learnt() && self.given_up_at(now).is_none_or(|at| now < at)
    }

    /// The time at which the session gives up a token that has expired by the local clock, because no renewal has
    /// brought a verdict: after failed renewals that may have reached the server, or after three failed renewals over at
    /// least one hour.
    pub(super) fn given_up_at(&self, now: Timestamp) -> Option<Timestamp> {
        let (count, _) = GIVE_UP_AFTER;
        let unreached = self.token.failed_renewals.lasted_at(count, ONE_HOUR);
        self.given_up_after(now, self.token.failed_after_expiry).into_iter().chain(unreached).min()
    }

    /// The time at which the session gives up a token that callers report as rejected, because its renewals keep
    /// failing.
    pub(super) fn rejected_given_up_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.given_up_after(now, self.token.failed_renewals).filter(|_| self.token.is_rejected())
    }

    /// The time at which failed renewals end a token about which there is a doubt: when the session can request another
    /// one, and half an hour after the first of them at the latest.
    fn given_up_after(&self, now: Timestamp, failed: FailedRenewals) -> Option<Timestamp> {
        let (count, time) = GIVE_UP_AFTER;
        let latest = failed.lasted_at(count, GIVE_UP_LAST_TOKEN_AFTER)?;
        // No login is sent while the store can't be written.
        let is_replaceable = !self.persistence.is_failing();
        let replaceable_at = self.replaceable_at(now).filter(|_| is_replaceable).unwrap_or(latest);
        Some(failed.lasted_at(count, time)?.max(replaceable_at).min(latest))
    }

    /// The earliest time, not before `now`, at which a login or a refresh could replace the held token. `None` if a
    /// person has to act first.
    fn replaceable_at(&self, now: Timestamp) -> Option<Timestamp> {
        let (operation, at) = match self.login.app() {
            Some(_) if self.app_refused.is_some() => return None,
            Some(_) => (Operation::Refresh, self.presentable_at(now)?.max(now)),
            None if self.record.log_ins.final_refusal().is_some() => return None,
            None => (Operation::LogIn, self.earliest_log_in(now)),
        };
        Some(self.gates.end(operation).max(at))
    }

    /// Whether renewals have failed for so long that the session would request another token if it could.
    pub(super) fn has_failed_for_long(&self, now: Timestamp) -> bool {
        let (count, time) = GIVE_UP_AFTER;
        let has_ended = self.record.tokens.access.as_ref().is_some_and(|access| self.has_ended(access, now));
        let rejected = self.token.failed_renewals.lasted_at(count, time).filter(|_| self.token.is_rejected());
        let expired = self.token.failed_after_expiry.lasted_at(count, time).filter(|_| has_ended);
        rejected.into_iter().chain(expired).any(|at| at <= now)
    }

    /// The pause before the next renewal of a token that the session would replace if it could. The token must not
    /// expire during this pause.
    pub(super) fn pause_of_last_token(&self, now: Timestamp) -> Duration {
        let pause = self.replaceable_at(now).map_or(LAST_RESORT_PAUSE, |at| after(at, now).min(LAST_RESORT_PAUSE));
        let access = self.record.tokens.access.as_ref().filter(|access| !self.has_ended(access, now));
        let left = access.map(|access| after(access.expires_at, self.clock.server_time(now)));
        left.and_then(|left| left.checked_div(RENEWALS_PER_REST)).map_or(pause, |share| share.min(pause))
    }

    pub(super) fn is_given_up(&self, now: Timestamp) -> bool {
        self.renewable(now).is_some() && self.rejected_given_up_at(now).is_some_and(|at| at <= now)
    }

    /// Makes the renewal of the held token due now, before its regular time.
    pub(crate) fn bring_forward(&mut self, now: Timestamp) {
        let now = self.advance(now);
        self.token.renew_at = self.token.renew_at.min(self.clock.server_time(now));
    }

    //= R-RENEW-11
    pub(super) fn renewal_failed(&mut self, now: Timestamp, exchange: &Exchange, meaning: Meaning, trouble: Trouble) {
        if meaning != Meaning::Dead {
            self.try_again(now, exchange, trouble);
        } else if exchange.generation == self.token.generation {
            // The session can do without a renewal for market data, and the app may lack the permission for it.
            if self.is_for_market_data(exchange) && !trouble.says_that_token_is_dead() {
                return self.try_again(now, exchange, trouble);
            }
            self.record.pause.end(self.moment(now));
            self.token_is_lost(now);
        }
    }

    /// The token can't be renewed. The session logs in or refreshes at once. If the last renewal had no answer, its
    /// pause still counts.
    pub(super) fn token_is_lost(&mut self, now: Timestamp) {
        // The loss of an expired token is not reported.
        let was_alive = self.record.tokens.access.as_ref().is_some_and(|access| !self.has_ended(access, now));
        let noticed = self.token.reported_dead_at().unwrap_or(now);
        self.token.settle();
        self.record.pause.skip();
        self.record.tokens.access_is_dead();
        self.persistence.changed();
        if was_alive {
            self.report(now, EventKind::SessionLost);
            if let Some(until) = self.record.log_ins.lost(noticed, now) {
                self.report(now, EventKind::PossiblyKicked { until });
            }
        }
    }
}

impl Trouble {
    /// Whether the answer has one of the two texts that say that the token is dead. Another 401 does not say so.
    //= R-STATUS-3
    fn says_that_token_is_dead(&self) -> bool {
        matches!(self, Self::Server(Error::Unauthorized { .. }))
    }
}
