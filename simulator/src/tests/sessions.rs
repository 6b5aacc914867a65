//! Tests of sessions, renewals and the statistics.

use super::*;
use crate::{endpoint::Endpoint, options::ClosedSession};

const LIFETIME: u64 = 80 * 60;

#[test]
fn a_third_login_closes_the_oldest_session() {
    let mut world = World::new();
    let (first, second) = (world.token(), world.token());
    let renewed = world.get(RENEW, &first).text("accessToken");
    let third = world.token();
    assert_eq!([first, renewed, second, third].map(|token| world.accounts(&token).status), [408, 408, 200, 200]);
    assert_eq!(world.simulator.statistics().sessions_closed, 1);
}

#[test]
fn only_open_sessions_of_the_same_user_count_for_the_session_limit() {
    let other = User::new("other", "synthetic-password");
    let mut world = World::of(Simulator::builder().user(User::default()).user(other));
    world.token();
    world.wait(LIFETIME);
    let tokens = [world.token(), world.token()];
    world.login_with("name", "other");
    assert_eq!(tokens.map(|token| world.accounts(&token).status), [200, 200]);
}

#[test]
fn the_token_of_a_closed_session_gets_the_configured_answer() {
    for (way, status, body) in [
        (ClosedSession::RequestTimeout, 408, ""),
        (ClosedSession::TooManyRequests, 429, ""),
        (ClosedSession::InternalServerError, 500, "Internal Server Error, error id: "),
        (ClosedSession::Unauthorized, 401, "Invalid access token"),
    ] {
        let mut world = World::with_options(|options| options.closed_session = way);
        let (first, second) = (world.token(), world.token());
        world.simulator.close_oldest_session(USER);
        for path in [ACCOUNTS, RENEW, ME] {
            let answer = world.get(path, &first);
            assert_eq!(answer.status, status, "{way:?}");
            assert!(answer.body.starts_with(body), "{way:?}: {}", answer.body);
        }
        assert_eq!(world.accounts(&second).status, 200);
        world.simulator.close_sessions(USER);
        assert_eq!(world.accounts(&second).status, status);
        assert_eq!(world.login().status, 200, "a kick locks nobody out");
    }
}

#[test]
fn a_token_works_until_its_expiry_and_cannot_be_renewed_afterwards() {
    for fraction in [true, false] {
        let mut world = World::with_options(|options| options.expiration_fraction = fraction);
        let login = world.login();
        let token = login.text("accessToken");
        world.wait(LIFETIME - 1);
        assert_eq!(world.accounts(&token).status, 200);
        world.now = login.text("expirationTime").parse().unwrap();
        for path in [ACCOUNTS, RENEW] {
            assert_eq!(world.get(path, &token).status_and_body(), (401, "Expired Access Token"));
        }
    }
}

#[test]
fn a_renewal_extends_the_session_without_opening_one() {
    let mut world = World::new();
    let login = world.login();
    let old = login.text("accessToken");
    world.wait(65 * 60);
    let renewal = world.get(RENEW, &old);
    let new = renewal.text("accessToken");
    assert_eq!(renewal.text("expirationTime"), "2026-11-24T14:25:00.500Z");
    assert_ne!(new, old);
    for field in ["mdAccessToken", "apiHosts", "userId"] {
        assert_eq!(renewal.get(field), login.get(field), "{field}");
    }
    assert_eq!(world.simulator.open_sessions(USER), 1);
    assert_eq!(world.accounts(&old).status, 200);
    world.wait(15 * 60);
    assert_eq!([old, new].map(|token| world.accounts(&token).status), [401, 200], "each has its own expiry");
}

#[test]
fn options_make_a_renewal_keep_the_token_and_omit_the_market_data_token() {
    let mut world = World::with_options(|options| {
        options.renewal_changes_token = false;
        options.renewal_has_market_data_token = false;
    });
    let token = world.token();
    world.wait(65 * 60);
    let renewal = world.get(RENEW, &token);
    assert_eq!((renewal.text("accessToken"), renewal.get("mdAccessToken")), (token.clone(), Value::Null));
    world.wait(65 * 60);
    assert_eq!(world.accounts(&token).status, 200);
}

#[test]
fn an_option_makes_only_renewals_return_the_market_data_token() {
    let mut world = World::with_options(|options| options.login_has_market_data_token = false);
    let login = world.login();
    assert_eq!(login.get("mdAccessToken"), Value::Null);
    let token = world.get(RENEW, &login.text("accessToken")).text("mdAccessToken");
    assert_eq!(world.get(RENEW, &login.text("accessToken")).text("mdAccessToken"), token);
    world.simulator.user_mut(USER).unwrap().market_data = false;
    let login = world.login();
    assert_eq!(world.get(RENEW, &login.text("accessToken")).get("mdAccessToken"), Value::Null);
}

#[test]
fn an_option_decides_whether_successful_answers_have_an_empty_error_text() {
    for (is_sent, text) in [(true, json!("")), (false, Value::Null)] {
        let mut world = World::with_options(|options| options.empty_error_text = is_sent);
        let login = world.login();
        let token = login.text("accessToken");
        for answer in [login, world.get(RENEW, &token), world.get(ME, &token)] {
            assert_eq!((answer.get("errorText"), answer.text("name")), (text.clone(), USER.to_owned()));
        }
        assert_eq!(world.failing_login().text("errorText"), WRONG_PASSWORD);
    }
}

#[test]
fn a_reset_returns_the_server_to_its_start_state() {
    let mut world = World::with_options(|options| options.lifetime = Duration::from_secs(60));
    let (token, socket) =
        (world.token(), world.simulator.connect(world.now, Request::get("/v1/websocket").body("").unwrap()));
    let simulator = &mut world.simulator;
    simulator.options_mut().lifetime = HOUR;
    simulator.user_mut(USER).unwrap().password = "another".into();
    simulator.set_maintenance(Some(crate::maintenance::Maintenance::Html));
    simulator.lock_out(crate::lock_outs::LockOut::locked());
    simulator.reset();
    assert_eq!((simulator.statistics().logins, simulator.open_sessions(USER), simulator.open_sockets()), (0, 0, 0));
    assert_eq!(world.accounts(&token).status_and_body(), (401, "Invalid access token"));
    let login = world.login();
    assert_eq!(login.text("expirationTime"), "2026-11-24T12:01:00.500Z");
    assert_ne!(login.text("accessToken"), token);
    let next = world.simulator.connect(world.now, Request::get("/v1/websocket").body("").unwrap());
    assert_ne!(next.unwrap(), socket.unwrap());
}

#[test]
fn a_revoked_token_is_unknown_and_an_expired_one_is_reported_as_expired() {
    let mut world = World::new();
    let token = world.token();
    world.simulator.options_mut().clock_skew = jiff::SignedDuration::from_mins(80);
    assert_eq!(world.accounts(&token).body, "Expired Access Token");
    world.simulator.options_mut().clock_skew = jiff::SignedDuration::ZERO;
    assert_eq!(world.accounts(&token).status, 200);
    world.simulator.expire_sessions(USER);
    assert_eq!(world.simulator.open_sessions(USER), 0);
    assert_eq!(world.accounts(&token).body, "Expired Access Token");
    world.simulator.revoke(USER);
    for path in [ACCOUNTS, RENEW, ME] {
        assert_eq!(world.get(path, &token).status_and_body(), (401, "Invalid access token"));
    }
}

#[test]
fn statistics_count_and_log_requests() {
    let mut world = World::new();
    let token = world.token();
    world.failing_login();
    world.get(RENEW, &token);
    page::allow(&mut world, &page::authorize_url_with(&[]));
    let statistics = world.simulator.statistics();
    let requests = [Endpoint::AccessTokenRequest, Endpoint::OauthToken].map(|endpoint| statistics.requests(endpoint));
    assert_eq!((statistics.logins, statistics.renewals, statistics.code_exchanges, requests), (1, 1, 0, [2, 0]));
    let log: Vec<_> = statistics.log().map(|entry| format!("{} {}", entry.method, entry.path)).collect();
    let login = "POST /v1/auth/accesstokenrequest";
    assert_eq!(log, [login, login, "GET /v1/auth/renewaccesstoken", "POST /oauth"]);
    assert_eq!(statistics.log().next_back().unwrap().status, 303);
}
