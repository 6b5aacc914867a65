use super::{oauth::code, *};
use crate::{registration::App, registration::OAuthClient, user::User};

#[test]
fn no_secret_is_printed() {
    let user = User::new("trader", "canary-password");
    let app = App::new("App", "8", "canary-api-secret");
    let client = OAuthClient::confidential("website", "canary-client-secret", "https://app.example/");
    let registered = format!("{user:?} {app:?} {client:?}");
    let builder = Simulator::builder().user(user).app(app).oauth_client(client);
    let printed = format!("{registered} {builder:?}");
    let printed = format!("{printed} {:?}", builder.build());
    assert!(!printed.contains("canary"), "{printed}");
}

#[test]
fn no_token_ticket_or_code_is_printed_or_logged() {
    let mut world = World::new();
    let code = code(&mut world);
    let login = world.login();
    let token = login.text("accessToken");
    world.simulator.penalize_next(None, Duration::from_secs(3));
    let ticket = world.get(&format!("{ME}?token={token}"), &token).text("p-ticket");
    let printed = format!("{:?} {:?}", world.simulator, world.simulator.statistics());
    let back = page::allow(&mut world, &page::asking(&[]));
    let page_code = page::parameter(back.header("location"), "code").unwrap();
    let printed = format!("{printed} {:?} {:?}", world.simulator, world.simulator.statistics());
    for secret in [token, login.text("mdAccessToken"), ticket, code, page_code] {
        assert!(!printed.contains(&secret), "{printed}");
    }
}

#[test]
fn a_bad_request_does_not_quote_its_body() {
    let body = with(credentials(), "password", json!("canary".repeat(20)));
    let answer = World::new().post(LOGIN, &body);
    assert_eq!((answer.status, answer.body.as_str()), (400, "password is longer than 64 characters"));
}
