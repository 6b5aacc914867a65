//! Tests of the limits per hour and second.

use super::*;
use crate::options::OverLimit;

#[test]
fn after_five_failed_logins_in_an_hour_even_the_right_password_must_wait() {
    let mut world = World::new();
    for _ in 0..5 {
        assert_eq!(world.failing_login().get("errorText"), WRONG_PASSWORD);
    }
    let penalty = world.login();
    assert_eq!(penalty.get("p-time"), 15);
    world.wait(15);
    assert_eq!(world.login_with("p-ticket", penalty.get("p-ticket")).get("errorText"), "");
}

#[test]
fn malformed_logins_count_as_failed_and_successful_logins_do_not_count() {
    let mut world = World::new();
    assert!((0..20).all(|_| world.login().get("errorText") == ""));
    assert!((0..5).all(|_| world.bytes(LOGIN, "application/json", "{").status == 400));
    assert!(world.login().is_penalty());
}

#[test]
fn a_failed_login_counts_for_exactly_one_hour() {
    let mut world = World::new();
    world.fail(1);
    world.wait(1800);
    world.fail(4);
    world.wait(1799);
    assert!(world.login().is_penalty());
    world.wait(1);
    assert_eq!(world.failing_login().get("errorText"), WRONG_PASSWORD);
}

#[test]
fn callers_in_one_network_share_their_failed_logins() {
    let mut world = World::new();
    world.network = Some(Network::of("198.51.100.7".parse().unwrap()));
    world.fail(5);
    for (address, is_penalty) in [("198.51.100.8", true), ("198.51.101.8", false)] {
        world.network = Some(Network::of(address.parse().unwrap()));
        assert_eq!(world.login().is_penalty(), is_penalty, "{address}");
    }
}

#[test]
fn each_further_violation_doubles_the_wait_until_an_hour_has_passed() {
    let mut world = World::new();
    for _ in 0..2 {
        world.fail(5);
        for (device, wait) in [("1", 15), ("2", 30), ("3", 60), ("4", 120), ("5", 240)] {
            assert_eq!(world.login_with("deviceId", device).get("p-time"), wait);
        }
        assert_eq!(world.login().get("p-captcha"), true);
        world.wait(2 * 3600);
    }
}

#[test]
fn release_resets_the_counts_of_the_limits() {
    let mut world = World::with_options(|options| options.limits.anonymous = 6);
    world.fail(6);
    assert_eq!(world.login().status, 429);
    world.simulator.release();
    assert_eq!(world.failing_login().get("errorText"), WRONG_PASSWORD);
}

#[test]
fn the_sixteenth_renewal_in_an_hour_must_wait_although_all_succeeded() {
    let mut world = World::new();
    let token = world.token();
    assert!((0..15).all(|_| world.get(RENEW, &token).get("errorText") == ""));
    assert_eq!(world.get(RENEW, &token).get("p-time"), 15);
    world.wait(15);
    assert_eq!(world.get(RENEW, &token).get("errorText"), "");
    assert!(world.get(RENEW, &token).is_penalty());
}

#[test]
fn the_call_after_ten_failed_me_calls_in_an_hour_must_wait() {
    let mut world = World::new();
    let token = world.token();
    assert!((0..20).all(|_| world.get(ME, &token).get("errorText") == ""));
    assert!((0..10).all(|_| world.get(ME, "unknown").status == 401));
    assert_eq!(world.get(ME, &token).get("p-time"), 30);
}

#[test]
fn oauthtoken_and_the_api_have_no_endpoint_limit_and_limits_can_be_switched_off() {
    let mut world = World::new();
    for _ in 0..50 {
        assert_eq!(world.post(OAUTH, &json!({ "grant_type": "refresh_token" })).status, 200);
        assert_eq!(world.accounts("unknown").status, 401);
    }
    let mut world = World::without_limits();
    assert!((0..2000).all(|_| world.failing_login().get("errorText") == WRONG_PASSWORD));
}

#[test]
fn a_login_over_the_limit_can_be_answered_like_a_wrong_password() {
    let mut world = World::with_options(|options| options.limits.over_limit = OverLimit::Refusal);
    world.fail(5);
    assert_eq!(world.login().json(), json!({ "errorText": WRONG_PASSWORD }));
    world.wait(3600);
    assert_eq!(world.login().get("errorText"), "");
}

#[test]
fn a_user_is_locked_out_after_five_thousand_requests_in_an_hour() {
    let mut world = World::with_options(|options| options.limits.per_second = usize::MAX);
    let token = world.token();
    assert!((0..5000).all(|_| world.accounts(&token).status == 200));
    assert_eq!(world.accounts(&token).status_and_body(), (429, ""));
    assert_eq!(world.login().status, 200, "the network is not locked out");
}

#[test]
fn a_network_is_locked_out_after_a_thousand_anonymous_requests_in_an_hour() {
    let mut world = World::with_options(|options| options.limits.per_second = usize::MAX);
    assert!((0..1000).all(|_| world.accounts("unknown").status == 401));
    assert_eq!(world.logins_after([0, 3599, 3599, 3600]), [429, 429, 429, 200]);
    world.simulator.options_mut().limits.anonymous = 1;
    assert_eq!(world.logins_after([3600, 3600, 3599]), [200, 200, 429], "the window rolls");
}

#[test]
fn a_user_is_locked_out_after_a_hundred_requests_in_a_second() {
    let mut world = World::with_options(|options| options.lifetime = 3 * HOUR);
    let token = world.token();
    assert!((0..100).all(|_| world.accounts(&token).status == 200));
    world.now = later(world.now, Duration::from_millis(999));
    assert_eq!(world.accounts(&token).status_and_body(), (429, ""));
    assert_eq!(world.login().status, 200, "the network is not locked out");
    world.wait(3599);
    assert_eq!(world.get(RENEW, &token).status, 429, "for any endpoint, and each request restarts the hour");
    world.wait(3600);
    assert_eq!(world.accounts(&token).status, 200);
}

#[test]
fn a_network_is_locked_out_after_a_hundred_anonymous_requests_in_a_second() {
    let mut world = World::new();
    let login = |world: &mut World| world.login().status;
    let refresh = |world: &mut World| world.post(OAUTH, &json!({ "grant_type": "refresh_token" })).status;
    assert!((0..50).all(|_| login(&mut world) == 200 && refresh(&mut world) == 200));
    assert_eq!((login(&mut world), refresh(&mut world)), (429, 429), "all endpoints count together");
    world.network = Some(Network::of("198.51.100.7".parse().unwrap()));
    assert_eq!(login(&mut world), 200, "another network");
}

#[test]
fn a_request_counts_in_the_limit_per_second_for_exactly_one_second() {
    let mut world = World::new();
    for _ in 0..3 {
        assert!((0..100).all(|_| world.login().status == 200));
        world.wait(1);
    }
}
