//! Fills in what a new answer does not contain from the previous grant: tokens, hosts and the user.

use crate::grant::{Grant, MarketDataGrant};

impl Grant {
    /// Takes the values from the previous grant that the answer does not contain.
    pub(super) fn fill_missing_fields(&mut self, held: &Self) {
        //= R-RENEW-9
        let is_alive = |kept: &&MarketDataGrant| !self.exchange.may_have_passed(kept.expires_at);
        //= R-RENEW-8
        self.market_data = self.market_data.take().or_else(|| held.market_data.as_ref().filter(is_alive).cloned());
        //= R-REFRESH-2
        self.refresh = self.refresh.take().or_else(|| held.refresh.clone());
        //= R-OAUTH-10
        self.user_id = self.user_id.or(held.user_id);
        self.user_name = self.user_name.take().or_else(|| held.user_name.clone());
        let named = core::mem::replace(&mut self.hosts, held.hosts.clone());
        //= R-HOST-4
        //= R-HOST-8
        self.hosts.update(&named);
    }
}
