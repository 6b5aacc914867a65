//! [`OAuthApp`]: an app as registered with the vendor, and its parameters for the token endpoint.

use alloc::string::String;
use alloc::sync::Arc;

use crate::wire::endpoint::{BodyFormat, OAuthGrant, OAuthToken};
use crate::wire::secret::ClientSecret;

/// An OAuth app: its parameters for the authorization, the exchange of the code, and each refresh (page *OAuth*).
///
/// ```
/// use tradovate_auth_core::{ClientSecret, OAuthApp};
///
/// let public = OAuthApp::new("desktop-client");
/// let confidential = OAuthApp::new("web-client").with_client_secret(ClientSecret::new("client-secret"));
/// ```
///
/// Cloning is cheap: clones share their content, including the secret, until one of them is changed.
#[derive(Debug, Clone)]
#[must_use]
pub struct OAuthApp(pub(crate) Arc<Registration>);

#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<ClientSecret>,
    pub(crate) resource: Option<String>,
    pub(crate) format: BodyFormat,
}

impl OAuthApp {
    /// Creates an app from its `client_id`. A public client needs no more.
    //= R-OAUTH-13
    pub fn new(client_id: impl Into<String>) -> Self {
        Self(Arc::new(Registration {
            client_id: client_id.into(),
            client_secret: None,
            resource: None,
            format: BodyFormat::default(),
        }))
    }

    /// Sets the app's secret. A program on the user's own machine can't keep a secret and has none.
    pub fn with_client_secret(mut self, secret: ClientSecret) -> Self {
        Arc::make_mut(&mut self.0).client_secret = Some(secret);
        self
    }

    /// Sets the `resource` (RFC 8707). It is sent with the authorization request, with the code, and with each refresh.
    pub fn with_resource(mut self, resource: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).resource = Some(resource.into());
        self
    }

    /// Sets the format of the body of OAuth token requests. The default is JSON.
    pub fn with_body_format(mut self, format: BodyFormat) -> Self {
        Arc::make_mut(&mut self.0).format = format;
        self
    }

    /// Creates the token request of this app for a code or a refresh token.
    pub fn exchange(&self, grant: impl Into<OAuthGrant>) -> OAuthToken {
        OAuthToken::of_app(self.clone(), grant.into())
    }

    /// The `client_id`.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.0.client_id
    }
}
