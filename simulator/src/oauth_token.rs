//! `POST /v1/auth/oauthtoken`: exchanges an authorization code, or refreshes an access token.
//!
//! Refusals have status 200. The first exchange that names the right client and redirect URI uses up the code, even if
//! its verifier is wrong. A refused refresh uses up nothing.

use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    call::Call,
    fields::{Fields, Malformed},
    grants::RefreshGrant,
    reply::{Reply, texts},
    sessions::{NewSession, Origin},
    simulator::Simulator,
    time::{cut, later},
    user::User,
};

const LONG: usize = 8192;

struct Request<'a> {
    grant_type: &'a str,
    client_id: Option<&'a str>,
    client_secret: Option<&'a str>,
    redirect_uri: Option<&'a str>,
    code: Option<&'a str>,
    code_verifier: Option<&'a str>,
    refresh_token: Option<&'a str>,
    resource: Option<&'a str>,
}

impl<'a> Request<'a> {
    fn read(fields: &'a Fields) -> Result<Self, Malformed> {
        fields.text("httpAuth", LONG)?;
        fields.text("assertion", LONG)?;
        Ok(Self {
            grant_type: fields.required("grant_type", 64)?,
            client_id: fields.text("client_id", LONG)?,
            client_secret: fields.text("client_secret", LONG)?,
            redirect_uri: fields.text("redirect_uri", LONG)?,
            code: fields.text("code", LONG)?,
            code_verifier: fields.text("code_verifier", LONG)?,
            refresh_token: fields.text("refresh_token", LONG)?,
            resource: fields.text("resource", LONG)?,
        })
    }
}

/// The session that an answer opens or extends.
struct Issue<'a> {
    user: &'a User,
    client_id: &'a str,
    resource: Option<&'a str>,
    /// The session to extend, if it is still open.
    session: Option<u64>,
}

impl Simulator {
    pub(crate) fn oauth_token(&mut self, call: &Call<'_>, fields: &Fields) -> Result<Reply, Reply> {
        let request = Request::read(fields)?;
        self.check_client(call, &request)?;
        match request.grant_type {
            "authorization_code" => self.exchange_code(call, &request),
            "refresh_token" => self.refresh(call, &request),
            _ => Err(Reply::oauth_error("unsupported_grant_type", None)),
        }
    }

    fn check_client(&self, call: &Call<'_>, request: &Request<'_>) -> Result<(), Reply> {
        let client = self
            .clients
            .iter()
            .find(|client| request.client_id == Some(&client.client_id) && client.side == call.side)
            .ok_or_else(|| Reply::oauth_error("invalid_client", Some(texts::WRONG_CLIENT_ID)))?;
        let is_secret_right = match &client.client_secret {
            Some(secret) => request.client_secret == Some(secret.expose()),
            // A client without a registered secret must not send one.
            None => request.client_secret.is_none_or(str::is_empty),
        };
        let is_redirect_right = match request.redirect_uri {
            Some(uri) => client.redirect_uris.iter().any(|registered| registered == uri),
            None => request.grant_type != "authorization_code",
        };
        if is_secret_right && is_redirect_right {
            Ok(())
        } else {
            Err(Reply::oauth_error("invalid_client", Some(texts::SETUP_MISMATCH)))
        }
    }

    fn exchange_code(&mut self, call: &Call<'_>, request: &Request<'_>) -> Result<Reply, Reply> {
        let wrong_code = || Reply::oauth_error("invalid_grant", Some(texts::WRONG_CODE));
        let text = request.code.ok_or_else(wrong_code)?;
        let code = self.grants.code(text).ok_or_else(wrong_code)?;
        if request.client_id != Some(&code.client_id) || request.redirect_uri != Some(&code.redirect_uri) {
            return Err(wrong_code());
        }
        let issued = code.issued.unwrap_or(call.now);
        let is_good =
            code.is_answered_by(request.code_verifier) && call.now < later(issued, self.options.code_lifetime);
        let user = self.user_by_id(code.user).cloned();
        if let (true, Some(user)) = (is_good, &user) {
            self.check_host(call, user)?;
        }
        self.grants.use_up(text);
        let (true, Some(user), Some(client_id)) = (is_good, user, request.client_id) else {
            return Err(wrong_code());
        };
        self.statistics.code_exchanges += 1;
        Ok(self.issue(call, &Issue { user: &user, client_id, resource: request.resource, session: None }))
    }

    fn refresh(&mut self, call: &Call<'_>, request: &Request<'_>) -> Result<Reply, Reply> {
        let invalid_token = || Reply::oauth_error("invalid_token", None);
        if self.grants.refusals > 0 {
            self.grants.refusals -= 1;
            return Err(invalid_token());
        }
        let grant = request.refresh_token.and_then(|token| self.grants.refresh(token)).cloned();
        let grant = grant.filter(|grant| call.now < grant.expires).ok_or_else(invalid_token)?;
        if request.client_id != Some(&grant.client_id) {
            return Err(Reply::oauth_error("invalid_client", Some(texts::SETUP_MISMATCH)));
        }
        if request.resource != grant.resource.as_deref() {
            return Err(Reply::oauth_error("invalid_target", None));
        }
        let user = self.user_by_id(grant.user).cloned().ok_or_else(invalid_token)?;
        self.check_host(call, &user)?;
        self.statistics.refreshes += 1;
        let session = Some(grant.session).filter(|_| !self.options.refresh_opens_session);
        let session = session.filter(|session| self.sessions.is_open(call.now, *session));
        let issue = Issue { user: &user, client_id: &grant.client_id, resource: grant.resource.as_deref(), session };
        Ok(self.issue(call, &issue))
    }

    fn issue(&mut self, call: &Call<'_>, issue: &Issue<'_>) -> Reply {
        let user = issue.user;
        let access_token = self.mint.access_token();
        let market_data_token =
            (self.options.oauth_has_market_data_token && user.market_data).then(|| self.mint.market_data_token());
        let expires = cut(later(call.now, self.options.lifetime), true);
        let session = if let Some(session) = issue.session {
            self.sessions.extend(session, &access_token, expires);
            session
        } else {
            let (user, market_data_token) = (user.id, market_data_token.clone());
            let new_session =
                NewSession { user, side: call.side, origin: Origin::OAuth, device: None, market_data_token };
            self.open_session(call.now, new_session, &access_token, expires)
        };
        let refresh_token = self.mint.refresh_token();
        let mut body = json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self.options.lifetime.as_secs(),
            "refresh_token": refresh_token,
            "refresh_token_expires_in": self.options.refresh_lifetime.as_secs(),
            "id_token": self.mint.id_token(),
        });
        self.grants.rotate(RefreshGrant {
            token: refresh_token,
            user: user.id,
            client_id: issue.client_id.to_owned(),
            resource: issue.resource.map(str::to_owned),
            session,
            expires: later(call.now, self.options.refresh_lifetime),
        });
        if let Some(fields) = body.as_object_mut() {
            if let Some(hosts) = self.hosts_of(user).to_json() {
                fields.insert("apiHosts".to_owned(), hosts);
            }
            if self.options.oauth_has_user_id {
                fields.insert("userId".to_owned(), Value::from(user.id));
            }
            if let Some(token) = market_data_token {
                fields.insert("mdAccessToken".to_owned(), Value::from(token));
            }
        }
        Reply::json(StatusCode::OK, &body)
    }
}
