//! What developers register with the vendor: API keys for the password login, and OAuth clients.

use crate::{secret::Secret, side::Side};

/// An API key, which a password login names by `appId`, `cid` and `sec`.
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
    /// `appId`: the name of the API key.
    pub app_id: String,
    /// `cid`: the numeric id as text. Requests may send it as a number or as text.
    pub cid: String,
    /// `sec`: the API secret.
    pub sec: Secret,
}

impl App {
    /// Creates an API key from its name, id and secret.
    #[must_use]
    pub fn new(app_id: &str, cid: &str, sec: &str) -> Self {
        Self { app_id: app_id.to_owned(), cid: cid.to_owned(), sec: Secret::from(sec) }
    }
}

impl Default for App {
    /// The API key that a simulator accepts by default: `Synthetic App`, 8, `synthetic-api-secret`.
    fn default() -> Self {
        Self::new("Synthetic App", "8", "synthetic-api-secret")
    }
}

/// An OAuth client, which uses the page at `/oauth` and the endpoint `/auth/oauthtoken`.
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
    /// `client_id`: the public name of the client in requests.
    pub client_id: String,
    /// The name that the page shows to users. Default: the `client_id`.
    pub name: String,
    /// `client_secret`; `None` for a public client.
    pub client_secret: Option<Secret>,
    /// The redirect URIs that the client may use. A request must name one of them exactly.
    pub redirect_uris: Vec<String>,
    /// The side on which the client is registered. The other side answers `Wrong client_id`. Default: Live.
    pub side: Side,
}

impl OAuthClient {
    /// Creates a client without a secret, which can use PKCE instead.
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

    /// Creates a client with a secret.
    #[must_use]
    pub fn confidential(client_id: &str, client_secret: &str, redirect_uri: &str) -> Self {
        Self { client_secret: Some(Secret::from(client_secret)), ..Self::public(client_id, redirect_uri) }
    }

    /// Sets the name that the page shows to users.
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
    /// The client that a simulator has by default: `synthetic-client`, public, with the redirect URI
    /// `http://localhost:8888/`.
    fn default() -> Self {
        Self::public("synthetic-client", "http://localhost:8888/")
    }
}
