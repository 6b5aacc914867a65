//! Tests of the two sides, Live and Demo.

use super::*;
use crate::side::Side;

#[test]
fn a_user_of_live_or_demo_cannot_log_in_on_the_other() {
    for (user, host, refusal) in [
        (Side::Live, LIVE, ""),
        (Side::Live, DEMO, WRONG_PASSWORD),
        (Side::Demo, LIVE, WRONG_PASSWORD),
        (Side::Demo, DEMO, ""),
        (Side::Demo, "demo-api.staging.ninjatrader.dev", ""),
        (Side::Demo, "live-api.staging.ninjatrader.dev", WRONG_PASSWORD),
        (Side::Demo, "another.example", WRONG_PASSWORD),
    ] {
        let world = || World::with_user(User::default().only_on(user));
        let answers = [world().at(host).login(), world().post(&format!("https://{host}{LOGIN}"), &credentials())];
        for answer in answers {
            assert_eq!(answer.get("errorText"), refusal, "{user} {host}");
            assert!(!refusal.is_empty() || answer.get("hasLive") == (user == Side::Live), "{user} {host}");
        }
    }
    let demo = Simulator::builder().user(User::default().only_on(Side::Demo)).side(Side::Demo);
    assert_eq!(World::of(demo).login().get("errorText"), "", "another host plays the side that is set");
}

#[test]
fn me_is_served_on_live_only() {
    let mut world = World::with_user(User::default().of_organization("Example Evaluation"));
    let token = world.token();
    assert_eq!(
        world.get(ME, &token).json(),
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
    let mut world = world.at(DEMO);
    let token = world.token();
    let answer = world.get(ME, &token);
    let refusal = json!({ "errorText": "This endpoint should be called on live.tradovateapi.com" });
    assert_eq!((answer.status, answer.json()), (200, refusal));
}

#[test]
fn a_token_from_live_works_on_both_sides_and_is_renewed_on_live() {
    let mut world = World::new().at(LIVE);
    let token = world.token();
    for (host, path, status) in [(LIVE, ACCOUNTS, 200), (DEMO, ACCOUNTS, 200), (DEMO, RENEW, 401), (LIVE, RENEW, 200)] {
        world = world.at(host);
        assert_eq!(world.get(path, &token).status, status, "{host}{path}");
    }
}

#[test]
fn a_token_from_demo_works_on_live_only_if_the_option_is_set() {
    let mut world = World::new().at(DEMO);
    let token = world.token();
    let mut world = world.at(LIVE);
    assert_eq!(world.accounts(&token).body, "Invalid access token");
    world.simulator.options_mut().live_accepts_demo_tokens = true;
    assert_eq!(world.accounts(&token).status, 200);
}
