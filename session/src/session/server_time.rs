//! Learns the server's time from answers, and corrects expiries that were computed before the time was known.

use http::Response;
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{AccessTokenRequest, Exchange as Times, OAuthToken};

use super::Session;
use super::in_flight::Exchange;
use crate::network_budget::Operation;
use crate::record::Moment;
use crate::time_arithmetic::shifted;

/// Two measurements of the server's clock differ by less than this.
const NOISE: SignedDuration = SignedDuration::from_secs(5);

impl Session {
    /// A time by the local clock and by the server's.
    pub(super) fn moment(&self, now: Timestamp) -> Moment {
        Moment { local: now, server: self.clock.server_time(now) }
    }

    /// The times of an exchange. The clock learns from them if the server itself answered, and not a proxy in front of
    /// it.
    pub(super) fn learn_time<B: AsRef<[u8]>>(
        &mut self,
        now: Timestamp,
        exchange: &Exchange,
        response: &Response<B>,
    ) -> Times {
        let times = Times::new(exchange.sent, now, response.headers());
        let body = response.body().as_ref();
        let is_answer = match exchange.operation {
            Operation::Refresh => OAuthToken::is_answer(body),
            _ => AccessTokenRequest::is_answer(body),
        };
        //= R-TIME-5
        if is_answer {
            self.clock.learn(&times);
        }
        times
    }

    /// Corrects the expiry of a token that was derived from its lifetime with a wrong local clock. This is possible
    /// when an answer has named the server's time.
    pub(super) fn correct_assumed_times(&mut self) {
        if !self.clock.is_learnt() {
            return;
        }
        let Some(assumed) = self.token.assumed_offset.take() else { return };
        let by = self.clock.offset().saturating_sub(assumed);
        if by.abs() > NOISE {
            self.record.tokens.correct_ends(by);
            self.token.renew_at = shifted(self.token.renew_at, by);
            self.persistence.changed();
        }
    }
}
