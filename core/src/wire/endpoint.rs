//! [`Endpoint`]: the four operations. Each is a type that builds its request and parses the response.
//!
//! A request goes to the URL that its [`Environment`] has for the operation. The token is part of the endpoint, so a
//! call without its token does not compile. Nothing here sends anything.

use http::{HeaderName, HeaderValue, Method, Request, Response, header};
use jiff::Timestamp;

use crate::environment::Environment;
use crate::environment::url::SecureUrl;
use crate::wire::bearer_token::AccessToken;
use crate::wire::error::{BuildError, Error};
use crate::wire::wiped_body::RequestBody;

mod access_token_request;
mod access_token_response;
mod me;
mod oauth_token;
mod oauth_token_response;
pub(crate) mod paths;
mod renew_access_token;
mod request_fields;

pub use access_token_request::{AccessTokenRequest, read_login};
pub use access_token_response::{AccessTokenResponse, HibpHint, UserStatus};
pub use me::{Me, MeResponse};
pub(crate) use oauth_token::Asked;
pub use oauth_token::{AuthorizedCode, BodyFormat, OAuthGrant, OAuthToken, read_oauth};
pub use oauth_token_response::OAuthTokenResponse;
pub use renew_access_token::{RenewAccessToken, read_renewal};
pub(crate) use request_fields::check_text;

/// An operation of the server: one request, one response.
///
/// Any HTTP client can send it. The client must not follow redirects, and it must return responses of every status.
///
/// ```
/// use tradovate_auth_core::{AccessToken, Endpoint, Environment, Me};
///
/// let me = Me::new(AccessToken::parse("synthetic-token")?);
/// let request = me.request(&Environment::demo())?;
/// assert_eq!(request.uri(), "https://live.tradovateapi.com/v1/auth/me"); // served on Live only
///
/// let response = http::Response::new(r#"{"userId":15460,"name":"synthetic-user"}"#);
/// assert_eq!(Me::parse(response)?.value.user_id, Some(15460));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Endpoint {
    /// The result.
    type Response;

    /// The name of the operation in the vendor's documents, for logs and messages.
    const NAME: &'static str;

    /// Builds the request for the URL that `environment` has for this operation.
    ///
    /// # Errors
    /// [`BuildError`] names the field that can't be sent.
    fn request(&self, environment: &Environment) -> Result<Request<RequestBody>, BuildError>;

    /// Parses a response of any status.
    ///
    /// # Errors
    /// [`Error`] says what the response is instead of a result.
    fn parse<B: AsRef<[u8]>>(response: Response<B>) -> Result<Reply<Self::Response>, Error>;
}

/// A result, with the server's time when it was sent.
#[derive(Debug, Clone)]
pub struct Reply<T> {
    /// The result.
    pub value: T,
    /// The `Date` of the response.
    pub server_time: Option<Timestamp>,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

fn get(url: SecureUrl, token: &AccessToken) -> Request<RequestBody> {
    request(url, RequestBody::default(), header::AUTHORIZATION, token.header())
}

fn post(url: SecureUrl, content_type: HeaderValue, body: RequestBody) -> Request<RequestBody> {
    let mut request = request(url, body, header::CONTENT_TYPE, content_type);
    *request.method_mut() = Method::POST;
    request
}

fn request(url: SecureUrl, body: RequestBody, name: HeaderName, value: HeaderValue) -> Request<RequestBody> {
    let mut request = Request::new(body);
    *request.uri_mut() = url.into();
    request.headers_mut().insert(header::ACCEPT, JSON);
    request.headers_mut().insert(name, value);
    request
}
