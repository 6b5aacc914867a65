use super::*;
use crate::{side::Side, user::User};

const LIVE: &str = "live.tradovateapi.com";
const DEMO: &str = "demo.tradovateapi.com";

#[test]
fn a_user_of_live_can_not_log_in_on_demo() {
    let mut world = World::of(Simulator::builder().user(User::default().only_on(Side::Live))).at(DEMO);
    assert_eq!(world.login().get("errorText"), json!(WRONG_PASSWORD));
    assert_eq!(world.at(LIVE).login().get("hasLive"), json!(true));
}

#[test]
fn a_user_of_demo_can_not_log_in_on_live() {
    let mut world = World::of(Simulator::builder().user(User::default().only_on(Side::Demo))).at(LIVE);
    assert_eq!(world.login().get("errorText"), json!(WRONG_PASSWORD));
    assert_eq!(world.at(DEMO).login().get("hasLive"), json!(false));
}

#[test]
fn an_absolute_uri_names_the_host_too() {
    let mut world = World::of(Simulator::builder().user(User::default().only_on(Side::Live)));
    let demo = world.post(&format!("https://{DEMO}{LOGIN}"), &credentials());
    assert_eq!(demo.get("errorText"), json!(WRONG_PASSWORD));
}

#[test]
fn staging_hosts_play_their_side() {
    let mut world = World::of(Simulator::builder().user(User::default().only_on(Side::Demo)));
    world.host = "demo-api.staging.ninjatrader.dev".to_owned();
    assert_eq!(world.login().get("errorText"), json!(""));
    world.host = "live-api.staging.ninjatrader.dev".to_owned();
    assert_eq!(world.login().get("errorText"), json!(WRONG_PASSWORD));
}

#[test]
fn another_host_plays_the_side_that_is_set() {
    let user = || User::default().only_on(Side::Demo);
    assert_eq!(World::of(Simulator::builder().user(user())).login().get("errorText"), json!(WRONG_PASSWORD));
    let mut demo = World::of(Simulator::builder().user(user()).side(Side::Demo));
    assert_eq!(demo.login().get("errorText"), json!(""));
}

#[test]
fn me_answers_on_live() {
    let mut world = World::of(Simulator::builder().user(User::default().of_organization("Example Evaluation")));
    let token = world.token();
    let answer = world.get(ME, &token);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({
            "errorText": "",
            "userId": 15460,
            "name": "synthetic-user",
            "fullName": "Synthetic User",
            "email": "user@example.com",
            "emailVerified": true,
            "isTrial": false,
            "organizationName": "Example Evaluation",
            "currentAccountPlan": "Pro Plus",
            "currentMDSubs": ["marketDataPremium", "newsFeed"],
            "currentBalance": 50125.5,
            "activePlugins": ["replay"],
        })
    );
}

#[test]
fn me_on_demo_says_to_go_to_live() {
    let mut world = World::new().at(DEMO);
    let token = world.token();
    let answer = world.get(ME, &token);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({ "errorText": "This endpoint should be called on live.tradovateapi.com" }));
}

#[test]
fn a_token_from_live_reads_both_sides() {
    let mut world = World::new().at(LIVE);
    let token = world.token();
    assert_eq!(world.accounts(&token).status, 200);
    assert_eq!(world.at(DEMO).accounts(&token).status, 200);
}

#[test]
fn a_token_from_demo_reads_live_only_where_that_is_set() {
    let mut world = World::new().at(DEMO);
    let token = world.token();
    let mut world = world.at(LIVE);
    assert_eq!(world.accounts(&token).body, "Invalid access token");
    world.simulator.options_mut().live_accepts_demo_tokens = true;
    assert_eq!(world.accounts(&token).status, 200);
}

#[test]
fn a_token_is_renewed_where_it_was_issued() {
    let mut world = World::new().at(LIVE);
    let token = world.token();
    let mut world = world.at(DEMO);
    assert_eq!(world.get(RENEW, &token).status, 401);
    assert_eq!(world.at(LIVE).get(RENEW, &token).status, 200);
}
