//! No secret is printed: the tests put a marked secret into every place that takes one and search all output for it.

use tradovate_auth_core::ClientSecret;

use super::*;

fn assert_silent(world: &World, what: &str) {
    let printed = format!("{:?} {:?} {}", world.session, world.stored, world.trace());
    assert!(!printed.to_lowercase().contains("canary"), "{what}: {printed}");
}

#[test]
fn a_session_of_a_user_prints_no_secret() {
    let credentials = Credentials::new("trader", "canary-password").with_api_key(8.into(), "canary-secret");
    let token = |text: &str, minute: u64| {
        let end = later(start(), minutes(minute));
        ok(format!(r#"{{"accessToken":"canary-{text}","mdAccessToken":"canary-md","expirationTime":"{end}"}}"#))
    };
    let answers = [
        ok(r#"{"p-ticket":"canary-ticket","p-time":15}"#),
        ok(r#"{"errorText":null,"accessToken":"canary-cut"#),
        status(503, r#"{"password":"canary-password"}"#),
        token("one", 80),
        Answer::Silence,
        moved("https://acme.ninjatrader.com/v1/auth/renewaccesstoken?canary"),
        Answer::Silence,
        token("two", 160),
    ];
    let session = Session::new(Environment::demo(), credentials, 7);
    let mut world = World::of(session, answers).storing([Some(true), Some(false)]);
    for second in 0..4800 {
        world.run(Duration::from_secs(second));
        if second % 60 == 0 || second < 60 {
            world.hide_requests();
            assert_silent(&world, "in mid-course");
        }
    }
    assert_eq!(world.token().as_deref(), Some("canary-two"));
    world.session.forget(world.now);
    assert_silent(&world, "after forgetting");
}

#[test]
fn a_session_of_an_app_prints_no_secret() {
    let app = OAuthApp::new("client").with_client_secret(ClientSecret::new("canary-secret"));
    let token = RefreshToken::new("canary-refresh");
    let session = Session::new(Environment::live(), Login::refresh_token(app, token), 7);
    let refusal = r#"{"error":"invalid_grant","error_description":"refresh_token=canary-refresh is used"}"#;
    let mut world =
        World::of(session, [refreshed("canary-at", "canary-rt"), ok(refusal), ok(refusal), Answer::Silence]);
    world.run(minutes(66));
    world.hide_requests();
    assert_silent(&world, "after refusals");
}

#[test]
fn requests_and_actions_print_no_secret() {
    let credentials = Credentials::new("trader", "canary-password").with_api_key(8.into(), "canary-secret");
    let mut session = Session::new(Environment::demo(), credentials, 7).with_store();
    let mut budget = RateBudget::default();
    let Action::Store { id, .. } = session.poll(start(), &mut budget) else { panic!() };
    session.store_answered(start(), id, Ok(StoreAnswer::Kept), &mut budget);
    let action = session.poll(start(), &mut budget);
    assert!(!format!("{action:?}").contains("canary"));
    let Action::Send { id, .. } = action else { panic!() };
    let Answer::Response(answer) = token_to("canary-token", 80) else { panic!() };
    session.receive(start(), id, answer, &mut budget);
    let action = session.poll(start(), &mut budget);
    assert!(!format!("{action:?}").contains("canary"));
    let Action::Store { id, .. } = action else { panic!() };
    session.store_answered(start(), id, Ok(StoreAnswer::Kept), &mut budget);
    assert!(!format!("{:?}", session.token(start()).unwrap()).contains("canary"));
    let Action::Wait { until } = session.poll(start(), &mut budget) else { panic!() };
    let action = session.poll(until, &mut budget);
    assert!(!format!("{action:?}").contains("canary"));
}
