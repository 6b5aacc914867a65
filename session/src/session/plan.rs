//! What a resting session does next, as a function of its state and the time.
//!
//! First what has to be done and when it is due; then what forbids it until later. Nothing is changed here.

use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::internal::{ONE_HOUR, later};

use super::{Held, Identity, Session, State, StopReason};
use crate::budget::{Operation, RateBudget};

/// An OAuth session refreshes at least this often, since an unused refresh token ends.
const REFRESH_AT_LEAST_EVERY: Duration = Duration::from_secs(12 * 3600);

/// After this many failed renewals over this time, a token that callers see rejected is given up.
const GIVE_UP_AFTER: (u32, Duration) = (3, Duration::from_secs(120));

pub(super) enum Step {
    Send(Operation),
    Wait(Timestamp),
    Stop(StopReason),
}

/// What a session will ask for next, for whoever has many of them take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outlook {
    pub(crate) operation: Operation,
    /// When it wants to send.
    pub(crate) wanted: Timestamp,
    /// Whether it only extends a token in good time, so that it could as well be earlier.
    pub(crate) is_routine: bool,
    /// When the plan may change before.
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
        if let Some(reason) = self.stops_with.as_deref() {
            return Step::Stop(reason.clone());
        }
        let (operation, wanted) = match self.next_request(now) {
            Ok((operation, due)) => (operation, self.held_back(now, operation).max(due)),
            Err(reason) => return Step::Stop(reason),
        };
        let allowed = budget.next_place(now, operation).max(self.silence.end(operation)).max(wanted);
        if self.code.as_ref().is_some_and(|code| code.is_over_by(allowed)) {
            return Step::Stop(StopReason::CodeLost);
        }
        if allowed <= now {
            return Step::Send(operation);
        }
        Step::Wait(allowed)
    }

    /// The next request of a resting session without regard to the budget.
    pub(crate) fn outlook(&self, now: Timestamp) -> Option<Outlook> {
        let (operation, due) = self.next_request(now).ok().filter(|_| matches!(self.state, State::Resting))?;
        let wanted = self.held_back(now, operation).max(due);
        let token = self.renewable(now).map(|held| TokenLife {
            since: held.grant.exchange.received,
            end: self.clock.local_time(held.usable_until),
        });
        Some(Outlook {
            operation,
            wanted,
            is_routine: wanted == due && due > now,
            change: self.next_change(now),
            token,
        })
    }

    /// Extends the token that is held now, before its time.
    pub(crate) fn bring_forward(&mut self, now: Timestamp) {
        let now = self.advance(now);
        let server_time = self.clock.server_time(now);
        if let Some(held) = &mut self.held {
            held.renew_at = held.renew_at.min(server_time);
        }
    }

    /// What keeps a request back besides the budget.
    fn held_back(&self, now: Timestamp, operation: Operation) -> Timestamp {
        let postponed = self.ticket.as_ref().filter(|postponed| postponed.operation == operation);
        let opens_session = match operation {
            Operation::LogIn => Some(self.log_ins.earliest(now)),
            Operation::Refresh if self.renewable(now).is_none() => self.log_ins.after_kick(),
            _ => None,
        };
        let store = self.store_pause.until().filter(|_| self.is_to_be_announced(operation));
        [self.pause.until(), postponed.map(|postponed| postponed.until), opens_session, store]
            .into_iter()
            .flatten()
            .fold(now, Timestamp::max)
    }

    /// What has to be done, and when it is due.
    fn next_request(&self, now: Timestamp) -> Result<(Operation, Timestamp), StopReason> {
        let renewable = self.renewable(now);
        match self.redirected.as_deref().map(|redirected| redirected.operation) {
            // The answer that sent a login on may have set the clock right.
            Some(Operation::LogIn) | None => {}
            Some(operation) => return Ok((operation, now)),
        }
        if self.doubt.verifying && renewable.is_some() {
            return Ok((Operation::Renew, now));
        }
        let due = |held: &Held| {
            let due = self.clock.local_time(held.renew_at);
            // Whether it has ended is known after the second answer that says the server's time.
            let confirmed_at = self.clock.confirm_at().filter(|_| self.has_ended(held, now));
            confirmed_at.map_or(due, |at| due.max(at))
        };
        match (&self.identity, renewable) {
            (Identity::User(_), Some(held)) => Ok((Operation::Renew, due(held))),
            (Identity::User(_), None) => match self.log_ins.given_up() {
                Some(refused) => Err(StopReason::RefusedBefore { at: refused.at, text: refused.text.clone() }),
                None => Ok((Operation::LogIn, now)),
            },
            (Identity::App(_), renewable) => match (renewable, self.presentable_at(now)) {
                (Some(held), _) if self.app_refused.is_some() => Ok((Operation::Renew, due(held))),
                (None, _) if self.app_refused.is_some() => Err(self.app_refusal()),
                (Some(held), Some(at)) if at <= now && !self.refreshes.outcome_unknown => {
                    let latest = later(held.grant.exchange.received, REFRESH_AT_LEAST_EVERY);
                    Ok((Operation::Refresh, due(held).min(latest)))
                }
                (Some(held), _) => Ok((Operation::Renew, due(held))),
                (None, Some(at)) => Ok((Operation::Refresh, at)),
                (None, None) if self.code.is_some() => Ok((Operation::Refresh, now)),
                (None, None) => Err(StopReason::ConsentRequired),
            },
        }
    }

    fn app_refusal(&self) -> StopReason {
        self.app_refused.as_deref().map_or(StopReason::ConsentRequired, |error| StopReason::Refused(error.clone()))
    }

    /// The token a renewal could extend: not lost, and not expired, or expired by a local clock alone.
    pub(super) fn renewable(&self, now: Timestamp) -> Option<&Held> {
        let renewable = |held: &&Held| !held.lost && (!self.has_ended(held, now) || self.may_be_alive(held, now));
        self.held.as_ref().filter(renewable)
    }

    /// Whether the token has expired by the server's time, as far as it is known.
    pub(super) fn has_ended(&self, held: &Held, now: Timestamp) -> bool {
        held.grant.expires_at <= self.clock.server_time(now)
    }

    /// Whether a token that seems to have expired may be alive: only a local clock says so. A renewal decides. If none brings a
    /// verdict, the token is given up after some that have reached the server, and after an hour in which none has.
    fn may_be_alive(&self, held: &Held, now: Timestamp) -> bool {
        !self.clock.is_learnt() && given_up_at(held).is_none_or(|at| now < at)
    }

    /// Whether a token has to be taken for lost: callers see it rejected, and renewals fail again and again.
    pub(super) fn is_given_up(&self, now: Timestamp) -> bool {
        let (count, time) = GIVE_UP_AFTER;
        let rejected = self.doubt.dead || self.doubt.faulty;
        rejected && self.renewable(now).is_some_and(|held| held.failed_renewals.have_lasted(now, count, time))
    }

    /// Whether an OAuth session lives by renewals alone, since its refresh token or its app was refused.
    pub(super) fn only_renewals_left(&self, now: Timestamp) -> bool {
        let is_presentable = || self.app_refused.is_none() && self.presentable_at(now).is_some_and(|at| at <= now);
        matches!(self.identity, Identity::App(_)) && !is_presentable()
    }

    pub(super) fn presentable_at(&self, now: Timestamp) -> Option<Timestamp> {
        let refresh = self.refresh.as_ref()?;
        self.refreshes.presentable_at(now, self.clock.server_time(now), self.clock.is_learnt(), refresh)
    }

    /// The next time at which something changes by itself: a token expires, is no longer handed out or is given up, the
    /// market data token ends, a refresh token may be presented again, a reminder is due, a snapshot is offered again, a
    /// doubt is verified.
    pub(super) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let held = self.renewable(now);
        let expiry = held.map(|held| self.clock.local_time(held.grant.expires_at));
        let unusable = held.map(|held| self.clock.local_time(held.usable_until));
        let given_up = held.filter(|held| self.has_ended(held, now)).and_then(given_up_at);
        let market_data = held.and_then(|held| held.grant.market_data.as_ref());
        let market_data_ends = market_data.map(|market_data| self.clock.local_time(market_data.expires_at));
        let presentable = self.presentable_at(now);
        let reminder = self.next_reminder(now).map(|(at, _)| at);
        let saving = self.store_pause.until().filter(|_| self.unsaved);
        let token = [expiry, unusable, given_up, market_data_ends];
        let others = [presentable, reminder, saving, self.doubt.due(), self.confirmation_due()];
        token.into_iter().chain(others).flatten().filter(|change| *change > now).min()
    }
}

/// When a token that only a local clock takes for expired is given up, since no renewal has brought a verdict.
fn given_up_at(held: &Held) -> Option<Timestamp> {
    let (count, time) = GIVE_UP_AFTER;
    let after_end = held.failed_after_end.will_have_lasted(count, time);
    after_end.into_iter().chain(held.failed_renewals.will_have_lasted(count, ONE_HOUR)).min()
}
