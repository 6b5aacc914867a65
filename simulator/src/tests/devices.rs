use super::*;
use crate::user::{ApiAccess, User};

fn world() -> World {
    let user = User { checks_device: true, ..User::default() };
    World::of(Simulator::builder().user(user))
}

fn token_from(world: &mut World, device: &str) -> String {
    world.post(LOGIN, &with(credentials(), "deviceId", json!(device))).text("accessToken")
}

#[test]
fn live_forbids_api_calls_from_another_device() {
    let mut world = world();
    let known = token_from(&mut world, "known");
    let strange = token_from(&mut world, "strange");
    assert_eq!(world.accounts(&known).status, 200);
    let answer = world.accounts(&strange);
    assert_eq!((answer.status, answer.body.as_str()), (401, ""));
    assert_eq!(world.get(ME, &strange).status, 401);
}

#[test]
fn a_session_from_another_device_can_still_be_renewed() {
    let mut world = world();
    token_from(&mut world, "known");
    let strange = token_from(&mut world, "strange");
    let renewed = world.get(RENEW, &strange).text("accessToken");
    assert_eq!(world.accounts(&renewed).status, 401);
}

#[test]
fn demo_does_not_mind_the_device() {
    let mut world = world();
    token_from(&mut world, "known");
    let strange = token_from(&mut world, "strange");
    assert_eq!(world.at("demo.tradovateapi.com").accounts(&strange).status, 200);
}

#[test]
fn an_approved_device_is_forbidden_nothing() {
    let mut world = world();
    token_from(&mut world, "known");
    let strange = token_from(&mut world, "strange");
    world.simulator.approve_device("synthetic-user");
    assert_eq!(world.accounts(&strange).status, 200);
}

#[test]
fn an_oauth_session_has_no_device() {
    let mut world = world();
    token_from(&mut world, "known");
    let code = oauth::code(&mut world);
    let token = world.post(OAUTH, &oauth::exchange(&code)).text("access_token");
    assert_eq!(world.accounts(&token).status, 200);
}

#[test]
fn an_account_without_permission_is_denied_though_its_token_is_good() {
    for (access, body) in [(ApiAccess::Denied, "Access is denied"), (ApiAccess::DeniedSilently, "")] {
        let mut world = World::new();
        world.simulator.user_mut("synthetic-user").unwrap().api_access = access;
        let token = world.token();
        let answer = world.accounts(&token);
        assert_eq!((answer.status, answer.body.as_str()), (401, body));
        assert_eq!(world.get(RENEW, &token).status, 200);
    }
}

#[test]
fn a_permitted_user_sees_the_accounts() {
    let mut world = World::new();
    let token = world.token();
    assert_eq!(
        world.accounts(&token).json(),
        json!([{ "id": 1_546_001, "name": "SIM00001", "userId": 15460, "accountType": "Customer", "active": true }])
    );
}
