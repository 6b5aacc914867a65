use super::*;
use crate::registration::{App, OAuthClient};

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
fn no_token_ticket_or_code_is_printed() {
    let mut world = World::new();
    let (code, page_code) = (oauth::code(&mut world), page::code(&page::allow(&mut world, &page::asking(&[]))));
    let login = world.login();
    let token = login.text("accessToken");
    world.simulator.penalize_next(None, Duration::from_secs(3));
    let ticket = world.get(&format!("{ME}?token={token}"), &token).text("p-ticket");
    let printed = format!("{:?} {:?}", world.simulator, world.simulator.statistics());
    for secret in [token, login.text("mdAccessToken"), ticket, code, page_code] {
        assert!(!printed.contains(&secret), "{printed}");
    }
}
