//! Tracks whether a renewal should be sent to get a market data token. OAuth exchanges bring none.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::merge::{Fact, is_default};

/// After this many renewals in a row without a market data token, the session assumes that the user has none.
const ASKED_AT_MOST: u8 = 2;

/// What the answers to an OAuth session have shown about its market data token. A merge keeps the value of the newer
/// access token. For the same access token, the value with more changes wins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct MarketDataWish {
    /// The newest access token that this value takes into account.
    #[serde(skip_serializing_if = "is_default")]
    of: IssuedToken,
    changes: u32,
    /// An exchange has brought no market data token, and no renewal has been answered since.
    #[serde(skip_serializing_if = "is_default")]
    is_open: bool,
    /// The number of renewals in a row that were answered without a market data token.
    #[serde(skip_serializing_if = "is_default")]
    unfulfilled: u8,
}

/// Names an access token by the start of its lineage and by its issue time, both by the server's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct IssuedToken {
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) issued_at: Option<Timestamp>,
}

impl MarketDataWish {
    /// Whether the session wants a renewal to get a market data token.
    pub(crate) fn is_open(self) -> bool {
        self.is_open
    }

    /// Records the answer to an exchange, which has brought the access token `of`.
    //= R-RENEW-12
    pub(crate) fn exchanged(&mut self, of: IssuedToken, has_token: bool) {
        let unfulfilled = if has_token { 0 } else { self.unfulfilled };
        self.set(of, unfulfilled < ASKED_AT_MOST && !has_token, unfulfilled);
    }

    /// Records the answer to a renewal, which has brought the access token `of`.
    pub(crate) fn renewed(&mut self, of: IssuedToken, has_token: bool) {
        let unfulfilled = if has_token { 0 } else { self.one_more() };
        self.set(of, false, unfulfilled);
    }

    /// Records that a renewal was answered without an access token.
    pub(crate) fn not_renewed(&mut self) {
        self.set(self.of, false, self.one_more());
    }

    fn one_more(self) -> u8 {
        self.unfulfilled.saturating_add(1).min(ASKED_AT_MOST)
    }

    fn set(&mut self, of: IssuedToken, is_open: bool, unfulfilled: u8) {
        // The answer was late: it says nothing about the token in use.
        if of < self.of {
            return;
        }
        let is_changed = (self.is_open, self.unfulfilled) != (is_open, unfulfilled);
        let changes = self.changes.saturating_add(is_changed.into());
        *self = Self { of, changes, is_open, unfulfilled };
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

    fn token(second: i64) -> IssuedToken {
        IssuedToken { started_at: None, issued_at: Timestamp::from_second(second).ok() }
    }

    #[test]
    fn a_renewal_for_market_data_is_wanted_until_two_bring_none() {
        let mut wish = MarketDataWish::default();
        assert!(!wish.is_open());
        let mut at = 0;
        let mut open = |answer: fn(&mut MarketDataWish, IssuedToken, bool), has_token| {
            at += 1;
            answer(&mut wish, token(at), has_token);
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
    fn answers_that_bring_the_token_change_only_its_name() {
        let mut wish = MarketDataWish::default();
        wish.renewed(token(1), true);
        wish.exchanged(token(2), true);
        assert_eq!(wish, MarketDataWish { of: token(2), ..MarketDataWish::default() });
    }

    #[test]
    fn a_late_answer_says_nothing_about_the_token_in_use() {
        let (mut renewed, mut exchanged) = (MarketDataWish::default(), MarketDataWish::default());
        renewed.renewed(token(2), true);
        exchanged.exchanged(token(1), false);
        exchanged.merge(renewed);
        assert_eq!(exchanged, renewed);
        renewed.exchanged(token(1), false);
        assert_eq!(exchanged, renewed);
    }

    #[test]
    fn a_token_of_a_newer_lineage_is_newer_whatever_the_clocks_say() {
        let mut wish = MarketDataWish::default();
        wish.renewed(token(9), true);
        wish.exchanged(IssuedToken { started_at: Timestamp::from_second(1).ok(), ..token(1) }, false);
        assert!(wish.is_open());
    }
}
