//! [`PendingAuthorization`]: a login that waits for the browser. Only it can take the code from a redirect.

use alloc::borrow::Cow;

use subtle::ConstantTimeEq as _;

use super::redirect::{RedirectError, Response};
use super::redirect_uri::Parts;
use super::stored_authorization::StoredAuthorization;
use crate::wire::endpoint::AuthorizedCode;

/// The longest accepted redirect, in bytes. The longest code needs only a part of it.
const LONGEST_REDIRECT: usize = 64 * 1024;

/// A login that waits for the user in the browser. It belongs to one browser and can be finished once.
///
/// On a web server, keep it with the data that your server stores for this browser (identified by a cookie), and drop it
/// after some minutes. To pass it to another process, see [`StoredAuthorization`](crate::StoredAuthorization).
///
/// ```
/// use tradovate_auth_core::{AuthorizationRequest, Endpoint, Entropy, Environment, OAuthApp, RedirectError};
///
/// let app = OAuthApp::new("desktop-client");
/// let request = AuthorizationRequest::new(&app, "http://127.0.0.1:8765/callback");
/// # let random_bytes = [7; Entropy::LENGTH];
/// let (url, mut pending) = request.begin(&Environment::live(), Entropy::from(random_bytes))?;
/// # let state = url.as_str().split("state=").nth(1).unwrap().split('&').next().unwrap();
///
/// // A forged redirect is ignored.
/// let forged = pending.redirected("http://127.0.0.1:8765/callback?code=theirs&state=guessed");
/// assert!(!forged.unwrap_err().ends_login());
///
/// // The real redirect contains the code, which the app exchanges for tokens.
/// # let redirect = format!("http://127.0.0.1:8765/callback?code=ours&state={state}");
/// let code = pending.redirected(&redirect)?;
/// let request = app.exchange(code).request(&Environment::live())?;
/// assert_eq!(request.uri(), "https://live.tradovateapi.com/v1/auth/oauthtoken");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PendingAuthorization(pub(super) StoredAuthorization);

impl From<StoredAuthorization> for PendingAuthorization {
    fn from(stored: StoredAuthorization) -> Self {
        Self(stored)
    }
}

impl PendingAuthorization {
    /// Returns a snapshot of this login, to keep until the browser comes back.
    #[must_use]
    pub fn snapshot(&self) -> StoredAuthorization {
        self.0.clone()
    }

    /// The redirect URI of this login.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.0.asked.redirect_uri
    }

    /// Checks the complete URL that the browser was redirected to, and returns its code. The code is valid for a few
    /// minutes. Start a session with it at once, or exchange it with [`OAuthApp::exchange`](crate::OAuthApp::exchange).
    ///
    /// # Errors
    /// [`RedirectError`]. If the error does not [end the login](RedirectError::ends_login), the URL was not the answer
    /// to this login: continue to wait.
    pub fn redirected(&mut self, url: &str) -> Result<AuthorizedCode, RedirectError> {
        if url.len() > LONGEST_REDIRECT {
            return Err(RedirectError::TooLong { limit: LONGEST_REDIRECT });
        }
        let parts = Parts::of(url.trim()).ok_or(RedirectError::OtherAddress)?;
        let asked = Parts::of(&self.0.asked.redirect_uri).ok_or(RedirectError::OtherAddress)?;
        if !parts.is_same_address(&asked) {
            return Err(RedirectError::OtherAddress);
        }
        self.answered(parts.query.unwrap_or_default())
    }

    /// Checks the query of a redirect, with or without the question mark, and returns its code. Use it in your own
    /// server at the host and path of the redirect URI.
    ///
    /// # Errors
    /// The same as [`redirected`](Self::redirected).
    pub fn redirected_query(&mut self, query: &str) -> Result<AuthorizedCode, RedirectError> {
        if query.len() > LONGEST_REDIRECT {
            return Err(RedirectError::TooLong { limit: LONGEST_REDIRECT });
        }
        self.answered(query.strip_prefix('?').unwrap_or(query))
    }

    //= R-AUTHORIZE-2
    fn answered(&mut self, query: &str) -> Result<AuthorizedCode, RedirectError> {
        let response = Response::parse(query)?;
        let asked = Parts::of(&self.0.asked.redirect_uri).ok_or(RedirectError::OtherAddress)?;
        let has = |own: (Cow<'_, str>, Cow<'_, str>)| form_urlencoded::parse(query.as_bytes()).any(|pair| pair == own);
        if !asked.pairs().all(has) {
            return Err(RedirectError::OtherAddress);
        }
        let awaited = self.0.awaited.as_ref().ok_or(RedirectError::AlreadyAnswered)?;
        let state = response.state().ok_or(RedirectError::MissingState)?;
        if !bool::from(state.expose().as_bytes().ct_eq(awaited.state.expose().as_bytes())) {
            return Err(RedirectError::WrongState);
        }
        if let Some(issuer) = &awaited.issuer {
            response.check_issuer(issuer)?;
        }
        let code = response.outcome();
        // Only the authorization page can know the state, so there is no second answer.
        let code_verifier = self.0.awaited.take().and_then(|awaited| awaited.code_verifier);
        Ok(AuthorizedCode { code: code?, code_verifier, asked: self.0.asked.clone() })
    }
}
