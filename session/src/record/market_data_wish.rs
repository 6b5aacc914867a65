//! Tracks whether a renewal should be sent to get a market data token. OAuth exchanges bring none.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::merge::{Fact, is_default};

/// After this many renewals in a row without a market data token, the session assumes that the user has none.
const ASKED_AT_MOST: u8 = 2;

/// What the answers to an OAuth session have shown about its market data token. A merge keeps the value of the newer
/// access token, and of two for one token the value with more changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct MarketDataWish {
    /// When the newest access token was issued whose answer counts here, by the server's clock.
    #[serde(skip_serializing_if = "is_default")]
    issued_at: Option<Timestamp>,
    changes: u32,
    /// An exchange has brought no market data token, and no renewal has been answered since.
    #[serde(skip_serializing_if = "is_default")]
    is_open: bool,
    /// The number of renewals in a row that were answered without a market data token.
    #[serde(skip_serializing_if = "is_default")]
    unfulfilled: u8,
}

impl MarketDataWish {
    /// Whether the session wants a renewal to get a market data token.
    pub(crate) fn is_open(self) -> bool {
        self.is_open
    }

    /// Records the answer to an exchange. Its access token was issued at `issued_at`.
    //= R-RENEW-12
    pub(crate) fn exchanged(&mut self, issued_at: Timestamp, has_token: bool) {
        let unfulfilled = if has_token { 0 } else { self.unfulfilled };
        self.set(Some(issued_at), unfulfilled < ASKED_AT_MOST && !has_token, unfulfilled);
    }

    /// Records the answer to a renewal. Its access token was issued at `issued_at`.
    pub(crate) fn renewed(&mut self, issued_at: Timestamp, has_token: bool) {
        let unfulfilled = if has_token { 0 } else { self.one_more() };
        self.set(Some(issued_at), false, unfulfilled);
    }

    /// Records that a renewal was answered without an access token.
    pub(crate) fn not_renewed(&mut self) {
        self.set(self.issued_at, false, self.one_more());
    }

    fn one_more(self) -> u8 {
        self.unfulfilled.saturating_add(1).min(ASKED_AT_MOST)
    }

    fn set(&mut self, issued_at: Option<Timestamp>, is_open: bool, unfulfilled: u8) {
        // The answer was late: it says nothing about the token in use.
        if issued_at < self.issued_at {
            return;
        }
        let is_changed = (self.is_open, self.unfulfilled) != (is_open, unfulfilled);
        let changes = self.changes.saturating_add(is_changed.into());
        *self = Self { issued_at, changes, is_open, unfulfilled };
    }
}

impl Fact for MarketDataWish {
    fn merge(&mut self, other: Self) {
        *self = (*self).max(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: i64) -> Timestamp {
        Timestamp::from_second(at).unwrap()
    }

    #[test]
    fn a_renewal_for_market_data_is_wanted_until_two_bring_none() {
        let mut wish = MarketDataWish::default();
        assert!(!wish.is_open());
        let mut at = 0;
        let mut open = |answer: fn(&mut MarketDataWish, Timestamp, bool), has_token| {
            at += 1;
            answer(&mut wish, second(at), has_token);
            wish.is_open()
        };
        let (exchanged, renewed) = (MarketDataWish::exchanged, MarketDataWish::renewed);
        assert!(open(exchanged, false));
        assert!(!open(renewed, false));
        assert!(open(exchanged, false));
        assert!(!open(|wish, _, _| wish.not_renewed(), false));
        assert!(!open(exchanged, false), "two renewals have brought none");
        assert!(!open(renewed, true));
        assert!(open(exchanged, false), "a renewal has brought one since");
        assert!(!open(exchanged, true));
    }

    #[test]
    fn answers_that_bring_the_token_change_only_the_time() {
        let mut wish = MarketDataWish::default();
        wish.renewed(second(1), true);
        wish.exchanged(second(2), true);
        assert_eq!(wish, MarketDataWish { issued_at: Some(second(2)), ..MarketDataWish::default() });
    }

    #[test]
    fn a_late_answer_says_nothing_about_the_token_in_use() {
        let (mut renewed, mut exchanged) = (MarketDataWish::default(), MarketDataWish::default());
        renewed.renewed(second(2), true);
        exchanged.exchanged(second(1), false);
        exchanged.merge(renewed);
        assert_eq!(exchanged, renewed);
        renewed.exchanged(second(1), false);
        assert_eq!(exchanged, renewed);
    }
}
