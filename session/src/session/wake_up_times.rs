//! [`WakeUp`]: every time at which the session changes without an input, each with a name.
//!
//! [`poll`](Session::poll) waits for the earliest of these times. [`token`](Session::token) decides by the same values.

use core::fmt;
use core::time::Duration;

use jiff::Timestamp;

use super::Session;
use crate::record::Access;
use crate::time_arithmetic::earlier;

/// Why a session has to be polled at a certain time. [`Session::waits_for`] returns the one that comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum WakeUp {
    /// The next request is due and allowed.
    RequestDue,
    /// The time for an answer to the request in flight is over.
    AnswerOverdue,
    /// The time for an answer of the store is over.
    StoreOverdue,
    /// The shared store has to be asked for its lease or its record.
    StoreDue,
    /// [`Session::token`] stops returning the access token.
    TokenUnusable,
    /// The access token expires.
    TokenExpires,
    /// The session gives up a token after failed renewals. The token has expired by the local clock, or callers
    /// reported it as rejected.
    TokenGivenUp,
    /// The market data token expires.
    MarketDataTokenEnds,
    /// The session may send the refresh token again after refusals.
    RefreshTokenUsable,
    /// A renewal has to verify the token, because callers reported it as rejected.
    VerificationDue,
    /// A renewal has to confirm a token from a snapshot.
    ConfirmationDue,
    /// A reminder of the password's expiry is due.
    ReminderDue,
    /// The snapshot has to be saved again after a failure.
    SaveDue,
}

impl fmt::Display for WakeUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestDue => "the next request is due",
            Self::AnswerOverdue => "the time for an answer is over",
            Self::StoreDue => "the shared store has to be asked",
            Self::StoreOverdue => "the time for an answer of the store is over",
            Self::TokenUnusable => "the token can no longer be used",
            Self::TokenExpires => "the token expires",
            Self::TokenGivenUp => "the session gives up the token",
            Self::MarketDataTokenEnds => "the market data token expires",
            Self::RefreshTokenUsable => "the refresh token may be sent again",
            Self::VerificationDue => "a renewal has to verify the token",
            Self::ConfirmationDue => "a renewal has to confirm the token",
            Self::ReminderDue => "a reminder of the password's expiry is due",
            Self::SaveDue => "the snapshot has to be saved again",
        })
    }
}

impl Session {
    /// The earliest wake-up after `now`.
    pub(super) fn next_wake_up(&self, now: Timestamp) -> Option<(WakeUp, Timestamp)> {
        let access = self.renewable(now);
        let token = |wake_up, at: Option<Timestamp>| at.map(|at| (wake_up, self.clock.local_time(at)));
        let in_flight = self.exchanges.in_flight.as_ref().filter(|_| self.stopped.is_none());
        let given_up = access.filter(|access| self.has_ended(access, now)).and_then(|_| self.given_up_at(now));
        let all = [
            in_flight.map(|exchange| (WakeUp::AnswerOverdue, exchange.deadline)),
            token(WakeUp::TokenExpires, access.map(|access| access.expires_at)),
            token(WakeUp::TokenUnusable, access.map(|access| self.usable_until(access))),
            token(WakeUp::MarketDataTokenEnds, access.and_then(market_data_ends)),
            given_up.map(|at| (WakeUp::TokenGivenUp, at)),
            self.rejected_given_up_at(now).map(|at| (WakeUp::TokenGivenUp, at)),
            self.presentable_at(now).map(|at| (WakeUp::RefreshTokenUsable, at)),
            self.next_reminder(now).map(|(at, _)| (WakeUp::ReminderDue, at)),
            self.persistence.save_due().map(|at| (WakeUp::SaveDue, at)),
            self.token.verification_due(self.record.verified_at).map(|at| (WakeUp::VerificationDue, at)),
            self.confirmation_due().map(|at| (WakeUp::ConfirmationDue, at)),
            self.load_due(now).map(|at| (WakeUp::StoreDue, at)),
        ];
        all.into_iter().flatten().filter(|(_, at)| *at > now).min_by_key(|(_, at)| *at)
    }

    /// Until when `token` returns an access token, by the server's clock.
    pub(super) fn usable_until(&self, access: &Access) -> Timestamp {
        let margin = self.policy.margin().min(access.life().checked_div(10).unwrap_or_default());
        earlier(access.expires_at, margin)
    }

    /// How long before its expiry a token is renewed.
    pub(super) fn renew_before(&self, life: Duration) -> Duration {
        self.policy.renew_before().min(life.checked_div(2).unwrap_or_default())
    }
}

/// When the market data token expires, by the server's clock.
fn market_data_ends(access: &Access) -> Option<Timestamp> {
    access.market_data.as_ref().map(|market_data| market_data.expires_at)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn every_wake_up_has_a_description() {
        assert_eq!(WakeUp::RequestDue.to_string(), "the next request is due");
        assert_eq!(WakeUp::MarketDataTokenEnds.to_string(), "the market data token expires");
    }
}
