//! Decides the next request of a session from its state and the time: which request is due, when it is due, and what
//! delays it.

use core::time::Duration;

use jiff::Timestamp;

use super::{Session, StopReason};
use crate::network_budget::{Operation, RateBudget};

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

    /// The next request of a session that has nothing in flight, unless the limit of its endpoint does not apply to it. It
    /// does not check whether the budget allows the request now.
    pub(crate) fn outlook(&self, now: Timestamp, budget: &RateBudget) -> Option<Outlook> {
        let (operation, due) = self.next_request(now, budget).ok().filter(|_| self.is_resting())?;
        // A request that does not wait for the budget does not queue for it.
        if self.repeats_with_ticket(now, operation) {
            return None;
        }
        let wanted = self.allowed_without_budget(now, operation).max(due);
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
        let change = self.next_wake_up(now).map(|(_, at)| at).into_iter().chain(market_data_due).min();
        let is_routine = wanted == due && due > now;
        // A session that can refresh does not queue for a renewal. When its token is due, it renews if the budget has a
        // renewal to spare.
        let operation = if is_routine && self.may_refresh(now) { Operation::Refresh } else { operation };
        Some(Outlook { operation, wanted, is_routine, change, token })
    }

    /// The earliest time, not before `now`, at which the budget and all other limits allow the request.
    pub(super) fn allowed(&self, now: Timestamp, operation: Operation, budget: &RateBudget) -> Timestamp {
        let is_exempt = self.repeats_with_ticket(now, operation);
        let limit = if is_exempt {
            budget.address_limits_allow_at(now, operation)
        } else {
            budget.limits_allow_at(now, operation)
        };
        limit.max(self.gates.end(operation)).max(self.allowed_without_budget(now, operation))
    }

    /// Whether the next request is the first repetition of a postponed one, with its ticket. The server has named its
    /// time, so the limit of its endpoint does not apply. A renewal carries no ticket.
    fn repeats_with_ticket(&self, now: Timestamp, operation: Operation) -> bool {
        operation != Operation::Renew && self.postponed(now, operation).is_some() && self.record.pause.faults() == 1
    }

    /// The earliest time, not before `now`, that everything except the budget and the gates allows.
    fn allowed_without_budget(&self, now: Timestamp, operation: Operation) -> Timestamp {
        let postponed = self.record.postponed.get().filter(|ticket| ticket.operation == operation);
        let may_open_at = match operation {
            Operation::LogIn => Some(self.earliest_log_in(now)),
            Operation::Refresh if self.renewable(now).is_none() => self.record.log_ins.kick_pause_until(),
            _ => None,
        };
        let store = self.persistence.pause.until().filter(|_| self.is_to_be_announced(now, operation));
        [self.record.pause.until(), postponed.map(|ticket| ticket.until), may_open_at, store]
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
        let refresh_by = self.refresh_by(now);
        let is_refresh_due = refresh_by <= now && self.may_refresh(now);
        if self.token.is_verifying && renewable.is_some() && !is_refresh_due {
            return Ok((Operation::Renew, now));
        }
        let Some(_) = self.login.app() else {
            return match (renewable, self.record.log_ins.final_refusal()) {
                //= R-RENEW-2
                (Some(access), _) => Ok((Operation::Renew, self.renewal_due(now, access))),
                (None, Some(refused)) => Err(StopReason::RefusedBefore { at: refused.at, text: refused.text.clone() }),
                //= R-SESSION-1
                (None, None) => Ok((Operation::LogIn, now)),
            };
        };
        match (renewable, self.presentable_at(now), &self.app_refused) {
            (None, _, Some(error)) => Err(StopReason::Refused((**error).clone())),
            (Some(access), ..) if self.may_refresh(now) => Ok(self.renew_or_refresh(now, access, refresh_by, budget)),
            (Some(access), ..) => Ok((Operation::Renew, self.renewal_due(now, access))),
            (None, Some(at), None) => Ok((Operation::Refresh, at)),
            (None, None, None) if self.code.is_some() => Ok((Operation::Refresh, now)),
            (None, None, None) => Err(StopReason::ConsentRequired),
        }
    }
}
