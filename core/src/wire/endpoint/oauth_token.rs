//! `POST /auth/oauthtoken`: exchanges an authorization code or a refresh token for an access token (pages
//! `AuthenticationApi`, `o_auth_token`, and *OAuth*).
//!
//! The refresh token changes with every answer. If the new one is lost, the user has to consent again. So store it
//! before you use it. Errors have status 200.

use alloc::string::String;
use alloc::vec::Vec;

use http::{Request, Response};
use serde::de::MapAccess;

use super::request_fields::{Fields, LONG};
use super::{Endpoint, FORM, JSON, Reply, post};
use crate::environment::Environment;
use crate::environment::api_hosts::ApiHosts;
use crate::oauth::OAuthApp;
use crate::wire::body::RequestBody;
use crate::wire::error::{BuildError, Contradiction, Error};
use crate::wire::json::{Object, Seen, object};
use crate::wire::penalty::PenaltyTicket;
use crate::wire::response::{self, Answer, Carried};
use crate::wire::secret::{
    AccessToken, Assertion, AuthorizationCode, ClientSecret, CodeVerifier, HttpAuth, IdToken, MarketDataToken,
    RefreshToken,
};

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

object! {
    /// The answer to an exchange (`OAuthTokenResponse`).
    ///
    /// It contains a token and no error, but it has not been checked against the clock or the session. A
    /// [`Grant`](crate::Grant) has been checked.
    #[derive(Debug, Clone)]
    #[non_exhaustive]
    //= R-OAUTH-4
    pub struct OAuthTokenResponse {
        /// The bearer token of REST calls (`access_token`).
        "access_token" => pub access_token: Option<AccessToken> = access_token,
        /// The next refresh token (`refresh_token`). If it is missing, the previous refresh token stays valid.
        "refresh_token" => pub refresh_token: Option<RefreshToken> = secret,
        /// The type of the token (`token_type`): bearer.
        "token_type" => pub token_type: Option<String> = text,
        /// The lifetime of the access token, in seconds from the request (`expires_in`).
        "expires_in" => pub expires_in: Option<u64> = lifetime,
        /// The lifetime of the refresh token, in seconds from the request (`refresh_token_expires_in`).
        "refresh_token_expires_in" => pub refresh_token_expires_in: Option<u64> = lifetime,
        /// The OpenID token (`id_token`).
        "id_token" => pub id_token: Option<IdToken> = secret,
        /// The token of market data sockets (`mdAccessToken`). Often missing.
        "mdAccessToken" => pub md_access_token: Option<MarketDataToken> = market_data_token,
        /// The user's id (`userId`). Often missing.
        "userId" => pub user_id: Option<i64> = identifier,
        /// The hosts of the user's organization (`apiHosts`). Empty if the answer names none.
        //= R-HOST-1
        "apiHosts" => pub api_hosts: ApiHosts = hosts,
    }
}

/// The answer as it is on the wire. A field may have a snake-case name, a camel-case name, or both. Both are read
/// separately and must be equal.
#[derive(Default)]
struct Wire {
    snake: OAuthTokenResponse,
    camel: OAuthTokenResponse,
    camel_seen: Seen,
}

const TWINS: [(&str, &str); 6] = [
    ("accessToken", "access_token"),
    ("refreshToken", "refresh_token"),
    ("tokenType", "token_type"),
    ("expiresIn", "expires_in"),
    ("refreshTokenExpiresIn", "refresh_token_expires_in"),
    ("idToken", "id_token"),
];

impl Object for Wire {
    fn fill<'de, M: MapAccess<'de>>(&mut self, key: &str, seen: &mut Seen, map: &mut M) -> Result<bool, M::Error> {
        if self.snake.fill(key, seen, map)? {
            return Ok(true);
        }
        let Some((camel, snake)) = TWINS.iter().find(|(camel, _)| *camel == key) else { return Ok(false) };
        self.camel.fill(snake, &mut self.camel_seen, map).inspect_err(|_| seen.failed = Some(camel))
    }
}

impl Answer for Wire {
    fn tokens(&self) -> Vec<&str> {
        let all = [&self.snake, &self.camel].into_iter().flat_map(|answer| {
            [
                answer.access_token.as_ref().map(AccessToken::expose),
                answer.refresh_token.as_ref().map(RefreshToken::expose),
                answer.id_token.as_ref().map(IdToken::expose),
                answer.md_access_token.as_ref().map(MarketDataToken::expose),
            ]
        });
        all.flatten().collect()
    }

    fn complete(&mut self) -> Result<(), Error> {
        let Self { snake, camel, .. } = self;
        join("access_token", &mut snake.access_token, &mut camel.access_token, AccessToken::expose)?;
        join("refresh_token", &mut snake.refresh_token, &mut camel.refresh_token, RefreshToken::expose)?;
        join("token_type", &mut snake.token_type, &mut camel.token_type, String::as_str)?;
        join("expires_in", &mut snake.expires_in, &mut camel.expires_in, |seconds| seconds)?;
        let (ends, camel_ends) = (&mut snake.refresh_token_expires_in, &mut camel.refresh_token_expires_in);
        join("refresh_token_expires_in", ends, camel_ends, |seconds| seconds)?;
        join("id_token", &mut snake.id_token, &mut camel.id_token, IdToken::expose)?;
        //= R-OAUTH-14
        if snake.token_type.as_ref().is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(Error::Contradiction(Contradiction::NotBearer));
        }
        if snake.access_token.is_some() { Ok(()) } else { Err(Error::missing("access_token")) }
    }
}

/// Joins the two spellings of a field. If both are present, they must be equal.
//= R-OAUTH-11
fn join<T, V: PartialEq + ?Sized>(
    field: &'static str,
    snake: &mut Option<T>,
    camel: &mut Option<T>,
    value: fn(&T) -> &V,
) -> Result<(), Error> {
    match (&snake, camel.take()) {
        (Some(one), Some(other)) if value(one) != value(&other) => {
            Err(Error::Contradiction(Contradiction::Twins(field)))
        }
        (Some(_), _) => Ok(()),
        (None, other) => {
            *snake = other;
            Ok(())
        }
    }
}
