//! Tests of the user's decision on the page: log in and allow, or deny.

use super::{
    oauth::{REDIRECT, VERIFIER, exchange},
    page::{allow, allow_as, authorize_url_with, code, deny},
    *,
};
use crate::{registration::OAuthClient, side::Side};

#[test]
fn a_user_who_logs_in_and_allows_is_redirected_with_a_code() {
    let without_challenge = &[("code_challenge", ""), ("code_challenge_method", "")][..];
    for (changes, verifier) in [(&[][..], json!(VERIFIER)), (without_challenge, Value::Null)] {
        let mut world = World::new();
        let answer = allow(&mut world, &authorize_url_with(changes));
        let code = code(&answer);
        assert_eq!(answer.status_and_body(), (303, ""));
        assert_eq!(answer.header("location"), format!("{REDIRECT}?code={code}&state=a1"));
        let token = world.post(OAUTH, &with(exchange(&code), "code_verifier", verifier)).text("access_token");
        assert_eq!(world.accounts(&token).status, 200);
    }
}

#[test]
fn a_code_from_the_page_belongs_to_the_user_who_logged_in() {
    let builder = Simulator::builder().user(User::default()).user(User::new("trader", "correct horse"));
    let mut world = World::of(builder.options(|options| options.oauth_has_user_id = true));
    let code = code(&allow_as(&mut world, "trader", "correct horse"));
    assert_eq!(world.post(OAUTH, &exchange(&code)).get("userId"), 15461);
}

#[test]
fn a_user_who_denies_is_redirected_without_logging_in() {
    let location = "http://localhost:8888/?error=access_denied&error_description=The+user+denied+access&state=a1";
    assert_eq!(deny(&mut World::new(), &authorize_url_with(&[])).status_and_location(), (303, location));
}

#[test]
fn every_refused_login_shows_the_same_form_again() {
    let Answer { body: wrong, .. } = allow_as(&mut World::new(), USER, "canary-password");
    assert!(wrong.contains(&format!(r#"role="alert">{WRONG_PASSWORD}</p>"#)), "{wrong}");
    assert!(wrong.contains(r#"name="username" type="text" value="synthetic-user""#), "{wrong}");
    assert!(!wrong.contains("canary-password"), "{wrong}");
    for (user, password) in [
        ("synthetic-user", "Synthetic-Password"),
        ("synthetic-user", ""),
        ("Synthetic-User", "synthetic-password"),
        ("nobody", "synthetic-password"),
        ("", ""),
    ] {
        let answer = allow_as(&mut World::new(), user, password);
        let same = wrong.replace(r#"value="synthetic-user""#, &format!(r#"value="{user}""#));
        assert_eq!((answer.status_and_location(), &answer.body), ((200, ""), &same));
    }
}

#[test]
fn an_oauth_client_admits_only_users_of_its_environment_at_any_host() {
    for (user, clients, status) in [
        (Side::Live, vec![Side::Live], 303),
        (Side::Demo, vec![Side::Live], 200),
        (Side::Live, vec![Side::Demo], 200),
        (Side::Demo, vec![Side::Live, Side::Demo], 303),
    ] {
        let mut builder = Simulator::builder().user(User::default().only_on(user));
        for side in &clients {
            builder = builder.oauth_client(OAuthClient { side: *side, ..OAuthClient::default() });
        }
        let mut world = World::of(builder);
        for host in ["trader.tradovate.com", DEMO, LIVE, ""] {
            world = world.at(host);
            assert_eq!(allow(&mut world, &authorize_url_with(&[])).status, status, "{user} {clients:?} {host}");
        }
    }
}

#[test]
fn a_malformed_form_is_refused() {
    for body in [
        &b""[..],
        b"username=a",
        b"decision=perhaps",
        b"decision=deny&decision=deny",
        b"decision=deny&decision=",
        b"decision=deny&password=\xff",
    ] {
        let answer = World::new().bytes(&authorize_url_with(&[]), FORM, body);
        assert_eq!(answer.status_and_location(), (400, ""), "{}", body.escape_ascii());
    }
}
