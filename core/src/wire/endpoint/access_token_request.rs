//! `POST /auth/accesstokenrequest`: logs a user in with name and password (page `AuthenticationApi`,
//! `AccessTokenRequest`).
//!
//! Each login opens a new session. If two sessions are open, the server closes the older one. So log in once, renew,
//! and share the token.

use alloc::string::String;
use alloc::vec::Vec;

use http::{Request, Response};
use jiff::Timestamp;

use super::request_fields::{Fields, LONG, SHORT};
use super::{Endpoint, JSON, Reply, post};
use crate::credentials::{ClientId, Credentials};
use crate::environment::api_hosts::ApiHosts;
use crate::environment::{Environment, Purpose};
use crate::wire::body::RequestBody;
use crate::wire::error::{BuildError, Error};
use crate::wire::json::object;
use crate::wire::json::value::Named;
use crate::wire::penalty::PenaltyTicket;
use crate::wire::response::{self, Answer, Carried};
use crate::wire::secret::{AccessToken, MarketDataToken};

/// A login with user name and password.
///
/// ```
/// use tradovate_auth_core::{AccessTokenRequest, Credentials, Endpoint, Environment, Error};
///
/// let credentials = Credentials::new("trader", "password");
/// let login = AccessTokenRequest::new(&credentials);
/// let request = login.request(&Environment::demo())?;
/// assert_eq!(request.uri(), "https://demo.tradovateapi.com/v1/auth/accesstokenrequest");
///
/// // A refusal comes with status 200.
/// let response = http::Response::new(r#"{"errorText":"Incorrect username or password."}"#);
/// assert!(matches!(AccessTokenRequest::parse(response), Err(Error::Refused(_))));
/// # Ok::<(), tradovate_auth_core::BuildError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct AccessTokenRequest<'c> {
    credentials: &'c Credentials,
    ticket: Option<PenaltyTicket>,
}

impl<'c> AccessTokenRequest<'c> {
    /// Whether a body of any status is JSON of a login or a renewal: an object with a field that their answers have.
    /// The page of a proxy is not, so its `Date` is not the server's time.
    #[must_use]
    pub fn is_answer(body: &[u8]) -> bool {
        response::is_answer::<AccessTokenResponse>(body)
    }

    /// Creates a login with these credentials.
    pub fn new(credentials: &'c Credentials) -> Self {
        Self { credentials, ticket: None }
    }

    /// Adds the ticket of a penalty (`p-ticket`). Send the request after the wait of the penalty. If the server asked
    /// for a captcha, the ticket can contain a person's answer (`p-captcha`).
    pub fn with_ticket(mut self, ticket: impl Into<Option<PenaltyTicket>>) -> Self {
        self.ticket = ticket.into();
        self
    }
}

/// The result of a login whose `Date` was already read by [`Exchange::new`](crate::Exchange::new).
///
/// # Errors
/// The same as [`Endpoint::parse`] of [`AccessTokenRequest`].
pub fn read_login(response: &Response<impl AsRef<[u8]>>) -> Result<AccessTokenResponse, Error> {
    let mut login = AccessTokenResponse::default();
    response::read(response, Carried::Credentials, &mut login).map(|()| login)
}

const RESERVED: [&str; 10] =
    ["name", "password", "appId", "appVersion", "deviceId", "cid", "sec", "hibpCheck", "p-ticket", "p-captcha"];

impl Endpoint for AccessTokenRequest<'_> {
    type Response = AccessTokenResponse;

    const NAME: &'static str = "accesstokenrequest";

    fn request(&self, environment: &Environment) -> Result<Request<RequestBody>, BuildError> {
        let credentials = self.credentials;
        let mut fields = Fields::with_capacity(RESERVED.len().saturating_add(credentials.extra.len()));
        //= R-LOGIN-2
        fields.required("name", &credentials.name, SHORT)?;
        fields.required("password", credentials.password.expose(), SHORT)?;
        //= R-LOGIN-3
        fields.text("appId", credentials.app_id.as_deref(), SHORT)?;
        fields.text("appVersion", credentials.app_version.as_deref(), SHORT)?;
        if let Some(device) = &credentials.device_id {
            fields.required("deviceId", device.as_str(), SHORT)?;
        }
        //= R-LOGIN-4
        match &credentials.client_id {
            Some(ClientId::Number(number)) => fields.number("cid", *number),
            Some(ClientId::Text(text)) => fields.required("cid", text, SHORT)?,
            None => {}
        }
        if let Some(secret) = &credentials.secret {
            fields.required("sec", secret.expose(), LONG)?;
        }
        //= R-LOGIN-7
        if let Some(check) = credentials.hibp_check {
            fields.flag("hibpCheck", check);
        }
        //= R-LOGIN-8
        for (name, value) in &credentials.extra {
            fields.extra(name, value, &RESERVED)?;
        }
        fields.ticket(self.ticket.as_ref())?;
        let url = environment.url(Purpose::Login, "/auth/accesstokenrequest")?;
        //= R-LOGIN-1
        Ok(post(url, JSON, fields.json()?))
    }

    fn parse<B: AsRef<[u8]>>(response: Response<B>) -> Result<Reply<AccessTokenResponse>, Error> {
        response::parse(&response, Carried::Credentials)
    }
}

object! {
    /// The answer to a login and to a renewal (`AccessTokenResponse`).
    ///
    /// It contains a token and no error, but it has not been checked against the clock or the session. A
    /// [`Grant`](crate::Grant) has been checked. A field is `None` if the server did not send it. Older and newer
    /// deployments send different fields.
    #[derive(Debug, Clone)]
    #[non_exhaustive]
    //= R-LOGIN-18
    pub struct AccessTokenResponse {
        /// The bearer token of REST calls (`accessToken`).
        "accessToken" => pub access_token: Option<AccessToken> = access_token,
        /// The token of market data sockets (`mdAccessToken`). A renewal may leave it out.
        //= R-SOCKET-7
        "mdAccessToken" => pub md_access_token: Option<MarketDataToken> = market_data_token,
        /// When the access token expires, by the server's clock (`expirationTime`).
        "expirationTime" => pub expiration_time: Option<Timestamp> = time,
        /// When the password expires (`passwordExpirationTime`). It does not affect tokens.
        "passwordExpirationTime" => pub password_expiration_time: Option<Timestamp> = time_info,
        /// The state of the user's account (`userStatus`).
        "userStatus" => pub user_status: Option<UserStatus> = named,
        /// The user (`userId`).
        "userId" => pub user_id: Option<i64> = identifier,
        /// The user's name (`name`).
        "name" => pub name: Option<String> = info,
        /// Whether the user has a Live account (`hasLive`).
        "hasLive" => pub has_live: Option<bool> = flag,
        /// `hasSimPlus`.
        "hasSimPlus" => pub has_sim_plus: Option<bool> = flag,
        /// `showKIDs`.
        "showKIDs" => pub show_kids: Option<bool> = flag,
        /// The result of the check for breached passwords (`hibpHint`), if
        /// [`with_hibp_check`](crate::Credentials::with_hibp_check) requested it.
        "hibpHint" => pub hibp_hint: Option<HibpHint> = named,
        /// The hosts of the user's organization (`apiHosts`). Empty if the answer names none.
        //= R-HOST-1
        "apiHosts" => pub api_hosts: ApiHosts = hosts,
        /// The user's organization (`orgName`).
        "orgName" => pub org_name: Option<String> = info,
        /// `hasFunded`. Only older deployments send it.
        "hasFunded" => pub has_funded: Option<bool> = flag,
        /// `hasMarketData`. Only older deployments send it.
        "hasMarketData" => pub has_market_data: Option<bool> = flag,
        /// Whether the user has to accept the terms and conditions again (`outdatedTaC`). Only older deployments send
        /// it.
        "outdatedTaC" => pub outdated_tac: Option<bool> = flag,
        /// `outdatedLiquidationPolicy`. Only older deployments send it.
        "outdatedLiquidationPolicy" => pub outdated_liquidation_policy: Option<bool> = flag,
        /// Whether the user has to certify a non-professional use of market data (`requiredNonProCertification`). Seen
        /// in an answer to a browser.
        //= R-LOGIN-22
        "requiredNonProCertification" => pub required_non_pro_certification: Option<bool> = flag,
        /// Whether the user has to accept the sentiment policy again (`outdatedSentimentPolicy`). Seen in an answer to
        /// a browser.
        //= R-LOGIN-22
        "outdatedSentimentPolicy" => pub outdated_sentiment_policy: Option<bool> = flag,
    }
}

impl Answer for AccessTokenResponse {
    fn tokens(&self) -> Vec<&str> {
        let access = self.access_token.as_ref().map(AccessToken::expose);
        let market_data = self.md_access_token.as_ref().map(MarketDataToken::expose);
        access.into_iter().chain(market_data).collect()
    }

    fn complete(&mut self) -> Result<(), Error> {
        //= R-LOGIN-16
        if self.access_token.is_some() { Ok(()) } else { Err(Error::missing("accessToken")) }
    }
}

/// The state of a user's account (`userStatus`). Tell the user about any state except active.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UserStatus {
    /// The account can be used.
    Active,
    /// The account is closed.
    Closed,
    /// The account was opened but can't be used yet.
    Initiated,
    /// The account is locked temporarily.
    TemporaryLocked,
    /// The user has to confirm the e-mail address.
    UnconfirmedEmail,
    /// A state that is not documented.
    Other(String),
}

//= R-LOGIN-19
impl Named for UserStatus {
    fn known(name: &str) -> Option<Self> {
        match name {
            "Active" => Some(Self::Active),
            "Closed" => Some(Self::Closed),
            "Initiated" => Some(Self::Initiated),
            "TemporaryLocked" => Some(Self::TemporaryLocked),
            "UnconfirmedEmail" => Some(Self::UnconfirmedEmail),
            _ => None,
        }
    }
}

impl From<String> for UserStatus {
    fn from(text: String) -> Self {
        Self::known(&text).unwrap_or(Self::Other(text))
    }
}

/// The result of the check for breached passwords (`hibpHint`). The user should change the password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HibpHint {
    /// The e-mail address and the password appear together in a known data breach.
    EmailAndPasswordCompromised,
    /// The password appears in a known data breach.
    PasswordCompromised,
    /// A result that is not documented.
    Other(String),
}

//= R-LOGIN-20
impl Named for HibpHint {
    fn known(name: &str) -> Option<Self> {
        match name {
            "EmailAndPasswordCompromised" => Some(Self::EmailAndPasswordCompromised),
            "PasswordCompromised" => Some(Self::PasswordCompromised),
            _ => None,
        }
    }
}

impl From<String> for HibpHint {
    fn from(text: String) -> Self {
        Self::known(&text).unwrap_or(Self::Other(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_states_and_password_hints_are_read_by_name() {
        use UserStatus::{Active, Closed, Initiated, TemporaryLocked, UnconfirmedEmail};
        for status in [Active, Closed, Initiated, TemporaryLocked, UnconfirmedEmail] {
            assert_eq!(UserStatus::from(alloc::format!("{status:?}")), status);
        }
        assert_eq!(UserStatus::from(String::from("Frozen")), UserStatus::Other("Frozen".into()));
        for hint in [HibpHint::EmailAndPasswordCompromised, HibpHint::PasswordCompromised] {
            assert_eq!(HibpHint::from(alloc::format!("{hint:?}")), hint);
        }
        assert_eq!(HibpHint::from(String::from("New")), HibpHint::Other("New".into()));
    }
}
