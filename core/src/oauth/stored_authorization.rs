//! [`StoredAuthorization`]: the snapshot of a pending login. It is used if the browser comes back to another process.
//!
//! It contains the state and the verifier. Everybody who has them can finish the login.

use alloc::collections::BTreeMap;
use alloc::string::String;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::pkce;
use super::redirect_uri::check_redirect_uri;
use crate::snapshot_fields::{self, Damage, Fields};
use crate::wire::endpoint::Asked;
use crate::wire::secret::{CodeVerifier, State};

/// The version that this library writes, and the newest version that it reads.
const VERSION: u32 = 1;

/// The names of the stored fields.
const STATE: &str = "state";
const CODE_VERIFIER: &str = "codeVerifier";
const ISSUER: &str = "issuer";
const REQUIRED_ISSUER: &str = "requiredIssuer";

/// A stored [`PendingAuthorization`](crate::PendingAuthorization). Serialize it with any self-describing `serde`
/// format.
///
/// Store it so that only the browser that started the login can use it, and remove it when the browser comes back.
/// Never put it into a cookie unencrypted: everybody who reads it can finish the login.
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
#[derive(Debug, Clone)]
pub struct StoredAuthorization {
    pub(super) asked: Asked,
    /// `None` after the login was answered.
    pub(super) awaited: Option<Awaited>,
}

/// What identifies the answer (state, issuer), and what proves to the server who asked (verifier).
#[derive(Debug, Clone)]
pub(super) struct Awaited {
    pub(super) state: State,
    pub(super) code_verifier: Option<CodeVerifier>,
    pub(super) issuer: Option<Issuer>,
}

/// The expected issuer (RFC 9207).
#[derive(Debug, Clone)]
pub(super) struct Issuer {
    pub(super) name: String,
    /// Whether each answer has to name the issuer.
    pub(super) is_required: bool,
}

impl Issuer {
    fn key(&self) -> &'static str {
        if self.is_required { REQUIRED_ISSUER } else { ISSUER }
    }
}

impl Serialize for StoredAuthorization {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { asked, awaited } = self;
        let mut form = serializer.serialize_map(Some(if awaited.is_some() { 5 } else { 4 }))?;
        form.serialize_entry("version", &VERSION)?;
        form.serialize_entry("clientId", &asked.client_id)?;
        form.serialize_entry("redirectUri", &asked.redirect_uri)?;
        form.serialize_entry("authorizeUrl", &asked.authorize_url)?;
        if let Some(awaited) = awaited {
            form.serialize_entry("awaited", awaited)?;
        }
        form.end()
    }
}

impl Serialize for Awaited {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let verifier = self.code_verifier.as_ref().map(|verifier| (CODE_VERIFIER, verifier.expose()));
        let issuer = self.issuer.as_ref().map(|issuer| (issuer.key(), issuer.name.as_str()));
        serializer.collect_map([(STATE, self.state.expose())].into_iter().chain(verifier).chain(issuer))
    }
}

impl<'de> Deserialize<'de> for StoredAuthorization {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        snapshot_fields::read(deserializer, "authorization", VERSION, read)
    }
}

fn read(mut fields: Fields) -> Result<StoredAuthorization, Damage> {
    let asked = Asked {
        client_id: fields.take("clientId")?,
        redirect_uri: fields.take("redirectUri")?,
        authorize_url: fields.take("authorizeUrl")?,
    };
    check_redirect_uri(&asked.redirect_uri).map_err(|_| Damage::In("redirectUri"))?;
    let awaited: Option<BTreeMap<String, Option<String>>> = fields.take("awaited")?;
    Ok(StoredAuthorization { asked, awaited: awaited.map(awaited_of).transpose()? })
}

/// Reads the awaited values. A state or verifier that could be guessed is refused. An unknown name is refused too,
/// because a verifier or issuer with a damaged name must not count as absent.
fn awaited_of(mut form: BTreeMap<String, Option<String>>) -> Result<Awaited, Damage> {
    let mut take = |name| form.remove(name).flatten();
    let (state, code_verifier) = (take(STATE).map(State::new), take(CODE_VERIFIER).map(CodeVerifier::new));
    let issuer = match (take(ISSUER), take(REQUIRED_ISSUER)) {
        (None, None) => None,
        (Some(name), None) => Some(Issuer { name, is_required: false }),
        (None, Some(name)) => Some(Issuer { name, is_required: true }),
        (Some(_), Some(_)) => return Err(Damage::In("awaited")),
    };
    let is_verifier = |verifier: &CodeVerifier| pkce::is_verifier(verifier.expose());
    match state.filter(|state| pkce::is_verifier(state.expose())) {
        Some(state) if form.is_empty() && code_verifier.as_ref().is_none_or(is_verifier) => {
            Ok(Awaited { state, code_verifier, issuer })
        }
        _ => Err(Damage::In("awaited")),
    }
}

#[cfg(test)]
mod tests;
