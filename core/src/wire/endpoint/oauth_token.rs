//! `POST /auth/oauthtoken`: exchanges an authorization code or a refresh token for an access token (pages
//! `AuthenticationApi`, `o_auth_token`, and *OAuth*).
//!
//! The refresh token changes with every answer. If the new one is lost, the user has to consent again. So store it
//! before you use it. Errors have status 200.

use alloc::string::String;

use http::{Request, Response};

use super::oauth_token_response::Wire;
use super::request_fields::{Fields, LONG};
use super::{Endpoint, FORM, JSON, OAuthTokenResponse, Reply, post};
use crate::environment::Environment;
use crate::oauth::OAuthApp;
use crate::wire::error::{BuildError, Error};
use crate::wire::penalty::PenaltyTicket;
use crate::wire::refusal_texts::Carried;
use crate::wire::response;
use crate::wire::secret::{Assertion, AuthorizationCode, ClientSecret, CodeVerifier, HttpAuth, RefreshToken};
use crate::wire::wiped_body::RequestBody;

/// An exchange of a code or a refresh token for tokens. It goes to the environment's
/// [`token_url`](crate::Environment::token_url).
///
/// ```
/// use tradovate_auth_core::{BodyFormat, Endpoint, Environment, OAuthToken, RefreshToken};
///
/// let exchange = OAuthToken::new("client-id", RefreshToken::new("refresh-token")).with_body_format(BodyFormat::Form);
/// let request = exchange.request(&Environment::live())?;
/// assert_eq!(request.uri(), "https://live.tradovateapi.com/v1/auth/oauthtoken");
/// assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
/// # Ok::<(), tradovate_auth_core::BuildError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct OAuthToken {
    app: OAuthApp,
    grant: OAuthGrant,
    http_auth: Option<HttpAuth>,
    assertion: Option<Assertion>,
    ticket: Option<PenaltyTicket>,
}

/// What is exchanged (`grant_type`).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum OAuthGrant {
    /// The code from a redirect (`authorization_code`).
    AuthorizationCode(AuthorizedCode),
    /// The refresh token from the last answer (`refresh_token`).
    RefreshToken(RefreshToken),
}

impl From<AuthorizedCode> for OAuthGrant {
    fn from(code: AuthorizedCode) -> Self {
        Self::AuthorizationCode(code)
    }
}

impl From<RefreshToken> for OAuthGrant {
    fn from(token: RefreshToken) -> Self {
        Self::RefreshToken(token)
    }
}

/// A code and the request that it belongs to. Only [`PendingAuthorization`](crate::PendingAuthorization) creates one
/// from a redirect. So a code can be exchanged only by the app and in the environment that requested it: see
/// [`BuildError::ForeignCode`].
#[derive(Debug, Clone)]
pub struct AuthorizedCode {
    /// The code. It can be used once (`code`).
    pub(crate) code: AuthorizationCode,
    /// The PKCE verifier (`code_verifier`), if the authorization was requested with a challenge.
    pub(crate) code_verifier: Option<CodeVerifier>,
    /// The parameters of the authorization request.
    pub(crate) asked: Asked,
}

/// The parameters of an authorization request. The exchange of its code has to repeat them exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    /// The authorize URL of the environment, without the query. A code of one server must not go to another server.
    pub(crate) authorize_url: String,
}

/// The format of the body of an exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyFormat {
    /// JSON, as the specification and the guides say.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`, as the vendor's tutorial does and RFC 6749 requires.
    Form,
}

impl OAuthToken {
    /// Creates an exchange by the app with this `client_id`.
    pub fn new(client_id: impl Into<String>, grant: impl Into<OAuthGrant>) -> Self {
        Self::of_app(OAuthApp::new(client_id), grant.into())
    }

    /// Whether a body of any status is JSON of this endpoint: an object with a field that its answers have. The page of
    /// a proxy is not, so its `Date` is not the server's time.
    #[must_use]
    pub fn is_answer(body: &[u8]) -> bool {
        response::is_answer::<Wire>(body)
    }

    pub(crate) fn of_app(app: OAuthApp, grant: OAuthGrant) -> Self {
        Self { app, grant, http_auth: None, assertion: None, ticket: None }
    }

    /// Adds the app's secret (`client_secret`). Public clients (desktop programs with PKCE) have none.
    pub fn with_client_secret(mut self, secret: ClientSecret) -> Self {
        self.app = self.app.with_client_secret(secret);
        self
    }

    /// Adds the `resource`. If it was sent with the code, it must be sent with each refresh too.
    pub fn with_resource(mut self, resource: impl Into<String>) -> Self {
        self.app = self.app.with_resource(resource);
        self
    }

    /// Adds the `httpAuth` field of the specification. Its meaning is not documented.
    pub fn with_http_auth(mut self, http_auth: HttpAuth) -> Self {
        self.http_auth = Some(http_auth);
        self
    }

    /// Adds an `assertion`.
    pub fn with_assertion(mut self, assertion: Assertion) -> Self {
        self.assertion = Some(assertion);
        self
    }

    /// Sets the format of the body. The default is JSON.
    pub fn with_body_format(mut self, format: BodyFormat) -> Self {
        self.app = self.app.with_body_format(format);
        self
    }

    /// Adds the ticket of a penalty (`p-ticket`). Send the request after the wait of the penalty. If the server asked
    /// for a captcha, the ticket can contain a person's answer (`p-captcha`).
    pub fn with_ticket(mut self, ticket: impl Into<Option<PenaltyTicket>>) -> Self {
        self.ticket = ticket.into();
        self
    }

    //= R-OAUTH-3
    fn fields(&self) -> Result<Fields<'_>, BuildError> {
        let (app, mut fields) = (&self.app.0, Fields::with_capacity(10));
        match &self.grant {
            OAuthGrant::AuthorizationCode(AuthorizedCode { code, code_verifier, asked }) => {
                fields.literal("grant_type", "authorization_code");
                fields.required("code", code.expose(), LONG)?;
                fields.required("redirect_uri", &asked.redirect_uri, LONG)?;
                if let Some(verifier) = code_verifier {
                    fields.required("code_verifier", verifier.expose(), LONG)?;
                }
            }
            OAuthGrant::RefreshToken(token) => {
                fields.literal("grant_type", "refresh_token");
                fields.required("refresh_token", token.expose(), LONG)?;
            }
        }
        fields.required("client_id", &app.client_id, LONG)?;
        //= R-OAUTH-13
        if let Some(secret) = &app.client_secret {
            fields.required("client_secret", secret.expose(), LONG)?;
        }
        fields.text("httpAuth", self.http_auth.as_ref().map(HttpAuth::expose), LONG)?;
        //= R-OAUTH-12
        fields.text("resource", app.resource.as_deref(), LONG)?;
        fields.text("assertion", self.assertion.as_ref().map(Assertion::expose), LONG)?;
        fields.ticket(self.ticket.as_ref())?;
        Ok(fields)
    }
}

impl Endpoint for OAuthToken {
    type Response = OAuthTokenResponse;

    const NAME: &'static str = "oauthtoken";

    fn request(&self, environment: &Environment) -> Result<Request<RequestBody>, BuildError> {
        if let OAuthGrant::AuthorizationCode(code) = &self.grant {
            let asked_at = code.asked.authorize_url.as_str();
            let is_here = environment.authorize_url().map_or(asked_at.is_empty(), |url| url.as_uri() == asked_at);
            if code.asked.client_id != self.app.client_id() || !is_here {
                return Err(BuildError::ForeignCode);
            }
        }
        let fields = self.fields()?;
        //= R-OAUTH-2
        let url = environment.token_url()?;
        //= R-OAUTH-1
        Ok(match self.app.0.format {
            BodyFormat::Json => post(url, JSON, fields.json()?),
            BodyFormat::Form => post(url, FORM, fields.form()),
        })
    }

    fn parse<B: AsRef<[u8]>>(response: Response<B>) -> Result<Reply<OAuthTokenResponse>, Error> {
        let Reply { value, server_time } = response::parse::<Wire>(&response, Carried::Credentials)?;
        Ok(Reply { value: value.snake, server_time })
    }
}

/// The result of an exchange whose `Date` was already read by [`Exchange::new`](crate::Exchange::new).
///
/// # Errors
/// The same as [`Endpoint::parse`] of [`OAuthToken`].
pub fn read_oauth(response: &Response<impl AsRef<[u8]>>) -> Result<OAuthTokenResponse, Error> {
    let mut wire = Wire::default();
    response::read(response, Carried::Credentials, &mut wire).map(|()| wire.snake)
}
