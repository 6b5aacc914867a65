use super::*;
use crate::{hosts::ApiHosts, user::User};

const LIVE: &str = "live.tradovateapi.com";
const DEMO: &str = "demo.tradovateapi.com";
const ACME_DEMO: &str = "acme-demo.eval.ninjatrader.com";

fn acme_hosts() -> ApiHosts {
    ApiHosts::standard().with("demo", ACME_DEMO).with("mdDemo", "acme-md-demo.eval.ninjatrader.com")
}

/// One user on the shared hosts, one of Acme.
fn world() -> World {
    World::of(
        Simulator::builder()
            .user(User::default())
            .user(User::new("member", "synthetic-password").of_organization("Acme"))
            .organization("Acme", acme_hosts()),
    )
}

fn member() -> Value {
    with(credentials(), "name", json!("member"))
}

#[test]
fn an_answer_names_the_hosts_of_the_organization() {
    let mut world = world();
    assert_eq!(world.login().get("apiHosts").get("demo").cloned(), Some(json!(DEMO)));
    let login = world.post(LOGIN, &member());
    assert_eq!(login.get("apiHosts").get("demo").cloned(), Some(json!(ACME_DEMO)));
    assert_eq!(login.get("apiHosts").get("live").cloned(), Some(json!(LIVE)));
    let renewal = world.get(RENEW, &login.text("accessToken"));
    assert_eq!(renewal.get("apiHosts"), login.get("apiHosts"));
}

#[test]
fn me_and_refusals_name_no_hosts() {
    let mut world = world();
    let token = world.token();
    assert_eq!(world.get(ME, &token).get("apiHosts"), Value::Null);
    assert_eq!(world.failing_login().get("apiHosts"), Value::Null);
}

#[test]
fn a_shared_host_sends_a_login_of_the_organization_to_its_own() {
    let answer = world().at(DEMO).post("/v1/auth/accessTokenRequest?x=1", &member());
    assert_eq!((answer.status, answer.body.as_str()), (307, ""));
    assert_eq!(answer.header("location"), format!("https://{ACME_DEMO}/v1/auth/accessTokenRequest?x=1"));
}

#[test]
fn a_wrong_password_is_not_told_where_to_go() {
    let wrong = with(member(), "password", json!("wrong"));
    assert_eq!(world().at(DEMO).post(LOGIN, &wrong).get("errorText"), json!(WRONG_PASSWORD));
}

#[test]
fn the_host_of_the_organization_serves_it() {
    let mut world = world().at("Acme-Demo.eval.ninjatrader.com:443");
    let token = world.post(LOGIN, &member()).text("accessToken");
    assert_eq!(world.accounts(&token).status, 200);
    assert_eq!(
        world.get(ME, &token).get("errorText"),
        json!("This endpoint should be called on live.tradovateapi.com")
    );
}

#[test]
fn a_shared_host_sends_calls_and_renewals_on() {
    let mut world = world().at(ACME_DEMO);
    let token = world.post(LOGIN, &member()).text("accessToken");
    let mut world = world.at(DEMO);
    for path in [ACCOUNTS, RENEW] {
        let answer = world.get(path, &token);
        assert_eq!((answer.status, answer.header("location")), (307, format!("https://{ACME_DEMO}{path}").as_str()));
    }
}

#[test]
fn an_evaluation_trader_logs_in_on_live_and_is_sent_to_the_dedicated_demo() {
    let mut world = world().at(LIVE);
    let token = world.post(LOGIN, &member()).text("accessToken");
    let mut world = world.at(DEMO);
    assert_eq!(world.accounts(&token).header("location"), format!("https://{ACME_DEMO}{ACCOUNTS}"));
    assert_eq!(world.at(ACME_DEMO).accounts(&token).status, 200);
}

#[test]
fn a_side_without_a_dedicated_host_is_served_on_the_shared_one() {
    let answer = world().at(LIVE).post(LOGIN, &member());
    assert_eq!((answer.status, answer.get("errorText")), (200, json!("")));
}

#[test]
fn an_address_serves_everybody() {
    assert_eq!(world().at("127.0.0.1:8080").post(LOGIN, &member()).status, 200);
    assert_eq!(world().at("[::1]:8080").post(LOGIN, &member()).status, 200);
    assert_eq!(world().at("localhost").post(LOGIN, &member()).status, 200);
}

#[test]
fn the_host_of_an_organization_misdirects_everybody_else() {
    let answer = world().at(ACME_DEMO).login();
    assert_eq!((answer.status, answer.header("location")), (421, ""));
}

#[test]
fn hosts_can_move_under_a_running_session() {
    let mut world = world().at(DEMO);
    let token = world.token();
    world.simulator.move_hosts("synthetic-user", ApiHosts::standard().with("demo", "moved-demo.example"));
    assert_eq!(world.get(RENEW, &token).header("location"), format!("https://moved-demo.example{RENEW}"));
    let renewal = world.at("moved-demo.example").get(RENEW, &token);
    assert_eq!(renewal.get("apiHosts").get("demo").cloned(), Some(json!("moved-demo.example")));
}

#[test]
fn an_answer_may_name_some_hosts_or_none() {
    let mut world = world();
    world.simulator.move_hosts("synthetic-user", ApiHosts::empty().with("replay", "replay.example"));
    assert_eq!(world.login().get("apiHosts"), json!({ "replay": "replay.example" }));
    world.simulator.move_hosts("synthetic-user", ApiHosts::empty());
    assert_eq!(world.login().get("apiHosts"), Value::Null);
}

#[test]
fn being_sent_on_does_not_count_as_a_failure() {
    let mut world = world().at(DEMO);
    for _ in 0..6 {
        assert_eq!(world.post(LOGIN, &member()).status, 307);
    }
}
