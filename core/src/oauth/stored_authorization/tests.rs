use super::super::{AuthorizationRequest, Entropy, OAuthApp, PendingAuthorization, RedirectError};
use super::*;
use crate::environment::Environment;
use alloc::format;
use alloc::string::{String, ToString};

const WRITTEN: &str = r#"{"version":1,"clientId":"client","redirectUri":"https://app.example/cb","authorizeUrl":"https://trader.tradovate.com/oauth","awaited":{"state":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc","codeVerifier":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}}"#;
const ANSWER: &str = "code=x&state=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

fn request() -> AuthorizationRequest {
    AuthorizationRequest::new(&OAuthApp::new("client"), "https://app.example/cb")
}

fn pending(request: &AuthorizationRequest) -> PendingAuthorization {
    request.begin(&Environment::live(), Entropy::from([7; 64])).unwrap().1
}

fn written(pending: &PendingAuthorization) -> String {
    serde_json::to_string(&pending.snapshot()).unwrap()
}

fn read(text: &str) -> Result<PendingAuthorization, String> {
    let stored = serde_json::from_str::<StoredAuthorization>(text);
    stored.map(PendingAuthorization::from).map_err(|error| error.to_string())
}

#[test]
fn a_stored_authorization_can_be_completed_by_another_process() {
    let text = written(&pending(&request()));
    assert_eq!(text, WRITTEN);
    let mut resumed = read(&text).unwrap();
    assert_eq!(resumed.redirect_uri(), "https://app.example/cb");
    assert!(resumed.redirected_query(ANSWER).is_ok());
}

#[test]
fn a_stored_authorization_without_pkce_has_no_verifier() {
    let text = written(&pending(&request().without_pkce()));
    assert!(!text.contains("codeVerifier"), "{text}");
    let code = read(&text).unwrap().redirected_query(ANSWER).unwrap();
    assert!(!format!("{code:?}").contains("CodeVerifier"));
}

//= R-AUTHORIZE-8
#[test]
fn a_stored_authorization_keeps_its_check_of_the_issuer() {
    for (request, key, without) in [
        (request().with_issuer("https://issuer.example"), "issuer", Ok(())),
        (request().with_required_issuer("https://issuer.example"), "requiredIssuer", Err(RedirectError::MissingIssuer)),
    ] {
        let text = written(&pending(&request));
        assert!(text.contains(&format!(r#""{key}":"https://issuer.example""#)), "{text}");
        let answered = |query: &str| read(&text).unwrap().redirected_query(&format!("{ANSWER}{query}")).map(drop);
        assert_eq!(answered("&iss=https://issuer.example"), Ok(()));
        assert_eq!(answered("&iss=https://other.example"), Err(RedirectError::WrongIssuer));
        assert_eq!(answered(""), without);
        let damaged = text.replace(&format!(r#""{key}""#), r#""isuer""#);
        assert!(read(&damaged).is_err_and(|error| error.contains("`awaited`")), "{damaged}");
    }
    let both = WRITTEN.replace(r#"{"state""#, r#"{"issuer":"a","requiredIssuer":"a","state""#);
    assert!(read(&both).is_err());
}

#[test]
fn a_stored_authorization_accepts_only_one_redirect() {
    let mut answered = pending(&request());
    answered.redirected_query(ANSWER).unwrap();
    let mut resumed = read(&written(&answered)).unwrap();
    assert_eq!(resumed.redirected_query(ANSWER).unwrap_err(), RedirectError::AlreadyAnswered);
}

#[test]
fn a_stored_authorization_of_a_newer_version_has_its_own_error() {
    let newer = read(r#"{"version":2,"sealed":"canary"}"#).unwrap_err();
    assert!(newer.starts_with("a newer version of this library has written the authorization"), "{newer}");
}

#[test]
fn the_error_of_a_damaged_authorization_names_the_field_and_quotes_nothing() {
    for (from, to, field) in [
        (r#""version":1,"#, "", "version"),
        (r#""https://app.example/cb""#, r#""canary""#, "redirectUri"),
        (r#""https://app.example/cb""#, r#""http://evil.example/canary""#, "redirectUri"),
        (r#""https://app.example/cb""#, "7", "redirectUri"),
        (r#""clientId":"client""#, r#""clientId":["canary"]"#, "clientId"),
        (r#""https://trader.tradovate.com/oauth""#, r#"{"canary":1}"#, "authorizeUrl"),
        (r#""state":"BwcHBwcHBwc"#, r#""state":"canary"#, "awaited"),
        (r#""codeVerifier":"BwcHBwcHBwc"#, r#""codeVerifier":"canary"#, "awaited"),
        (r#""state":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc","#, "", "awaited"),
        (r#"{"state":"#, r#"{"state":{},"canary":"#, "awaited"),
        (r#""codeVerifier":"#, r#""canary":"#, "awaited"),
        (r#""codeVerifier":"#, r#""canary":null,"codeVerifier":"#, "awaited"),
    ] {
        let damaged = WRITTEN.replace(from, to);
        assert_ne!(damaged, WRITTEN, "{from}");
        let error = read(&damaged).map(|_| ()).unwrap_err();
        assert!(error.starts_with(&format!("the stored authorization is damaged in `{field}`")), "{damaged}: {error}");
        assert!(!error.contains("canary"), "{error}");
    }
    for text in ["", "[]", "null", "7", r#"{"version":1"#] {
        assert!(read(text).is_err(), "{text}");
    }
}
