//! What came instead of a grant, and what follows: a pause, a gate, another host, or the end of the session.

use alloc::boxed::Box;
use core::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use tradovate_auth_core::internal::{LONGEST_WAIT, ONE_HOUR, later};
use tradovate_auth_core::{Contradiction, Error, Failure, OAuthGrant, RefreshGrant};

use super::hosts::{Via, blames_app, says_wrong_host};
use super::refreshes::Refusal as RefreshRefusal;
use super::snapshot::issued_at;
use super::{EventKind, Exchange, Pause, Postponed, Redirected, Session, Standing, StopReason, Trouble};
use crate::budget::{CAPTCHA_CLOSES_FOR, Operation, RateBudget};

/// The pause between tries where the next one has little hope: once an OAuth session has only renewals left and those
/// fail too, and after an answer that says that the request itself is wrong.
pub(super) const LAST_RESORT_PAUSE: Duration = Duration::from_secs(600);

/// A failed renewal whose token is still good waits this part of the token's life, so that the hour's renewals last.
const PATIENCE: u32 = 6;

/// What came instead of a grant.
pub(super) struct Said {
    pub(super) status: StatusCode,
    /// Whether the answer has no body.
    pub(super) is_empty: bool,
    pub(super) error: Error,
}

impl Session {
    pub(super) fn refused(
        &mut self,
        now: Timestamp,
        exchange: &Exchange,
        Said { status, is_empty, error }: Said,
        standing: Standing,
        budget: &mut RateBudget,
    ) {
        let operation = exchange.operation;
        match &error {
            Error::LockedOut { wait, until, .. } => {
                self.forgive(exchange, budget);
                return self.lock_out(now, *wait, *until, budget);
            }
            Error::Captcha { .. } => {
                self.forgive(exchange, budget);
                let holds_for = with_room(CAPTCHA_CLOSES_FOR);
                budget.close(now, operation, holds_for);
                self.unsaved = true;
                return self.tell(now, EventKind::CaptchaAsked { operation, until: later(now, holds_for) });
            }
            // What has been overtaken no longer concerns the exchange under way.
            _ if matches!(standing, Standing::Overtaken | Standing::Superseded) => return,
            // The ticket of a request with a refresh token that was replaced meanwhile is for no other request.
            Error::Penalty(_) if self.has_replaced(exchange) => return,
            Error::Penalty(ticket) => {
                self.log_ins.uncount(exchange.sent);
                // The wait is the server's; our own pause only keeps a ticket without one from being a storm.
                let longest = self.policy.longest_pause();
                let until = self.pause.after_fault(now, with_room(ticket.wait()), longest, &mut self.jitter);
                // Whoever gave the ticket gets it back.
                let is_elsewhere = exchange.redirected || exchange.via == Via::Home;
                let host = exchange.request.uri().authority().filter(|_| is_elsewhere).cloned();
                let ticket = ticket.clone();
                self.ticket = Some(Box::new(Postponed { operation, ticket, until, host }));
                self.unsaved = true;
                return self.tell(now, EventKind::Postponed { operation, until });
            }
            Error::Moved(moved) if !exchange.redirected => {
                self.forgive(exchange, budget);
                if let Some(request) = self.environment.redirect(&exchange.request, moved) {
                    self.redirected = Some(Box::new(Redirected { operation, request, via: exchange.via }));
                    return;
                }
            }
            _ => {}
        }
        if is_turned_away(status) {
            budget.give_back(exchange.sent, operation);
        }
        let is_wrong_host = says_wrong_host(status, is_empty, &error);
        if is_wrong_host && exchange.via == Via::Followed {
            self.log_ins.uncount(exchange.sent);
            return self.host_is_wrong(now, operation, error);
        }
        let is_code = matches!(exchange.presented, Some(OAuthGrant::AuthorizationCode(_)));
        let is_nowhere = match &error {
            Error::Status { .. } => is_wrong_host,
            Error::Moved(_) => !is_code,
            _ => false,
        };
        if is_nowhere && exchange.redirected {
            // The configured host has named a host that is wrong, and may name another one later.
            self.log_ins.uncount(exchange.sent);
            let at_least = if is_code { Duration::ZERO } else { LAST_RESORT_PAUSE };
            return self.try_again_after(now, operation, Trouble::Server(error), at_least);
        }
        self.home_has_answered(now, exchange, &error);
        match operation {
            Operation::LogIn => self.log_in_refused(now, exchange, error, budget),
            Operation::Refresh => self.refresh_refused(now, exchange, status, error),
            Operation::Renew | Operation::Identify => self.renewal_refused(now, exchange, status, error),
        }
    }

    /// Whether another refresh token has taken the place of the one that was presented.
    fn has_replaced(&self, exchange: &Exchange) -> bool {
        let Some(OAuthGrant::RefreshToken(presented)) = &exchange.presented else { return false };
        self.refresh.as_ref().is_some_and(|own| own.token.expose() != presented.expose())
    }

    fn log_in_refused(&mut self, now: Timestamp, exchange: &Exchange, error: Error, budget: &mut RateBudget) {
        match &error {
            Error::Status { status, .. } if is_turned_away(*status) => {
                self.log_ins.uncount(exchange.sent);
                return self.try_again(now, Operation::LogIn, Trouble::Server(error));
            }
            // No other login would be for the right user.
            Error::Contradiction(Contradiction::OtherUser) => return self.stop(now, StopReason::Refused(error)),
            Error::Status { status, .. } if is_fault(*status) => {
                budget.give_back(exchange.sent, exchange.operation);
                return self.log_in_unknown(now, exchange, Trouble::Server(error));
            }
            _ if may_have_opened(&error) => return self.log_in_unknown(now, exchange, Trouble::Server(error)),
            _ => {}
        }
        self.log_ins.uncount(exchange.sent);
        self.ticket = None;
        self.note();
        if is_malformed(&error) {
            return self.stop(now, StopReason::Refused(error));
        }
        let text = match &error {
            Error::Refused(refusal) => Some(refusal.text.as_str()),
            Error::WrongEnvironment { text } => Some(text.as_str()),
            _ => None,
        };
        let is_remembered = text.is_some();
        match self.log_ins.refused(now, text) {
            Some(retry_at) => {
                self.unsaved = true;
                self.tell(now, EventKind::Refused { error, retry_at });
            }
            None if is_remembered => self.stop_stored(now, StopReason::Refused(error)),
            None => self.stop(now, StopReason::Refused(error)),
        }
    }

    /// Stops once that is stored, so that the next start knows of it. With a shared store, the driver asks for the
    /// [last snapshot](Self::last_word).
    fn stop_stored(&mut self, now: Timestamp, reason: StopReason) {
        self.unsaved = true;
        if self.has_store && self.sharing.is_none() {
            self.stops_with = Some(Box::new(reason));
        } else {
            self.stop(now, reason);
        }
    }

    /// The server may have opened a session, which nobody holds the token of.
    fn log_in_unknown(&mut self, now: Timestamp, exchange: &Exchange, trouble: Trouble) {
        self.log_ins.outcome_unknown(now, exchange.sent, &mut self.jitter);
        self.unsaved = true;
        self.try_again(now, Operation::LogIn, trouble);
    }

    fn refresh_refused(&mut self, now: Timestamp, exchange: &Exchange, status: StatusCode, error: Error) {
        if matches!(exchange.presented, Some(OAuthGrant::AuthorizationCode(_))) {
            return self.code_refused(now, status, error);
        }
        if blames_app(&error) {
            return self.app_refused(now, error);
        }
        if is_answer_lost(&error) {
            self.refresh_lost(now);
        }
        if !matches!(error, Error::Refused(_)) && !is_malformed(&error) {
            return self.try_again(now, Operation::Refresh, Trouble::Server(error));
        }
        // Another one may have been taken over since.
        let is_current = |refresh: &&RefreshGrant| match &exchange.presented {
            Some(OAuthGrant::RefreshToken(presented)) => presented.expose() == refresh.token.expose(),
            _ => false,
        };
        let Some(refresh) = self.refresh.as_ref().filter(is_current) else { return };
        self.ticket = None;
        if is_malformed(&error) && self.renewable(now).is_none() {
            return self.stop(now, StopReason::Refused(error));
        }
        match self.refreshes.refused(now, &refresh.token, is_malformed(&error)) {
            RefreshRefusal::TryAgainAt(at) => {
                let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
                let retry_at = self.pause.for_at_least(now, wait);
                self.note();
                let trouble = Trouble::Server(error);
                self.tell(now, EventKind::Failed { operation: Operation::Refresh, trouble, retry_at });
            }
            RefreshRefusal::NotBefore(until) => {
                self.pause = Pause::default();
                self.unsaved = true;
                if is_malformed(&error) {
                    let trouble = Trouble::Server(error);
                    self.tell(now, EventKind::Failed { operation: Operation::Refresh, trouble, retry_at: until });
                }
                let until = self.presentable_at(now);
                self.tell(now, EventKind::RefreshRefused { until });
            }
        }
    }

    /// The app's settings are wrong, which no other try changes. The refresh token may be good.
    fn app_refused(&mut self, now: Timestamp, error: Error) {
        self.ticket = None;
        self.pause = Pause::default();
        self.app_refused = Some(Box::new(error.clone()));
        if self.renewable(now).is_some() {
            self.tell(now, EventKind::AppRefused { error });
        } else {
            self.stop(now, StopReason::Refused(error));
        }
    }

    fn renewal_refused(&mut self, now: Timestamp, exchange: &Exchange, status: StatusCode, error: Error) {
        let is_dead = status == StatusCode::UNAUTHORIZED || matches!(error, Error::Unauthorized { .. });
        if !is_dead {
            if !may_be_a_kick(status) {
                self.doubt.faulty = false;
            }
            return self.try_again(now, Operation::Renew, Trouble::Server(error));
        }
        if exchange.generation != self.generation {
            // It speaks of a token that has been replaced meanwhile.
            return;
        }
        self.pause = Pause::default();
        self.lose(now);
    }

    /// The token can't be renewed: only a login or a refresh helps. It is tried at once; if the server has not answered, its
    /// failures still count.
    pub(super) fn lose(&mut self, now: Timestamp) {
        // One that had expired is no loss.
        let was_alive = self.held.as_ref().is_some_and(|held| !held.lost && !self.has_ended(held, now));
        let noticed = self.doubt.told_dead().unwrap_or(now);
        self.doubt.settle();
        self.pause.skip();
        if let Some(held) = &mut self.held {
            held.lost = true;
            let issued_at = issued_at(&held.grant);
            if let Some(sharing) = &mut self.sharing {
                sharing.lost = sharing.lost.max(Some(issued_at));
            }
        }
        self.note();
        if !was_alive {
            return;
        }
        self.tell(now, EventKind::SessionLost);
        if let Some(next_log_in) = self.log_ins.lost(noticed, now) {
            self.tell(now, EventKind::PossiblyKicked { next_log_in });
        }
    }

    /// An exchange that brought no response.
    pub(super) fn no_answer(&mut self, now: Timestamp, exchange: &Exchange, failure: Failure, budget: &mut RateBudget) {
        if failure == Failure::NotSent {
            self.host_not_reached(exchange);
            self.doubt.faulty = false;
            self.forgive(exchange, budget);
            return self.try_again(now, exchange.operation, exchange.trouble(failure));
        }
        self.doubtful_outcome(now, exchange, failure);
    }

    /// The server may have handled the request.
    pub(super) fn doubtful_outcome(&mut self, now: Timestamp, exchange: &Exchange, failure: Failure) {
        self.doubt.faulty = false;
        match &exchange.presented {
            Some(OAuthGrant::AuthorizationCode(_)) => return self.stop_with_code(now, StopReason::CodeLost),
            Some(_) => self.refresh_lost(now),
            None if exchange.operation == Operation::LogIn => {
                return self.log_in_unknown(now, exchange, exchange.trouble(failure));
            }
            None => {}
        }
        self.try_again(now, exchange.operation, exchange.trouble(failure));
    }

    fn refresh_lost(&mut self, now: Timestamp) {
        self.refreshes.outcome_unknown = true;
        self.tell(now, EventKind::RefreshOutcomeUnknown);
    }

    pub(super) fn try_again(&mut self, now: Timestamp, operation: Operation, trouble: Trouble) {
        let renews = operation == Operation::Renew;
        let at_least = match &trouble {
            Trouble::Server(Error::Status { retry_after: Some(wait), .. }) => (*wait).min(ONE_HOUR),
            Trouble::Server(error) if is_futile(error) => LAST_RESORT_PAUSE,
            _ if renews && self.only_renewals_left(now) => LAST_RESORT_PAUSE,
            _ if renews && !self.doubt.any() => self.time_to_spare(now),
            _ => Duration::ZERO,
        };
        self.try_again_after(now, operation, trouble, at_least);
    }

    pub(super) fn try_again_after(
        &mut self,
        now: Timestamp,
        operation: Operation,
        trouble: Trouble,
        at_least: Duration,
    ) {
        let has_ended = self.held.as_ref().is_some_and(|held| self.has_ended(held, now));
        if operation == Operation::Renew
            && let Some(held) = &mut self.held
        {
            held.failed_renewals.add(now, self.last_sent);
            if has_ended && has_arrived(&trouble) {
                held.failed_after_end.add(now, self.last_sent);
            }
        }
        let retry_at = self.pause.after_fault(now, at_least, self.policy.longest_pause(), &mut self.jitter);
        let retry_at = match operation {
            Operation::LogIn => self.log_ins.earliest(retry_at),
            _ => retry_at,
        };
        self.note();
        self.tell(now, EventKind::Failed { operation, trouble, retry_at });
    }

    /// How long a failed renewal can wait, since the token is good meanwhile.
    fn time_to_spare(&self, now: Timestamp) -> Duration {
        let left = self.token(now).map(|token| token.usable_until.duration_since(now));
        let left = left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default();
        left.checked_div(PATIENCE).unwrap_or_default().min(self.policy.longest_pause())
    }

    /// The server counts nothing and has opened nothing for this exchange.
    pub(super) fn forgive(&mut self, exchange: &Exchange, budget: &mut RateBudget) {
        budget.give_back(exchange.sent, exchange.operation);
        if exchange.operation == Operation::LogIn {
            self.log_ins.uncount(exchange.sent);
        }
    }

    pub(super) fn lock_out(
        &mut self,
        now: Timestamp,
        wait: Duration,
        until: Option<Timestamp>,
        budget: &mut RateBudget,
    ) {
        let named = until.map(|until| self.clock.local_time(until).duration_since(now));
        let named = named.and_then(|named| Duration::try_from(named).ok()).unwrap_or_default();
        let holds_for = named.max(with_room(wait)).min(LONGEST_WAIT);
        budget.lock_out(now, holds_for);
        self.unsaved = true;
        self.tell(now, EventKind::LockedOut { until: later(now, holds_for) });
    }
}

/// A wait that the server measures as well, by a clock of its own: who comes a moment too soon waits all over again, and a
/// local clock that runs fast always comes too soon. A long wait gets a hundredth on top; in a minute no clock gains more
/// than a request takes on its way. No wait is longer than a day.
fn with_room(wait: Duration) -> Duration {
    let room = wait.checked_div(100).filter(|_| wait > Duration::from_secs(60)).unwrap_or_default();
    wait.saturating_add(room).min(LONGEST_WAIT)
}

/// A fault of the server's or of what is in between.
fn is_fault(status: StatusCode) -> bool {
    status == StatusCode::REQUEST_TIMEOUT || status.is_server_error()
}

/// A fault that the token of a closed session shows as. Others are the whole server's.
pub(super) fn may_be_a_kick(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::INTERNAL_SERVER_ERROR)
}

/// Whoever stands before the server has kept the request from it, as in maintenance: it counts nothing.
pub(super) fn is_turned_away(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE)
}

/// Whether the request may have reached the server.
fn has_arrived(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Io { failure, .. } => *failure != Failure::NotSent,
        Trouble::Server(Error::Status { status, .. }) => !is_turned_away(*status),
        Trouble::Server(_) => true,
    }
}

/// A fault after which the request may have been handled all the same.
fn is_time_out(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT)
}

/// The server doesn't understand the request: it is not sent again unchanged.
fn is_malformed(error: &Error) -> bool {
    matches!(error, Error::Status { status: StatusCode::BAD_REQUEST, .. })
}

/// The request went to the wrong place, or is not for this caller: the next one will hardly do better.
fn is_futile(error: &Error) -> bool {
    match error {
        Error::Status { status, .. } => !is_fault(*status),
        Error::WrongEnvironment { .. } | Error::Moved(_) => true,
        _ => false,
    }
}

/// The answer to a login has a token that can't be used, or can't be read: a session may be open.
fn may_have_opened(error: &Error) -> bool {
    match error {
        Error::Undecodable(_) | Error::Contradiction(_) => true,
        Error::Incomplete { field, .. } => *field != "accessToken",
        _ => false,
    }
}

/// The server has handled the request, but what it did can't be read or used.
fn is_answer_lost(error: &Error) -> bool {
    match error {
        Error::Undecodable(_) | Error::Incomplete { .. } | Error::Contradiction(_) => true,
        Error::Status { status, .. } => is_time_out(*status),
        _ => false,
    }
}
