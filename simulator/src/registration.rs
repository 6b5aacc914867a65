//! What developers register with the broker: API keys for the password login, clients for OAuth.

use crate::{secret::Secret, side::Side};

/// An API key: `appId`, `cid` and `sec` of the login.
///
/// ```
/// use tradovate_auth_simulator::App;
///
/// let app = App::new("Sample App", "8", "an API secret");
/// assert_eq!(app.cid, "8");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct App {
    /// `appId`, the name of the API key.
    pub app_id: String,
    /// `cid`. Requests may bring it as a number or as text.
    pub cid: String,
    /// `sec`.
    pub sec: Secret,
}

impl App {
    /// An API key by its three parts.
    #[must_use]
    pub fn new(app_id: &str, cid: &str, sec: &str) -> Self {
        Self { app_id: app_id.to_owned(), cid: cid.to_owned(), sec: Secret::from(sec) }
    }
}

impl Default for App {
    /// The API key of a simulator that was given none: `Synthetic App`, 8, `synthetic-api-secret`.
    fn default() -> Self {
        Self::new("Synthetic App", "8", "synthetic-api-secret")
    }
}

/// A client of the page at `/oauth` and of `/auth/oauthtoken`.
///
/// ```
/// use tradovate_auth_simulator::OAuthClient;
///
/// let desktop = OAuthClient::public("desktop", "http://localhost:8888/back");
/// assert!(desktop.client_secret.is_none());
/// let website = OAuthClient::confidential("website", "a client secret", "https://app.example/back");
/// assert!(website.client_secret.is_some());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OAuthClient {
    /// `client_id`.
    pub client_id: String,
    /// What the page calls the client; its `client_id` unless named.
    pub name: String,
    /// `client_secret`; a public client has none.
    pub client_secret: Option<Secret>,
    /// The redirect URIs a code can be bound to, each to the letter as requests bring it.
    pub redirect_uris: Vec<String>,
    /// Where the client is registered; the other side answers `Wrong client_id`. Live by default.
    pub side: Side,
}

impl OAuthClient {
    /// A client without a secret, which proves itself by PKCE.
    #[must_use]
    pub fn public(client_id: &str, redirect_uri: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            name: client_id.to_owned(),
            client_secret: None,
            redirect_uris: vec![redirect_uri.to_owned()],
            side: Side::Live,
        }
    }

    /// A client with a secret.
    #[must_use]
    pub fn confidential(client_id: &str, client_secret: &str, redirect_uri: &str) -> Self {
        Self { client_secret: Some(Secret::from(client_secret)), ..Self::public(client_id, redirect_uri) }
    }

    /// The same client under a name for people.
    ///
    /// ```
    /// use tradovate_auth_simulator::OAuthClient;
    ///
    /// let client = OAuthClient::public("desktop", "http://localhost:8888/").named("Sample Charts");
    /// assert_eq!(client.name, "Sample Charts");
    /// ```
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }
}

impl Default for OAuthClient {
    /// The client of a simulator that was given none: `synthetic-client`, public, back to `http://localhost:8888/`.
    fn default() -> Self {
        Self::public("synthetic-client", "http://localhost:8888/")
    }
}
