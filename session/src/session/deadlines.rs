//! Every time at which something observable changes by itself, each with its name.
//!
//! [`poll`](Session::poll) waits for the earliest, and [`token`](Session::token) decides by the same values.

use core::fmt;
use core::time::Duration;

use jiff::Timestamp;

use super::Session;
use crate::moments::earlier;
use crate::record::Access;

/// Why a session wakes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Deadline {
    /// The next request is due and allowed.
    RequestDue,
    /// The request in flight has had no answer for too long.
    AnswerOverdue,
    /// The store has not answered for too long.
    StoreOverdue,
    /// The store that processes share is asked again.
    StoreDue,
    /// The access token is no longer handed out.
    TokenUnusable,
    /// The access token expires.
    TokenExpires,
    /// A token that only a local clock takes for expired is given up.
    TokenGivenUp,
    /// The market data token ends.
    MarketDataTokenEnds,
    /// The refresh token may be presented again.
    RefreshTokenUsable,
    /// A report of callers is verified.
    VerificationDue,
    /// A renewal confirms a token that came from a snapshot.
    ConfirmationDue,
    /// A reminder of the password's expiry is due.
    ReminderDue,
    /// A snapshot is offered to the store again.
    SaveDue,
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestDue => "the next request is due",
            Self::AnswerOverdue => "the answer is overdue",
            Self::StoreDue => "the store is asked again",
            Self::StoreOverdue => "the store's answer is overdue",
            Self::TokenUnusable => "the token is no longer handed out",
            Self::TokenExpires => "the token expires",
            Self::TokenGivenUp => "the token is given up",
            Self::MarketDataTokenEnds => "the market data token ends",
            Self::RefreshTokenUsable => "the refresh token may be presented again",
            Self::VerificationDue => "a report is verified",
            Self::ConfirmationDue => "a renewal confirms the token",
            Self::ReminderDue => "a reminder of the password's expiry is due",
            Self::SaveDue => "the snapshot is stored again",
        })
    }
}

impl Session {
    /// The earliest change after `now`, of those that follow from what is known.
    pub(super) fn next_deadline(&self, now: Timestamp) -> Option<(Deadline, Timestamp)> {
        let access = self.renewable(now);
        let token = |deadline, at: Option<Timestamp>| at.map(|at| (deadline, self.clock.local_time(at)));
        let in_flight = self.exchanges.in_flight.as_ref().filter(|_| self.stopped.is_none());
        let given_up = access.filter(|access| self.has_ended(access, now)).and_then(|_| self.given_up_at());
        let all = [
            in_flight.map(|exchange| (Deadline::AnswerOverdue, exchange.deadline)),
            token(Deadline::TokenExpires, access.map(|access| access.expires_at)),
            token(Deadline::TokenUnusable, access.map(|access| self.usable_until(access))),
            token(Deadline::MarketDataTokenEnds, access.and_then(market_data_ends)),
            given_up.map(|at| (Deadline::TokenGivenUp, at)),
            self.rejected_given_up_at().map(|at| (Deadline::TokenGivenUp, at)),
            self.presentable_at(now).map(|at| (Deadline::RefreshTokenUsable, at)),
            self.next_reminder(now).map(|(at, _)| (Deadline::ReminderDue, at)),
            self.persistence.save_due().map(|at| (Deadline::SaveDue, at)),
            self.token.verification_due(self.record.verified_at).map(|at| (Deadline::VerificationDue, at)),
            self.confirmation_due().map(|at| (Deadline::ConfirmationDue, at)),
            self.load_due(now).map(|at| (Deadline::StoreDue, at)),
        ];
        all.into_iter().flatten().filter(|(_, at)| *at > now).min_by_key(|(_, at)| *at)
    }

    /// Until when a token is handed out, in server time.
    pub(super) fn usable_until(&self, access: &Access) -> Timestamp {
        let margin = self.policy.margin().min(access.life().checked_div(10).unwrap_or_default());
        earlier(access.expires_at, margin)
    }

    /// How long before its expiry a token is renewed.
    pub(super) fn renew_before(&self, life: Duration) -> Duration {
        self.policy.renew_before().min(life.checked_div(2).unwrap_or_default())
    }
}

/// When the market data token ends, in server time.
fn market_data_ends(access: &Access) -> Option<Timestamp> {
    access.market_data.as_ref().map(|market_data| market_data.expires_at)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn each_deadline_says_what_happens_then() {
        assert_eq!(Deadline::RequestDue.to_string(), "the next request is due");
        assert_eq!(Deadline::MarketDataTokenEnds.to_string(), "the market data token ends");
    }
}
