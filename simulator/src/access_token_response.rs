//! The response body that a login and a renewal share.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    reply::Reply,
    side::Side,
    simulator::Simulator,
    time::{cut, written},
    user::User,
};

impl Simulator {
    /// Builds the response that hands a token to a user.
    pub(crate) fn access_token_response(
        &self,
        user: &User,
        access_token: &str,
        market_data_token: Option<&str>,
        expires: Timestamp,
        hibp_hint: Option<&str>,
    ) -> Reply {
        let password_expiration = user.password_expiration.map(|time| written(cut(time, false), false));
        let mut fields = Map::new();
        let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        if self.options.empty_error_text {
            set("errorText", json!(""));
        }
        set("accessToken", json!(access_token));
        set("expirationTime", json!(written(expires, self.options.expiration_fraction)));
        set("passwordExpirationTime", json!(password_expiration));
        set("userStatus", json!(user.status));
        set("userId", json!(user.id));
        set("name", json!(user.name));
        set("hasLive", json!(user.exists_on(Side::Live)));
        set("hasSimPlus", json!(false));
        set("showKIDs", json!(false));
        if let Some(token) = market_data_token {
            set("mdAccessToken", json!(token));
        }
        if let Some(hint) = hibp_hint {
            set("hibpHint", json!(hint));
        }
        if let Some(hosts) = self.hosts_of(user).to_json() {
            set("apiHosts", hosts);
        }
        if !user.organization.is_empty() {
            set("orgName", json!(user.organization));
        }
        Reply::ok(&Value::Object(fields))
    }
}
