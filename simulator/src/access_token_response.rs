//! The answer that a login and a renewal share.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    hosts::ApiHosts,
    side::Side,
    time::{cut, written},
    user::User,
};

/// The parts of an answer that brings a token.
pub(crate) struct AccessTokenResponse<'a> {
    pub(crate) user: &'a User,
    pub(crate) hosts: &'a ApiHosts,
    pub(crate) access_token: &'a str,
    pub(crate) market_data_token: Option<&'a str>,
    pub(crate) expires: Timestamp,
    pub(crate) expiration_fraction: bool,
    pub(crate) hibp_hint: Option<&'a str>,
}

impl AccessTokenResponse<'_> {
    pub(crate) fn to_json(&self) -> Value {
        let user = self.user;
        let password_expiration = user.password_expiration.map(|time| written(cut(time, false), false));
        let mut fields = Map::new();
        let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        set("errorText", json!(""));
        set("accessToken", json!(self.access_token));
        set("expirationTime", json!(written(self.expires, self.expiration_fraction)));
        set("passwordExpirationTime", json!(password_expiration));
        set("userStatus", json!(user.status));
        set("userId", json!(user.id));
        set("name", json!(user.name));
        set("hasLive", json!(user.exists_on(Side::Live)));
        set("hasSimPlus", json!(false));
        set("showKIDs", json!(false));
        if let Some(token) = self.market_data_token {
            set("mdAccessToken", json!(token));
        }
        if let Some(hint) = self.hibp_hint {
            set("hibpHint", json!(hint));
        }
        if let Some(hosts) = self.hosts.to_json() {
            set("apiHosts", hosts);
        }
        if !user.organization.is_empty() {
            set("orgName", json!(user.organization));
        }
        Value::Object(fields)
    }
}
