use super::*;
use crate::options::OverLimit;

#[test]
fn five_failed_logins_an_hour_are_free() {
    let mut world = World::new();
    for _ in 0..5 {
        assert_eq!(world.failing_login().get("errorText"), json!(WRONG_PASSWORD));
    }
    assert_eq!(world.failing_login().get("p-time"), json!(15));
}

#[test]
fn the_right_password_is_penalized_too_once_the_limit_is_reached() {
    let mut world = World::new();
    for _ in 0..5 {
        world.failing_login();
    }
    let penalty = world.login();
    assert!(penalty.is_penalty());
    world.wait(15);
    let repeated = with(credentials(), "p-ticket", json!(penalty.text("p-ticket")));
    assert_eq!(world.post(LOGIN, &repeated).get("errorText"), json!(""));
}

#[test]
fn successful_logins_do_not_count() {
    let mut world = World::new();
    for _ in 0..20 {
        assert_eq!(world.login().get("errorText"), json!(""));
    }
}

#[test]
fn a_malformed_login_counts_as_failed() {
    let mut world = World::new();
    for _ in 0..5 {
        assert_eq!(world.bytes(LOGIN, "application/json", b"{").status, 400);
    }
    assert!(world.login().is_penalty());
}

#[test]
fn the_window_rolls() {
    let mut world = World::new();
    world.failing_login();
    world.wait(1800);
    for _ in 0..4 {
        world.failing_login();
    }
    world.wait(1799);
    assert!(world.login().is_penalty());
    world.wait(1);
    assert_eq!(world.failing_login().get("errorText"), json!(WRONG_PASSWORD));
}

#[test]
fn failures_are_shared_by_a_network_and_by_nobody_else() {
    let mut world = World::new();
    world.network = Some(Network::of("198.51.100.7".parse().unwrap()));
    for _ in 0..5 {
        world.failing_login();
    }
    world.network = Some(Network::of("198.51.100.8".parse().unwrap()));
    assert!(world.login().is_penalty());
    world.network = Some(Network::of("198.51.101.8".parse().unwrap()));
    assert_eq!(world.login().get("errorText"), json!(""));
}

#[test]
fn repeated_violations_wait_longer_and_longer() {
    let mut world = World::new();
    for _ in 0..5 {
        world.failing_login();
    }
    let waits: Vec<_> = (0..5)
        .map(|attempt| world.post(LOGIN, &with(credentials(), "deviceId", json!(attempt.to_string()))).get("p-time"))
        .collect();
    assert_eq!(waits, [15, 30, 60, 120, 240].map(Value::from));
    assert_eq!(world.post(LOGIN, &with(credentials(), "deviceId", json!("6"))).get("p-captcha"), json!(true));
}

#[test]
fn violations_are_forgotten_after_an_hour() {
    let mut world = World::new();
    let waits: Vec<_> = (0..2)
        .map(|_| {
            for _ in 0..5 {
                world.failing_login();
            }
            let wait = world.login().get("p-time");
            world.wait(2 * 3600);
            wait
        })
        .collect();
    assert_eq!(waits, [15, 15].map(Value::from));
}

#[test]
fn a_release_forgets_what_was_counted() {
    let mut world = World::new();
    for _ in 0..5 {
        world.failing_login();
    }
    world.simulator.release();
    assert_eq!(world.failing_login().get("errorText"), json!(WRONG_PASSWORD));
    for _ in 0..1000 {
        world.accounts("unknown");
    }
    assert_eq!(world.login().status, 429);
    world.simulator.release();
    assert_eq!(world.login().status, 200);
}

#[test]
fn fifteen_renewals_an_hour_are_free_though_all_succeed() {
    let mut world = World::new();
    let token = world.token();
    for _ in 0..15 {
        assert_eq!(world.get(RENEW, &token).get("errorText"), json!(""));
    }
    assert_eq!(world.get(RENEW, &token).get("p-time"), json!(15));
    world.wait(15);
    assert_eq!(world.get(RENEW, &token).get("errorText"), json!(""));
    assert!(world.get(RENEW, &token).is_penalty());
}

#[test]
fn ten_failed_calls_of_me_an_hour_are_free_and_successes_do_not_count() {
    let mut world = World::new();
    let token = world.token();
    for _ in 0..20 {
        assert_eq!(world.get(ME, &token).status, 200);
    }
    for _ in 0..10 {
        assert_eq!(world.get(ME, "unknown").status, 401);
    }
    assert_eq!(world.get(ME, &token).get("p-time"), json!(30));
}

#[test]
fn oauth_and_the_api_have_no_limit_of_their_own() {
    let mut world = World::new();
    for _ in 0..50 {
        assert_eq!(world.post(OAUTH, &json!({ "grant_type": "refresh_token" })).status, 200);
        assert_eq!(world.accounts("unknown").status, 401);
    }
}

#[test]
fn a_login_over_the_limit_can_look_like_a_wrong_password() {
    let mut world = World::of(Simulator::builder().options(|o| o.limits.over_limit = OverLimit::Refusal));
    for _ in 0..5 {
        world.failing_login();
    }
    assert_eq!(world.login().json(), json!({ "errorText": WRONG_PASSWORD }));
    world.wait_an_hour();
    assert_eq!(world.login().get("errorText"), json!(""));
}

#[test]
fn a_user_has_five_thousand_requests_an_hour() {
    let mut world = World::new();
    let token = world.token();
    for _ in 0..5000 {
        assert_eq!(world.accounts(&token).status, 200);
    }
    let answer = world.accounts(&token);
    assert_eq!((answer.status, answer.body.as_str()), (429, ""));
    assert_eq!(world.login().status, 200, "the network is not locked out");
}

#[test]
fn a_network_has_a_thousand_anonymous_requests_an_hour() {
    let mut world = World::new();
    for _ in 0..1000 {
        assert_eq!(world.accounts("unknown").status, 401);
    }
    assert_eq!(world.login().status, 429);
    world.wait(3599);
    assert_eq!(world.login().status, 429);
    world.wait(3599);
    assert_eq!(world.login().status, 429, "a request meanwhile restarts the hour");
    world.wait_an_hour();
    assert_eq!(world.login().status, 200);
}

#[test]
fn limits_can_be_lifted() {
    let mut world = World::without_limits();
    for _ in 0..2000 {
        assert_eq!(world.failing_login().get("errorText"), json!(WRONG_PASSWORD));
    }
}
