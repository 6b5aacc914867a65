//! [`OAuthTokenResponse`]: the answer to an exchange of a code or a refresh token (pages `AuthenticationApi`,
//! `OAuthTokenResponse`, and *OAuth*).
//!
//! The server writes the names of most fields in snake case or in camel case.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::de::MapAccess;

use crate::environment::api_hosts::ApiHosts;
use crate::wire::bearer_token::{AccessToken, MarketDataToken};
use crate::wire::error::{Contradiction, Error};
use crate::wire::json::{Object, Seen, object};
use crate::wire::response::Answer;
use crate::wire::secret::{IdToken, RefreshToken};

object! {
    /// The answer to an exchange (`OAuthTokenResponse`).
    ///
    /// It contains a token and no error, but it has not been checked against the clock or the previous grant. A
    /// [`Grant`](crate::Grant) has been checked.
    #[derive(Debug, Clone)]
    #[non_exhaustive]
    //= R-OAUTH-4
    //= R-OAUTH-10
    pub struct OAuthTokenResponse {
        /// The bearer token of REST calls (`access_token`).
        "access_token" => pub access_token: Option<AccessToken> = access_token,
        /// The next refresh token (`refresh_token`). If it is missing, the previous refresh token stays valid.
        "refresh_token" => pub refresh_token: Option<RefreshToken> = nonempty,
        /// The type of the token (`token_type`): bearer.
        "token_type" => pub token_type: Option<String> = nonempty,
        /// The lifetime of the access token, in seconds from the request (`expires_in`).
        //= R-OAUTH-5
        "expires_in" => pub expires_in: Option<u64> = lifetime,
        /// The lifetime of the refresh token, in seconds from the request (`refresh_token_expires_in`).
        "refresh_token_expires_in" => pub refresh_token_expires_in: Option<u64> = lifetime,
        /// The OpenID token (`id_token`).
        "id_token" => pub id_token: Option<IdToken> = nonempty,
        /// The token of market data sockets (`mdAccessToken`). Often missing.
        "mdAccessToken" => pub md_access_token: Option<MarketDataToken> = market_data_token,
        /// The user's id (`userId`). Often missing.
        "userId" => pub user_id: Option<i64> = identifier,
        /// The hosts of the user's organization (`apiHosts`). Empty if the answer names none.
        //= R-HOST-1
        //= R-HOST-8
        "apiHosts" => pub api_hosts: ApiHosts = hosts,
    }
}

/// The answer as it is on the wire. A field may have a snake-case name, a camel-case name, or both. Both are read
/// separately and must be equal.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) snake: OAuthTokenResponse,
    /// The fields with a camel-case name, if the answer has one.
    camel: Option<Box<Camel>>,
}

#[derive(Default)]
struct Camel {
    fields: OAuthTokenResponse,
    seen: Seen,
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
        let Camel { fields, seen: camel_seen } = &mut **self.camel.get_or_insert_default();
        fields.fill(snake, camel_seen, map).inspect_err(|_| seen.failed = Some(camel))
    }
}

impl Answer for Wire {
    fn tokens(&self) -> Vec<&str> {
        let camel = self.camel.iter().map(|camel| &camel.fields);
        let all = camel.chain([&self.snake]).flat_map(|answer| {
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
        let snake = &mut self.snake;
        if let Some(camel) = self.camel.take() {
            join_spellings(snake, camel.fields)?;
        }
        //= R-OAUTH-14
        if snake.token_type.as_ref().is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(Error::Contradiction(Contradiction::NotBearer));
        }
        if snake.access_token.is_some() { Ok(()) } else { Err(Error::missing("access_token")) }
    }
}

/// Joins the two spellings of all fields.
fn join_spellings(snake: &mut OAuthTokenResponse, camel: OAuthTokenResponse) -> Result<(), Error> {
    join("access_token", &mut snake.access_token, camel.access_token, AccessToken::expose)?;
    join("refresh_token", &mut snake.refresh_token, camel.refresh_token, RefreshToken::expose)?;
    join("token_type", &mut snake.token_type, camel.token_type, String::as_str)?;
    join("expires_in", &mut snake.expires_in, camel.expires_in, |seconds| seconds)?;
    let (ends, camel_ends) = (&mut snake.refresh_token_expires_in, camel.refresh_token_expires_in);
    join("refresh_token_expires_in", ends, camel_ends, |seconds| seconds)?;
    join("id_token", &mut snake.id_token, camel.id_token, IdToken::expose)
}

/// Joins the two spellings of a field. If both are present, they must be equal.
//= R-OAUTH-11
fn join<T, V: PartialEq + ?Sized>(
    field: &'static str,
    snake: &mut Option<T>,
    camel: Option<T>,
    value: fn(&T) -> &V,
) -> Result<(), Error> {
    match (&snake, camel) {
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
