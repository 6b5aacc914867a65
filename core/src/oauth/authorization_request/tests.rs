use super::*;
use alloc::format;

#[test]
fn debug_output_of_an_authorization_contains_no_secret() {
    let request = AuthorizationRequest::new(&OAuthApp::new("client"), "http://127.0.0.1:8765/callback");
    let entropy = || Entropy::from([7; Entropy::LENGTH]);
    let (url, pending) = request.begin(&Environment::live(), entropy()).unwrap();
    assert_eq!(format!("{url:?}"), "AuthorizationUrl(https://trader.tradovate.com/oauth?[redacted])");
    assert_eq!(format!("{:?}", entropy()), "Entropy([redacted])");
    let stored = format!("{:?}", pending.snapshot());
    assert!(stored.starts_with("StoredAuthorization { asked: Asked { client_id: \"client\", "), "{stored}");
    let shown = format!("{url:?} {pending:?} {stored} {request:?}");
    let secrets = pending.0.awaited.unwrap();
    for secret in [secrets.state.expose(), secrets.code_verifier.unwrap().expose()] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn an_invalid_issuer_is_an_error() {
    let request = AuthorizationRequest::new(&OAuthApp::new("client"), "http://127.0.0.1:8765/callback");
    for request in [request.clone().with_issuer(""), request.with_required_issuer("")] {
        let error = request.begin(&Environment::live(), Entropy::from([7; Entropy::LENGTH])).unwrap_err();
        assert_eq!(error, BuildError::Empty { field: "iss".into() });
    }
}
