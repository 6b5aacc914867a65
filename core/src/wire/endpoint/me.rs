//! `GET /auth/me`: which user a token belongs to (page `AuthenticationApi`, `me`).
//!
//! Served on Live only, for tokens of Live and Demo. Demo refuses the call.

use alloc::string::String;
use alloc::vec::Vec;

use http::{Request, Response};

use super::{Endpoint, Reply, get, paths};
use crate::environment::{Environment, Purpose};
use crate::wire::bearer_token::AccessToken;
use crate::wire::error::{BuildError, Error};
use crate::wire::json::object;
use crate::wire::refusal_texts::Carried;
use crate::wire::response::{self, Answer};
use crate::wire::wiped_body::RequestBody;

/// The question which user a token belongs to.
#[derive(Debug, Clone)]
pub struct Me {
    token: AccessToken,
}

impl Me {
    /// Asks about the user of this token.
    #[must_use]
    pub fn new(token: AccessToken) -> Self {
        Self { token }
    }
}

impl Endpoint for Me {
    type Response = MeResponse;

    const NAME: &'static str = "me";

    fn request(&self, environment: &Environment) -> Result<Request<RequestBody>, BuildError> {
        //= R-ENV-6
        //= R-ME-1
        Ok(get(environment.url(Purpose::Identity, paths::ME)?, &self.token))
    }

    fn parse<B: AsRef<[u8]>>(response: Response<B>) -> Result<Reply<MeResponse>, Error> {
        response::parse(&response, Carried::Bearer)
    }
}

object! {
    /// The user of a token (`OAuthMeResponse`). All fields are optional. For a very new OAuth token, even the id can be
    /// missing for some minutes.
    #[derive(Debug, Clone, PartialEq)]
    #[non_exhaustive]
    //= R-ME-2
    pub struct MeResponse {
        /// The user's id (`userId`). Use this to identify a login. In other objects, `userId` of an account is the id
        /// of the firm that owns the account.
        //= R-ME-3
        "userId" => pub user_id: Option<i64> = identifier,
        /// The user's login name (`name`).
        "name" => pub name: Option<String> = info,
        /// The user's full name (`fullName`).
        "fullName" => pub full_name: Option<String> = info,
        /// The user's e-mail address (`email`).
        "email" => pub email: Option<String> = info,
        /// Whether the e-mail address is verified (`emailVerified`).
        "emailVerified" => pub email_verified: Option<bool> = flag,
        /// Whether the account is a trial (`isTrial`).
        "isTrial" => pub is_trial: Option<bool> = flag,
        /// The user's organization (`organizationName`).
        "organizationName" => pub organization_name: Option<String> = info,
        /// The plan (`currentAccountPlan`).
        "currentAccountPlan" => pub current_account_plan: Option<String> = info,
        /// The market data subscriptions (`currentMDSubs`).
        "currentMDSubs" => pub current_md_subs: Vec<String> = texts,
        /// The balance (`currentBalance`).
        "currentBalance" => pub current_balance: Option<f64> = number,
        /// The active plug-ins (`activePlugins`).
        "activePlugins" => pub active_plugins: Vec<String> = texts,
    }
}

impl Answer for MeResponse {}
