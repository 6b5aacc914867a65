//! A user of the simulated broker, as plain data. Change a user of a running simulator with
//! [`Simulator::user_mut`](crate::Simulator::user_mut).

use jiff::Timestamp;

use crate::{hosts::ApiHosts, secret::Secret, side::Side};

/// A user of the simulated broker. Start with [`User::new`] and change the fields that matter.
///
/// ```
/// use tradovate_auth_simulator::{Side, User};
///
/// let mut user = User::new("trader", "correct horse").only_on(Side::Live);
/// user.status = "UnconfirmedEmail".to_owned();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct User {
    /// The login name.
    pub name: String,
    /// The login password.
    pub password: Secret,
    /// `userId`. Zero lets the builder choose a free one.
    pub id: i64,
    /// `fullName` in the answer of `/auth/me`.
    pub full_name: String,
    /// `email` in the answer of `/auth/me`.
    pub email: String,
    /// `organizationName` and `orgName`. The user gets the hosts that this organization is registered with, if any.
    pub organization: String,
    /// `userStatus`. Default: `Active`. It has no effect on whether a token is issued.
    pub status: String,
    /// `passwordExpirationTime`; `None` if the password does not expire.
    pub password_expiration: Option<Timestamp>,
    /// `hibpHint`, which a login returns if the request has `hibpCheck`.
    pub hibp_hint: Option<String>,
    /// The sides on which the user exists. Default: both.
    pub sides: Vec<Side>,
    /// Whether the user's tokens come with an `mdAccessToken`.
    pub market_data: bool,
    /// Whether Live answers 401 to API calls after a login from a `deviceId` other than the first one, until
    /// [`Simulator::approve_device`](crate::Simulator::approve_device) is called. Default: no.
    pub checks_device: bool,
    /// Whether the user may make API calls.
    pub api_access: ApiAccess,
    /// The names of the accounts in the answer of `/account/list`.
    pub accounts: Vec<String>,
    /// The fields that a login returns instead of a token, to simulate a multi-factor step, whose real form is not
    /// documented. Example: `("deviceChallenge", "e-mail")`. Empty (default): the login succeeds.
    pub challenge: Vec<(String, String)>,
    /// The hosts of this user, in place of the organization's hosts.
    pub hosts: Option<ApiHosts>,
}

/// Whether a user may make API calls with a valid token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiAccess {
    /// API calls are answered.
    #[default]
    Granted,
    /// API calls get 401 with the text `Access is denied`.
    Denied,
    /// API calls get 401 with an empty body.
    DeniedSilently,
}

impl User {
    /// Creates an active user on both sides, with one account.
    #[must_use]
    pub fn new(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: Secret::from(password),
            id: 0,
            full_name: "Synthetic User".to_owned(),
            email: "user@example.com".to_owned(),
            organization: String::new(),
            status: "Active".to_owned(),
            password_expiration: None,
            hibp_hint: None,
            sides: vec![Side::Live, Side::Demo],
            market_data: true,
            checks_device: false,
            api_access: ApiAccess::Granted,
            accounts: vec!["SIM00001".to_owned()],
            challenge: Vec::new(),
            hosts: None,
        }
    }

    /// Limits the user to one side.
    #[must_use]
    pub fn only_on(mut self, side: Side) -> Self {
        self.sides = vec![side];
        self
    }

    /// Makes the user a member of an organization.
    #[must_use]
    pub fn of_organization(mut self, name: &str) -> Self {
        name.clone_into(&mut self.organization);
        self
    }

    pub(crate) fn exists_on(&self, side: Side) -> bool {
        self.sides.contains(&side)
    }
}

impl Default for User {
    /// The default user of a simulator: `synthetic-user` with the password `synthetic-password`.
    fn default() -> Self {
        Self::new("synthetic-user", "synthetic-password")
    }
}
