//! Whether a renewal is wanted that brings a market data token: an OAuth exchange brings none.

use serde::{Deserialize, Serialize};

use super::join::{Fact, is_default};

/// After so many renewals in a row that brought none, the user has none, and no renewal is wanted for its sake.
const ASKED_AT_MOST: u8 = 2;

/// What the answers to an OAuth session have said of its market data token. Of two, the one with more changes counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct MarketDataWish {
    changes: u32,
    /// An exchange has brought none, and no renewal was answered since.
    #[serde(skip_serializing_if = "is_default")]
    is_open: bool,
    /// So many renewals in a row were answered without one.
    #[serde(skip_serializing_if = "is_default")]
    unfulfilled: u8,
}

impl MarketDataWish {
    /// Whether a renewal is wanted for the sake of a market data token.
    pub(crate) fn is_open(self) -> bool {
        self.is_open
    }

    /// An exchange was answered.
    pub(crate) fn exchanged(&mut self, has_token: bool) {
        let unfulfilled = if has_token { 0 } else { self.unfulfilled };
        self.set(unfulfilled < ASKED_AT_MOST && !has_token, unfulfilled);
    }

    /// A renewal was answered.
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
    fn join(&mut self, other: Self) {
        *self = (*self).max(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_without_a_token_opens_it_until_two_renewals_in_a_row_have_brought_none() {
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
    fn what_is_the_same_is_no_change() {
        let mut wish = MarketDataWish::default();
        wish.renewed(true);
        wish.exchanged(true);
        assert_eq!(wish, MarketDataWish::default());
    }
}
