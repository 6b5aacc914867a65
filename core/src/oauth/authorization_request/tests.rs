use super::*;
use crate::place::url::SecureUrl;
use alloc::format;
use alloc::vec::Vec;

const REDIRECT_URI: &str = "http://127.0.0.1:8765/callback";

/// The octets of RFC 7636, appendix B, for the verifier.
fn entropy() -> Entropy {
    let mut bytes = [7; Entropy::LENGTH];
    bytes[..32].copy_from_slice(&[
        116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105, 214, 191,
        240, 91, 88, 5, 88, 83, 132, 141, 121,
    ]);
    Entropy::from(bytes)
}

fn request() -> AuthorizationRequest {
    AuthorizationRequest::new(&OAuthApp::new("client"), REDIRECT_URI)
}

fn begin(request: &AuthorizationRequest) -> Result<String, BuildError> {
    request.begin(&Environment::live(), entropy()).map(|(url, _)| url.into())
}

fn begin_at(authorize_url: &str) -> Result<String, BuildError> {
    let environment = Environment::live().with_authorize_url(SecureUrl::parse(authorize_url).unwrap());
    request().begin(&environment, entropy()).map(|(url, _)| url.into())
}

//= R-AUTHORIZE-1
//= R-AUTHORIZE-2
//= R-AUTHORIZE-4
//= R-AUTHORIZE-5
#[test]
fn a_request_asks_for_a_code_with_state_and_the_challenge_of_rfc_7636() {
    assert_eq!(
        begin(&request()).unwrap(),
        "https://trader.tradovate.com/oauth?response_type=code&client_id=client\
         &redirect_uri=http%3A%2F%2F127.0.0.1%3A8765%2Fcallback&state=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );
}

//= R-AUTHORIZE-5
#[test]
fn scope_resource_and_pkce_are_the_callers_choice() {
    let app = OAuthApp::new("client").with_resource("https://api.example/");
    let request = AuthorizationRequest::new(&app, REDIRECT_URI).with_scope("openid profile");
    let url = begin(&request).unwrap();
    assert!(url.contains("&scope=openid+profile&resource=https%3A%2F%2Fapi.example%2F&code_challenge="), "{url}");
    let url = begin(&request.without_pkce()).unwrap();
    assert!(!url.contains("code_challenge") && url.contains("&state="), "{url}");
}

//= R-AUTHORIZE-6
#[test]
fn an_authorize_url_keeps_its_own_query() {
    for (authorize_url, start) in [
        (
            "https://web.ninjatrader.com/oauth?env=demo",
            "https://web.ninjatrader.com/oauth?env=demo&response_type=code&",
        ),
        ("https://web.ninjatrader.com/oauth?", "https://web.ninjatrader.com/oauth?response_type=code&"),
        ("https://web.ninjatrader.com/oauth?a=%20&", "https://web.ninjatrader.com/oauth?a=%20&response_type=code&"),
        ("http://127.0.0.1:80", "http://127.0.0.1:80/?response_type=code&"),
    ] {
        let url = begin_at(authorize_url).unwrap();
        assert!(url.starts_with(start), "{url}");
    }
}

#[test]
fn an_authorize_url_must_not_answer_for_the_request() {
    for own in ["state=fixed", "x=1&redirect_uri=https://evil.example", "c%6fde_challenge=x", "response_type=token"] {
        let error = begin_at(&["https://web.ninjatrader.com/oauth?", own].concat()).unwrap_err();
        assert!(error.to_string().contains("a parameter that the request sets"), "{own}: {error}");
    }
    let error = request().begin(&Environment::staging_live(), entropy()).unwrap_err();
    assert!(error.to_string().contains("with_authorize_url"), "{error}");
    let unsafe_uri = begin(&AuthorizationRequest::new(&OAuthApp::new("client"), "http://app.example/cb"));
    assert_eq!(unsafe_uri, Err(BuildError::PlainHttp { host: "app.example".into() }));
}

#[test]
fn a_field_that_cannot_be_sent_is_named() {
    let app = |client_id: &str| AuthorizationRequest::new(&OAuthApp::new(client_id), REDIRECT_URI);
    let long = "x".repeat(8193);
    let errors: Vec<String> = [
        app(""),
        app("a\nb"),
        app(&long),
        AuthorizationRequest::new(&OAuthApp::new("client"), ""),
        AuthorizationRequest::new(&OAuthApp::new("client"), ["https://app.example/", &long].concat()),
        request().with_scope(""),
        request().with_scope("openid\n"),
        AuthorizationRequest::new(&OAuthApp::new("client").with_resource(""), REDIRECT_URI),
    ]
    .map(|request| begin(&request).unwrap_err().to_string())
    .into();
    insta::assert_snapshot!(errors.join("\n"), @r"
    `client_id` is empty: give it a value
    `client_id` has a control character in it, perhaps a line break at its end: remove it
    `client_id` is longer than the 8192 characters the server accepts
    `redirect_uri` is empty: give it a value
    `redirect_uri` is longer than the 8192 characters the server accepts
    `scope` is empty: give it a value
    `scope` has a control character in it, perhaps a line break at its end: remove it
    `resource` is empty: give it a value
    ");
}

#[test]
fn nothing_of_a_login_shows_in_debug() {
    let (url, pending) = request().begin(&Environment::live(), entropy()).unwrap();
    assert_eq!(format!("{url:?}"), "AuthorizationUrl(https://trader.tradovate.com/oauth?[redacted])");
    assert_eq!(format!("{:?}", entropy()), "Entropy([redacted])");
    let stored = format!("{:?}", pending.snapshot());
    assert!(stored.starts_with("StoredAuthorization { asked: Asked { client_id: \"client\", "), "{stored}");
    let shown = format!("{url:?} {pending:?} {stored} {:?}", request());
    let secrets = pending.0.awaited.unwrap();
    for secret in [secrets.state.expose(), secrets.code_verifier.unwrap().expose()] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
