//! A user who consents on the simulator's page, without a browser.

use tradovate_auth::ureq::entropy;
use tradovate_auth::{AuthorizationRequest, AuthorizedCode, OAuthApp};
use tradovate_auth_simulator::Server;

/// Where the simulator's client is registered to come back to.
const REDIRECT_URI: &str = "http://localhost:8888/";

/// The app that the simulator knows.
pub(crate) fn app() -> OAuthApp {
    OAuthApp::new("synthetic-client")
}

/// The code that the user's consent brings.
pub(crate) fn consent(server: &Server) -> AuthorizedCode {
    let request = AuthorizationRequest::new(&app(), REDIRECT_URI);
    let (url, mut pending) = request.begin(&server.environment(), entropy().unwrap()).unwrap();
    let redirect = server.consent(server.credentials().name(), url.as_str()).unwrap();
    pending.redirected(&redirect).unwrap()
}
