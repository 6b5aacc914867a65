//! Tests of device approval and of API permissions.

use super::*;
use crate::user::ApiAccess;

#[test]
fn live_refuses_api_calls_from_a_new_device_until_the_device_is_approved() {
    let mut world = World::with_user(User { checks_device: true, ..User::default() });
    let known = world.login_with("deviceId", "known").text("accessToken");
    let strange = world.login_with("deviceId", "strange").text("accessToken");
    assert_eq!(world.accounts(&known).status, 200);
    assert_eq!(world.accounts(&strange).status_and_body(), (401, ""));
    assert_eq!(world.get(ME, &strange).status, 401);
    let renewed = world.get(RENEW, &strange).text("accessToken");
    assert_eq!(world.accounts(&renewed).status, 401);
    let by_oauth = oauth::session(&mut world).text("access_token");
    assert_eq!(world.accounts(&by_oauth).status, 200, "it has no device");
    let mut world = world.at(DEMO);
    assert_eq!(world.accounts(&renewed).status, 200, "Demo does not mind");
    let mut world = world.at(LIVE);
    world.simulator.approve_device(USER);
    assert_eq!(world.accounts(&renewed).status, 200);
}

#[test]
fn a_user_without_permission_is_refused_although_the_token_is_good() {
    for (access, body) in [(ApiAccess::Denied, "Access is denied"), (ApiAccess::DeniedSilently, "")] {
        let mut world = World::with_user(User { api_access: access, ..User::default() });
        let token = world.token();
        assert_eq!(world.accounts(&token).status_and_body(), (401, body));
        assert_eq!(world.get(RENEW, &token).status, 200);
    }
}

#[test]
fn a_user_with_permission_sees_the_accounts() {
    let mut world = World::new();
    let token = world.token();
    assert_eq!(
        world.accounts(&token).json(),
        json!([{ "id": 1_546_001, "name": "SIM00001", "userId": 15460, "accountType": "Customer", "active": true }])
    );
}
