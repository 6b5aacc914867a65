//! What a client asks for in the query of the page, and the answers that travel back to it.
//! As long as client and redirect URI are not known to belong together nothing is sent anywhere: the mistake is shown
//! to the user (RFC 6749, section 4.1.2.1; RFC 9700, section 4.11).

use crate::{authorize::parameters::Parameters, registration::OAuthClient, side::Side};

/// Characters of a SHA-256 hash in base64url.
const CHALLENGE_LENGTH: usize = 43;

/// Why the user is not asked.
pub(super) enum Refusal {
    /// The user is told: there is nowhere to go back to.
    Page(Mistake),
    /// The client is told, by this redirect.
    Redirect(String),
}

/// What is wrong with a request, for a page.
pub(super) struct Mistake {
    pub(super) why: &'static str,
    /// The value that is wrong, as it came.
    pub(super) value: Option<String>,
}

impl From<&'static str> for Mistake {
    fn from(why: &'static str) -> Self {
        Self { why, value: None }
    }
}

/// A request that the user can be asked about.
pub(super) struct AuthorizationRequest {
    pub(super) client_id: String,
    /// The client's name.
    pub(super) client_name: String,
    /// Where the client is registered.
    pub(super) sides: Vec<Side>,
    pub(super) scope: Option<String>,
    pub(super) resource: Option<String>,
    /// The S256 challenge of PKCE.
    pub(super) challenge: Option<String>,
    way_back: WayBack,
}

impl AuthorizationRequest {
    /// Reads a query. Neither the side nor the host of the request matters: the page of the real system is at a host
    /// of its own, which serves both sides.
    pub(super) fn read(clients: &[OAuthClient], query: &str) -> Result<Self, Refusal> {
        let parameters = Parameters::read(query.as_bytes()).map_err(|why| Refusal::Page(why.into()))?;
        let registrations = registrations(clients, &parameters).map_err(Refusal::Page)?;
        let way_back = WayBack::new(&registrations, &parameters).map_err(Refusal::Page)?;
        let refuse = |(error, why)| Refusal::Redirect(way_back.error(error, why));
        check_response_type(&parameters).map_err(refuse)?;
        let challenge = challenge(&parameters).map_err(refuse)?;
        Ok(Self {
            client_id: parameters.owned("client_id").unwrap_or_default(),
            client_name: registrations.first().map(|client| client.name.clone()).unwrap_or_default(),
            sides: registrations.iter().map(|client| client.side).collect(),
            scope: parameters.owned("scope"),
            resource: parameters.owned("resource"),
            challenge,
            way_back,
        })
    }

    /// Where the browser goes from here.
    pub(super) fn redirect_uri(&self) -> &str {
        &self.way_back.redirect_uri
    }

    /// The redirect after the user has allowed.
    pub(super) fn allowed(&self, code: &str) -> String {
        self.way_back.with(&[("code", code)])
    }

    /// The redirect after the user has denied.
    pub(super) fn denied(&self) -> String {
        self.way_back.error("access_denied", "The user denied access")
    }
}

/// A redirect URI that is registered, and the `state` that goes back with it.
struct WayBack {
    redirect_uri: String,
    state: Option<String>,
}

impl WayBack {
    fn new(registrations: &[&OAuthClient], parameters: &Parameters) -> Result<Self, Mistake> {
        let redirect_uri = parameters.owned("redirect_uri").ok_or(Mistake::from("The redirect_uri is missing."))?;
        if registrations.is_empty() {
            let why = "This redirect_uri is not registered for the app. It has to be the same to the letter.";
            return Err(Mistake { why, value: Some(redirect_uri) });
        }
        // Section 3.1.2 of RFC 6749 forbids the fragment: what is appended to it would never reach a server.
        if redirect_uri.contains('#') || !redirect_uri.bytes().all(|byte| byte.is_ascii_graphic()) {
            let why = "This redirect_uri is registered, but it can't be used: it has a fragment, or characters that no URI has.";
            return Err(Mistake { why, value: Some(redirect_uri) });
        }
        Ok(Self { redirect_uri, state: parameters.owned("state") })
    }

    fn error(&self, error: &str, why: &str) -> String {
        self.with(&[("error", error), ("error_description", why)])
    }

    /// The redirect URI with parameters and the state appended to whatever query it has.
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

/// The registrations of the client that have the redirect URI: one for each side at most. None is left where the
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

/// The challenge of PKCE, which nobody has to send. Left out, the method is `plain` (RFC 7636, section 4.3).
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
