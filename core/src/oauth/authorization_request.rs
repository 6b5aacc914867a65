//! [`AuthorizationRequest`]: the URL of the page where the user logs in and authorizes the app (RFC 6749, section
//! 4.1.1).

use alloc::string::{String, ToString};
use core::fmt;

use form_urlencoded::Serializer as Query;

use super::app::OAuthApp;
use super::entropy::Entropy;
use super::pending_authorization::PendingAuthorization;
use super::pkce;
use super::redirect_uri::check_redirect_uri;
use super::stored_authorization::{Awaited, Issuer, StoredAuthorization};
use crate::environment::Environment;
use crate::environment::url::SecureUrl;
use crate::wire::endpoint::{Asked, check_text};
use crate::wire::error::BuildError;
use crate::wire::secret::State;

/// A request for a user's consent: what the app asks for, and the redirect URI that the answer goes to.
///
/// ```
/// use tradovate_auth_core::{AuthorizationRequest, Entropy, Environment, OAuthApp};
///
/// let app = OAuthApp::new("desktop-client");
/// let request = AuthorizationRequest::new(&app, "http://127.0.0.1:8765/callback");
/// # let random_bytes = [7; Entropy::LENGTH];
/// let (url, pending) = request.begin(&Environment::live(), Entropy::from(random_bytes))?;
/// assert!(url.as_str().starts_with("https://trader.tradovate.com/oauth?response_type=code&client_id=desktop-client&"));
/// # Ok::<(), tradovate_auth_core::BuildError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct AuthorizationRequest {
    client_id: String,
    redirect_uri: String,
    scope: Option<String>,
    resource: Option<String>,
    issuer: Option<Issuer>,
    pkce: bool,
}

impl AuthorizationRequest {
    /// Creates the request of an app. The redirect URI must be exactly the registered one. It uses https, or http to
    /// this machine for a desktop program (RFC 8252), or a scheme of the app's own such as `com.example.app:/callback`.
    ///
    /// Use `127.0.0.1` or `localhost`, whichever is registered. For one app, the vendor refused one of them and
    /// accepted the other.
    pub fn new(app: &OAuthApp, redirect_uri: impl Into<String>) -> Self {
        Self {
            client_id: app.client_id().into(),
            redirect_uri: redirect_uri.into(),
            scope: None,
            resource: app.0.resource.clone(),
            issuer: None,
            pkce: true,
        }
    }

    /// Sets the `scope`: words separated by spaces. Use it only if the registration has a scope. At this vendor, what
    /// an app may do is part of its registration, not of the request.
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Sets the issuer, exactly as its metadata names it (RFC 9207). The request does not contain it. A redirect with
    /// another `iss` is ignored ([`RedirectError::WrongIssuer`](crate::RedirectError::WrongIssuer)). A redirect without
    /// `iss` is accepted, because only some of the vendor's pages send it.
    ///
    /// ```
    /// use tradovate_auth_core::{AuthorizationRequest, Entropy, Environment, OAuthApp, RedirectError};
    ///
    /// let app = OAuthApp::new("desktop-client");
    /// let request = AuthorizationRequest::new(&app, "http://127.0.0.1:8765/callback").with_issuer("https://issuer.example");
    /// # let random_bytes = [7; Entropy::LENGTH];
    /// let (url, mut pending) = request.begin(&Environment::live(), Entropy::from(random_bytes))?;
    /// # let state = url.as_str().split("state=").nth(1).unwrap().split('&').next().unwrap();
    /// # let query = format!("code=theirs&state={state}&iss=https://other.example");
    /// assert_eq!(pending.redirected_query(&query).unwrap_err(), RedirectError::WrongIssuer);
    /// # Ok::<(), tradovate_auth_core::BuildError>(())
    /// ```
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(Issuer { name: issuer.into(), is_required: false });
        self
    }

    /// Sets the issuer and requires it in each redirect. Use it if the issuer's metadata has
    /// `authorization_response_iss_parameter_supported`. A redirect without `iss` is then ignored too
    /// ([`RedirectError::MissingIssuer`](crate::RedirectError::MissingIssuer)).
    pub fn with_required_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(Issuer { name: issuer.into(), is_required: true });
        self
    }

    /// Omits PKCE (RFC 7636), for an authorization page that refuses it. If the app has no secret either, everybody who
    /// sees the redirect can exchange the code.
    pub fn without_pkce(mut self) -> Self {
        self.pkce = false;
        self
    }

    /// Starts a login. Returns the URL to open in the user's browser, and the pending login to keep until the browser
    /// comes back. Each login needs its own entropy.
    ///
    /// # Errors
    /// [`BuildError`] if a field can't be sent or the redirect URI is not safe. [`BuildError::InvalidUrl`] if the
    /// environment has no authorize URL, or if the query of that URL already has a parameter of the request.
    #[expect(clippy::needless_pass_by_value, reason = "each login has entropy of its own")]
    pub fn begin(
        &self,
        environment: &Environment,
        entropy: Entropy,
    ) -> Result<(AuthorizationUrl, PendingAuthorization), BuildError> {
        let [for_verifier, for_state] = entropy.halves();
        let state = State::new(pkce::text(for_state));
        let code_verifier = self.pkce.then(|| pkce::verifier(for_verifier));
        let challenge = code_verifier.as_ref().map(pkce::challenge);

        for (field, value) in [("client_id", &self.client_id), ("redirect_uri", &self.redirect_uri)] {
            check_text(field, value)?;
        }
        for (field, value) in [("scope", &self.scope), ("resource", &self.resource)] {
            value.as_ref().map_or(Ok(()), |value| check_text(field, value))?;
        }
        self.issuer.as_ref().map_or(Ok(()), |issuer| check_text("iss", &issuer.name))?;
        check_redirect_uri(&self.redirect_uri)?;
        //= R-AUTHORIZE-1
        let parameters = [
            ("response_type", Some("code")),
            ("client_id", Some(&self.client_id)),
            ("redirect_uri", Some(&self.redirect_uri)),
            ("state", Some(state.expose())),
            //= R-AUTHORIZE-5
            ("scope", self.scope.as_deref()),
            ("resource", self.resource.as_deref()),
            ("code_challenge", challenge.as_deref()),
            ("code_challenge_method", challenge.as_deref().map(|_| "S256")),
        ];
        let page = environment.authorize_url().ok_or(BuildError::InvalidUrl {
            reason: "no authorize URL is known here; give the environment one with `with_authorize_url`, or set \
                     TRADOVATE_AUTHORIZE_URL where it is read from the variables",
        })?;
        let url = AuthorizationUrl(append(page, &parameters)?);
        let asked = Asked {
            client_id: self.client_id.clone(),
            redirect_uri: self.redirect_uri.clone(),
            authorize_url: page.to_string(),
        };
        let stored =
            StoredAuthorization { asked, awaited: Some(Awaited { state, code_verifier, issuer: self.issuer.clone() }) };
        Ok((url, stored.into()))
    }
}

/// The authorize URL with the parameters appended to its query.
//= R-AUTHORIZE-6
fn append(page: &SecureUrl, parameters: &[(&str, Option<&str>)]) -> Result<String, BuildError> {
    let own = page.as_uri().query().unwrap_or_default();
    if form_urlencoded::parse(own.as_bytes()).any(|(own, _)| parameters.iter().any(|(name, _)| *name == own)) {
        return Err(BuildError::InvalidUrl {
            reason: "the query of the authorize URL has a parameter that the request sets; take it out",
        });
    }
    let mut url = page.to_string();
    match url.find('?') {
        Some(_) if own.is_empty() || own.ends_with('&') => {}
        Some(_) => url.push('&'),
        None => url.push('?'),
    }
    let start = url.len();
    let mut query = Query::for_suffix(url, start);
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    Ok(query.finish())
}

/// The URL to open in the user's browser.
///
/// It contains the `state`, which distinguishes a real answer from a forged one. Show the URL only to the user.
#[derive(Clone)]
pub struct AuthorizationUrl(String);

impl AuthorizationUrl {
    /// The text of the URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<AuthorizationUrl> for String {
    fn from(url: AuthorizationUrl) -> Self {
        url.0
    }
}

impl fmt::Debug for AuthorizationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let page = self.0.split_once('?').map_or(self.0.as_str(), |(page, _)| page);
        write!(f, "AuthorizationUrl({page}?[redacted])")
    }
}

#[cfg(test)]
mod tests;
