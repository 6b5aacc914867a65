//! `GET /v1/account/list`: one call of the API proper, where a good token may still be refused.

use serde_json::{Value, json};

use crate::{
    call::Call,
    reply::{Reply, texts},
    simulator::Simulator,
    user::ApiAccess,
};

impl Simulator {
    pub(crate) fn account_list(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let (session, user) = self.authenticate(call)?;
        self.check_device(call, &session, &user)?;
        match user.api_access {
            ApiAccess::Denied => return Err(Reply::unauthorized(texts::ACCESS_DENIED)),
            ApiAccess::DeniedSilently => return Err(Reply::empty(http::StatusCode::UNAUTHORIZED)),
            ApiAccess::Granted => {}
        }
        let accounts = (1_i64..).zip(&user.accounts).map(|(number, name)| {
            json!({
                "id": user.id.saturating_mul(100).saturating_add(number),
                "name": name,
                "userId": user.id,
                "accountType": "Customer",
                "active": true,
            })
        });
        Ok(Reply::ok(&Value::Array(accounts.collect())))
    }
}
