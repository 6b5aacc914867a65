//! `GET /v1/auth/renewaccesstoken`: extends the session of a token. The previous token keeps its own expiry. An expired
//! token can't be renewed.

use crate::{
    call::Call,
    reply::{Reply, texts},
    simulator::Simulator,
    time::{cut, later},
};

impl Simulator {
    pub(crate) fn renew_access_token(&mut self, call: &Call<'_>) -> Result<Reply, Reply> {
        let (session, user) = self.authenticate(call)?;
        if session.side != call.side {
            return Err(Reply::unauthorized(texts::INVALID_TOKEN));
        }
        let access_token = match call.bearer {
            Some(token) if !self.options.renewal_changes_token => token.to_owned(),
            _ => self.mint.access_token(),
        };
        let expires = cut(later(call.now, self.options.lifetime), self.options.expiration_fraction);
        self.sessions.extend(session.id, &access_token, expires);
        self.statistics.renewals += 1;
        let market_data_token = self.options.renewal_has_market_data_token.then_some(());
        let market_data_token = market_data_token.and_then(|()| match session.market_data_token {
            // The exchange of a code issues no market data token. A login issues one depending on an option.
            None if user.market_data => {
                let token = self.mint.market_data_token();
                self.sessions.give_market_data(session.id, &token);
                Some(token)
            }
            held => held,
        });
        Ok(self.access_token_response(&user, &access_token, market_data_token.as_deref(), expires, None))
    }
}
