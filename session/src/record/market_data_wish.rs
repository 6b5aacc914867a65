//! Tracks whether a renewal should be sent to get a market data token. OAuth exchanges bring none.

use serde::{Deserialize, Serialize};

use super::merge::{Fact, is_default};

/// After this many renewals in a row without a market data token, the session assumes that the user has none.
const ASKED_AT_MOST: u8 = 2;

/// What the answers to an OAuth session have shown about its market data token. A merge keeps the value with more
/// changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct MarketDataWish {
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

    /// Records the answer to an exchange.
    //= R-RENEW-12
    pub(crate) fn exchanged(&mut self, has_token: bool) {
        let unfulfilled = if has_token { 0 } else { self.unfulfilled };
        self.set(unfulfilled < ASKED_AT_MOST && !has_token, unfulfilled);
    }

    /// Records the answer to a renewal.
    pub(crate) fn renewed(&mut self, has_token: bool) {
        let unfulfilled = if has_token { 0 } else { self.unfulfilled.saturating_add(1).min(ASKED_AT_MOST) };
        self.set(false, unfulfilled);
    }

    fn set(&mut self, is_open: bool, unfulfilled: u8) {
        if (self.is_open, self.unfulfilled) != (is_open, unfulfilled) {
            *self = Self { changes: self.changes.saturating_add(1), is_open, unfulfilled };
        }
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

    #[test]
    fn a_renewal_for_market_data_is_wanted_until_two_bring_none() {
        let mut wish = MarketDataWish::default();
        assert!(!wish.is_open());
        let mut open = |answer: fn(&mut MarketDataWish)| {
            answer(&mut wish);
            wish.is_open()
        };
        assert!(open(|wish| wish.exchanged(false)));
        assert!(!open(|wish| wish.renewed(false)));
        assert!(open(|wish| wish.exchanged(false)));
        assert!(!open(|wish| wish.renewed(false)));
        assert!(!open(|wish| wish.exchanged(false)), "two renewals have brought none");
        assert!(!open(|wish| wish.renewed(true)));
        assert!(open(|wish| wish.exchanged(false)), "a renewal has brought one since");
        assert!(!open(|wish| wish.exchanged(true)));
    }

    #[test]
    fn a_market_data_wish_is_unchanged_by_answers_that_bring_the_token() {
        let mut wish = MarketDataWish::default();
        wish.renewed(true);
        wish.exchanged(true);
        assert_eq!(wish, MarketDataWish::default());
    }
}
