//! Keeps the tokens, hosts and other values of the previous grant that a new answer does not contain.

use crate::grant::{Grant, MarketDataGrant, expiry};
use crate::wire::error::{Contradiction, Error};

impl Grant {
    /// Checks that the token is valid and for the user of `held`, and takes the values from `held` that the answer does
    /// not contain.
    pub(super) fn complete(&mut self, held: Option<&Self>) -> Result<(), Error> {
        expiry::check(self.expires_at, &self.exchange)?;
        let Some(held) = held else { return Ok(()) };
        if held.user_id.zip(self.user_id).is_some_and(|(held, new)| held != new) {
            //= R-RENEW-7
            return Err(Error::Contradiction(Contradiction::OtherUser));
        }
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
        Ok(())
    }
}
