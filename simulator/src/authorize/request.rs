//! The authorization request in the page's query, and the redirects that answer it.
//!
//! Nothing is sent to a redirect URI before it is known to belong to the client. Until then, mistakes are shown to the
//! user (RFC 6749, section 4.1.2.1; RFC 9700, section 4.11).

use crate::{authorize::parameters::Parameters, registration::OAuthClient, side::Side};

/// The length of a SHA-256 hash in base64url, in characters.
const CHALLENGE_LENGTH: usize = 43;

/// Why the page does not ask the user.
pub(super) enum Refusal {
    /// An error page for the user, because no redirect URI can be trusted.
    Page(Mistake),
    /// A redirect that carries the error to the client.
    Redirect(String),
}

/// What is wrong with a request, for an error page.
pub(super) struct Mistake {
    pub(super) why: &'static str,
    /// The wrong value, as it was sent.
    pub(super) value: Option<String>,
}

impl From<&'static str> for Mistake {
    fn from(why: &'static str) -> Self {
        Self { why, value: None }
    }
}

/// A valid request, about which the page asks the user.
pub(super) struct AuthorizationRequest {
    pub(super) client_id: String,
    /// The client's display name.
    pub(super) client_name: String,
    /// The sides on which the client is registered.
    pub(super) sides: Vec<Side>,
    pub(super) scope: Option<String>,
    pub(super) resource: Option<String>,
    /// The S256 challenge (PKCE).
    pub(super) challenge: Option<String>,
    redirect: RedirectTarget,
}

impl AuthorizationRequest {
    /// Reads a query. The side and the host of the request don't matter: the vendor's page has a host of its own, which
    /// serves both sides.
    pub(super) fn read(clients: &[OAuthClient], query: &str) -> Result<Self, Refusal> {
        let parameters = Parameters::read(query.as_bytes()).map_err(|why| Refusal::Page(why.into()))?;
        let registrations = registrations(clients, &parameters).map_err(Refusal::Page)?;
        let redirect = RedirectTarget::new(&registrations, &parameters).map_err(Refusal::Page)?;
        let refuse = |(error, why)| Refusal::Redirect(redirect.error(error, why));
        check_response_type(&parameters).map_err(refuse)?;
        let challenge = challenge(&parameters).map_err(refuse)?;
        Ok(Self {
            client_id: parameters.owned("client_id").unwrap_or_default(),
            client_name: registrations.first().map(|client| client.name.clone()).unwrap_or_default(),
            sides: registrations.iter().map(|client| client.side).collect(),
            scope: parameters.owned("scope"),
            resource: parameters.owned("resource"),
            challenge,
            redirect,
        })
    }

    /// The redirect URI, without the answer's parameters.
    pub(super) fn redirect_uri(&self) -> &str {
        &self.redirect.redirect_uri
    }

    /// The redirect after the user allowed.
    pub(super) fn allowed(&self, code: &str) -> String {
        self.redirect.with(&[("code", code)])
    }

    /// The redirect after the user denied.
    pub(super) fn denied(&self) -> String {
        self.redirect.error("access_denied", "The user denied access")
    }
}

/// A registered redirect URI, and the `state` that is sent back with it.
struct RedirectTarget {
    redirect_uri: String,
    state: Option<String>,
}

impl RedirectTarget {
    fn new(registrations: &[&OAuthClient], parameters: &Parameters) -> Result<Self, Mistake> {
        let redirect_uri = parameters.owned("redirect_uri").ok_or(Mistake::from("The redirect_uri is missing."))?;
        if registrations.is_empty() {
            let why = "This redirect_uri is not registered for the app. It must match a registered one exactly.";
            return Err(Mistake { why, value: Some(redirect_uri) });
        }
        // RFC 6749, section 3.1.2, forbids a fragment: the parameters would become part of it, and browsers do not send
        // it.
        if redirect_uri.contains('#') || !redirect_uri.bytes().all(|byte| byte.is_ascii_graphic()) {
            let why = "This redirect_uri is registered, but it can't be used: it has a fragment, or characters that no URI has.";
            return Err(Mistake { why, value: Some(redirect_uri) });
        }
        Ok(Self { redirect_uri, state: parameters.owned("state") })
    }

    fn error(&self, error: &str, why: &str) -> String {
        self.with(&[("error", error), ("error_description", why)])
    }

    /// Appends parameters and the `state` to the redirect URI, after the query that it may already have.
    fn with(&self, parameters: &[(&str, &str)]) -> String {
        let state = self.state.as_deref().map(|state| ("state", state));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters.iter().copied().chain(state))
            .finish();
        let joint = match self.redirect_uri.split_once('?') {
            None => "?",
            Some((_, own)) if own.is_empty() || own.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{}{joint}{query}", self.redirect_uri)
    }
}

/// The registrations of the client that have this redirect URI, at most one for each side. The list is empty if the
/// client is known and the redirect URI isn't.
fn registrations<'a>(clients: &'a [OAuthClient], parameters: &Parameters) -> Result<Vec<&'a OAuthClient>, Mistake> {
    let client_id = parameters.get("client_id").ok_or(Mistake::from("The client_id is missing."))?;
    let mut registrations: Vec<_> = clients.iter().filter(|client| client.client_id == client_id).collect();
    if registrations.is_empty() {
        return Err(Mistake { why: "No app is registered with this client_id.", value: Some(client_id.to_owned()) });
    }
    registrations.retain(|client| client.redirect_uris.iter().any(|uri| parameters.get("redirect_uri") == Some(uri)));
    Ok(registrations)
}

type OAuthError = (&'static str, &'static str);

fn check_response_type(parameters: &Parameters) -> Result<(), OAuthError> {
    match parameters.get("response_type") {
        Some("code") => Ok(()),
        Some(_) => Err(("unsupported_response_type", "response_type must be code")),
        None => Err(("invalid_request", "response_type is missing")),
    }
}

/// The challenge of PKCE, which is optional. Without a method, the method is `plain` (RFC 7636, section 4.3).
fn challenge(parameters: &Parameters) -> Result<Option<String>, OAuthError> {
    let refuse = |why| Err(("invalid_request", why));
    match (parameters.get("code_challenge"), parameters.get("code_challenge_method")) {
        (None, None) => Ok(None),
        (_, method) if method != Some("S256") => refuse("code_challenge_method must be S256"),
        (Some(challenge), _) if is_challenge(challenge) => Ok(Some(challenge.to_owned())),
        (Some(_), _) => refuse("code_challenge must be 43 characters of base64url"),
        (None, _) => refuse("code_challenge is missing"),
    }
}

fn is_challenge(text: &str) -> bool {
    text.len() == CHALLENGE_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
