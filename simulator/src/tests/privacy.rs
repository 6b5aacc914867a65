//! Tests that neither `Debug` output nor the log shows secrets.

use super::*;
use crate::registration::{App, OAuthClient};

#[test]
fn debug_output_shows_no_configured_secret() {
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
fn the_log_shows_the_fields_of_requests_without_secrets() {
    let mut world = World::new().at("demo.tradovateapi.com:443");
    let secret = with(with(credentials(), "password", "canary-password"), "sec", "canary-api-secret");
    world.post(LOGIN, &with(with(secret, "canary-name", "canary-value"), "p-ticket", "canary-ticket"));
    world.bytes(OAUTH, FORM, "grant_type=refresh_token&refresh_token=canary-refresh-token&client_id=app");
    world.bytes(OAUTH, FORM, "canary-of-somebody-who-sends-a-token-alone");
    world.get("/v1/auth/me?p-ticket=canary-ticket", "canary-token");
    let log: Vec<_> = world.simulator.statistics().log().collect();
    let shown = |entry: usize| {
        let fields = log[entry].fields.iter().map(|(name, value)| format!("{name}={value}"));
        fields.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        shown(0),
        "[unknown]=[redacted] appId=Synthetic App appVersion=1.0 cid=8 deviceId=a-device name=synthetic-user \
         p-ticket=[redacted] password=[redacted] sec=[redacted]"
    );
    assert_eq!(shown(1), "client_id=app grant_type=refresh_token refresh_token=[redacted]");
    assert_eq!((shown(2), shown(3)), ("[unknown]=[redacted]".to_owned(), String::new()));
    let tokens: Vec<_> = log.iter().map(|entry| (entry.has_token, &*entry.host)).collect();
    assert_eq!((tokens[0], tokens[3]), ((false, DEMO), (true, DEMO)));
    assert!(!format!("{log:?}").contains("canary"), "{log:?}");
}

#[test]
fn debug_output_shows_no_token_ticket_or_code() {
    let mut world = World::new();
    let (code, page_code) =
        (oauth::code(&mut world), page::code(&page::allow(&mut world, &page::authorize_url_with(&[]))));
    let login = world.login();
    let token = login.text("accessToken");
    world.simulator.penalize_next(None, Duration::from_secs(3));
    let ticket = world.get(&format!("{ME}?token={token}"), &token).text("p-ticket");
    let printed = format!("{:?} {:?}", world.simulator, world.simulator.statistics());
    for secret in [token, login.text("mdAccessToken"), ticket, code, page_code] {
        assert!(!printed.contains(&secret), "{printed}");
    }
}
