//! Tests of refresh tokens and their rotation.

use super::{
    oauth::{code, exchange, session},
    *,
};
use crate::registration::OAuthClient;

const DAY_AND_TWO_HOURS: u64 = 26 * 3600;

/// A world with an OAuth session, and the response that opened it.
fn world() -> (World, Answer) {
    let mut world = World::new();
    let answer = session(&mut world);
    (world, answer)
}

/// A request that refreshes with the refresh token of an earlier response.
fn refresh(answer: &Answer) -> Value {
    json!({
        "grant_type": "refresh_token",
        "refresh_token": answer.text("refresh_token"),
        "client_id": "synthetic-client",
    })
}

#[track_caller]
fn assert_is_invalid(answer: &Answer) {
    assert_eq!((answer.status, answer.json()), (200, json!({ "error": "invalid_token" })));
}

#[test]
fn a_refresh_returns_new_tokens_for_the_same_session() {
    let (mut world, first) = world();
    let second = world.post(OAUTH, &refresh(&first));
    for field in ["access_token", "refresh_token"] {
        assert_ne!(second.text(field), first.text(field));
    }
    for answer in [&first, &second] {
        assert_eq!(world.accounts(&answer.text("access_token")).status, 200);
    }
    assert_eq!(world.simulator.open_sessions(USER), 1);
    let statistics = world.simulator.statistics();
    assert_eq!((statistics.logins, statistics.code_exchanges, statistics.refreshes), (0, 1, 1));
}

#[test]
fn a_refresh_after_the_end_of_the_server_session_opens_a_new_one() {
    let (mut world, first) = world();
    world.wait(12 * 3600);
    world.simulator.set_time(world.now);
    assert_eq!(world.simulator.open_sessions(USER), 0);
    let second = world.post(OAUTH, &refresh(&first));
    assert_eq!(world.accounts(&second.text("access_token")).status, 200);
    assert_eq!(world.simulator.open_sessions(USER), 1);
    world.simulator.close_sessions(USER);
    let third = world.post(OAUTH, &refresh(&second));
    let statuses = [second, third].map(|answer| world.accounts(&answer.text("access_token")).status);
    assert_eq!(statuses, [408, 200]);
}

#[test]
fn an_option_makes_each_refresh_open_a_session() {
    let (mut world, first) = world();
    world.simulator.options_mut().refresh_opens_session = true;
    let second = world.post(OAUTH, &refresh(&first));
    assert_eq!(world.simulator.open_sessions(USER), 2);
    let third = world.post(OAUTH, &refresh(&second));
    assert_eq!(world.simulator.open_sessions(USER), 2);
    let statuses = [first, second, third].map(|answer| world.accounts(&answer.text("access_token")).status);
    assert_eq!(statuses, [408, 200, 200]);
}

#[test]
fn a_refresh_a_new_consent_and_a_revocation_invalidate_the_refresh_token() {
    let endings: [fn(&mut World, &Answer); 3] = [
        |world, first| drop(world.post(OAUTH, &refresh(first))),
        |world, _| drop(session(world)),
        |world, _| world.simulator.revoke(USER),
    ];
    for end in endings {
        let (mut world, first) = world();
        end(&mut world, &first);
        assert_is_invalid(&world.post(OAUTH, &refresh(&first)));
    }
}

#[test]
fn a_refresh_token_is_valid_for_26_hours_and_each_refresh_issues_a_new_one() {
    let (mut world, mut answer) = world();
    for _ in 0..2 {
        world.wait(DAY_AND_TWO_HOURS - 1);
        answer = world.post(OAUTH, &refresh(&answer));
    }
    world.wait(DAY_AND_TWO_HOURS);
    assert_is_invalid(&world.post(OAUTH, &refresh(&answer)));
}

#[test]
fn a_spurious_refusal_and_a_renewal_keep_the_refresh_token_valid() {
    let (mut world, first) = world();
    world.simulator.refuse_next_refresh(2);
    for _ in 0..2 {
        assert_is_invalid(&world.post(OAUTH, &refresh(&first)));
    }
    let renewals = [(); 2].map(|()| world.get(RENEW, &first.text("access_token")).text("mdAccessToken"));
    assert_eq!(renewals[0], renewals[1], "the market data token that the exchange left out");
    assert_eq!(world.post(OAUTH, &refresh(&first)).get("error"), Value::Null);
}

#[test]
fn a_refresh_must_repeat_the_resource_of_the_code() {
    let mut world = World::new();
    let code = code(&mut world);
    let with_resource = |body| with(body, "resource", "https://api.example");
    let first = world.post(OAUTH, &with_resource(exchange(&code)));
    assert_eq!(world.post(OAUTH, &refresh(&first)).json(), json!({ "error": "invalid_target" }));
    let second = world.post(OAUTH, &with_resource(refresh(&first)));
    assert_eq!(world.post(OAUTH, &with_resource(refresh(&second))).get("error"), Value::Null);
}

#[test]
fn only_the_client_of_a_refresh_token_can_use_it() {
    let other = OAuthClient::public("other", oauth::REDIRECT);
    let mut world = World::of(Simulator::builder().oauth_client(OAuthClient::default()).oauth_client(other));
    let first = session(&mut world);
    let foreign = with(refresh(&first), "client_id", "other");
    assert_eq!(world.post(OAUTH, &foreign).get("error"), "invalid_client");
    assert_eq!(world.post(OAUTH, &refresh(&first)).get("error"), Value::Null);
}
