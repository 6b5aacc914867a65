//! `POST /v1/auth/accesstokenrequest`: the login with a password and an API key.
//!
//! A successful login opens a session. A wrong user, a wrong password and a wrong API secret get the same refusal.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::{
    call::Call,
    fields::{Fields, Malformed},
    options::RefusalStatus,
    registration::App,
    reply::{Reply, texts},
    sessions::{NewSession, Origin},
    side::Side,
    simulator::Simulator,
    time::{cut, later},
    user::User,
};

struct Login<'a> {
    name: &'a str,
    password: &'a str,
    app_id: Option<&'a str>,
    cid: Option<String>,
    sec: Option<&'a str>,
    device_id: Option<&'a str>,
    hibp_check: bool,
}

impl<'a> Login<'a> {
    fn read(fields: &'a Fields, textual_cid: bool) -> Result<Self, Malformed> {
        if fields.is_form() {
            return Err(Malformed("the body is not a JSON object".to_owned()));
        }
        fields.text("appVersion", 64)?;
        Ok(Self {
            name: fields.required("name", 64)?,
            password: fields.required("password", 64)?,
            app_id: fields.text("appId", 64)?,
            cid: fields.id("cid", 64, textual_cid)?,
            sec: fields.text("sec", 8192)?,
            device_id: fields.text("deviceId", 64)?,
            hibp_check: fields.boolean("hibpCheck")?,
        })
    }

    fn user<'u>(&self, users: &'u [User], side: Side) -> Option<&'u User> {
        let user = users.iter().find(|user| user.name == self.name && user.exists_on(side))?;
        (user.password.expose() == self.password).then_some(user)
    }

    /// Why the server refuses the API key of a login whose password is right; `None` if the key is right too.
    fn app_refusal(&self, apps: &[App]) -> Option<&'static str> {
        let app = apps.iter().find(|app| match &self.cid {
            Some(cid) => app.cid == *cid,
            None => self.app_id == Some(&app.app_id),
        });
        match app {
            Some(app) if self.app_id.is_none_or(|app_id| app.app_id == app_id) => {
                (self.sec != Some(app.sec.expose())).then_some(texts::WRONG_PASSWORD)
            }
            _ => Some(texts::APP_NOT_REGISTERED),
        }
    }
}

impl Simulator {
    pub(crate) fn access_token_request(&mut self, call: &Call<'_>, fields: &Fields) -> Result<Reply, Reply> {
        let login = Login::read(fields, self.options.textual_cid)?;
        let Some(user) = login.user(&self.users, call.side).cloned() else {
            return Err(self.refuse_login(texts::WRONG_PASSWORD));
        };
        if let Some(app_refusal) = login.app_refusal(&self.apps) {
            return Err(self.refuse_login(app_refusal));
        }
        self.check_host(call, &user)?;
        if !user.challenge.is_empty() {
            let fields: Map<_, _> =
                user.challenge.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
            return Ok(Reply::ok(&Value::Object(fields)));
        }
        Ok(self.log_in(call, &login, &user))
    }

    pub(crate) fn refuse_login(&self, text: &str) -> Reply {
        let status = match self.options.refusal {
            RefusalStatus::Ok => StatusCode::OK,
            RefusalStatus::Unauthorized => StatusCode::UNAUTHORIZED,
        };
        Reply::error_text(status, text)
    }

    fn log_in(&mut self, call: &Call<'_>, login: &Login<'_>, user: &User) -> Reply {
        let access_token = self.mint.access_token();
        let has_market_data = user.market_data && self.options.login_has_market_data_token;
        let market_data_token = has_market_data.then(|| self.mint.market_data_token());
        let expires = cut(later(call.now, self.options.lifetime), self.options.expiration_fraction);
        if let Some(device) = login.device_id {
            self.devices.entry(user.id).or_insert_with(|| device.to_owned());
        }
        let new_session = NewSession {
            user: user.id,
            side: call.side,
            origin: Origin::Login,
            device: login.device_id.map(str::to_owned),
            market_data_token: market_data_token.clone(),
        };
        self.open_session(call.now, new_session, &access_token, expires);
        self.statistics.logins += 1;
        let hibp_hint = user.hibp_hint.as_deref().filter(|_| login.hibp_check);
        self.access_token_response(user, &access_token, market_data_token.as_deref(), expires, hibp_hint)
    }
}
