//! What the user does at the page: log in and allow, or deny.

use super::{
    oauth::{REDIRECT, exchange, wrong_code},
    page::{allow, allow_as, asking, code, deny},
    *,
};
use crate::{registration::OAuthClient, side::Side, user::User};

fn default_client(side: Side) -> OAuthClient {
    OAuthClient { side, ..OAuthClient::default() }
}

#[test]
fn whoever_logs_in_and_allows_is_sent_back_with_a_code() {
    let answer = allow(&mut World::new(), &asking(&[]));
    assert_eq!((answer.status, answer.body.as_str()), (303, ""));
    let code = code(&answer);
    assert_eq!(answer.header("location"), format!("{REDIRECT}?code={code}&state=a1"));
}

#[test]
fn a_code_from_the_page_is_good_once_with_its_verifier() {
    let mut world = World::new();
    let code = code(&allow(&mut world, &asking(&[])));
    let token = world.post(OAUTH, &exchange(&code)).text("access_token");
    assert_eq!(world.accounts(&token).status, 200);
    assert_eq!(world.post(OAUTH, &exchange(&code)).json(), wrong_code());
}

#[test]
fn a_code_from_the_page_is_not_good_with_another_verifier() {
    for verifier in [json!("wrong"), Value::Null] {
        let mut world = World::new();
        let code = code(&allow(&mut world, &asking(&[])));
        let request = with(exchange(&code), "code_verifier", verifier);
        assert_eq!(world.post(OAUTH, &request).json(), wrong_code());
    }
}

#[test]
fn a_request_without_a_challenge_makes_a_code_that_needs_no_verifier() {
    let mut world = World::new();
    let code = code(&allow(&mut world, &asking(&[("code_challenge", ""), ("code_challenge_method", "")])));
    let request = with(exchange(&code), "code_verifier", Value::Null);
    assert_eq!(world.post(OAUTH, &request).get("error"), Value::Null);
}

#[test]
fn a_code_from_the_page_belongs_to_its_client_and_redirect_uri() {
    let mut client = OAuthClient::default();
    client.redirect_uris.push("http://localhost:7777/".to_owned());
    let builder = Simulator::builder().oauth_client(client).oauth_client(OAuthClient::public("other", REDIRECT));
    let mut world = World::of(builder);
    let code = code(&allow(&mut world, &asking(&[])));
    for (field, value) in [("client_id", "other"), ("redirect_uri", "http://localhost:7777/")] {
        assert_eq!(world.post(OAUTH, &with(exchange(&code), field, json!(value))).json(), wrong_code());
    }
    assert_eq!(world.post(OAUTH, &exchange(&code)).get("error"), Value::Null);
}

#[test]
fn a_code_from_the_page_is_the_users_who_logged_in() {
    let builder = Simulator::builder().user(User::default()).user(User::new("trader", "correct horse"));
    let mut world = World::of(builder.options(|options| options.oauth_has_user_id = true));
    let code = code(&allow_as(&mut world, "trader", "correct horse"));
    assert_eq!(world.post(OAUTH, &exchange(&code)).get("userId"), json!(15461));
}

#[test]
fn a_code_from_the_page_expires() {
    let mut world = World::new();
    let code = code(&allow(&mut world, &asking(&[])));
    world.wait(300);
    assert_eq!(world.post(OAUTH, &exchange(&code)).json(), wrong_code());
}

#[test]
fn whoever_denies_is_sent_back_without_logging_in() {
    let answer = deny(&mut World::new(), &asking(&[]));
    let location = "http://localhost:8888/?error=access_denied&error_description=The+user+denied+access&state=a1";
    assert_eq!((answer.status, answer.header("location")), (303, location));
}

#[test]
fn a_wrong_password_shows_the_page_again() {
    let answer = allow_as(&mut World::new(), "synthetic-user", "canary-password");
    assert_eq!((answer.status, answer.header("location")), (200, ""));
    assert!(answer.body.contains(&format!(r#"role="alert">{WRONG_PASSWORD}</p>"#)), "{}", answer.body);
    assert!(answer.body.contains(r#"name="username" type="text" value="synthetic-user""#), "{}", answer.body);
    assert!(!answer.body.contains("canary-password"), "{}", answer.body);
}

#[test]
fn a_wrong_password_makes_no_code() {
    let mut world = World::new();
    allow_as(&mut world, "synthetic-user", "wrong");
    let after = code(&allow(&mut world, &asking(&[])));
    assert_eq!(after, code(&allow(&mut World::new(), &asking(&[]))));
}

#[test]
fn every_refusal_looks_like_a_wrong_password() {
    for (user, password) in [
        ("nobody", "synthetic-password"),
        ("Synthetic-User", "synthetic-password"),
        ("synthetic-user", "Synthetic-Password"),
        ("synthetic-user", ""),
        ("", ""),
    ] {
        let answer = allow_as(&mut World::new(), user, password);
        let expected = allow_as(&mut World::new(), "synthetic-user", "wrong").body;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, expected.replace("value=\"synthetic-user\"", &format!("value=\"{user}\"")));
    }
}

#[test]
fn a_user_logs_in_where_the_client_is_registered() {
    for (user, clients, status) in [
        (Side::Live, vec![Side::Live], 303),
        (Side::Demo, vec![Side::Live], 200),
        (Side::Live, vec![Side::Demo], 200),
        (Side::Demo, vec![Side::Live, Side::Demo], 303),
    ] {
        let mut builder = Simulator::builder().user(User::default().only_on(user));
        for side in &clients {
            builder = builder.oauth_client(default_client(*side));
        }
        assert_eq!(allow(&mut World::of(builder), &asking(&[])).status, status, "{user} {clients:?}");
    }
}

#[test]
fn the_page_does_not_ask_at_which_host_it_is() {
    for host in ["trader.tradovate.com", "demo.tradovateapi.com", "live.tradovateapi.com", ""] {
        assert_eq!(allow(&mut World::new().at(host), &asking(&[])).status, 303, "{host}");
    }
}

#[test]
fn a_form_that_cannot_be_read_is_refused() {
    for body in ["", "username=a", "decision=perhaps", "decision=deny&decision=deny", "decision=deny&password=%ff"] {
        let answer = World::new().bytes(&asking(&[]), "application/x-www-form-urlencoded", body.as_bytes());
        assert_eq!((answer.status, answer.header("location")), (400, ""), "{body}");
    }
}
