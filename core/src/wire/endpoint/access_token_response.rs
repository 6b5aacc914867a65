//! [`AccessTokenResponse`]: the answer to a login and to a renewal (page `AuthenticationApi`, `AccessTokenResponse`).

use alloc::string::String;
use alloc::vec::Vec;

use jiff::Timestamp;

use crate::environment::api_hosts::ApiHosts;
use crate::wire::bearer_token::{AccessToken, MarketDataToken};
use crate::wire::error::Error;
use crate::wire::json::object;
use crate::wire::json::value::Named;
use crate::wire::response::Answer;

object! {
    /// The answer to a login and to a renewal (`AccessTokenResponse`).
    ///
    /// It contains a token and no error, but it has not been checked against the clock or the previous grant. A
    /// [`Grant`](crate::Grant) has been checked. A field is `None` if the server did not send it. Older and newer
    /// deployments send different fields.
    #[derive(Debug, Clone)]
    #[non_exhaustive]
    //= R-LOGIN-17
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
        //= R-HOST-8
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
        //= R-LOGIN-11
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
