//! Acts on the [`Outcome`] of a request, which `classify_answer.rs` has found: a new token, a pause, a lock-out or a
//! captcha, another host, or a failure.

use alloc::boxed::Box;
use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::{Error, OAuthGrant};

use super::classify_answer::{Failed, Meaning, Outcome, may_be_a_kick};
use super::followed_hosts::Via;
use super::in_flight::{Exchange, Redirect, Use};
use super::refresh::presents;
use super::{EventKind, Session, StopReason, Trouble};
use crate::network_budget::{CAPTCHA_CLOSES_FOR, Operation, RateBudget};
use crate::record::{LAST_RESORT_PAUSE, Ticket};
use crate::time_arithmetic::{later, with_room};

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
        if is_verdict && exchange.operation == Operation::Renew && self.login.app().is_some() {
            self.record.market_data.not_renewed();
            self.persistence.changed();
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

    /// Whether another refresh token has replaced the one that the exchange sent.
    fn has_replaced(&self, exchange: &Exchange) -> bool {
        matches!(exchange.presented, Some(OAuthGrant::RefreshToken(_)))
            && self.record.tokens.refresh.as_ref().is_some_and(|refresh| !presents(exchange, refresh))
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

    pub(super) fn opened_none(&mut self, exchange: &Exchange) {
        if let Some(attempt) = exchange.attempt {
            self.record.log_ins.opened_none(attempt);
        }
    }
}

impl Trouble {
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
