//! A user of the simulated broker: everything the server knows about one, as plain data.
//! Change it while the server runs through [`Simulator::user_mut`](crate::Simulator::user_mut).

use jiff::Timestamp;

use crate::{hosts::ApiHosts, secret::Secret, side::Side};

/// A user. Start from [`User::new`] and set the fields that matter.
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
    /// Name to log in with.
    pub name: String,
    /// Password to log in with.
    pub password: Secret,
    /// `userId`. Zero lets the builder choose one.
    pub id: i64,
    /// `fullName` of `/auth/me`.
    pub full_name: String,
    /// `email` of `/auth/me`.
    pub email: String,
    /// `organizationName` and `orgName`; decides the hosts when the organization is registered with some.
    pub organization: String,
    /// `userStatus`, `Active` by default. The token is issued whatever it says.
    pub status: String,
    /// `passwordExpirationTime`.
    pub password_expiration: Option<Timestamp>,
    /// `hibpHint`, answered where `hibpCheck` asks for it.
    pub hibp_hint: Option<String>,
    /// Where the user exists; both by default.
    pub sides: Vec<Side>,
    /// Whether a login brings an `mdAccessToken`.
    pub market_data: bool,
    /// Whether Live answers 401 to API calls after a login from a `deviceId` other than the first one, until
    /// [`Simulator::approve_device`](crate::Simulator::approve_device). Off by default.
    pub checks_device: bool,
    /// What API calls with a good token get.
    pub api_access: ApiAccess,
    /// Names of the accounts that `/account/list` answers.
    pub accounts: Vec<String>,
    /// Fields answered to a login instead of a token, for a multi-factor step whose shape is not documented,
    /// such as `("deviceChallenge", "e-mail")`. Empty: none is asked for.
    pub challenge: Vec<(String, String)>,
    /// Hosts of this user alone, in place of the organization's.
    pub hosts: Option<ApiHosts>,
}

/// Whether a user may call the API proper, apart from having a good token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiAccess {
    /// Calls are answered.
    #[default]
    Granted,
    /// Calls get 401 with the text `Access is denied`.
    Denied,
    /// Calls get 401 with an empty body.
    DeniedSilently,
}

impl User {
    /// An active user on both sides with one account.
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

    /// The same user, existing on one side only.
    #[must_use]
    pub fn only_on(mut self, side: Side) -> Self {
        self.sides = vec![side];
        self
    }

    /// The same user as a member of an organization.
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
    /// The user of a simulator that was given none: `synthetic-user` with the password `synthetic-password`.
    fn default() -> Self {
        Self::new("synthetic-user", "synthetic-password")
    }
}
