//! Tests of the login with a password.

use jiff::SignedDuration;

use super::*;
use crate::{options::RefusalStatus, registration::App};

const NOT_REGISTERED: &str = "The app is not registered";

#[test]
fn a_login_returns_tokens_and_facts_about_the_user() {
    let answer = World::new().login();
    assert_eq!(answer.status, 200);
    assert!(answer.text("accessToken").len() > 200);
    assert!(answer.text("mdAccessToken").starts_with("md_"));
    let rest = ["accessToken", "mdAccessToken", "apiHosts"]
        .into_iter()
        .fold(answer.json(), |body, field| with(body, field, Value::Null));
    assert_eq!(
        rest,
        json!({
            "errorText": "",
            "expirationTime": "2026-11-24T13:20:00.500Z",
            "passwordExpirationTime": null,
            "userStatus": "Active",
            "userId": 15460,
            "name": "synthetic-user",
            "hasLive": true,
            "hasSimPlus": false,
            "showKIDs": false,
        })
    );
}

#[test]
fn a_login_checks_the_user_and_the_password_before_the_api_key() {
    for (field, value, refusal) in [
        ("password", json!("Synthetic-Password"), WRONG_PASSWORD),
        ("name", json!("nobody"), WRONG_PASSWORD),
        ("sec", Value::Null, WRONG_PASSWORD),
        ("sec", json!("wrong"), WRONG_PASSWORD),
        ("cid", json!(9), NOT_REGISTERED),
        ("appId", json!("Another App"), NOT_REGISTERED),
    ] {
        let answer = World::new().login_with(field, value);
        assert_eq!((answer.status, answer.json()), (200, json!({ "errorText": refusal })), "{field}");
    }
    let wrong_in_both = with(with(credentials(), "cid", 9), "password", "wrong");
    assert_eq!(World::new().post(LOGIN, &wrong_in_both).get("errorText"), WRONG_PASSWORD);
}

#[test]
fn the_cid_may_be_text_or_absent_and_unknown_fields_are_ignored() {
    let login = |field, value: Value| World::new().login_with(field, value).get("errorText");
    for (field, value) in [("cid", json!("8")), ("cid", Value::Null), ("organization", json!(""))] {
        assert_eq!(login(field, value), "", "{field}");
    }
    let mut world = World::of(Simulator::builder().app(App::new("Synthetic App", "key-1", "synthetic-api-secret")));
    assert_eq!(world.login_with("cid", "key-1").get("errorText"), "");
}

#[test]
fn options_can_refuse_a_textual_cid_and_refuse_logins_with_401() {
    let mut world = World::with_options(|options| {
        options.textual_cid = false;
        options.refusal = RefusalStatus::Unauthorized;
    });
    assert_eq!((world.login_with("cid", "8").status, world.login().status), (400, 200));
    let answer = world.failing_login();
    assert_eq!((answer.status, answer.json()), (401, json!({ "errorText": WRONG_PASSWORD })));
}

#[test]
fn a_field_over_its_length_limit_gets_400() {
    let limits = ["name", "password", "appId", "appVersion", "deviceId", "cid"].map(|field| (field, 64));
    for (field, limit) in limits.into_iter().chain([("sec", 8192)]) {
        assert_eq!(World::new().login_with(field, "ä".repeat(limit)).status, 200, "{field}");
        let over = World::new().login_with(field, "ä".repeat(limit + 1));
        let why = format!("{field} is longer than {limit} characters");
        assert_eq!(over.status_and_body(), (400, why.as_str()));
    }
}

#[test]
fn a_login_body_that_is_not_a_json_object_with_name_and_password_gets_400() {
    for (field, value) in [("name", Value::Null), ("password", Value::Null), ("cid", json!(8.5)), ("sec", json!(1))] {
        assert_eq!(World::new().login_with(field, value).status, 400, "{field}");
    }
    let form = b"name=synthetic-user&password=synthetic-password&cid=8&sec=synthetic-api-secret";
    for body in [&b""[..], b"[]", b"\"text\"", b"{", b"\xff\xfe", b"{\"a\":1}x", &b"[".repeat(100_000), form] {
        assert_eq!(World::new().bytes(LOGIN, "application/json", body).status, 400, "{}", body.escape_ascii());
    }
    assert_eq!(World::new().bytes(LOGIN, FORM, form).status, 400);
}

#[test]
fn the_breached_password_hint_is_returned_only_if_the_request_asks_for_it() {
    let mut world = World::with_user(User { hibp_hint: Some("PasswordCompromised".to_owned()), ..User::default() });
    assert_eq!(world.login().get("hibpHint"), Value::Null);
    assert_eq!(world.login_with("hibpCheck", true).get("hibpHint"), "PasswordCompromised");
}

#[test]
fn a_login_returns_the_users_status_password_expiry_and_organization() {
    let mut user = User::default().of_organization("Example Evaluation");
    user.status = "UnconfirmedEmail".to_owned();
    user.password_expiration = Some("2027-01-15T09:30:00Z".parse().unwrap());
    user.market_data = false;
    let answer = World::with_user(user).login();
    for (field, value) in [
        ("userStatus", json!("UnconfirmedEmail")),
        ("passwordExpirationTime", json!("2027-01-15T09:30:00Z")),
        ("orgName", json!("Example Evaluation")),
        ("mdAccessToken", Value::Null),
    ] {
        assert_eq!(answer.get(field), value, "{field}");
    }
}

#[test]
fn a_multi_factor_step_is_a_200_without_token_and_hosts() {
    let challenge = vec![("deviceChallenge".to_owned(), "e-mail".to_owned())];
    let mut world = World::with_user(User { challenge, ..User::default() });
    let answer = world.login();
    assert_eq!((answer.status, answer.json()), (200, json!({ "deviceChallenge": "e-mail" })));
    assert_eq!(world.simulator.open_sessions(USER), 0);
}

#[test]
fn the_expiry_of_a_token_follows_from_the_lifetime_and_the_servers_clock() {
    let default = Simulator::builder;
    for (builder, expiry) in [
        (default().lifetime(Duration::from_secs(300)), "2026-11-24T12:05:00.500Z"),
        (default().options(|options| options.expiration_fraction = false), "2026-11-24T13:20:00Z"),
        (default().clock_skew(SignedDuration::from_secs(-600)), "2026-11-24T13:10:00.500Z"),
    ] {
        assert_eq!(World::of(builder).login().text("expirationTime"), expiry);
    }
}

#[test]
fn equal_seeds_and_requests_give_equal_answers() {
    let session = |seed| {
        let mut world = World::of(Simulator::builder().seed(seed));
        let login = world.login().body;
        (login, world.failing_login().body, world.token())
    };
    assert_eq!(session(1), session(1));
    assert_ne!(session(1), session(2));
}
