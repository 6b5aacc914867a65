//! `GET /auth/me`: who the token belongs to (page `AuthenticationApi`, `me`).
//!
//! Served on Live only, for tokens of either side; Demo refuses it and says so.

use alloc::string::String;
use alloc::vec::Vec;

use http::{Request, Response};

use super::{Endpoint, Reply, get};
use crate::place::environment::{Environment, Purpose};
use crate::wire::answer::{self, Answer, Carried};
use crate::wire::body::RequestBody;
use crate::wire::error::{BuildError, Contradiction, Error};
use crate::wire::json::object;
use crate::wire::secret::AccessToken;

/// The question who a token belongs to.
#[derive(Debug, Clone)]
pub struct Me {
    token: AccessToken,
}

impl Me {
    /// Asks with this token.
    #[must_use]
    pub fn new(token: AccessToken) -> Self {
        Self { token }
    }
}

impl Endpoint for Me {
    type Response = MeResponse;

    const NAME: &'static str = "me";

    fn request(&self, environment: &Environment) -> Result<Request<RequestBody>, BuildError> {
        Ok(get(environment.url(Purpose::Identity, "/auth/me")?, &self.token))
    }

    fn parse<B: AsRef<[u8]>>(response: Response<B>) -> Result<Reply<MeResponse>, Error> {
        answer::parse(&response, Carried::Bearer)
    }
}

/// Who a user is (`OAuthMeResponse`). All of it is optional; on a very fresh OAuth token even the id can be missing for
/// some minutes.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct MeResponse {
    /// The user (`userId`). Use this to identify a login; `userId` of an account is the firm that owns it.
    pub user_id: Option<i64>,
    /// The user's login name (`name`).
    pub name: Option<String>,
    /// The user's full name (`fullName`).
    pub full_name: Option<String>,
    /// The user's e-mail address (`email`).
    pub email: Option<String>,
    /// Whether the address is verified (`emailVerified`).
    pub email_verified: Option<bool>,
    /// Whether the account is a trial (`isTrial`).
    pub is_trial: Option<bool>,
    /// The user's organization (`organizationName`).
    pub organization_name: Option<String>,
    /// The plan (`currentAccountPlan`).
    pub current_account_plan: Option<String>,
    /// The market data subscriptions (`currentMDSubs`).
    pub current_md_subs: Vec<String>,
    /// The balance (`currentBalance`).
    pub current_balance: Option<f64>,
    /// The active plug-ins (`activePlugins`).
    pub active_plugins: Vec<String>,
}

object!(MeResponse {
    "userId" => user_id: identifier,
    "name" => name: info,
    "fullName" => full_name: info,
    "email" => email: info,
    "emailVerified" => email_verified: flag,
    "isTrial" => is_trial: flag,
    "organizationName" => organization_name: info,
    "currentAccountPlan" => current_account_plan: info,
    "currentMDSubs" => current_md_subs: texts,
    "currentBalance" => current_balance: number,
    "activePlugins" => active_plugins: texts,
});

impl Answer for MeResponse {
    fn missing(&self) -> Option<&'static str> {
        None
    }

    fn tokens(&self) -> Vec<&str> {
        Vec::new()
    }

    fn contradiction(&self) -> Option<Contradiction> {
        None
    }
}

#[cfg(test)]
#[path = "me/tests.rs"]
mod tests;
