//! When a session tries again after a failed request.

use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::{Error, Failure};

use super::classify_answer::is_turned_away;
use super::in_flight::Exchange;
use super::{EventKind, Session, Trouble};
use crate::network_budget::Operation;
use crate::record::LAST_RESORT_PAUSE;
use crate::time_arithmetic::{ONE_HOUR, after, later};

/// After a failed renewal, a session whose token is still valid pauses for the rest of the token's lifetime divided by
/// this number, but not longer than [`Policy::longest_pause`](super::Policy::longest_pause). So it does not use up the
/// renewals of the hour.
pub(super) const RENEWALS_PER_REST: u32 = 6;

/// The pause before another renewal that is sent only to get a market data token, after one has failed.
const MARKET_DATA_PAUSE: Duration = Duration::from_secs(15 * 60);

impl Session {
    //= R-STATUS-7
    //= R-STATUS-10
    pub(super) fn try_again(&mut self, now: Timestamp, exchange: &Exchange, trouble: Trouble) {
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

    pub(super) fn try_again_after(
        &mut self,
        now: Timestamp,
        exchange: &Exchange,
        trouble: Trouble,
        at_least: Duration,
    ) {
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
    pub(super) fn is_for_market_data(&self, exchange: &Exchange) -> bool {
        exchange.operation == Operation::Renew
            && self.record.market_data.is_open()
            && !self.token.is_in_question()
            && self.token.renew_at > self.clock.server_time(exchange.sent)
    }

    /// Postpones only the next renewal for a market data token. Returns the time of that renewal.
    pub(super) fn put_off_market_data(&mut self, now: Timestamp, at_least: Duration) -> Timestamp {
        self.token.market_data_at = later(now, at_least.max(MARKET_DATA_PAUSE));
        self.token.market_data_at
    }

    /// How long a session whose token is valid pauses before the next renewal.
    fn time_to_spare(&self, now: Timestamp) -> Duration {
        let left = self.token(now).map(|token| after(token.usable_until, now)).unwrap_or_default();
        left.checked_div(RENEWALS_PER_REST).unwrap_or_default().min(self.policy.longest_pause())
    }
}

impl Trouble {
    /// Whether the request may have reached the server.
    fn may_have_arrived(&self) -> bool {
        match self {
            Self::Io { failure, .. } => *failure != Failure::NotSent,
            Self::Server(Error::Status { status, .. }) => !is_turned_away(*status),
            Self::Server(_) => true,
        }
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
