use super::super::{AuthorizationRequest, Entropy, OAuthApp, PendingAuthorization};
use super::*;
use crate::environment::Environment;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

const STATE: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

fn pending() -> PendingAuthorization {
    let request = AuthorizationRequest::new(&OAuthApp::new("client"), "http://127.0.0.1:8765/callback");
    request.begin(&Environment::live(), Entropy::from([7; Entropy::LENGTH])).unwrap().1
}

fn refused(query: &str) -> RedirectError {
    pending().redirected_query(query).unwrap_err()
}

fn with_state(query: &str) -> String {
    [query, "&state=", STATE].concat()
}

#[test]
fn a_query_may_be_as_long_as_the_limit() {
    let filled = |length: usize| with_state(&["x=", &"x".repeat(length - with_state("x=").len())].concat());
    assert_eq!(refused(&filled(65536)), RedirectError::MissingCode);
    assert_eq!(refused(&filled(65537)), RedirectError::TooLong { limit: 65536 });
}

#[test]
fn each_error_code_of_the_rfc_has_its_own_advice() {
    let said: Vec<String> = [
        "access_denied&error_description=The+user+said+no.",
        "invalid_request",
        "unauthorized_client",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "interaction_required",
        "%1b[31m&error_description=a%0Ab",
        "x&error_description=no+for+code%3Dcanary+and+state%3Dcanary",
    ]
    .map(|error| refused(&with_state(&["error=", error].concat())).to_string())
    .into();
    insta::assert_snapshot!(said.join("\n"), @r#"
    the login was not authorized ("access_denied: The user said no."): the user has to allow it; ask again when they want to
    the login was not authorized ("invalid_request"): check client_id, redirect_uri and scope against the app's registration, and whether it takes PKCE
    the login was not authorized ("unauthorized_client"): the app's registration does not allow this way to log in
    the login was not authorized ("unsupported_response_type"): check the authorize URL
    the login was not authorized ("invalid_scope"): leave the scope away: permissions belong to the app's registration
    the login was not authorized ("server_error"): try again later
    the login was not authorized ("temporarily_unavailable"): try again later
    the login was not authorized ("interaction_required"): see what it says, and begin the login again
    the login was not authorized ("a b"): see what it says, and begin the login again
    the login was not authorized ("x: no for […]"): see what it says, and begin the login again
    "#);
}

#[test]
fn no_error_quotes_the_redirect() {
    for query in ["code=canary", "code=canary&state=canary", "code=%canary", "state=canary&state=canary&code=canary"] {
        let error = refused(query);
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
    let error = refused(&with_state("code=canary%00"));
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    let code = pending().redirected_query(&with_state("code=canary")).unwrap();
    assert!(!format!("{code:?}").contains("canary"));
}
