//! Acts on the [`Outcome`] of a request, which `classify_answer.rs` has found: a new token, a pause, a lock-out or a
//! captcha, another host, or a stop.

use alloc::boxed::Box;
use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::{Error, OAuthGrant};

use super::classify_answer::{Failed, Meaning, Outcome, is_turned_away, may_be_a_kick};
use super::followed_hosts::Via;
use super::in_flight::{Exchange, Redirect, Use};
use super::refresh::presents;
use super::{EventKind, Session, StopReason, Trouble};
use crate::network_budget::{CAPTCHA_CLOSES_FOR, Operation, RateBudget};
use crate::record::{LAST_RESORT_PAUSE, Ticket};
use crate::time_arithmetic::{ONE_HOUR, after, later, with_room};

/// After a failed renewal, a session whose token is still valid pauses for the rest of the token's lifetime divided by
/// this number, but not longer than [`Policy::longest_pause`](super::Policy::longest_pause). So it does not use up the
/// renewals of the hour.
const RENEWALS_PER_REST: u32 = 6;

/// The pause before another renewal that is sent only to get a market data token, after one has failed.
const MARKET_DATA_PAUSE: Duration = Duration::from_secs(15 * 60);

impl Session {
    pub(super) fn apply(
        &mut self,
        now: Timestamp,
        exchange: &Exchange,
        outcome: Outcome,
        usable: Use,
        budget: &mut RateBudget,
    ) {
        let operation = exchange.operation;
        let is_current = matches!(usable, Use::Current | Use::Late);
        if let Some(refresh) = self.record.tokens.refresh.as_mut().filter(|_| operation == Operation::Refresh) {
            refresh.announced.clear();
        }
        match outcome {
            Outcome::Granted(grant) if usable != Use::Superseded => {
                self.succeeded(now, exchange, budget);
                self.accept(now, exchange.via, *grant, Some(operation), is_current);
            }
            Outcome::Granted(_) => {
                if let Some(attempt) = exchange.attempt {
                    self.record.log_ins.opened(attempt);
                }
            }
            Outcome::LockedOut { wait, until } => {
                self.forgive(exchange, budget);
                self.lock_out(now, wait, until, budget);
            }
            Outcome::CaptchaAsked => {
                // The ticket was sent, so it is not restored.
                self.was_not_counted(exchange, budget);
                if is_current && self.record.postponed.get().is_some_and(|ticket| ticket.operation == operation) {
                    self.ticket_is_spent();
                }
                let holds_for = with_room(CAPTCHA_CLOSES_FOR);
                budget.close(now, operation, holds_for);
                self.persistence.dirty = true;
                let (operation, until) = (exchange.reported_operation(), later(now, holds_for));
                let usable_until = self.token_usable_until(now);
                self.report(now, EventKind::CaptchaAsked { operation, until, usable_until });
            }
            // A superseded answer does not concern the exchange in flight.
            Outcome::Failed(Failed { meaning: Meaning::Refused | Meaning::Malformed, .. }) if !is_current => {
                self.opened_none(exchange);
            }
            _ if !is_current => {}
            // A request with a replaced refresh token is not sent again.
            Outcome::Postponed(_) if self.has_replaced(exchange) => {}
            Outcome::Postponed(ticket) => {
                self.opened_none(exchange);
                // The server names the wait. Our own pause only prevents a fast loop if a ticket has no wait.
                let (at_least, longest) = (with_room(ticket.wait()), self.policy.longest_pause());
                let until = if self.is_for_market_data(exchange) {
                    self.put_off_market_data(now, at_least);
                    later(now, at_least)
                } else {
                    self.record.pause.after_fault(self.moment(now), at_least, longest, &mut self.jitter)
                };
                // The ticket goes back to the host that issued it.
                let is_elsewhere = exchange.is_redirected || exchange.via == Via::Home;
                let host = exchange.request.uri().authority().filter(|_| is_elsewhere).cloned();
                let request = self.request_hash(operation);
                self.record.postponed.set(Box::new(Ticket { until, operation, request, secret: ticket, host }));
                self.persistence.dirty = true;
                let (operation, usable_until) = (exchange.reported_operation(), self.token_usable_until(now));
                self.report(now, EventKind::Postponed { operation, until, usable_until });
            }
            Outcome::Redirected { to, otherwise } => {
                self.forgive(exchange, budget);
                match self.hosts.in_force.redirect(&exchange.request, &to) {
                    Some(request) => {
                        let redirect = Redirect { operation, request, via: exchange.via };
                        self.exchanges.redirect = Some(Box::new(redirect));
                    }
                    None => self.failed_with(now, exchange, otherwise, budget),
                }
            }
            Outcome::Failed(failed) => self.failed_with(now, exchange, failed, budget),
        }
    }

    fn succeeded(&mut self, now: Timestamp, exchange: &Exchange, budget: &mut RateBudget) {
        match (exchange.operation, exchange.attempt) {
            (Operation::LogIn, Some(attempt)) => {
                budget.give_back(exchange.sent, Operation::LogIn);
                self.record.log_ins.succeeded(now, attempt);
            }
            (Operation::Refresh, _) => {
                self.exchanges.refreshed_by = exchange.id;
                if let Some(refresh) = &mut self.record.tokens.refresh {
                    refresh.used();
                }
            }
            _ => {
                if let Some(refresh) = &mut self.record.tokens.refresh {
                    refresh.outcome_unknown.clear();
                }
            }
        }
        self.host_is_good();
        // A renewal that is postponed stays so after a refresh.
        let is_renewal = self.record.postponed.get().is_some_and(|ticket| ticket.operation == Operation::Renew);
        if !is_renewal || exchange.operation != Operation::Refresh {
            self.record.postponed.clear();
        }
        self.resume_work();
    }

    fn failed_with(&mut self, now: Timestamp, exchange: &Exchange, failed: Failed, budget: &mut RateBudget) {
        let Failed { meaning, status, trouble } = failed;
        let is_verdict = trouble.is_verdict();
        if meaning == Meaning::NotHandled {
            self.ticket_is_unused(exchange);
            budget.never_arrived(exchange.sent, exchange.operation);
        }
        self.token.is_faulty &=
            status.is_some_and(|status| exchange.operation != Operation::Renew || may_be_a_kick(status));
        if exchange.via == Via::Home && is_verdict && meaning != Meaning::WrongTarget {
            // The configured host answered without a redirect.
            self.leave_followed_hosts(now);
        }
        match meaning {
            Meaning::WrongHost => {
                self.opened_none(exchange);
                // The next request goes to the configured host, where the ticket of this host is not valid.
                self.ticket_is_spent();
                let until_try = self.followed_host_is_wrong(now);
                let at_least = match exchange.operation {
                    // The few logins of an hour are kept for the configured host.
                    Operation::LogIn => until_try,
                    _ => until_try.min(LAST_RESORT_PAUSE),
                };
                self.try_again_after(now, exchange, trouble, at_least);
            }
            // The configured host may name another target later.
            Meaning::WrongTarget => {
                self.opened_none(exchange);
                let at_least = if exchange.presents_code() { Duration::ZERO } else { LAST_RESORT_PAUSE };
                self.try_again_after(now, exchange, trouble, at_least);
            }
            meaning => match exchange.operation {
                Operation::LogIn => self.login_failed(now, exchange, meaning, trouble, budget),
                Operation::Refresh => self.refresh_failed(now, exchange, meaning, trouble),
                _ => self.renewal_failed(now, exchange, meaning, trouble),
            },
        }
        if is_verdict && exchange.operation == Operation::Renew {
            self.market_data_answered(Some(Operation::Renew), false);
        }
    }

    fn login_failed(
        &mut self,
        now: Timestamp,
        exchange: &Exchange,
        meaning: Meaning,
        trouble: Trouble,
        budget: &mut RateBudget,
    ) {
        match (meaning, trouble) {
            (Meaning::NotHandled, trouble) => {
                self.opened_none(exchange);
                self.try_again(now, exchange, trouble);
            }
            (Meaning::OtherUser, Trouble::Server(error)) => self.stop(now, StopReason::Refused(error)),
            (Meaning::Refused, Trouble::Server(error)) => {
                self.opened_none(exchange);
                self.ticket_is_spent();
                self.credentials_refused(now, error);
            }
            (Meaning::Malformed, Trouble::Server(error)) => {
                self.opened_none(exchange);
                self.ticket_is_spent();
                self.persistence.changed();
                self.stop_stored(now, StopReason::Refused(error));
            }
            (_, trouble) => {
                if matches!(&trouble, Trouble::Server(Error::Status { .. })) {
                    budget.give_back(exchange.sent, Operation::LogIn);
                }
                if let Some(attempt) = exchange.attempt {
                    self.record.log_ins.outcome_unknown(now, attempt, &mut self.jitter);
                }
                self.persistence.dirty = true;
                self.try_again(now, exchange, trouble);
            }
        }
    }

    //= R-LOGIN-13
    fn credentials_refused(&mut self, now: Timestamp, error: Error) {
        let text = match &error {
            Error::Refused(refusal) => Some(refusal.text.as_str()),
            Error::WrongEnvironment { text } => Some(text.as_str()),
            _ => None,
        };
        self.persistence.dirty |= text.is_some() || self.persistence.is_shared();
        self.has_another_try = false;
        match self.record.log_ins.refused(now, text) {
            Some(retry_at) => {
                self.persistence.dirty = true;
                let usable_until = self.token_usable_until(now);
                self.report(now, EventKind::Refused { error, retry_at, usable_until });
            }
            None => self.stop_stored(now, StopReason::Refused(error)),
        }
    }

    fn refresh_failed(&mut self, now: Timestamp, exchange: &Exchange, meaning: Meaning, trouble: Trouble) {
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

    /// The exchange of a code failed. The code is sent again only if it can't have reached the server.
    fn code_failed(&mut self, now: Timestamp, exchange: &Exchange, meaning: Meaning, trouble: Trouble) {
        match (meaning, trouble) {
            (Meaning::NotHandled, trouble) => self.try_again(now, exchange, trouble),
            (_, Trouble::Server(error)) => self.stop_with_code(now, StopReason::Refused(error)),
            (_, Trouble::Io { .. }) => self.stop_with_code(now, StopReason::CodeLost),
        }
    }

    /// Stops after the record is stored, so that the next start knows what happened. With a shared store, the driver
    /// asks for the final snapshot.
    pub(super) fn stop_stored(&mut self, now: Timestamp, reason: StopReason) {
        if self.persistence.is_hook() && self.persistence.dirty {
            self.persistence.stops_with = Some(Box::new(reason));
        } else {
            self.stop(now, reason);
        }
    }

    //= R-RENEW-11
    fn renewal_failed(&mut self, now: Timestamp, exchange: &Exchange, meaning: Meaning, trouble: Trouble) {
        if meaning != Meaning::Dead {
            self.try_again(now, exchange, trouble);
        } else if exchange.generation == self.token.generation {
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

    /// Whether another refresh token has replaced the one that the exchange sent.
    fn has_replaced(&self, exchange: &Exchange) -> bool {
        matches!(exchange.presented, Some(OAuthGrant::RefreshToken(_)))
            && self.record.tokens.refresh.as_ref().is_some_and(|refresh| !presents(exchange, refresh))
    }

    fn try_again(&mut self, now: Timestamp, exchange: &Exchange, trouble: Trouble) {
        let is_renewal = exchange.operation == Operation::Renew;
        // The server will probably need more time.
        let is_long = self.has_failed_for_long(now);
        let at_least = match &trouble {
            Trouble::Server(Error::Status { retry_after: Some(wait), .. }) => (*wait).min(ONE_HOUR),
            // A refresh follows, unless the token is to be verified.
            _ if is_renewal && !self.token.is_in_question() && self.may_refresh(now) => self.time_to_spare(now),
            Trouble::Server(error) if is_futile(error) => LAST_RESORT_PAUSE,
            // Nobody has a token before a renewal brings a verdict.
            _ if is_renewal && self.app_refused.is_some() && self.token.is_reported_dead && !is_long => Duration::ZERO,
            _ if is_renewal && self.has_only_renewals(now) => LAST_RESORT_PAUSE,
            _ if is_renewal && is_long => self.pause_of_last_token(now),
            _ if is_renewal && !self.token.is_in_question() => self.time_to_spare(now),
            _ => Duration::ZERO,
        };
        self.try_again_after(now, exchange, trouble, at_least);
    }

    fn try_again_after(&mut self, now: Timestamp, exchange: &Exchange, trouble: Trouble, at_least: Duration) {
        let operation = exchange.operation;
        if self.is_for_market_data(exchange) {
            let retry_at = self.put_off_market_data(now, at_least);
            return self.report_failure(now, operation, trouble, retry_at);
        }
        if operation == Operation::Renew {
            let last = self.exchanges.last_sent;
            self.token.failed_renewals.add(now, last);
            let has_ended = self.record.tokens.access.as_ref().is_some_and(|access| self.has_ended(access, now));
            if has_ended && trouble.may_have_arrived() {
                self.token.failed_after_expiry.add(now, last);
            }
        }
        let longest = self.policy.longest_pause();
        let retry_at = self.record.pause.after_fault(self.moment(now), at_least, longest, &mut self.jitter);
        let retry_at = match operation {
            Operation::LogIn => {
                // The store has the announcement of this login.
                self.persistence.changed();
                self.earliest_log_in(retry_at)
            }
            _ => retry_at,
        };
        self.persistence.share();
        self.report_failure(now, exchange.reported_operation(), trouble, retry_at);
    }

    pub(super) fn report_failure(
        &mut self,
        now: Timestamp,
        operation: Operation,
        trouble: Trouble,
        retry_at: Timestamp,
    ) {
        let usable_until = self.token_usable_until(now);
        self.report(now, EventKind::Failed { operation, trouble, retry_at, usable_until });
    }

    /// Whether a renewal was sent for the sake of a market data token alone: the token was not due, and nothing was to
    /// be verified.
    fn is_for_market_data(&self, exchange: &Exchange) -> bool {
        exchange.operation == Operation::Renew
            && self.record.market_data.is_open()
            && !self.token.is_in_question()
            && self.token.renew_at > self.clock.server_time(exchange.sent)
    }

    /// Postpones only the next renewal for a market data token. Returns the time of that renewal.
    fn put_off_market_data(&mut self, now: Timestamp, at_least: Duration) -> Timestamp {
        self.token.market_data_at = later(now, at_least.max(MARKET_DATA_PAUSE));
        self.token.market_data_at
    }

    /// How long a session whose token is valid pauses before the next renewal.
    fn time_to_spare(&self, now: Timestamp) -> Duration {
        let left = self.token(now).map(|token| after(token.usable_until, now)).unwrap_or_default();
        left.checked_div(RENEWALS_PER_REST).unwrap_or_default().min(self.policy.longest_pause())
    }

    /// The request did not reach the server.
    pub(super) fn never_arrived(&mut self, exchange: &Exchange, budget: &mut RateBudget) {
        self.ticket_is_unused(exchange);
        budget.never_arrived(exchange.sent, exchange.operation);
        self.opened_none(exchange);
    }

    /// The endpoint did not count this exchange, opened no server session for it, and did not use its ticket.
    fn forgive(&mut self, exchange: &Exchange, budget: &mut RateBudget) {
        self.ticket_is_unused(exchange);
        self.was_not_counted(exchange, budget);
    }

    fn was_not_counted(&mut self, exchange: &Exchange, budget: &mut RateBudget) {
        budget.endpoint_did_not_count(exchange.sent, exchange.operation);
        self.opened_none(exchange);
    }

    /// A ticket that was announced as spent was not sent. It is kept, unless another request was sent since.
    fn ticket_is_unused(&mut self, exchange: &Exchange) {
        if self.exchanges.last_sent == exchange.id {
            self.record.postponed.set_if_some(exchange.ticket.clone());
        }
    }

    fn opened_none(&mut self, exchange: &Exchange) {
        if let Some(attempt) = exchange.attempt {
            self.record.log_ins.opened_none(attempt);
        }
    }
}

impl Trouble {
    /// Whether the request may have reached the server.
    fn may_have_arrived(&self) -> bool {
        match self {
            Self::Io { failure, .. } => *failure != tradovate_auth_core::Failure::NotSent,
            Self::Server(Error::Status { status, .. }) => !is_turned_away(*status),
            Self::Server(_) => true,
        }
    }

    /// Whether the server itself has judged the request.
    fn is_verdict(&self) -> bool {
        matches!(
            self,
            Self::Server(
                Error::Refused(_)
                    | Error::Unauthorized { .. }
                    | Error::Forbidden { .. }
                    | Error::WrongEnvironment { .. }
                    | Error::Incomplete { .. }
                    | Error::Contradiction(_)
            )
        )
    }
}

/// Whether the next try will probably fail too: the request went to the wrong place, or the caller may not send it.
fn is_futile(error: &Error) -> bool {
    match error {
        Error::Status { .. } => !error.is_retryable(),
        Error::WrongEnvironment { .. } | Error::Moved(_) => true,
        _ => false,
    }
}
