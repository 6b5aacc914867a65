use super::{
    oauth::{code, exchange},
    *,
};

/// A world with an OAuth session, and the answer that opened it.
fn world() -> (World, Answer) {
    let mut world = World::new();
    let code = code(&mut world);
    let answer = world.post(OAUTH, &exchange(&code));
    (world, answer)
}

fn refresh(token: &str) -> Value {
    json!({ "grant_type": "refresh_token", "refresh_token": token, "client_id": "synthetic-client" })
}

fn invalid_token() -> Value {
    json!({ "error": "invalid_token" })
}

#[test]
fn a_refresh_brings_a_new_access_and_a_new_refresh_token() {
    let (mut world, first) = world();
    let second = world.post(OAUTH, &refresh(&first.text("refresh_token")));
    assert_ne!(second.text("access_token"), first.text("access_token"));
    assert_ne!(second.text("refresh_token"), first.text("refresh_token"));
    assert_eq!(world.accounts(&second.text("access_token")).status, 200);
}

#[test]
fn a_rotated_refresh_token_is_refused_in_a_200() {
    let (mut world, first) = world();
    let old = refresh(&first.text("refresh_token"));
    world.post(OAUTH, &old);
    let answer = world.post(OAUTH, &old);
    assert_eq!((answer.status, answer.json()), (200, invalid_token()));
}

#[test]
fn a_refresh_stays_in_its_session() {
    let (mut world, first) = world();
    world.post(OAUTH, &refresh(&first.text("refresh_token")));
    assert_eq!(world.simulator.open_sessions("synthetic-user"), 1);
    assert_eq!(world.accounts(&first.text("access_token")).status, 200);
}

#[test]
fn a_refresh_after_the_session_is_over_opens_another() {
    let (mut world, first) = world();
    world.wait(12 * 3600);
    world.simulator.set_time(world.now);
    assert_eq!(world.simulator.open_sessions("synthetic-user"), 0);
    let second = world.post(OAUTH, &refresh(&first.text("refresh_token")));
    assert_eq!(world.accounts(&second.text("access_token")).status, 200);
    assert_eq!(world.simulator.open_sessions("synthetic-user"), 1);
}

#[test]
fn a_refresh_after_a_kick_opens_another_session() {
    let (mut world, first) = world();
    world.simulator.close_sessions("synthetic-user");
    let second = world.post(OAUTH, &refresh(&first.text("refresh_token")));
    assert_eq!(world.accounts(&second.text("access_token")).status, 200);
    assert_eq!(world.accounts(&first.text("access_token")).status, 408);
}

#[test]
fn a_new_consent_of_the_same_user_invalidates_the_refresh_token() {
    let (mut world, first) = world();
    let code = code(&mut world);
    world.post(OAUTH, &exchange(&code));
    assert_eq!(world.post(OAUTH, &refresh(&first.text("refresh_token"))).json(), invalid_token());
}

#[test]
fn a_refresh_token_lives_for_26_hours_and_each_refresh_opens_a_new_window() {
    let (mut world, first) = world();
    world.wait(26 * 3600 - 1);
    let second = world.post(OAUTH, &refresh(&first.text("refresh_token")));
    world.wait(26 * 3600 - 1);
    let third = world.post(OAUTH, &refresh(&second.text("refresh_token")));
    world.wait(26 * 3600);
    assert_eq!(world.post(OAUTH, &refresh(&third.text("refresh_token"))).json(), invalid_token());
}

#[test]
fn a_spurious_refusal_does_not_harm_the_refresh_token() {
    let (mut world, first) = world();
    world.simulator.refuse_next_refresh(2);
    let request = refresh(&first.text("refresh_token"));
    assert_eq!(world.post(OAUTH, &request).json(), invalid_token());
    assert_eq!(world.post(OAUTH, &request).json(), invalid_token());
    assert_eq!(world.post(OAUTH, &request).get("error"), Value::Null);
}

#[test]
fn an_oauth_session_can_be_renewed_without_rotating() {
    let (mut world, first) = world();
    let renewal = world.get(RENEW, &first.text("access_token"));
    assert_eq!(renewal.get("userId"), json!(15460));
    assert_eq!(world.post(OAUTH, &refresh(&first.text("refresh_token"))).get("error"), Value::Null);
}

#[test]
fn a_lost_answer_has_rotated_the_refresh_token() {
    let (mut world, first) = world();
    world.simulator.lose_next_answer(None, http::Response::builder().status(504).body(Vec::new()).unwrap());
    let request = refresh(&first.text("refresh_token"));
    world.post(OAUTH, &request);
    assert_eq!(world.post(OAUTH, &request).json(), invalid_token());
}

#[test]
fn a_resource_sent_with_the_code_is_sent_with_each_refresh() {
    let mut world = World::new();
    let code = code(&mut world);
    let resource = json!("https://api.example");
    let first = world.post(OAUTH, &with(exchange(&code), "resource", resource.clone()));
    let without = refresh(&first.text("refresh_token"));
    assert_eq!(world.post(OAUTH, &without).json(), json!({ "error": "invalid_target" }));
    let second = world.post(OAUTH, &with(without, "resource", resource.clone()));
    let third = with(refresh(&second.text("refresh_token")), "resource", resource);
    assert_eq!(world.post(OAUTH, &third).get("error"), Value::Null);
}

#[test]
fn a_refresh_token_belongs_to_its_client() {
    let clients = ["synthetic-client", "other"].map(|id| crate::OAuthClient::public(id, oauth::REDIRECT));
    let [first, second] = clients;
    let mut world = World::of(Simulator::builder().oauth_client(first).oauth_client(second));
    let code = code(&mut world);
    let token = world.post(OAUTH, &exchange(&code)).text("refresh_token");
    let foreign = with(refresh(&token), "client_id", json!("other"));
    assert_eq!(world.post(OAUTH, &foreign).get("error"), json!("invalid_client"));
    assert_eq!(world.post(OAUTH, &refresh(&token)).get("error"), Value::Null);
}

#[test]
fn a_revoked_users_refresh_token_is_invalid() {
    let (mut world, first) = world();
    world.simulator.revoke("synthetic-user");
    assert_eq!(world.post(OAUTH, &refresh(&first.text("refresh_token"))).json(), invalid_token());
}

#[test]
fn refreshes_and_exchanges_are_counted_apart() {
    let (mut world, first) = world();
    world.post(OAUTH, &refresh(&first.text("refresh_token")));
    let statistics = world.simulator.statistics();
    assert_eq!((statistics.logins, statistics.code_exchanges, statistics.refreshes), (0, 1, 1));
}
