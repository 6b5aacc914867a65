//! A user's consent on the simulator's page, without a browser.

use tradovate_auth::ureq::entropy;
use tradovate_auth::{AuthorizationRequest, AuthorizedCode, OAuthApp};
use tradovate_auth_simulator::Server;

/// The redirect URI of the simulator's default client.
const REDIRECT_URI: &str = "http://localhost:8888/";

/// The app that the simulator knows by default.
pub(crate) fn app() -> OAuthApp {
    OAuthApp::new("synthetic-client")
}

/// The code that a user's consent yields.
pub(crate) fn consent(server: &Server) -> AuthorizedCode {
    let request = AuthorizationRequest::new(&app(), REDIRECT_URI);
    let (url, mut pending) = request.begin(&server.environment(), entropy().unwrap()).unwrap();
    let redirect = server.consent(server.credentials().name(), url.as_str()).unwrap();
    pending.redirected(&redirect).unwrap()
}
