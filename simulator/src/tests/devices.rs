use super::*;
use crate::user::ApiAccess;

/// A world whose user first came from one device, and the token of a login from another.
fn world() -> (World, String) {
    let mut world = World::with_user(User { checks_device: true, ..User::default() });
    let known = world.login_with("deviceId", "known").text("accessToken");
    let strange = world.login_with("deviceId", "strange").text("accessToken");
    assert_eq!(world.accounts(&known).status, 200);
    (world, strange)
}

#[test]
fn live_forbids_api_calls_from_another_device_until_it_is_approved() {
    let (mut world, strange) = world();
    assert_eq!(world.accounts(&strange).status_and_body(), (401, ""));
    assert_eq!(world.get(ME, &strange).status, 401);
    let renewed = world.get(RENEW, &strange).text("accessToken");
    assert_eq!(world.accounts(&renewed).status, 401);
    world.simulator.approve_device(USER);
    assert_eq!(world.accounts(&renewed).status, 200);
}

#[test]
fn demo_does_not_mind_the_device() {
    let (world, strange) = world();
    assert_eq!(world.at(DEMO).accounts(&strange).status, 200);
}

#[test]
fn an_oauth_session_has_no_device() {
    let (mut world, _) = world();
    let token = oauth::session(&mut world).text("access_token");
    assert_eq!(world.accounts(&token).status, 200);
}

#[test]
fn an_account_without_permission_is_denied_though_its_token_is_good() {
    for (access, body) in [(ApiAccess::Denied, "Access is denied"), (ApiAccess::DeniedSilently, "")] {
        let mut world = World::with_user(User { api_access: access, ..User::default() });
        let token = world.token();
        assert_eq!(world.accounts(&token).status_and_body(), (401, body));
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
