use super::*;
use crate::endpoint::Endpoint;

const THREE_SECONDS: Duration = Duration::from_secs(3);

/// A world whose first login was penalized, and the ticket.
fn penalized() -> (World, String) {
    let mut world = World::new();
    world.simulator.penalize_next(Endpoint::AccessTokenRequest, THREE_SECONDS);
    let answer = world.login();
    assert_eq!((answer.status, answer.get("p-time"), answer.get("p-captcha")), (200, json!(3), json!(false)));
    let ticket = answer.text("p-ticket");
    (world, ticket)
}

fn with_ticket(ticket: &str) -> Value {
    with(credentials(), "p-ticket", json!(ticket))
}

#[test]
fn a_penalized_request_is_not_handled() {
    let (world, _) = penalized();
    assert_eq!(world.simulator.open_sessions("synthetic-user"), 0);
    assert_eq!(world.simulator.statistics().penalties, 1);
}

#[test]
fn a_ticket_after_the_wait_is_honoured() {
    let (mut world, ticket) = penalized();
    world.wait(3);
    assert_eq!(world.post(LOGIN, &with_ticket(&ticket)).get("errorText"), json!(""));
}

#[test]
fn a_ticket_before_the_wait_is_over_costs_a_longer_one() {
    let (mut world, ticket) = penalized();
    world.wait(2);
    let answer = world.post(LOGIN, &with_ticket(&ticket));
    assert_eq!(answer.get("p-time"), json!(6));
    world.wait(6);
    assert!(world.post(LOGIN, &with_ticket(&ticket)).is_penalty(), "the first ticket is worth nothing any more");
}

#[test]
fn the_longer_wait_can_be_served_too() {
    let (mut world, ticket) = penalized();
    let second = world.post(LOGIN, &with_ticket(&ticket)).text("p-ticket");
    world.wait(6);
    assert_eq!(world.post(LOGIN, &with_ticket(&second)).get("errorText"), json!(""));
}

#[test]
fn a_ticket_with_an_altered_body_is_not_honoured() {
    let (mut world, ticket) = penalized();
    world.wait(3);
    let altered = with(with_ticket(&ticket), "appVersion", json!("1.1"));
    assert_eq!(world.post(LOGIN, &altered).get("p-time"), json!(6));
}

#[test]
fn a_repetition_without_the_ticket_is_penalized_again() {
    let (mut world, _) = penalized();
    world.wait(3);
    assert_eq!(world.login().get("p-time"), json!(6));
}

#[test]
fn a_ticket_is_honoured_once() {
    let (mut world, ticket) = penalized();
    world.wait(3);
    world.post(LOGIN, &with_ticket(&ticket));
    assert!(world.post(LOGIN, &with_ticket(&ticket)).is_penalty());
}

#[test]
fn an_invented_ticket_is_penalized() {
    assert!(World::new().post(LOGIN, &with_ticket("invented")).is_penalty());
}

#[test]
fn a_ticket_belongs_to_its_network() {
    let (mut world, ticket) = penalized();
    world.wait(3);
    world.network = Some(Network("198.51.100.0/24".to_owned()));
    assert!(world.post(LOGIN, &with_ticket(&ticket)).is_penalty());
}

#[test]
fn a_ticket_belongs_to_its_endpoint() {
    let (mut world, ticket) = penalized();
    world.wait(3);
    let refresh = json!({ "grant_type": "refresh_token", "p-ticket": ticket });
    assert!(world.post(OAUTH, &refresh).is_penalty());
}

#[test]
fn a_form_carries_a_ticket_too() {
    let mut world = World::new();
    let form = "grant_type=refresh_token&refresh_token=unknown&client_id=synthetic-client";
    world.simulator.penalize_next(Endpoint::OauthToken, THREE_SECONDS);
    let ticket = world.bytes(OAUTH, "application/x-www-form-urlencoded", form.as_bytes()).text("p-ticket");
    world.wait(3);
    let repeated = format!("{form}&p-ticket={ticket}");
    let answer = world.bytes(OAUTH, "application/x-www-form-urlencoded", repeated.as_bytes());
    assert_eq!(answer.json(), json!({ "error": "invalid_token" }));
}

#[test]
fn a_get_is_let_through_when_repeated_after_the_wait() {
    let mut world = World::new();
    let token = world.token();
    world.simulator.penalize_next(Endpoint::Me, THREE_SECONDS);
    assert!(world.get(ME, &token).is_penalty());
    world.wait(3);
    assert_eq!(world.get(ME, &token).get("userId"), json!(15460));
}

#[test]
fn a_get_repeated_too_early_waits_longer() {
    let mut world = World::new();
    let token = world.token();
    world.simulator.penalize_next(Endpoint::RenewAccessToken, THREE_SECONDS);
    world.get(RENEW, &token);
    world.wait(2);
    assert_eq!(world.get(RENEW, &token).get("p-time"), json!(6));
    world.wait(5);
    assert!(world.get(RENEW, &token).is_penalty());
}

#[test]
fn a_penalty_for_any_endpoint_meets_the_next_authentication_request() {
    let mut world = World::new();
    let token = world.token();
    world.simulator.penalize_next(None, THREE_SECONDS);
    assert_eq!(world.accounts(&token).status, 200);
    assert!(world.get(RENEW, &token).is_penalty());
}

#[test]
fn two_penalties_meet_two_requests_in_a_row() {
    let mut world = World::new();
    world.simulator.penalize_next(None, THREE_SECONDS);
    world.simulator.penalize_next(None, Duration::from_secs(60));
    let first = world.login().text("p-ticket");
    world.wait(3);
    let second = world.post(LOGIN, &with_ticket(&first));
    assert_eq!(second.get("p-time"), json!(60));
    world.wait(60);
    assert_eq!(world.post(LOGIN, &with_ticket(&second.text("p-ticket"))).get("errorText"), json!(""));
}

#[test]
fn a_wait_may_have_a_fraction() {
    let mut world = World::new();
    world.simulator.penalize_next(None, Duration::from_millis(2500));
    assert_eq!(world.login().get("p-time"), json!(2.5));
}

#[test]
fn a_captcha_closes_its_endpoint_for_an_hour() {
    let mut world = World::new();
    let token = world.token();
    world.simulator.captcha_next(Endpoint::AccessTokenRequest);
    let ticket = world.login();
    assert_eq!(ticket.get("p-captcha"), json!(true));
    world.wait(3599);
    assert_eq!(world.post(LOGIN, &with_ticket(&ticket.text("p-ticket"))).get("p-captcha"), json!(true));
    assert_eq!(world.get(ME, &token).status, 200, "other endpoints are not affected");
    world.wait(1);
    assert_eq!(world.login().get("errorText"), json!(""));
}

#[test]
fn a_captcha_closes_the_endpoint_for_its_network_only() {
    let mut world = World::new();
    world.simulator.captcha_next(None);
    world.login();
    world.network = Some(Network("198.51.100.0/24".to_owned()));
    assert_eq!(world.login().get("errorText"), json!(""));
}

#[test]
fn a_captcha_over_earlier_tickets_are_worth_nothing() {
    let (mut world, _) = penalized();
    world.simulator.captcha_next(None);
    world.post(LOGIN, &with(credentials(), "deviceId", json!("another")));
    world.wait_an_hour();
    assert_eq!(world.login().get("errorText"), json!(""));
}

#[test]
fn too_many_violations_bring_a_captcha() {
    let (mut world, _) = penalized();
    for _ in 0..5 {
        assert_eq!(world.login().get("p-captcha"), json!(false));
    }
    assert_eq!(world.login().get("p-captcha"), json!(true));
    world.wait_an_hour();
    assert_eq!(world.login().get("errorText"), json!(""));
}

#[test]
fn a_release_lifts_penalties() {
    let (mut world, _) = penalized();
    world.simulator.captcha_next(None);
    world.login();
    world.simulator.release();
    assert_eq!(world.login().get("errorText"), json!(""));
}
