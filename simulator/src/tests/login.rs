use jiff::SignedDuration;

use super::*;
use crate::{options::RefusalStatus, registration::App, user::User};

fn refused(body: &Value) -> (u16, Value) {
    let answer = World::new().post(LOGIN, body);
    (answer.status, answer.json())
}

#[test]
fn a_login_brings_tokens_and_what_the_user_must_know() {
    let answer = World::new().login();
    assert_eq!(answer.status, 200);
    assert!(answer.text("accessToken").len() > 200);
    assert!(answer.text("mdAccessToken").starts_with("md_"));
    let rest = with(with(answer.json(), "accessToken", Value::Null), "mdAccessToken", Value::Null);
    assert_eq!(
        with(rest, "apiHosts", Value::Null),
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
fn a_wrong_password_is_refused_in_a_200() {
    let body = with(credentials(), "password", json!("Synthetic-Password"));
    assert_eq!(refused(&body), (200, json!({ "errorText": WRONG_PASSWORD })));
}

#[test]
fn an_unknown_user_a_missing_and_a_wrong_secret_look_the_same() {
    for (field, value) in [("name", json!("nobody")), ("sec", Value::Null), ("sec", json!("wrong"))] {
        assert_eq!(refused(&with(credentials(), field, value)), (200, json!({ "errorText": WRONG_PASSWORD })));
    }
}

#[test]
fn an_unregistered_app_is_told_so_after_a_valid_password() {
    let not_registered = (200, json!({ "errorText": "The app is not registered" }));
    let unregistered = with(credentials(), "cid", json!(9));
    assert_eq!(refused(&unregistered), not_registered);
    assert_eq!(refused(&with(credentials(), "appId", json!("Another App"))), not_registered);
    assert_eq!(refused(&with(unregistered, "password", json!("wrong"))), (200, json!({ "errorText": WRONG_PASSWORD })));
}

#[test]
fn the_app_is_found_by_its_name_where_no_cid_is_sent() {
    assert_eq!(World::new().post(LOGIN, &with(credentials(), "cid", Value::Null)).get("errorText"), json!(""));
}

#[test]
fn a_refusal_can_be_a_401() {
    let mut world = World::of(Simulator::builder().options(|o| o.refusal = RefusalStatus::Unauthorized));
    let answer = world.failing_login();
    assert_eq!((answer.status, answer.json()), (401, json!({ "errorText": WRONG_PASSWORD })));
}

#[test]
fn a_cid_may_come_as_text() {
    assert_eq!(World::new().post(LOGIN, &with(credentials(), "cid", json!("8"))).get("errorText"), json!(""));
}

#[test]
fn a_textual_cid_can_be_refused() {
    let mut world = World::of(Simulator::builder().options(|o| o.textual_cid = false));
    assert_eq!(world.post(LOGIN, &with(credentials(), "cid", json!("8"))).status, 400);
    assert_eq!(world.login().status, 200);
}

#[test]
fn an_app_id_need_not_be_a_number() {
    let mut world = World::of(Simulator::builder().app(App::new("Synthetic App", "key-1", "synthetic-api-secret")));
    assert_eq!(world.post(LOGIN, &with(credentials(), "cid", json!("key-1"))).get("errorText"), json!(""));
}

#[test]
fn a_field_over_its_limit_is_a_bad_request() {
    for field in ["name", "password", "appId", "appVersion", "deviceId", "cid"] {
        let at_limit = with(credentials(), field, json!("x".repeat(64)));
        assert_eq!(World::new().post(LOGIN, &at_limit).status, 200, "{field}");
        let over = with(credentials(), field, json!("x".repeat(65)));
        assert_eq!(World::new().post(LOGIN, &over).status, 400, "{field}");
    }
    assert_eq!(refused(&with(credentials(), "sec", json!("x".repeat(8192)))).0, 200);
    assert_eq!(World::new().post(LOGIN, &with(credentials(), "sec", json!("x".repeat(8193)))).status, 400);
}

#[test]
fn name_and_password_are_required() {
    for field in ["name", "password"] {
        assert_eq!(World::new().post(LOGIN, &with(credentials(), field, Value::Null)).status, 400, "{field}");
    }
}

#[test]
fn a_body_that_is_no_json_object_is_a_bad_request() {
    for body in ["", "{", "[]", "\"text\"", "name=synthetic-user&password=synthetic-password"] {
        assert_eq!(World::new().bytes(LOGIN, "application/json", body.as_bytes()).status, 400, "{body}");
    }
    let form = "name=synthetic-user&password=synthetic-password&cid=8&sec=synthetic-api-secret";
    assert_eq!(World::new().bytes(LOGIN, "application/x-www-form-urlencoded", form.as_bytes()).status, 400);
}

#[test]
fn fields_of_the_callers_own_are_ignored() {
    assert_eq!(World::new().post(LOGIN, &with(credentials(), "organization", json!(""))).get("errorText"), json!(""));
}

#[test]
fn the_breach_check_answers_only_when_asked() {
    let user = User { hibp_hint: Some("PasswordCompromised".to_owned()), ..User::default() };
    let mut world = World::of(Simulator::builder().user(user));
    assert_eq!(world.login().get("hibpHint"), Value::Null);
    let asking = with(credentials(), "hibpCheck", json!(true));
    assert_eq!(world.post(LOGIN, &asking).text("hibpHint"), "PasswordCompromised");
}

#[test]
fn status_password_expiry_and_organization_are_the_users() {
    let mut user = User::default().of_organization("Example Evaluation");
    user.status = "UnconfirmedEmail".to_owned();
    user.password_expiration = Some("2027-01-15T09:30:00Z".parse().unwrap());
    let answer = World::of(Simulator::builder().user(user)).login();
    assert_eq!(answer.text("userStatus"), "UnconfirmedEmail");
    assert_eq!(answer.text("passwordExpirationTime"), "2027-01-15T09:30:00Z");
    assert_eq!(answer.text("orgName"), "Example Evaluation");
}

#[test]
fn a_user_without_market_data_gets_no_token_for_it() {
    let user = User { market_data: false, ..User::default() };
    let answer = World::of(Simulator::builder().user(user)).login();
    assert_eq!(answer.get("mdAccessToken"), Value::Null);
    assert!(answer.text("accessToken").starts_with("ag_"));
}

#[test]
fn a_further_step_is_a_200_without_a_token_and_without_hosts() {
    let mut world = World::new();
    world.simulator.user_mut("synthetic-user").unwrap().challenge =
        vec![("deviceChallenge".to_owned(), "e-mail".to_owned())];
    let answer = world.login();
    assert_eq!((answer.status, answer.json()), (200, json!({ "deviceChallenge": "e-mail" })));
    assert_eq!(world.simulator.open_sessions("synthetic-user"), 0);
}

#[test]
fn an_expiry_can_be_written_without_a_fraction() {
    let mut world = World::of(Simulator::builder().options(|o| o.expiration_fraction = false));
    assert_eq!(world.login().text("expirationTime"), "2026-11-24T13:20:00Z");
}

#[test]
fn the_lifetime_is_the_one_set() {
    let mut world = World::of(Simulator::builder().lifetime(Duration::from_secs(300)));
    assert_eq!(world.login().text("expirationTime"), "2026-11-24T12:05:00.500Z");
}

#[test]
fn expiry_and_date_are_the_servers_time() {
    let mut world = World::of(Simulator::builder().clock_skew(SignedDuration::from_secs(-600)));
    let answer = world.login();
    assert_eq!(answer.text("expirationTime"), "2026-11-24T13:10:00.500Z");
    assert_eq!(answer.header("date"), "Tue, 24 Nov 2026 11:50:00 GMT");
}

#[test]
fn the_same_requests_get_the_same_answers() {
    let session = |seed| {
        let mut world = World::of(Simulator::builder().seed(seed));
        let login = world.login().body;
        (login, world.failing_login().body, world.token())
    };
    assert_eq!(session(1), session(1));
    assert_ne!(session(1), session(2));
}
