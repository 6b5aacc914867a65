//! `GET /auth/renewaccesstoken`: extends the server session of a token without opening a new one (page
//! `AuthenticationApi`, `renew_access_token`).
//!
//! Renew about 15 minutes before expiry. An expired token can't be renewed. The answer may contain a new token or the
//! same one.

use http::{Request, Response};

use super::{AccessTokenResponse, Endpoint, Reply, get, paths};
use crate::environment::{Environment, Purpose};
use crate::wire::bearer_token::AccessToken;
use crate::wire::error::{BuildError, Error};
use crate::wire::refusal_texts::Carried;
use crate::wire::response;
use crate::wire::wiped_body::RequestBody;

/// A renewal. It goes to the login host.
///
/// ```
/// use tradovate_auth_core::{AccessToken, Endpoint, Environment, RenewAccessToken};
///
/// let renewal = RenewAccessToken::new(AccessToken::parse("synthetic-token")?);
/// let request = renewal.request(&Environment::live())?;
/// assert_eq!(request.uri(), "https://live.tradovateapi.com/v1/auth/renewaccesstoken");
/// assert_eq!(request.headers()["authorization"], "Bearer synthetic-token");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct RenewAccessToken {
    token: AccessToken,
}

impl RenewAccessToken {
    /// Creates a renewal of this token. After a penalty, send the same request again.
    #[must_use]
    pub fn new(token: AccessToken) -> Self {
        Self { token }
    }
}

impl Endpoint for RenewAccessToken {
    //= R-RENEW-3
    type Response = AccessTokenResponse;

    const NAME: &'static str = "renewaccesstoken";

    fn request(&self, environment: &Environment) -> Result<Request<RequestBody>, BuildError> {
        //= R-ENV-9
        //= R-RENEW-1
        Ok(get(environment.url(Purpose::Login, paths::RENEW_ACCESS_TOKEN)?, &self.token))
    }

    fn parse<B: AsRef<[u8]>>(response: Response<B>) -> Result<Reply<AccessTokenResponse>, Error> {
        response::parse(&response, Carried::Bearer)
    }
}

/// The result of a renewal whose `Date` was already read by [`Exchange::new`](crate::Exchange::new).
///
/// # Errors
/// The same as [`Endpoint::parse`] of [`RenewAccessToken`].
pub fn read_renewal(response: &Response<impl AsRef<[u8]>>) -> Result<AccessTokenResponse, Error> {
    let mut renewal = AccessTokenResponse::default();
    response::read(response, Carried::Bearer, &mut renewal).map(|()| renewal)
}
