//! [`OAuthApp`]: an app as it is registered with the vendor, and as it speaks to the token endpoint.

use alloc::string::String;
use alloc::sync::Arc;

use crate::wire::endpoint::{BodyFormat, OAuthGrant, OAuthToken};
use crate::wire::secret::ClientSecret;

/// An OAuth app: what is sent with the authorization, with the code, and with each refresh (page *OAuth*).
///
/// ```
/// use tradovate_auth_core::{ClientSecret, OAuthApp};
///
/// let public = OAuthApp::new("desktop-client");
/// let confidential = OAuthApp::new("web-client").with_client_secret(ClientSecret::new("client-secret"));
/// ```
///
/// It is cheap to clone: clones share what they have, the secret included, until one of them is changed.
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
    /// An app by its `client_id`. Public clients need no more.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self(Arc::new(Registration {
            client_id: client_id.into(),
            client_secret: None,
            resource: None,
            format: BodyFormat::default(),
        }))
    }

    /// The app's secret. A program on the user's own machine can't keep one and has none.
    pub fn with_client_secret(mut self, secret: ClientSecret) -> Self {
        Arc::make_mut(&mut self.0).client_secret = Some(secret);
        self
    }

    /// The `resource` (RFC 8707): sent with the authorization, with the code, and with each refresh.
    pub fn with_resource(mut self, resource: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).resource = Some(resource.into());
        self
    }

    /// The format of the bodies: JSON unless told otherwise.
    pub fn with_body_format(mut self, format: BodyFormat) -> Self {
        Arc::make_mut(&mut self.0).format = format;
        self
    }

    /// The exchange of a code or a refresh token by this app.
    pub fn exchange(&self, grant: impl Into<OAuthGrant>) -> OAuthToken {
        OAuthToken::of_app(self.clone(), grant.into())
    }

    /// The `client_id`.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.0.client_id
    }
}
