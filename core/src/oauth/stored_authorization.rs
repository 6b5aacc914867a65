//! The snapshot of a pending authorization: it crosses processes where the browser comes back to another one.
//!
//! It holds the state and the verifier, by which the login it belongs to can be taken over until it is answered.

use alloc::borrow::Cow;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::address::check_redirect_uri;
use super::pending::{Awaited, PendingAuthorization};
use super::pkce;
use crate::stored::{self, Damage, Fields};
use crate::wire::endpoint::Asked;
use crate::wire::secret::{CodeVerifier, State};

/// The version that is written, and the newest that is read.
const VERSION: u32 = 1;

/// A [`PendingAuthorization`] as it is stored: serialize it with any self-describing `serde` format.
///
/// Keep it where only the browser that began the login can have it answered, take it out when that comes back, and never
/// put it into a cookie as it is: whoever reads it can answer the login.
///
/// ```
/// use tradovate_auth_core::{AuthorizationRequest, Entropy, Environment, OAuthApp, PendingAuthorization, StoredAuthorization};
///
/// # let random_bytes = [7; Entropy::LENGTH];
/// let request = AuthorizationRequest::new(&OAuthApp::new("web-client"), "https://app.example/callback");
/// let (url, pending) = request.begin(&Environment::live(), Entropy::from(random_bytes))?;
/// let stored = serde_json::to_string(&pending.snapshot())?;
///
/// // In another process, once the browser has come back:
/// let mut pending = PendingAuthorization::from(serde_json::from_str::<StoredAuthorization>(&stored)?);
/// assert_eq!(pending.redirect_uri(), "https://app.example/callback");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct StoredAuthorization {
    asked: Asked,
    awaited: Option<Awaited>,
}

impl PendingAuthorization {
    /// What has to be kept until the browser comes back.
    #[must_use]
    pub fn snapshot(&self) -> StoredAuthorization {
        StoredAuthorization { asked: self.asked.clone(), awaited: self.awaited.clone() }
    }
}

impl From<StoredAuthorization> for PendingAuthorization {
    fn from(stored: StoredAuthorization) -> Self {
        Self { asked: stored.asked, awaited: stored.awaited }
    }
}

impl fmt::Debug for StoredAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredAuthorization").field("asked", &self.asked).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Form<'a> {
    version: u32,
    client_id: &'a str,
    redirect_uri: &'a str,
    authorize_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    awaited: Option<AwaitedForm<'a>>,
}

// A verifier under a damaged name must not be taken for none.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AwaitedForm<'a> {
    state: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code_verifier: Option<Cow<'a, str>>,
}

impl Serialize for StoredAuthorization {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let awaited = self.awaited.as_ref().map(|awaited| AwaitedForm {
            state: awaited.state.expose().into(),
            code_verifier: awaited.code_verifier.as_ref().map(|verifier| verifier.expose().into()),
        });
        let Asked { client_id, redirect_uri, authorize_url } = &self.asked;
        Form { version: VERSION, client_id, redirect_uri, authorize_url, awaited }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StoredAuthorization {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        stored::read(deserializer, "authorization", VERSION, read)
    }
}

fn read(mut fields: Fields) -> Result<StoredAuthorization, Damage> {
    let asked = Asked {
        client_id: fields.take("clientId")?,
        redirect_uri: fields.take("redirectUri")?,
        authorize_url: fields.take("authorizeUrl")?,
    };
    check_redirect_uri(&asked.redirect_uri).map_err(|_| Damage::In("redirectUri"))?;
    let awaited: Option<AwaitedForm<'static>> = fields.take("awaited")?;
    Ok(StoredAuthorization { asked, awaited: awaited.map(AwaitedForm::check).transpose()? })
}

impl AwaitedForm<'static> {
    /// A state or a verifier that could be guessed, or left out, proves nothing.
    fn check(self) -> Result<Awaited, Damage> {
        let (state, code_verifier) = (State::new(self.state), self.code_verifier.map(CodeVerifier::new));
        let is_verifier = |verifier: &CodeVerifier| pkce::is_verifier(verifier.expose());
        if pkce::is_verifier(state.expose()) && code_verifier.as_ref().is_none_or(is_verifier) {
            Ok(Awaited { state, code_verifier })
        } else {
            Err(Damage::In("awaited"))
        }
    }
}

#[cfg(test)]
#[path = "stored_authorization/tests.rs"]
mod tests;
