use super::*;
use crate::options::ClosedSession;

const EIGHTY_MINUTES: u64 = 80 * 60;

#[test]
fn a_third_login_closes_the_oldest_session() {
    let mut world = World::new();
    let tokens = [world.token(), world.token(), world.token()];
    assert_eq!(tokens.map(|token| world.accounts(&token).status), [408, 200, 200]);
    assert_eq!(world.simulator.statistics().sessions_closed, 1);
}

#[test]
fn the_oldest_session_is_the_first_opened_not_the_longest_unused() {
    let mut world = World::new();
    let (first, second) = (world.token(), world.token());
    let renewed = world.get(RENEW, &first).text("accessToken");
    world.token();
    assert_eq!((world.accounts(&renewed).status, world.accounts(&second).status), (408, 200));
}

#[test]
fn an_expired_session_does_not_count() {
    let mut world = World::new();
    world.token();
    world.wait(EIGHTY_MINUTES);
    let (second, third) = (world.token(), world.token());
    assert_eq!((world.accounts(&second).status, world.accounts(&third).status), (200, 200));
}

#[test]
fn users_have_sessions_of_their_own() {
    let other = crate::user::User::new("other", "synthetic-password");
    let mut world = World::of(Simulator::builder().user(crate::user::User::default()).user(other));
    let first = world.token();
    for _ in 0..2 {
        world.post(LOGIN, &with(credentials(), "name", json!("other")));
    }
    assert_eq!(world.accounts(&first).status, 200);
}

#[test]
fn a_closed_session_shows_in_the_way_that_is_set() {
    for (way, status, body) in [
        (ClosedSession::RequestTimeout, 408, ""),
        (ClosedSession::TooManyRequests, 429, ""),
        (ClosedSession::InternalServerError, 500, "Internal Server Error, error id: "),
        (ClosedSession::Unauthorized, 401, "Invalid access token"),
    ] {
        let mut world = World::of(Simulator::builder().options(|o| o.closed_session = way));
        let token = world.token();
        world.simulator.close_oldest_session("synthetic-user");
        for path in [ACCOUNTS, RENEW, ME] {
            let answer = world.get(path, &token);
            assert_eq!(answer.status, status, "{way:?}");
            assert!(answer.body.starts_with(body), "{way:?}: {}", answer.body);
        }
        assert_eq!(world.login().status, 200, "a kick locks nobody out");
    }
}

#[test]
fn a_token_works_until_its_expiry() {
    let mut world = World::new();
    let login = world.login();
    let token = login.text("accessToken");
    world.wait(EIGHTY_MINUTES - 1);
    assert_eq!(world.accounts(&token).status, 200);
    world.now = login.time("expirationTime");
    let answer = world.accounts(&token);
    assert_eq!((answer.status, answer.body.as_str()), (401, "Expired Access Token"));
}

#[test]
fn a_token_without_a_fraction_dies_when_its_answer_says() {
    let mut world = World::of(Simulator::builder().options(|o| o.expiration_fraction = false));
    let login = world.login();
    world.now = login.time("expirationTime");
    assert_eq!(world.accounts(&login.text("accessToken")).status, 401);
}

#[test]
fn a_server_ahead_of_the_caller_ends_tokens_by_its_own_clock() {
    let mut world = World::new();
    let token = world.token();
    world.simulator.options_mut().clock_skew = jiff::SignedDuration::from_mins(80);
    assert_eq!(world.accounts(&token).body, "Expired Access Token");
}

#[test]
fn an_unknown_token_is_invalid() {
    let mut world = World::new();
    for path in [ACCOUNTS, RENEW, ME] {
        let answer = world.get(path, "never-issued");
        assert_eq!((answer.status, answer.body.as_str()), (401, "Invalid access token"));
    }
}

#[test]
fn a_renewal_extends_the_session_and_opens_none() {
    let mut world = World::new();
    let login = world.login();
    world.wait(65 * 60);
    let renewal = world.get(RENEW, &login.text("accessToken"));
    assert_eq!(renewal.text("expirationTime"), "2026-11-24T14:25:00.500Z");
    assert_ne!(renewal.text("accessToken"), login.text("accessToken"));
    assert_eq!(renewal.text("mdAccessToken"), login.text("mdAccessToken"));
    assert_eq!(renewal.get("apiHosts"), login.get("apiHosts"));
    assert_eq!(renewal.get("userId"), json!(15460));
    assert_eq!(world.simulator.open_sessions("synthetic-user"), 1);
}

#[test]
fn a_renewed_token_outlives_the_one_before_which_keeps_its_own_expiry() {
    let mut world = World::new();
    let old = world.token();
    world.wait(65 * 60);
    let new = world.get(RENEW, &old).text("accessToken");
    assert_eq!(world.accounts(&old).status, 200);
    world.wait(15 * 60);
    assert_eq!(world.accounts(&old).body, "Expired Access Token");
    assert_eq!(world.accounts(&new).status, 200);
}

#[test]
fn an_expired_token_can_not_be_renewed() {
    let mut world = World::new();
    let token = world.token();
    world.wait(EIGHTY_MINUTES);
    let answer = world.get(RENEW, &token);
    assert_eq!((answer.status, answer.body.as_str()), (401, "Expired Access Token"));
}

#[test]
fn a_renewal_can_repeat_the_token() {
    let mut world = World::of(Simulator::builder().options(|o| o.renewal_changes_token = false));
    let token = world.token();
    world.wait(65 * 60);
    assert_eq!(world.get(RENEW, &token).text("accessToken"), token);
    world.wait(65 * 60);
    assert_eq!(world.accounts(&token).status, 200);
}

#[test]
fn a_renewal_can_leave_out_the_market_data_token() {
    let mut world = World::of(Simulator::builder().options(|o| o.renewal_has_market_data_token = false));
    let token = world.token();
    assert_eq!(world.get(RENEW, &token).get("mdAccessToken"), Value::Null);
}

#[test]
fn a_renewal_brings_the_market_data_token_that_an_exchange_left_out() {
    let mut world = World::new();
    let code = oauth::code(&mut world);
    let token = world.post(OAUTH, &oauth::exchange(&code)).text("access_token");
    let first = world.get(RENEW, &token);
    assert!(!first.text("mdAccessToken").is_empty());
    assert_eq!(world.get(RENEW, &first.text("accessToken")).text("mdAccessToken"), first.text("mdAccessToken"));
}

#[test]
fn a_revoked_token_is_unknown_and_an_expired_one_expired() {
    let mut world = World::new();
    let token = world.token();
    world.simulator.expire_sessions("synthetic-user");
    assert_eq!(world.simulator.open_sessions("synthetic-user"), 0);
    assert_eq!(world.accounts(&token).body, "Expired Access Token");
    world.simulator.revoke("synthetic-user");
    assert_eq!(world.accounts(&token).body, "Invalid access token");
}

#[test]
fn all_sessions_of_a_user_can_be_closed() {
    let mut world = World::new();
    let tokens = [world.token(), world.token()];
    world.simulator.close_sessions("synthetic-user");
    assert_eq!(tokens.map(|token| world.accounts(&token).status), [408, 408]);
}

#[test]
fn statistics_tell_what_has_happened() {
    let mut world = World::new();
    let token = world.token();
    world.failing_login();
    world.get(RENEW, &token);
    let statistics = world.simulator.statistics();
    assert_eq!((statistics.logins, statistics.renewals), (1, 1));
    assert_eq!(statistics.requests(crate::Endpoint::AccessTokenRequest), 2);
    let log: Vec<_> =
        statistics.log().map(|entry| format!("{} {} {}", entry.method, entry.path, entry.status.as_u16())).collect();
    assert_eq!(
        log,
        [
            "POST /v1/auth/accesstokenrequest 200",
            "POST /v1/auth/accesstokenrequest 200",
            "GET /v1/auth/renewaccesstoken 200",
        ]
    );
}
