//! [`OAuthApp`]: an app as it is registered with the vendor, and as it speaks to the token endpoint.

use alloc::string::String;

use crate::endpoint::{BodyFormat, OAuthGrant, OAuthToken};
use crate::secret::ClientSecret;

/// An OAuth app: what is sent with the authorization, with the code, and with each refresh (page *OAuth*).
///
/// ```
/// use tradovate_auth_core::{ClientSecret, OAuthApp};
///
/// let public = OAuthApp::new("desktop-client");
/// let confidential = OAuthApp::new("web-client").with_client_secret(ClientSecret::new("client-secret"));
/// ```
#[derive(Debug, Clone)]
pub struct OAuthApp {
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<ClientSecret>,
    pub(crate) resource: Option<String>,
    format: BodyFormat,
}

impl OAuthApp {
    /// An app by its `client_id`. Public clients need no more.
    #[must_use]
    pub fn new(client_id: impl Into<String>) -> Self {
        Self { client_id: client_id.into(), client_secret: None, resource: None, format: BodyFormat::default() }
    }

    /// The app's secret. A program on the user's own machine can't keep one and has none.
    #[must_use]
    pub fn with_client_secret(mut self, secret: ClientSecret) -> Self {
        self.client_secret = Some(secret);
        self
    }

    /// The `resource` (RFC 8707): sent with the authorization, with the code, and with each refresh.
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

    /// The exchange of a code or a refresh token by this app.
    #[must_use]
    pub fn exchange(&self, grant: impl Into<OAuthGrant>) -> OAuthToken {
        let mut exchange = OAuthToken::new(self.client_id.clone(), grant).with_body_format(self.format);
        if let Some(secret) = &self.client_secret {
            exchange = exchange.with_client_secret(secret.clone());
        }
        if let Some(resource) = &self.resource {
            exchange = exchange.with_resource(resource.clone());
        }
        exchange
    }
}
