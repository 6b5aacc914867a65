//! Tests of paths, methods and headers that all endpoints share.

use super::*;
use crate::endpoint::Endpoint;

#[test]
fn an_unknown_path_gets_404() {
    for path in ["/v2/auth/me", "/nowhere", "/auth/accesstokenrequest", "/account/list", "/v1/user/syncrequest"] {
        assert_eq!(World::new().method(&Method::GET, path).status_and_body(), (404, ""));
    }
}

#[test]
fn a_wrong_method_gets_405_and_the_allowed_method() {
    for (method, path, allowed) in
        [(Method::GET, LOGIN, "POST"), (Method::POST, ME, "GET"), (Method::HEAD, RENEW, "GET")]
    {
        let answer = World::new().method(&method, path);
        assert_eq!((answer.status, answer.header("allow")), (405, allowed));
    }
}

#[test]
fn paths_ignore_letter_case_and_calls_need_a_bearer_token() {
    let mut world = World::new();
    let token = world.post("/v1/auth/accessTokenRequest", &credentials()).text("accessToken");
    for (path, authorization, status) in [
        ("/v1/auth/renewAccessToken", format!("Bearer {token}"), 200),
        ("/V1/AUTH/ME", format!("bearer {token}"), 200),
        (ACCOUNTS, format!("Basic {token}"), 404),
        (ACCOUNTS, token, 404),
        (ACCOUNTS, "Bearer ".to_owned(), 404),
    ] {
        let request = Request::get(path).header("authorization", authorization).body(Vec::new()).unwrap();
        assert_eq!(world.send(request).status, status, "{path}");
    }
    for path in [ME, RENEW, ACCOUNTS] {
        assert_eq!(world.method(&Method::GET, path).status, 404, "{path}");
    }
}

#[test]
fn the_paths_in_the_guides_work_without_the_version_too() {
    let mut world = World::new();
    let token = world.token();
    for path in ["/auth/me", "/Auth/renewAccessToken"] {
        assert_eq!(world.get(path, &token).text("name"), USER, "{path}");
    }
    assert_eq!(world.post("/auth/oauthtoken", &json!({})).status, 400);
    let statistics = world.simulator.statistics();
    let counted = [Endpoint::Me, Endpoint::RenewAccessToken, Endpoint::OauthToken];
    assert_eq!(counted.map(|endpoint| statistics.requests(endpoint)), [1, 1, 1]);
}

#[test]
fn a_client_can_read_its_user_its_accounts_and_an_empty_order_list() {
    let mut world = World::new();
    let token = world.token();
    for (path, expected) in
        [("/v1/user/list", json!([USER])), ("/v1/account/list", json!(["SIM00001"])), ("/v1/order/list", json!([]))]
    {
        let answer = world.get(path, &token).json();
        let names: Vec<_> = answer.as_array().unwrap().iter().map(|entry| entry["name"].clone()).collect();
        assert_eq!(Value::from(names), expected, "{path}");
        assert_eq!(world.get(path, "unknown").status_and_body(), (401, "Invalid access token"));
    }
    let user = world.get("/v1/user/list", &token).json()[0]["id"].clone();
    assert_eq!(world.accounts(&token).json()[0]["userId"], user);
    assert_eq!(world.get(ME, &token).get("userId"), user);
}

#[test]
fn every_response_has_the_servers_date() {
    let mut world = World::with_options(|options| options.clock_skew = jiff::SignedDuration::from_secs(90));
    world.now = "2026-11-04T06:07:08.9Z".parse().unwrap();
    for path in [LOGIN, "/nowhere"] {
        assert_eq!(world.method(&Method::GET, path).header("date"), "Wed, 04 Nov 2026 06:08:38 GMT");
    }
}
