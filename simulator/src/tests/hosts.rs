//! Tests of dedicated hosts: `apiHosts`, redirects and wrong hosts.

use super::*;
use crate::{hosts::ApiHosts, wrong_hosts::WrongHost};

/// The organization's host as requests name it. The organization registers it with capitals.
const ACME: &str = "acme-demo.eval.ninjatrader.com";
const REGISTERED: &str = "Acme-Demo.eval.ninjatrader.com";
const CALL_LIVE: &str = "This endpoint should be called on live.tradovateapi.com";

/// A world with one user on the shared hosts and one user of Acme.
fn world() -> World {
    let hosts = ApiHosts::standard().with("demo", REGISTERED).with("mdDemo", "acme-md-demo.eval.ninjatrader.com");
    let member = User::new("member", "synthetic-password").of_organization("Acme");
    World::of(Simulator::builder().user(User::default()).user(member).organization("Acme", hosts))
}

fn member() -> Value {
    with(credentials(), "name", "member")
}

#[test]
fn a_login_response_names_the_hosts_of_the_organization() {
    let mut world = world();
    let hosts = world.login().get("apiHosts");
    assert_eq!((&hosts["demo"], &hosts["live"]), (&json!(DEMO), &json!(LIVE)));
    let login = world.post(LOGIN, &member());
    let hosts = login.get("apiHosts");
    assert_eq!((&hosts["demo"], &hosts["live"]), (&json!(REGISTERED), &json!(LIVE)));
    let token = login.text("accessToken");
    assert_eq!(world.get(RENEW, &token).get("apiHosts"), hosts);
    assert_eq!(world.get(ME, &token).get("apiHosts"), Value::Null);
    assert_eq!(world.failing_login().get("apiHosts"), Value::Null);
}

#[test]
fn a_shared_host_redirects_a_login_to_the_organizations_host_without_counting_it() {
    let mut world = world().at(DEMO);
    let location = format!("https://{REGISTERED}/v1/auth/accessTokenRequest?x=1");
    for _ in 0..6 {
        let answer = world.post("/v1/auth/accessTokenRequest?x=1", &member());
        assert_eq!((answer.status_and_location(), answer.body.as_str()), ((307, location.as_str()), ""));
    }
    let wrong = with(member(), "password", "wrong");
    assert_eq!(world.post(LOGIN, &wrong).get("errorText"), WRONG_PASSWORD);
}

#[test]
fn the_host_of_an_organization_serves_one_side_and_no_other_users() {
    let mut world = world().at(&format!("{REGISTERED}:443"));
    let token = world.post(LOGIN, &member()).text("accessToken");
    assert_eq!(world.accounts(&token).status, 200);
    assert_eq!(world.get(ME, &token).get("errorText"), CALL_LIVE);
    assert_eq!(world.login().status_and_location(), (421, ""));
}

#[test]
fn an_evaluation_trader_logs_in_on_live_and_is_redirected_to_the_dedicated_demo_host() {
    let mut world = world().at(LIVE);
    let token = world.post(LOGIN, &member()).text("accessToken");
    let mut world = world.at(DEMO);
    for path in [ACCOUNTS, RENEW] {
        let location = format!("https://{REGISTERED}{path}");
        assert_eq!(world.get(path, &token).status_and_location(), (307, location.as_str()));
    }
    assert_eq!(world.at(ACME).accounts(&token).status, 200);
}

#[test]
fn an_ip_address_serves_every_user_even_if_an_organization_names_it() {
    for (host, name, status) in [
        ("127.0.0.1:8080", "127.0.0.1", 200),
        ("[::1]:8080", "::1", 200),
        ("localhost", "localhost", 200),
        ("elsewhere.example", "elsewhere.example", 421),
    ] {
        let mut world = world().at(host);
        assert_eq!(world.post(LOGIN, &member()).status, 200, "{host}");
        world.simulator.move_hosts("member", ApiHosts::standard().with("live", name));
        assert_eq!(world.login().status, status, "{host}");
    }
}

#[test]
fn the_hosts_of_a_user_can_change_during_a_session() {
    let mut world = world().at(DEMO);
    let token = world.token();
    world.simulator.move_hosts(USER, ApiHosts::standard().with("demo", "moved-demo.example"));
    assert_eq!(world.get(RENEW, &token).header("location"), format!("https://moved-demo.example{RENEW}"));
    let mut world = world.at("moved-demo.example");
    assert_eq!(world.get(RENEW, &token).get("apiHosts")["demo"], "moved-demo.example");
    world.simulator.move_hosts(USER, ApiHosts::empty().with("replay", "replay.example"));
    assert_eq!(world.login().get("apiHosts"), json!({ "replay": "replay.example" }));
    world.simulator.move_hosts(USER, ApiHosts::empty());
    assert_eq!(world.login().get("apiHosts"), Value::Null);
}

#[test]
fn a_wrong_host_answers_404_or_wrong_client_id() {
    let mut world = world().at("old.example");
    let exchange = oauth::exchange(&oauth::code(&mut world));
    world.simulator.set_wrong_host("Old.example", Some(WrongHost::NotFound));
    assert_eq!(world.login().status_and_body(), (404, ""));
    world.simulator.set_wrong_host("old.example", Some(WrongHost::WrongClient));
    let refusal = json!({ "error": "invalid_client", "error_description": "Wrong client_id" });
    assert_eq!(world.post(OAUTH, &exchange).json(), refusal);
    assert_eq!(world.login().status, 200);
    world.simulator.set_wrong_host("old.example", None);
    assert!(!world.post(OAUTH, &exchange).text("access_token").is_empty());
}
