use super::*;
use std::path::PathBuf;

use tradovate_auth_core::{AccessTokenRequest, AuthorizationRequest, Endpoint, Entropy};

/// A file for one test, which is removed at the end of the test.
struct Secret(PathBuf);

impl Secret {
    fn with(test: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("tradovate-auth-secret-{}-{test}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn table<'t>(pairs: &'t [(&'t str, &'t str)]) -> impl Fn(&str) -> Option<String> {
    move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into())
}

/// The login that these variables describe.
fn login(pairs: &[(&str, &str)]) -> Result<String, VariableError> {
    let lookup = |name: &str| table(pairs)(name).or((name == "TRADOVATE_USERNAME").then(|| "trader".into()));
    let (environment, credentials) = read(lookup)?;
    let body = AccessTokenRequest::new(&credentials).request(&environment).unwrap().into_body();
    Ok(String::from_utf8(body.as_ref().to_vec()).unwrap())
}

#[test]
fn secrets_are_read_from_files_without_one_newline_at_the_end() {
    for (content, password) in [
        (&b"pass word"[..], "pass word"),
        (b"pass word\n", "pass word"),
        (b"pass word\r\n", "pass word"),
        (b" pass word ", " pass word "),
        (b"pass\\word\n", "pass\\\\word"),
    ] {
        let file = Secret::with("password", content);
        let body = login(&[("TRADOVATE_PASSWORD_FILE", file.path()), ("TRADOVATE_PASSWORD", "")]).unwrap();
        assert_eq!(body, format!(r#"{{"name":"trader","password":"{password}"}}"#));
    }
    let file = Secret::with("key", b"api-secret\n");
    let pairs = [("TRADOVATE_PASSWORD", "x"), ("TRADOVATE_CID", "8"), ("TRADOVATE_SEC_FILE", file.path())];
    assert!(login(&pairs).unwrap().contains(r#""sec":"api-secret""#));
}

#[test]
fn the_secret_of_an_app_is_read_from_a_file() {
    let file = Secret::with("client", b"client-secret\n");
    let pairs = [("TRADOVATE_CLIENT_ID", "app"), ("TRADOVATE_CLIENT_SECRET_FILE", file.path())];
    let (environment, app) = read_app(table(&pairs)).unwrap();
    let request = AuthorizationRequest::new(&app, "http://127.0.0.1:8765/callback");
    let (url, mut pending) = request.begin(&environment, Entropy::from([7; Entropy::LENGTH])).unwrap();
    let state = url.as_str().split("state=").nth(1).unwrap().split('&').next().unwrap();
    let code = pending.redirected_query(&format!("code=c&state={state}")).unwrap();
    let body = app.exchange(code).request(&environment).unwrap().into_body();
    assert!(std::str::from_utf8(body.as_ref()).unwrap().contains(r#""client_secret":"client-secret""#));
    let public = read_app(table(&[("TRADOVATE_CLIENT_ID", "app")])).unwrap();
    assert!(!format!("{public:?}").contains("ClientSecret"));
}

#[test]
fn a_secret_in_both_variable_and_file_is_an_error() {
    let file = Secret::with("twice", b"canary");
    for (name, file_name) in [PASSWORD, API_SECRET, CLIENT_SECRET] {
        let pairs = [("TRADOVATE_CLIENT_ID", "app"), (name, "canary"), (file_name, file.path())];
        let error = login(&pairs).map(drop).and(read_app(table(&pairs)).map(drop)).unwrap_err();
        let said = format!("{name} and {file_name} are both set: unset one of them");
        // Without a password there is no login, even if all other variables are set.
        let is_named = error.to_string() == said || (name == CLIENT_SECRET.0 && error.to_string().contains("PASSWORD"));
        assert!(is_named && !format!("{error:?}").contains("canary"), "{error}");
    }
}

#[test]
fn the_error_of_an_unusable_file_names_it_and_quotes_nothing() {
    let (empty, newline) = (Secret::with("empty", b""), Secret::with("newline", b"\n"));
    let binary = Secret::with("binary", b"canary\xff");
    for path in ["/nowhere/at/all", "/", empty.path(), newline.path(), binary.path()] {
        let error = login(&[("TRADOVATE_PASSWORD_FILE", path)]).unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with(&format!("TRADOVATE_PASSWORD_FILE: {path} can't be used: ")), "{said}");
        assert!(!format!("{said} {error:?}").contains("canary"), "{said}");
    }
}

#[test]
fn a_secret_file_is_read_only_up_to_64_kib() {
    let file = Secret::with("long", &b"x".repeat(100_000));
    let text = secret(PASSWORD, table(&[("TRADOVATE_PASSWORD_FILE", file.path())])).unwrap().unwrap();
    assert_eq!(text.len(), 65536);
}

#[test]
fn from_env_reads_the_environment_of_the_process() {
    assert_eq!(variable("CARGO_MANIFEST_DIR"), std::env::var("CARGO_MANIFEST_DIR").ok());
    assert_eq!(variable("TRADOVATE_NOT_SET_BY_ANYBODY"), None);
}
