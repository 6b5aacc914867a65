//! Tests of penalty tickets and captchas.

use super::*;
use crate::endpoint::Endpoint;

const THREE_SECONDS: Duration = Duration::from_secs(3);
const ELSEWHERE: &str = "198.51.100.0/24";

/// A world whose first login was penalized, and the ticket of the penalty.
fn penalized() -> (World, String) {
    let mut world = World::new();
    world.simulator.penalize_next(Endpoint::AccessTokenRequest, THREE_SECONDS);
    let answer = world.login();
    assert_eq!((answer.status, answer.get("p-time"), answer.get("p-captcha")), (200, json!(3), json!(false)));
    let ticket = answer.text("p-ticket");
    (world, ticket)
}

impl World {
    /// Waits some seconds and repeats the login with a ticket.
    fn repeat(&mut self, wait: u64, ticket: &str) -> Answer {
        self.wait(wait);
        self.login_with("p-ticket", ticket)
    }
}

#[test]
fn a_penalized_request_is_handled_once_when_it_is_repeated_with_its_ticket() {
    let (mut world, ticket) = penalized();
    assert_eq!(world.simulator.statistics().penalties, 1);
    assert_eq!(world.simulator.open_sessions(USER), 0);
    assert_eq!(world.repeat(3, &ticket).get("errorText"), "");
    assert!(world.repeat(0, &ticket).is_penalty());
}

#[test]
fn a_ticket_that_is_sent_too_early_is_replaced_by_one_with_a_longer_wait() {
    let (mut world, first) = penalized();
    let longer = world.repeat(2, &first);
    assert_eq!(longer.get("p-time"), 6);
    assert!(world.repeat(6, &first).is_penalty(), "the first ticket is worth nothing any more");
    assert_eq!(world.repeat(0, &longer.text("p-ticket")).get("errorText"), "");
}

#[test]
fn a_ticket_is_valid_only_for_the_same_body_endpoint_and_network() {
    let uses: [fn(&mut World, String) -> Answer; 5] = [
        |world, ticket| world.post(LOGIN, &with(with(credentials(), "p-ticket", ticket), "appVersion", "1.1")),
        |world, _| world.login(),
        |world, _| world.login_with("p-ticket", "invented"),
        |world, ticket| world.post(OAUTH, &json!({ "grant_type": "refresh_token", "p-ticket": ticket })),
        |world, ticket| {
            world.network = Some(Network(ELSEWHERE.to_owned()));
            world.login_with("p-ticket", ticket)
        },
    ];
    let waits = uses.map(|misuse| {
        let (mut world, ticket) = penalized();
        world.wait(3);
        misuse(&mut world, ticket).get("p-time")
    });
    assert_eq!(waits, [6, 6, 15, 15, 15].map(Value::from));
}

#[test]
fn a_form_can_carry_a_ticket() {
    let mut world = World::new();
    let form = "grant_type=refresh_token&refresh_token=unknown&client_id=synthetic-client";
    world.simulator.penalize_next(Endpoint::OauthToken, THREE_SECONDS);
    let ticket = world.bytes(OAUTH, FORM, form).text("p-ticket");
    world.wait(3);
    let answer = world.bytes(OAUTH, FORM, format!("{form}&p-ticket={ticket}"));
    assert_eq!(answer.json(), json!({ "error": "invalid_token" }));
}

#[test]
fn a_penalized_get_is_handled_when_it_is_repeated_after_the_wait() {
    let mut world = World::new();
    let token = world.token();
    world.simulator.penalize_next(Endpoint::RenewAccessToken, THREE_SECONDS);
    let waits = [0, 2, 5, 12].map(|wait| {
        world.wait(wait);
        world.get(RENEW, &token).get("p-time")
    });
    assert_eq!(waits, [json!(3), json!(6), json!(12), Value::Null]);
}

#[test]
fn a_penalty_for_any_endpoint_applies_to_the_next_authentication_request() {
    let mut world = World::new();
    let token = world.token();
    world.simulator.penalize_next(None, Duration::from_millis(2500));
    assert_eq!(world.accounts(&token).status, 200);
    assert_eq!(world.get(RENEW, &token).get("p-time"), 2.5);
}

#[test]
fn two_ordered_penalties_apply_to_two_requests_in_a_row() {
    let (mut world, first) = penalized();
    world.simulator.penalize_next(None, Duration::from_secs(60));
    let second = world.repeat(3, &first);
    assert_eq!(second.get("p-time"), 60);
    assert_eq!(world.repeat(60, &second.text("p-ticket")).get("errorText"), "");
}

#[test]
fn a_captcha_closes_one_endpoint_to_one_network_for_an_hour() {
    let mut world = World::new();
    let token = world.token();
    world.simulator.captcha_next(Endpoint::AccessTokenRequest);
    let captcha = world.login();
    assert_eq!(captcha.get("p-captcha"), true);
    assert_eq!(world.repeat(3599, &captcha.text("p-ticket")).get("p-captcha"), true);
    assert_eq!(world.get(ME, &token).status, 200, "other endpoints are not affected");
    world.network = Some(Network(ELSEWHERE.to_owned()));
    assert_eq!(world.login().get("errorText"), "");
    world.network = None;
    world.wait(1);
    assert_eq!(world.login().get("errorText"), "");
}

#[test]
fn only_the_right_captcha_answer_after_the_wait_opens_the_endpoint() {
    let answered = |wait: u64, name: &str, value: &str, answer: Value| {
        let mut world = World::new();
        world.simulator.captcha_next(Endpoint::AccessTokenRequest);
        let captcha = world.login();
        assert_eq!((captcha.get("p-captcha"), captcha.get("p-time")), (json!(true), json!(19)));
        world.wait(wait);
        let body = with(with(credentials(), "p-ticket", captcha.text("p-ticket")), "p-captcha", answer);
        let body = if name.is_empty() { body } else { with(body, name, value) };
        (world.post(LOGIN, &body).get("errorText"), world.post(LOGIN, &body).get("errorText"))
    };
    let right = || json!(Simulator::CAPTCHA_ANSWER);
    // The ticket is valid once.
    assert_eq!(answered(19, "", "", right()), (json!(""), Value::Null));
    for (wait, name, value, answer) in [
        (18, "", "", right()),
        (19, "appVersion", "1.1", right()),
        (19, "p-ticket", "invented", right()),
        (19, "", "", json!("another answer")),
        (19, "", "", json!("")),
    ] {
        assert_eq!(answered(wait, name, value, answer), (Value::Null, Value::Null), "{wait} {name} {value}");
    }
}

#[test]
fn the_sixth_violation_of_a_penalty_gets_a_captcha_until_release() {
    let (mut world, _) = penalized();
    let captchas: Vec<_> = (0..6).map(|_| world.login().get("p-captcha")).collect();
    assert_eq!(captchas, [false, false, false, false, false, true].map(Value::from));
    world.simulator.release();
    assert_eq!(world.login().get("errorText"), "");
}

#[test]
fn tickets_from_before_a_captcha_are_invalid_after_it() {
    let (mut world, _) = penalized();
    world.simulator.captcha_next(None);
    world.login_with("deviceId", "another");
    world.wait(3600);
    assert_eq!(world.login().get("errorText"), "");
}
