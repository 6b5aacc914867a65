//! Who a session is: a user with a password, or an OAuth app that a user has given its consent.

use alloc::string::String;

use crate::credentials::Credentials;
use crate::endpoint::{BodyFormat, OAuthGrant, OAuthToken};
use crate::secret::{ClientSecret, RefreshToken};

/// Who logs in.
#[derive(Debug, Clone)]
pub(super) enum Identity {
    User(Credentials),
    App(OAuthApp),
}

/// An OAuth app as a session needs it to refresh: what was sent with the code is sent again (page *OAuth*).
///
/// ```
/// use tradovate_auth_core::{ClientSecret, OAuthApp};
///
/// let public = OAuthApp::new("desktop-client");
/// let confidential = OAuthApp::new("web-client").with_client_secret(ClientSecret::new("client-secret"));
/// ```
#[derive(Debug, Clone)]
pub struct OAuthApp {
    client_id: String,
    client_secret: Option<ClientSecret>,
    resource: Option<String>,
    format: BodyFormat,
}

impl OAuthApp {
    /// An app by its `client_id`. Public clients need no more.
    #[must_use]
    pub fn new(client_id: impl Into<String>) -> Self {
        Self { client_id: client_id.into(), client_secret: None, resource: None, format: BodyFormat::default() }
    }

    /// The app's secret.
    #[must_use]
    pub fn with_client_secret(mut self, secret: ClientSecret) -> Self {
        self.client_secret = Some(secret);
        self
    }

    /// The `resource` that was sent with the code.
    #[must_use]
    pub fn with_resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// The format of the bodies: JSON unless told otherwise.
    #[must_use]
    pub fn with_body_format(mut self, format: BodyFormat) -> Self {
        self.format = format;
        self
    }

    /// The exchange of any grant by this app.
    #[must_use]
    pub fn exchange(&self, grant: OAuthGrant) -> OAuthToken {
        let mut exchange = OAuthToken::new(self.client_id.clone(), grant).with_body_format(self.format);
        if let Some(secret) = &self.client_secret {
            exchange = exchange.with_client_secret(secret.clone());
        }
        if let Some(resource) = &self.resource {
            exchange = exchange.with_resource(resource.clone());
        }
        exchange
    }

    pub(super) fn refresh(&self, token: &RefreshToken) -> OAuthToken {
        self.exchange(OAuthGrant::RefreshToken(token.clone()))
    }
}
