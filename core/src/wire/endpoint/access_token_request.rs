//! `POST /auth/accesstokenrequest`: logs a user in with name and password (page `AuthenticationApi`,
//! `AccessTokenRequest`).
//!
//! Each login opens a new server session. If two are open, the server closes the older one. So log in once, renew, and
//! share the token.

use http::{Request, Response};

use super::request_fields::{Fields, LONG, SHORT};
use super::{AccessTokenResponse, Endpoint, JSON, Reply, paths, post};
use crate::credentials::{ClientId, Credentials};
use crate::environment::{Environment, Purpose};
use crate::wire::error::{BuildError, Error};
use crate::wire::penalty::PenaltyTicket;
use crate::wire::refusal_texts::Carried;
use crate::wire::response;
use crate::wire::wiped_body::RequestBody;

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
        let url = environment.url(Purpose::Login, paths::ACCESS_TOKEN_REQUEST)?;
        //= R-LOGIN-1
        Ok(post(url, JSON, fields.json()?))
    }

    fn parse<B: AsRef<[u8]>>(response: Response<B>) -> Result<Reply<AccessTokenResponse>, Error> {
        response::parse(&response, Carried::Credentials)
    }
}
