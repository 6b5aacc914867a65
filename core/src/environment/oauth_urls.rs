//! The two URLs of OAuth: the page where a user authorizes an app, and the token URL (page *OAuth*).

use alloc::sync::Arc;

use crate::environment::url::SecureUrl;
use crate::environment::{Environment, Purpose};
use crate::wire::endpoint::paths;
use crate::wire::error::BuildError;

impl Environment {
    /// Sets the URL of the page where a user authorizes an OAuth app (page *OAuth*). The URL may have a query.
    //= R-AUTHORIZE-6
    pub fn with_authorize_url(mut self, url: SecureUrl) -> Self {
        Arc::make_mut(&mut self.0).authorize_url = Some(url);
        self
    }

    /// Sets the URL of OAuth token requests. The default is `/auth/oauthtoken` on the login host. The vendor's example
    /// posts to `https://live.tradovateapi.com/auth/oauthtoken`, without `/v1`.
    pub fn with_token_url(mut self, url: SecureUrl) -> Self {
        Arc::make_mut(&mut self.0).token_url = Some(url);
        self
    }

    /// The URL of the page where a user authorizes an OAuth app, if it is known.
    #[must_use]
    pub fn authorize_url(&self) -> Option<&SecureUrl> {
        self.0.authorize_url.as_ref()
    }

    /// The URL of OAuth token requests.
    ///
    /// # Errors
    /// The same as [`url`](Self::url).
    //= R-ENV-7
    //= R-OAUTH-2
    pub fn token_url(&self) -> Result<SecureUrl, BuildError> {
        match &self.0.token_url {
            Some(url) => Ok(url.clone()),
            None => self.url(Purpose::Login, paths::OAUTH_TOKEN),
        }
    }

    /// Sets the authorize URL of Live and Demo.
    //= R-AUTHORIZE-1
    pub(super) fn with_published_authorize_url(mut self) -> Self {
        Arc::make_mut(&mut self.0).authorize_url = SecureUrl::parse("https://trader.tradovate.com/oauth").ok();
        self
    }
}
