//! What a session asks for next, as a function of its state and the time: what is due and when, and what forbids it until then.

use alloc::string::String;
use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::RefreshToken;
use tradovate_auth_core::internal::hash_of;

use super::{Session, StopReason};
use crate::budget::{Operation, RateBudget};
use crate::record::Access;
use crate::time_arithmetic::{ONE_HOUR, after, later};

/// An OAuth session refreshes at least this often, since an unused refresh token ends.
//= R-REFRESH-4
const REFRESH_AT_LEAST_EVERY: Duration = Duration::from_secs(12 * 3600);

/// After this many failed renewals over this time, a token that callers see rejected is given up.
const GIVE_UP_AFTER: (u32, Duration) = (3, Duration::from_secs(120));

/// A session that stops tries so often to store why.
const STORE_TRIES: u32 = 3;

pub(super) enum Step {
    Send(Operation),
    Wait(Timestamp),
    Stop(StopReason),
}

/// What a session will ask for next, for a set that gives each its place in the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outlook {
    pub(crate) operation: Operation,
    /// When it wants to send.
    pub(crate) wanted: Timestamp,
    /// Whether it only extends a token in good time, so that it could be earlier as well.
    pub(crate) is_routine: bool,
    /// When this may change before.
    pub(crate) change: Option<Timestamp>,
    /// The token it holds, in local time.
    pub(crate) token: Option<TokenLife>,
}

/// How long a token is handed out, in local time.
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

    /// The next request of a resting session, whether or not the budget has a place for it.
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
        // A session that can refresh takes no place among the renewals. When its token is due, it renews if there is one to spare.
        let operation = if is_routine && self.may_refresh(now) { Operation::Refresh } else { operation };
        Some(Outlook { operation, wanted, is_routine, change, token })
    }

    /// Extends the token that is held now, before its time.
    pub(crate) fn bring_forward(&mut self, now: Timestamp) {
        let now = self.advance(now);
        self.token.renew_at = self.token.renew_at.min(self.clock.server_time(now));
    }

    /// The earliest time, `now` or later, at which the budget and everything else allow a request.
    fn allowed(&self, now: Timestamp, operation: Operation, budget: &RateBudget) -> Timestamp {
        budget.next_place(now, operation).max(self.gates.end(operation)).max(self.held_back(now, operation))
    }

    /// The same for the renewal of a session that could refresh instead.
    fn spare_renewal(&self, now: Timestamp, budget: &RateBudget) -> Timestamp {
        self.allowed(now, Operation::Renew, budget).max(budget.next_spare_renewal(now))
    }

    /// When a renewal is due for the sake of a market data token alone. Only a renewal brings one to an OAuth session.
    //= R-RENEW-12
    fn market_data_due(&self, now: Timestamp, budget: &RateBudget) -> Option<Timestamp> {
        // The renewal that confirms the server's time brings one too.
        let is_wanted =
            self.record.market_data.is_open() && !self.policy.prefers_refreshes() && self.clock.confirm_at().is_none();
        self.renewable(now).filter(|_| is_wanted)?;
        Some(self.spare_renewal(now, budget).max(self.token.market_data_at))
    }

    /// How an OAuth session extends a token that it could both renew and refresh, and when. A renewal rotates nothing and brings
    /// a market data token, so it renews if a renewal is to spare at that time, unless the refresh token needs a refresh or the
    /// last renewal has failed.
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
            // The age of the refresh token is not known.
            || self.refreshed_at(now).is_none();
        if is_refresh_wanted || refresh < renewal {
            (Operation::Refresh, due.min(refresh_by))
        } else {
            (Operation::Renew, renewal)
        }
    }

    /// What keeps a request back besides the budget.
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

    /// The earliest time, `now` or later, of the next login.
    pub(super) fn earliest_log_in(&self, now: Timestamp) -> Timestamp {
        let under_way = if self.persistence.is_shared() { self.policy.deadline() } else { Duration::ZERO };
        self.record.log_ins.earliest(now, self.persistence.announced_attempt(), under_way)
    }

    /// What has to be done, and when it is due.
    fn next_request(&self, now: Timestamp, budget: &RateBudget) -> Result<(Operation, Timestamp), StopReason> {
        let renewable = self.renewable(now);
        match self.exchanges.redirect.as_deref().map(|redirect| redirect.operation) {
            // The answer that redirected a login may have set the clock right.
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
        // Whether it has ended is known after the second answer that says the server's time.
        let confirmed_at = self.clock.confirm_at().filter(|_| self.has_ended(access, now));
        confirmed_at.map_or(due, |at| due.max(at))
    }

    /// The token that a renewal could extend: not expired, or expired by a local clock alone.
    //= R-RENEW-5
    pub(super) fn renewable(&self, now: Timestamp) -> Option<&Access> {
        let access = self.record.tokens.access.as_ref()?;
        (!self.has_ended(access, now) || self.may_be_alive(now)).then_some(access)
    }

    /// Whether the token has expired by the server's time, as far as it is known.
    pub(super) fn has_ended(&self, access: &Access, now: Timestamp) -> bool {
        access.expires_at <= self.clock.server_time(now)
    }

    /// Whether a token that seems to have expired may be alive, because only a local clock says so. A renewal decides. If none
    /// brings a verdict, the token is given up after some that have reached the server, and after an hour in which none has.
    fn may_be_alive(&self, now: Timestamp) -> bool {
        !self.clock.is_learnt() && self.given_up_at().is_none_or(|at| now < at)
    }

    /// When a token that only a local clock takes for expired is given up, since no renewal has brought a verdict.
    pub(super) fn given_up_at(&self) -> Option<Timestamp> {
        let (count, time) = GIVE_UP_AFTER;
        let after_expiry = self.token.failed_after_expiry.lasted_at(count, time);
        after_expiry.into_iter().chain(self.token.failed_renewals.lasted_at(count, ONE_HOUR)).min()
    }

    /// When a token is taken for lost, since callers see it rejected and renewals fail again and again.
    pub(super) fn rejected_given_up_at(&self) -> Option<Timestamp> {
        let (count, time) = GIVE_UP_AFTER;
        let is_rejected = self.token.is_reported_dead || self.token.is_faulty;
        self.token.failed_renewals.lasted_at(count, time).filter(|_| is_rejected)
    }

    pub(super) fn is_given_up(&self, now: Timestamp) -> bool {
        self.renewable(now).is_some() && self.rejected_given_up_at().is_some_and(|at| at <= now)
    }

    /// Whether an OAuth session has only renewals left, since its refresh token or its app was refused.
    pub(super) fn has_only_renewals(&self, now: Timestamp) -> bool {
        let is_presentable = || self.app_refused.is_none() && self.presentable_at(now).is_some_and(|at| at <= now);
        self.login.app().is_some() && !is_presentable()
    }

    /// When the refresh token came, or has last brought tokens, in local time.
    fn refreshed_at(&self, now: Timestamp) -> Option<Timestamp> {
        let issued_at = self.record.tokens.refresh.as_ref().and_then(|refresh| refresh.issued_at);
        issued_at.map(|at| self.clock.local_time(at).min(now)).max(self.token.refreshed_at)
    }

    /// Whether an OAuth session may present its refresh token.
    pub(super) fn may_refresh(&self, now: Timestamp) -> bool {
        self.login.app().is_some() && !self.has_only_renewals(now) && !self.is_refresh_outcome_unknown()
    }

    //= R-REFRESH-10
    fn is_refresh_outcome_unknown(&self) -> bool {
        self.record.tokens.refresh.as_ref().is_some_and(|refresh| refresh.outcome_unknown.is_set())
    }

    /// When the refresh token may be presented: now, later, or never again. It is never again after a second refusal if its end
    /// is not known, or comes before it may be presented. Its end counts if the server's time is learnt and not a hint.
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

/// A hash that distinguishes tokens, so that no token is kept.
pub(super) fn fingerprint(token: &RefreshToken) -> String {
    hash_of([token.expose()])
}
