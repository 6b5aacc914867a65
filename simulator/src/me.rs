//! `GET /v1/auth/me`: who the token belongs to. Only Live serves it.

use http::StatusCode;
use serde_json::json;

use crate::{
    call::Call,
    reply::{Reply, texts},
    sessions::Origin,
    side::Side,
    simulator::Simulator,
    time::elapsed,
};

impl Simulator {
    pub(crate) fn me(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        if call.side == Side::Demo {
            return Err(Reply::error_text(StatusCode::OK, texts::LIVE_ONLY));
        }
        let (session, user) = self.authenticate(call)?;
        self.check_device(call, &session, &user)?;
        let mut body = json!({
            "errorText": "",
            "userId": user.id,
            "name": user.name,
            "fullName": user.full_name,
            "email": user.email,
            "emailVerified": true,
            "isTrial": false,
            "organizationName": user.organization,
            "currentAccountPlan": "Pro Plus",
            "currentMDSubs": ["marketDataPremium", "newsFeed"],
            "currentBalance": 50125.5,
            "activePlugins": ["replay"],
        });
        let is_fresh =
            session.origin == Origin::OAuth && elapsed(call.now, session.opened) < self.options.user_id_delay;
        let absent = [(is_fresh, "userId"), (!self.options.empty_error_text, "errorText")];
        for (_, name) in absent.into_iter().filter(|(is_absent, _)| *is_absent) {
            body.as_object_mut().and_then(|fields| fields.remove(name));
        }
        Ok(Reply::ok(&body))
    }
}
