//! `/oauth`: the authorization page, at which a user logs in and allows an OAuth client.
//!
//! The query is the authorization request, the form is the user's decision. The answer is a page, or a redirect with a
//! code or an error. A redirect leads only to a registered redirect URI. Apart from issued codes, the server keeps no
//! state between the page and the form.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, request::Parts};

use crate::{
    authorize::{
        parameters::Parameters,
        request::{AuthorizationRequest, Mistake, Refusal},
    },
    reply::Reply,
    simulator::Simulator,
    user::User,
};

mod page;
mod parameters;
mod request;

const PATH: &str = "/oauth";

/// The security headers of the page. The policy has no `form-action`: Chromium also applies it to the redirect that
/// follows the form, and would block the redirect to the app.
const SECURITY_HEADERS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    ),
];

/// Whether a path is the path of the page, in any letter case.
pub(crate) fn is_page(path: &str) -> bool {
    path.eq_ignore_ascii_case(PATH)
}

impl Simulator {
    /// Shows the page, or handles the form that was sent from it.
    pub(crate) fn authorize(&mut self, parts: &Parts, body: &[u8]) -> Reply {
        let mut reply = match parts.method {
            Method::GET | Method::POST => self.answer_browser(parts, body).unwrap_or_else(|refusal| match refusal {
                Refusal::Page(mistake) => page::mistake(&mistake),
                Refusal::Redirect(location) => see_other(&location),
            }),
            _ => Reply::empty(StatusCode::METHOD_NOT_ALLOWED).with_header(header::ALLOW, "GET, POST"),
        };
        add_security_headers(reply.response.headers_mut());
        reply
    }

    fn answer_browser(&mut self, parts: &Parts, body: &[u8]) -> Result<Reply, Refusal> {
        let request = AuthorizationRequest::read(&self.clients, parts.uri.query().unwrap_or_default())?;
        if parts.method == Method::GET {
            return Ok(page::form(&request, None));
        }
        let form = Parameters::read(body).map_err(|why| Refusal::Page(why.into()))?;
        match form.get("decision") {
            Some("allow") => Ok(self.log_in_at_page(&request, &form)),
            Some("deny") => Ok(see_other(&request.denied())),
            _ => Err(Refusal::Page(Mistake::from("The form does not say whether to allow or to deny."))),
        }
    }

    fn log_in_at_page(&mut self, request: &AuthorizationRequest, form: &Parameters) -> Reply {
        let name = form.get("username").unwrap_or_default();
        let password = form.get("password").unwrap_or_default();
        match self.user_for(request, name).filter(|user| user.password.expose() == password).map(|user| user.id) {
            Some(user) => see_other(&self.allow(request, user)),
            // Status 200, as the vendor refuses logins. A 401 would have to name an HTTP authentication scheme, and
            // password managers ignore a form in a 4xx response.
            None => page::form(request, Some(name)),
        }
    }

    /// The user with a name, on a side where the client is registered. The exchange opens the session on that side.
    fn user_for(&self, request: &AuthorizationRequest, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name && request.sides.iter().any(|side| user.exists_on(*side)))
    }

    /// The redirect that carries a new code.
    fn allow(&mut self, request: &AuthorizationRequest, user: i64) -> String {
        let code = self.issue_code_to(user, &request.client_id, request.redirect_uri(), request.challenge.as_deref());
        request.allowed(&code)
    }

    /// The URL to which the browser is redirected if the user allows; see [`Simulator::consent`].
    pub(crate) fn allow_at(&mut self, authorize_url: &str, user: &str) -> Option<String> {
        match self.request_at(authorize_url)? {
            Ok(request) => {
                let user = self.user_for(&request, user)?.id;
                Some(self.allow(&request, user))
            }
            Err(location) => Some(location),
        }
    }

    /// The URL to which the browser is redirected if the user denies; see [`Simulator::deny`].
    pub(crate) fn deny_at(&self, authorize_url: &str) -> Option<String> {
        Some(match self.request_at(authorize_url)? {
            Ok(request) => request.denied(),
            Err(location) => location,
        })
    }

    /// The request in an authorize URL, or as `Err` the redirect that answers it at once. `None` if the page shows an
    /// error.
    fn request_at(&self, authorize_url: &str) -> Option<Result<AuthorizationRequest, String>> {
        let uri: Uri = authorize_url.parse().ok()?;
        if !is_page(uri.path()) {
            return None;
        }
        match AuthorizationRequest::read(&self.clients, uri.query().unwrap_or_default()) {
            Ok(request) => Some(Ok(request)),
            Err(Refusal::Redirect(location)) => Some(Err(location)),
            Err(Refusal::Page(_)) => None,
        }
    }
}

/// A 303, so that the browser follows with a GET and does not send the password again.
fn see_other(location: &str) -> Reply {
    Reply::empty(StatusCode::SEE_OTHER).with_header(header::LOCATION, location)
}

fn add_security_headers(headers: &mut HeaderMap) {
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
