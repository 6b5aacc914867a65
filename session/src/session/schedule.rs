//! Decides the next request of a session from its state and the time: which request is due, when it is due, and what
//! delays it.

use alloc::string::String;
use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::RefreshToken;
use tradovate_auth_core::internal::hash_of;

use super::{Session, StopReason};
use crate::budget::{Operation, RateBudget};
use crate::record::Access;
use crate::time_arithmetic::{ONE_HOUR, after, later};

/// An OAuth session refreshes at least once in this time, because an unused refresh token expires.
//= R-REFRESH-4
const REFRESH_AT_LEAST_EVERY: Duration = Duration::from_secs(12 * 3600);

/// A rejected token is given up after this many failed renewals over at least this time.
const GIVE_UP_AFTER: (u32, Duration) = (3, Duration::from_secs(120));

/// A session that stops tries this many times to store the reason.
const STORE_TRIES: u32 = 3;

pub(super) enum Step {
    Send(Operation),
    Wait(Timestamp),
    Stop(StopReason),
}

/// The next request of a session. A [`SessionSet`](crate::SessionSet) uses it to share the requests of the hour among
/// its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outlook {
    pub(crate) operation: Operation,
    /// The time at which the session wants to send the request.
    pub(crate) wanted: Timestamp,
    /// Whether the request only extends a token in good time. Such a request may also be sent earlier.
    pub(crate) is_routine: bool,
    /// The time at which this outlook may change before `wanted`.
    pub(crate) change: Option<Timestamp>,
    /// The token that the session holds, by the local clock.
    pub(crate) token: Option<TokenLife>,
}

/// The interval in which a token is handed out, by the local clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenLife {
    pub(crate) since: Timestamp,
    pub(crate) end: Timestamp,
}

impl Session {
    pub(super) fn plan(&self, now: Timestamp, budget: &RateBudget) -> Step {
        if let Some(reason) = self.persistence.stops_with.as_deref() {
            let again =
                self.persistence.save_due().filter(|at| *at > now && self.persistence.pause.faults() < STORE_TRIES);
            return again.map_or_else(|| Step::Stop(reason.clone()), Step::Wait);
        }
        let (operation, due) = match self.next_request(now, budget) {
            Ok(request) => request,
            Err(reason) => return Step::Stop(reason),
        };
        let allowed = self.allowed(now, operation, budget).max(due);
        if let Some(at) = self.market_data_due(now, budget).filter(|at| *at < allowed) {
            return if at <= now { Step::Send(Operation::Renew) } else { Step::Wait(at) };
        }
        if self.code.as_ref().is_some_and(|code| code.is_over_by(allowed)) {
            return Step::Stop(StopReason::CodeLost);
        }
        if allowed <= now { Step::Send(operation) } else { Step::Wait(allowed) }
    }

    /// The next request of a session that has nothing in flight. It does not check whether the budget allows the
    /// request now.
    pub(crate) fn outlook(&self, now: Timestamp, budget: &RateBudget) -> Option<Outlook> {
        let (operation, due) = self.next_request(now, budget).ok().filter(|_| self.is_resting())?;
        let wanted = self.held_back(now, operation).max(due);
        let market_data_due = self.market_data_due(now, budget);
        let next = if wanted <= now {
            Some(operation)
        } else {
            market_data_due.filter(|at| *at <= now).map(|_| Operation::Renew)
        };
        if self.waits_for_store(now, next) {
            return None;
        }
        let token = self
            .renewable(now)
            .map(|access| TokenLife { since: self.token.since, end: self.clock.local_time(self.usable_until(access)) });
        let change = self.next_deadline(now).map(|(_, at)| at).into_iter().chain(market_data_due).min();
        let is_routine = wanted == due && due > now;
        // A session that can refresh does not queue for a renewal. When its token is due, it renews if the budget has a
        // renewal to spare.
        let operation = if is_routine && self.may_refresh(now) { Operation::Refresh } else { operation };
        Some(Outlook { operation, wanted, is_routine, change, token })
    }

    /// Makes the renewal of the held token due now, before its regular time.
    pub(crate) fn bring_forward(&mut self, now: Timestamp) {
        let now = self.advance(now);
        self.token.renew_at = self.token.renew_at.min(self.clock.server_time(now));
    }

    /// The earliest time, not before `now`, at which the budget and all other limits allow the request.
    fn allowed(&self, now: Timestamp, operation: Operation, budget: &RateBudget) -> Timestamp {
        budget.next_place(now, operation).max(self.gates.end(operation)).max(self.held_back(now, operation))
    }

    /// The earliest time for a renewal of a session that could also refresh. Such a session uses only renewals to
    /// spare.
    fn spare_renewal(&self, now: Timestamp, budget: &RateBudget) -> Timestamp {
        self.allowed(now, Operation::Renew, budget).max(budget.next_spare_renewal(now))
    }

    /// The time at which a renewal is due that is sent only to get a market data token. An OAuth session gets one by no
    /// other request.
    //= R-RENEW-12
    fn market_data_due(&self, now: Timestamp, budget: &RateBudget) -> Option<Timestamp> {
        // The renewal that confirms the server's time brings a market data token too.
        let is_wanted =
            self.record.market_data.is_open() && !self.policy.prefers_refreshes() && self.clock.confirm_at().is_none();
        self.renewable(now).filter(|_| is_wanted)?;
        Some(self.spare_renewal(now, budget).max(self.token.market_data_at))
    }

    /// Chooses between a renewal and a refresh for an OAuth session that can send both, and says when. A renewal
    /// rotates no refresh token and brings a market data token. So the session renews if the budget has a renewal to
    /// spare at that time. It refreshes instead if the refresh token is due for a refresh or the last renewal has
    /// failed.
    fn renew_or_refresh(
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

    /// The earliest time, not before `now`, that everything except the budget and the gates allows.
    fn held_back(&self, now: Timestamp, operation: Operation) -> Timestamp {
        let postponed = self.record.postponed.get().filter(|ticket| ticket.operation == operation);
        let opens_session = match operation {
            Operation::LogIn => Some(self.earliest_log_in(now)),
            Operation::Refresh if self.renewable(now).is_none() => self.record.log_ins.after_kick(),
            _ => None,
        };
        let store = self.persistence.pause.until().filter(|_| self.is_to_be_announced(now, operation));
        [self.record.pause.until(), postponed.map(|ticket| ticket.until), opens_session, store]
            .into_iter()
            .flatten()
            .fold(now, Timestamp::max)
    }

    /// The earliest time, not before `now`, of the next login.
    pub(super) fn earliest_log_in(&self, now: Timestamp) -> Timestamp {
        let under_way = if self.persistence.is_shared() { self.policy.deadline() } else { Duration::ZERO };
        self.record.log_ins.earliest(now, self.persistence.announced_attempt(), under_way)
    }

    /// The next request and the time at which it is due, or the reason to stop.
    fn next_request(&self, now: Timestamp, budget: &RateBudget) -> Result<(Operation, Timestamp), StopReason> {
        let renewable = self.renewable(now);
        match self.exchanges.redirect.as_deref().map(|redirect| redirect.operation) {
            // The answer that redirected a login may have corrected the clock. So the session decides again whether it
            // logs in.
            Some(Operation::LogIn) | None => {}
            Some(operation) => return Ok((operation, now)),
        }
        let refresh_by = later(self.refreshed_at(now).unwrap_or(self.token.since), REFRESH_AT_LEAST_EVERY);
        let is_refresh_due = refresh_by <= now && self.may_refresh(now);
        if self.token.is_verifying && renewable.is_some() && !is_refresh_due {
            return Ok((Operation::Renew, now));
        }
        let Some(_) = self.login.app() else {
            return match (renewable, self.record.log_ins.given_up()) {
                //= R-RENEW-2
                (Some(access), _) => Ok((Operation::Renew, self.renewal_due(now, access))),
                (None, Some(refused)) => Err(StopReason::RefusedBefore { at: refused.at, text: refused.text.clone() }),
                (None, None) => Ok((Operation::LogIn, now)),
            };
        };
        match (renewable, self.presentable_at(now), &self.app_refused) {
            (None, _, Some(error)) => Err(StopReason::Refused((**error).clone())),
            (Some(access), ..) if self.may_refresh(now) => Ok(self.renew_or_refresh(now, access, refresh_by, budget)),
            //= R-RENEW-10
            (Some(access), ..) => Ok((Operation::Renew, self.renewal_due(now, access))),
            (None, Some(at), None) => Ok((Operation::Refresh, at)),
            (None, None, None) if self.code.is_some() => Ok((Operation::Refresh, now)),
            (None, None, None) => Err(StopReason::ConsentRequired),
        }
    }

    fn renewal_due(&self, now: Timestamp, access: &Access) -> Timestamp {
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
    /// up after some renewals that have reached the server, or after an hour in which none has reached it.
    fn may_be_alive(&self, now: Timestamp) -> bool {
        !self.clock.is_learnt() && self.given_up_at().is_none_or(|at| now < at)
    }

    /// The time at which the session gives up a token that has expired only by the local clock, because no renewal has
    /// brought a verdict.
    pub(super) fn given_up_at(&self) -> Option<Timestamp> {
        let (count, time) = GIVE_UP_AFTER;
        let after_expiry = self.token.failed_after_expiry.lasted_at(count, time);
        after_expiry.into_iter().chain(self.token.failed_renewals.lasted_at(count, ONE_HOUR)).min()
    }

    /// The time at which the session gives up a token that callers report as rejected, because its renewals keep
    /// failing.
    pub(super) fn rejected_given_up_at(&self) -> Option<Timestamp> {
        let (count, time) = GIVE_UP_AFTER;
        let is_rejected = self.token.is_reported_dead || self.token.is_faulty;
        self.token.failed_renewals.lasted_at(count, time).filter(|_| is_rejected)
    }

    pub(super) fn is_given_up(&self, now: Timestamp) -> bool {
        self.renewable(now).is_some() && self.rejected_given_up_at().is_some_and(|at| at <= now)
    }

    /// Whether an OAuth session can only renew, because its refresh token or its app was refused.
    pub(super) fn has_only_renewals(&self, now: Timestamp) -> bool {
        let is_presentable = || self.app_refused.is_none() && self.presentable_at(now).is_some_and(|at| at <= now);
        self.login.app().is_some() && !is_presentable()
    }

    /// The time at which the refresh token was issued or last brought tokens, by the local clock.
    fn refreshed_at(&self, now: Timestamp) -> Option<Timestamp> {
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
