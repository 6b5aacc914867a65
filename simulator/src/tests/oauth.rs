//! Tests of the exchange of authorization codes.

use super::*;
use crate::{hosts::ApiHosts, registration::OAuthClient};

pub(super) const REDIRECT: &str = "http://localhost:8888/";
/// Appendix B of RFC 7636.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) fn code(world: &mut World) -> String {
    world.simulator.issue_code(USER, "synthetic-client", REDIRECT, Some(CHALLENGE))
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

/// The response to an exchange, which opens a session.
pub(super) fn session(world: &mut World) -> Answer {
    let code = code(world);
    world.post(OAUTH, &exchange(&code))
}

fn wrong_code() -> Value {
    json!({ "error": "invalid_grant", "error_description": "Wrong or used already authorization code" })
}

fn invalid_client(why: &str) -> Value {
    json!({ "error": "invalid_client", "error_description": why })
}

fn mismatch() -> Value {
    invalid_client("client_id, redirect_uri and client_secret do not match existing setup")
}

#[test]
fn the_exchange_of_a_code_opens_a_session() {
    let mut world = World::new();
    let answer = session(&mut world);
    assert_eq!(answer.status, 200);
    for (field, value) in [
        ("token_type", json!("Bearer")),
        ("expires_in", json!(4800)),
        ("refresh_token_expires_in", json!(93600)),
        ("userId", Value::Null),
        ("mdAccessToken", Value::Null),
    ] {
        assert_eq!(answer.get(field), value, "{field}");
    }
    assert_eq!(answer.get("apiHosts")["live"], LIVE);
    assert!(!answer.text("refresh_token").is_empty() && answer.text("id_token").split('.').count() == 3);
    world.login();
    assert_eq!(world.accounts(&answer.text("access_token")).status, 200);
    world.login();
    assert_eq!(world.accounts(&answer.text("access_token")).status, 408, "a third session closes it");
}

#[test]
fn a_code_is_used_up_by_one_exchange_even_with_a_wrong_verifier() {
    let mut world = World::new();
    let without_challenge = world.simulator.issue_code(USER, "synthetic-client", REDIRECT, None);
    assert_eq!(world.post(OAUTH, &exchange(&without_challenge)).json(), wrong_code(), "a verifier too many");
    for verifier in [VERIFIER, "wrong"] {
        let exchange = exchange(&code(&mut world));
        world.post(OAUTH, &with(exchange.clone(), "code_verifier", verifier));
        assert_eq!(world.post(OAUTH, &exchange).json(), wrong_code());
    }
}

#[test]
fn a_code_is_valid_for_five_minutes() {
    for time_is_known in [true, false] {
        let mut world = World::new();
        if time_is_known {
            world.login();
        }
        let (first, second) = (code(&mut world), code(&mut world));
        assert_ne!(first, second);
        world.login();
        world.wait(299);
        assert_eq!(world.post(OAUTH, &exchange(&first)).get("error"), Value::Null);
        world.wait(1);
        assert_eq!(world.post(OAUTH, &exchange(&second)).json(), wrong_code());
    }
}

#[test]
fn an_exchange_with_any_wrong_field_is_refused() {
    for (field, value, answer) in [
        ("code", json!("unknown"), wrong_code()),
        ("code", Value::Null, wrong_code()),
        ("code_verifier", json!("wrong"), wrong_code()),
        ("code_verifier", Value::Null, wrong_code()),
        ("client_id", json!("unknown"), invalid_client("Wrong client_id")),
        ("client_id", Value::Null, invalid_client("Wrong client_id")),
        ("redirect_uri", json!("http://localhost:9999/"), mismatch()),
        ("redirect_uri", Value::Null, mismatch()),
        ("client_secret", json!("a public client has none"), mismatch()),
        ("grant_type", json!("password"), json!({ "error": "unsupported_grant_type" })),
    ] {
        let mut world = World::new();
        let exchange = exchange(&code(&mut world));
        let refusal = world.post(OAUTH, &with(exchange, field, value));
        assert_eq!((refusal.status, refusal.json()), (200, answer), "{field}");
    }
}

#[test]
fn an_oauth_client_of_live_is_unknown_on_demo() {
    let mut world = World::new().at(DEMO);
    let exchange = exchange(&code(&mut world));
    assert_eq!(world.post(OAUTH, &exchange).json(), invalid_client("Wrong client_id"));
    assert_eq!(world.at(LIVE).post(OAUTH, &exchange).get("error"), Value::Null);
}

#[test]
fn a_confidential_client_needs_its_secret() {
    let client = OAuthClient::confidential("website", "client secret", REDIRECT);
    let mut world = World::of(Simulator::builder().oauth_client(client));
    let code = world.simulator.issue_code(USER, "website", REDIRECT, Some(CHALLENGE));
    let request = with(exchange(&code), "client_id", "website");
    assert_eq!(world.post(OAUTH, &request).json(), mismatch());
    assert_eq!(world.post(OAUTH, &with(request.clone(), "client_secret", "wrong")).json(), mismatch());
    assert_eq!(world.post(OAUTH, &with(request, "client_secret", "client secret")).get("error"), Value::Null);
}

#[test]
fn a_code_can_be_exchanged_only_with_its_client_and_redirect_uri() {
    let mut client = OAuthClient::default();
    client.redirect_uris.push("http://localhost:7777/".to_owned());
    let other = OAuthClient::public("other", REDIRECT);
    let mut world = World::of(Simulator::builder().oauth_client(client).oauth_client(other));
    let code = code(&mut world);
    for (field, value) in [("client_id", "other"), ("redirect_uri", "http://localhost:7777/")] {
        assert_eq!(world.post(OAUTH, &with(exchange(&code), field, value)).json(), wrong_code());
    }
    assert_eq!(world.post(OAUTH, &exchange(&code)).get("error"), Value::Null);
}

#[test]
fn an_exchange_can_be_a_form_and_its_path_can_omit_the_version() {
    let mut world = World::new();
    let exchange = exchange(&code(&mut world));
    let fields = exchange.as_object().unwrap().iter().map(|(name, value)| (name, value.as_str().unwrap()));
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    assert!(!world.bytes("/auth/oauthToken", FORM, form).text("access_token").is_empty());
}

#[test]
fn an_exchange_needs_a_grant_type_and_its_fields_have_length_limits() {
    assert_eq!(World::new().post(OAUTH, &json!({ "client_id": "synthetic-client" })).status, 400);
    for field in ["code", "redirect_uri", "client_id", "httpAuth", "refresh_token", "code_verifier", "resource"] {
        let body = json!({ "grant_type": "refresh_token", field: "x".repeat(8193) });
        assert_eq!(World::new().post(OAUTH, &body).status, 400, "{field}");
    }
}

#[test]
fn options_add_user_and_market_data_token_to_an_exchange_and_delay_the_user_in_me() {
    let mut world = World::with_options(|options| {
        options.oauth_has_user_id = true;
        options.oauth_has_market_data_token = true;
        options.user_id_delay = Duration::from_secs(180);
    });
    let answer = session(&mut world);
    assert_eq!(answer.get("userId"), 15460);
    assert!(answer.text("mdAccessToken").starts_with("md_"));
    let token = answer.text("access_token");
    assert_eq!(world.get(ME, &token).get("userId"), Value::Null);
    world.wait(180);
    let by_password = world.token();
    for token in [token, by_password] {
        assert_eq!(world.get(ME, &token).get("userId"), 15460);
    }
}

#[test]
fn a_code_that_was_sent_to_a_wrong_host_stays_valid() {
    let user = User { hosts: Some(ApiHosts::standard().with("live", "acme-live.example")), ..User::default() };
    let mut world = World::with_user(user).at(LIVE);
    let exchange = exchange(&code(&mut world));
    let location = "https://acme-live.example/v1/auth/oauthtoken";
    assert_eq!(world.post(OAUTH, &exchange).status_and_location(), (307, location));
    assert_eq!(world.at("acme-live.example").post(OAUTH, &exchange).get("error"), Value::Null);
}
