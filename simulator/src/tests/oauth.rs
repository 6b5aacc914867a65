use super::*;
use crate::{hosts::ApiHosts, registration::OAuthClient, user::User};

pub(super) const REDIRECT: &str = "http://localhost:8888/";
/// Appendix B of RFC 7636.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) fn code(world: &mut World) -> String {
    world.simulator.issue_code("synthetic-user", "synthetic-client", REDIRECT, Some(CHALLENGE))
}

pub(super) fn exchange(code: &str) -> Value {
    json!({
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "client_id": "synthetic-client",
        "code_verifier": VERIFIER,
    })
}

pub(super) fn wrong_code() -> Value {
    json!({ "error": "invalid_grant", "error_description": "Wrong or used already authorization code" })
}

fn mismatch() -> Value {
    json!({
        "error": "invalid_client",
        "error_description": "client_id, redirect_uri and client_secret do not match existing setup",
    })
}

/// The answer to an exchange with one field changed.
fn exchanged_with(field: &str, value: Value) -> (u16, Value) {
    let mut world = World::new();
    let code = code(&mut world);
    let answer = world.post(OAUTH, &with(exchange(&code), field, value));
    (answer.status, answer.json())
}

#[test]
fn a_code_brings_tokens() {
    let mut world = World::new();
    let code = code(&mut world);
    let answer = world.post(OAUTH, &exchange(&code));
    assert_eq!(answer.status, 200);
    assert_eq!(
        (answer.text("token_type"), answer.get("expires_in"), answer.get("refresh_token_expires_in")),
        ("Bearer".to_owned(), json!(4800), json!(93600))
    );
    assert_eq!(answer.get("apiHosts").get("live").cloned(), Some(json!("live.tradovateapi.com")));
    assert_eq!((answer.get("userId"), answer.get("mdAccessToken")), (Value::Null, Value::Null));
    assert!(!answer.text("refresh_token").is_empty() && answer.text("id_token").split('.').count() == 3);
    assert_eq!(world.accounts(&answer.text("access_token")).status, 200);
}

#[test]
fn a_code_is_good_once() {
    let mut world = World::new();
    let code = code(&mut world);
    world.post(OAUTH, &exchange(&code));
    let answer = world.post(OAUTH, &exchange(&code));
    assert_eq!((answer.status, answer.json()), (200, wrong_code()));
}

#[test]
fn a_code_expires() {
    let mut world = World::new();
    world.login();
    let code = code(&mut world);
    world.wait(300);
    assert_eq!(world.post(OAUTH, &exchange(&code)).json(), wrong_code());
}

#[test]
fn a_code_lives_from_the_first_moment_the_server_knows() {
    let mut world = World::new();
    let (first, second) = (code(&mut world), code(&mut world));
    world.login();
    world.wait(299);
    assert_eq!(world.post(OAUTH, &exchange(&first)).get("error"), Value::Null);
    world.wait(1);
    assert_eq!(world.post(OAUTH, &exchange(&second)).json(), wrong_code());
}

#[test]
fn an_unknown_code_is_wrong() {
    assert_eq!(exchanged_with("code", json!("unknown")), (200, wrong_code()));
    assert_eq!(exchanged_with("code", Value::Null), (200, wrong_code()));
}

#[test]
fn a_code_needs_the_verifier_of_its_challenge() {
    assert_eq!(exchanged_with("code_verifier", json!("wrong")), (200, wrong_code()));
    assert_eq!(exchanged_with("code_verifier", Value::Null), (200, wrong_code()));
}

#[test]
fn a_wrong_verifier_uses_up_the_code() {
    let mut world = World::new();
    let code = code(&mut world);
    world.post(OAUTH, &with(exchange(&code), "code_verifier", json!("wrong")));
    assert_eq!(world.post(OAUTH, &exchange(&code)).json(), wrong_code());
}

#[test]
fn a_verifier_without_a_challenge_proves_nothing() {
    let mut world = World::new();
    let mut code = || world.simulator.issue_code("synthetic-user", "synthetic-client", REDIRECT, None);
    let (first, second) = (code(), code());
    assert_eq!(world.post(OAUTH, &exchange(&first)).json(), wrong_code());
    let plain = with(exchange(&second), "code_verifier", Value::Null);
    assert_eq!(world.post(OAUTH, &plain).get("error"), Value::Null);
}

#[test]
fn the_client_must_be_known_on_this_side() {
    let wrong = json!({ "error": "invalid_client", "error_description": "Wrong client_id" });
    assert_eq!(exchanged_with("client_id", json!("unknown")), (200, wrong.clone()));
    assert_eq!(exchanged_with("client_id", Value::Null), (200, wrong.clone()));
    let mut world = World::new().at("demo.tradovateapi.com");
    let code = code(&mut world);
    assert_eq!(world.post(OAUTH, &exchange(&code)).json(), wrong);
    assert_eq!(world.at("live.tradovateapi.com").post(OAUTH, &exchange(&code)).get("error"), Value::Null);
}

#[test]
fn redirect_and_secret_must_be_those_registered() {
    assert_eq!(exchanged_with("redirect_uri", json!("http://localhost:9999/")), (200, mismatch()));
    assert_eq!(exchanged_with("redirect_uri", Value::Null), (200, mismatch()));
    assert_eq!(exchanged_with("client_secret", json!("a public client has none")), (200, mismatch()));
}

#[test]
fn a_confidential_client_needs_its_secret() {
    let client = OAuthClient::confidential("website", "client secret", REDIRECT);
    let mut world = World::of(Simulator::builder().oauth_client(client));
    let code = world.simulator.issue_code("synthetic-user", "website", REDIRECT, Some(CHALLENGE));
    let request = with(exchange(&code), "client_id", json!("website"));
    assert_eq!(world.post(OAUTH, &request).json(), mismatch());
    assert_eq!(world.post(OAUTH, &with(request.clone(), "client_secret", json!("wrong"))).json(), mismatch());
    let right = with(request, "client_secret", json!("client secret"));
    assert_eq!(world.post(OAUTH, &right).get("error"), Value::Null);
}

#[test]
fn a_code_belongs_to_its_client_and_redirect() {
    let mut client = OAuthClient::default();
    client.redirect_uris.push("http://localhost:7777/".to_owned());
    let other = OAuthClient::public("other", REDIRECT);
    let mut world = World::of(Simulator::builder().oauth_client(client).oauth_client(other));
    let code = code(&mut world);
    for (field, value) in [("client_id", "other"), ("redirect_uri", "http://localhost:7777/")] {
        assert_eq!(world.post(OAUTH, &with(exchange(&code), field, json!(value))).json(), wrong_code());
    }
    assert_eq!(world.post(OAUTH, &exchange(&code)).get("error"), Value::Null);
}

#[test]
fn a_form_works_and_so_does_the_path_without_a_version() {
    let mut world = World::new();
    let code = code(&mut world);
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in exchange(&code).as_object().unwrap() {
        form.append_pair(name, value.as_str().unwrap());
    }
    let answer = world.bytes("/auth/oauthToken", "application/x-www-form-urlencoded", form.finish().as_bytes());
    assert!(!answer.text("access_token").is_empty());
}

#[test]
fn fields_have_limits_and_the_grant_type_is_required() {
    assert_eq!(World::new().post(OAUTH, &json!({ "client_id": "synthetic-client" })).status, 400);
    assert_eq!(exchanged_with("grant_type", json!("password")), (200, json!({ "error": "unsupported_grant_type" })));
    for field in ["code", "redirect_uri", "client_id", "httpAuth", "refresh_token", "code_verifier", "resource"] {
        let body = json!({ "grant_type": "refresh_token", field: "x".repeat(8193) });
        assert_eq!(World::new().post(OAUTH, &body).status, 400, "{field}");
    }
}

#[test]
fn user_and_market_data_token_can_be_answered() {
    let mut world = World::of(Simulator::builder().options(|o| {
        o.oauth_has_user_id = true;
        o.oauth_has_market_data_token = true;
    }));
    let code = code(&mut world);
    let answer = world.post(OAUTH, &exchange(&code));
    assert_eq!(answer.get("userId"), json!(15460));
    assert!(answer.text("mdAccessToken").starts_with("md_"));
}

#[test]
fn me_can_hide_the_user_of_a_new_oauth_session() {
    let mut world = World::of(Simulator::builder().options(|o| o.user_id_delay = Duration::from_secs(180)));
    let code = code(&mut world);
    let token = world.post(OAUTH, &exchange(&code)).text("access_token");
    assert_eq!(world.get(ME, &token).get("userId"), Value::Null);
    world.wait(180);
    assert_eq!(world.get(ME, &token).get("userId"), json!(15460));
    let by_password = world.token();
    assert_eq!(world.get(ME, &by_password).get("userId"), json!(15460));
}

#[test]
fn an_exchange_opens_a_session() {
    let mut world = World::new();
    let first = world.token();
    world.token();
    let code = code(&mut world);
    world.post(OAUTH, &exchange(&code));
    assert_eq!(world.accounts(&first).status, 408);
}

#[test]
fn a_code_sent_to_the_wrong_host_stays_good() {
    let user = User::default().of_organization("Acme");
    let hosts = ApiHosts::standard().with("live", "acme-live.example");
    let mut world = World::of(Simulator::builder().user(user).organization("Acme", hosts)).at("live.tradovateapi.com");
    let code = code(&mut world);
    let answer = world.post(OAUTH, &exchange(&code));
    assert_eq!((answer.status, answer.header("location")), (307, "https://acme-live.example/v1/auth/oauthtoken"));
    assert_eq!(world.at("acme-live.example").post(OAUTH, &exchange(&code)).get("error"), Value::Null);
}
