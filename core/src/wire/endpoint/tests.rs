use super::testing::*;
use super::*;
use crate::credentials::Credentials;
use crate::place::url::{BaseUrl, SecureUrl};
use crate::wire::secret::RefreshToken;
use alloc::format;
use alloc::string::ToString;

fn requests(environment: &Environment) -> [Request<RequestBody>; 4] {
    let token = AccessToken::parse("token").unwrap();
    let refresh = OAuthGrant::RefreshToken(RefreshToken::new("refresh"));
    [
        AccessTokenRequest::new(&Credentials::new("trader", "password")).request(environment).unwrap(),
        RenewAccessToken::new(token.clone()).request(environment).unwrap(),
        Me::new(token).request(environment).unwrap(),
        OAuthToken::new("app", refresh).request(environment).unwrap(),
    ]
}

//= R-ENV-4
//= R-ENV-6
//= R-ENV-9
//= R-OAUTH-2
#[test]
fn every_endpoint_has_its_address() {
    let uris = |environment: Environment| requests(&environment).map(|request| request.uri().to_string());
    let paths = ["accesstokenrequest", "renewaccesstoken", "me", "oauthtoken"];
    let at = |bases: [&str; 4]| [0, 1, 2, 3].map(|number| [bases[number], "/auth/", paths[number]].concat());
    let (live, demo) = ("https://live.tradovateapi.com/v1", "https://demo.tradovateapi.com/v1");
    assert_eq!(uris(Environment::live()), at([live; 4]));
    assert_eq!(uris(Environment::demo()), at([demo, demo, live, demo]));
    assert_eq!(uris(Environment::evaluation()), at([live; 4]));
    let local = "http://127.0.0.1:8080/v1";
    assert_eq!(uris(Environment::custom(BaseUrl::parse(local).unwrap())), at([local; 4]));
    let token_url = SecureUrl::parse("https://live.tradovateapi.com/auth/oauthtoken").unwrap();
    let bases = [demo, demo, live, "https://live.tradovateapi.com"];
    assert_eq!(uris(Environment::demo().with_token_url(token_url)), at(bases));
}

#[test]
fn a_response_whose_date_was_read_before_is_read_the_same() {
    for body in [
        include_str!("../../../tests/fixtures/login-2026.json"),
        include_str!("../../../tests/fixtures/oauth-token.json"),
        include_str!("../../../tests/fixtures/login-refused.json"),
        r#"{"errorText":"Access is denied"}"#,
        "",
    ] {
        let response = with(ok(body), "date", "Tue, 24 Nov 2026 14:20:30 GMT");
        let (login, renewal) = (AccessTokenRequest::parse(response.clone()), RenewAccessToken::parse(response.clone()));
        let of = |reply: Result<Reply<AccessTokenResponse>, Error>| format!("{:?}", reply.map(|reply| reply.value));
        assert_eq!(format!("{:?}", read_login(&response)), of(login));
        assert_eq!(format!("{:?}", read_renewal(&response)), of(renewal));
        let exchange = OAuthToken::parse(response.clone()).map(|reply| reply.value);
        assert_eq!(format!("{:?}", read_oauth(&response)), format!("{exchange:?}"));
    }
}

//= R-HOST-1
//= R-LOGIN-18
//= R-RENEW-3
//= R-ME-2
//= R-OAUTH-4
#[test]
fn every_fixture_is_read_whole() {
    let [login, older, renewal, oauth, me] = [
        include_str!("../../../tests/fixtures/login-2026.json"),
        include_str!("../../../tests/fixtures/login-2021.json"),
        include_str!("../../../tests/fixtures/renew.json"),
        include_str!("../../../tests/fixtures/oauth-token.json"),
        include_str!("../../../tests/fixtures/me.json"),
    ];
    let older = AccessTokenRequest::parse(ok(older)).unwrap().value;
    insta::assert_snapshot!(format!("{older:?}"), @r#"AccessTokenResponse { access_token: Some(AccessToken([redacted])), md_access_token: Some(MarketDataToken([redacted])), expiration_time: Some(2026-11-24T15:40:30.056Z), password_expiration_time: None, user_status: Some(Active), user_id: Some(15460), name: Some("synthetic-user"), has_live: Some(true), has_sim_plus: None, show_kids: None, hibp_hint: None, api_hosts: ApiHosts { hosts: {}, refused: [] }, org_name: None, has_funded: Some(true), has_market_data: Some(true), outdated_tac: Some(false), outdated_liquidation_policy: Some(false) }"#);
    let renewal = RenewAccessToken::parse(ok(renewal)).unwrap().value;
    insta::assert_snapshot!(format!("{renewal:?}"), @r#"AccessTokenResponse { access_token: Some(AccessToken([redacted])), md_access_token: None, expiration_time: Some(2026-11-24T17:00:30.056Z), password_expiration_time: None, user_status: Some(Active), user_id: Some(15460), name: Some("synthetic-user"), has_live: Some(true), has_sim_plus: Some(false), show_kids: Some(false), hibp_hint: None, api_hosts: ApiHosts { hosts: {"demo": "demo.tradovateapi.com", "live": "live.tradovateapi.com", "mdDemo": "md-demo.tradovateapi.com", "mdLive": "md.tradovateapi.com", "replay": "replay.tradovateapi.com", "reportingDemo": "rpt-demo.tradovateapi.com", "reportingLive": "rpt-live.tradovateapi.com", "riskMonitorDemo": "risk-monitor-demo.ninjatrader.com", "riskMonitorLive": "risk-monitor-live.ninjatrader.com", "userContext": "user-context-api.ninjatrader.com"}, refused: [] }, org_name: None, has_funded: None, has_market_data: None, outdated_tac: None, outdated_liquidation_policy: None }"#);
    let me = Me::parse(ok(me)).unwrap().value;
    insta::assert_snapshot!(format!("{me:?}"), @r#"MeResponse { user_id: Some(15460), name: Some("synthetic-user"), full_name: Some("Synthetic User"), email: Some("user@example.com"), email_verified: Some(true), is_trial: Some(false), organization_name: Some("Example Evaluation"), current_account_plan: Some("Pro Plus"), current_md_subs: ["marketDataPremium", "newsFeed"], current_balance: Some(50125.5), active_plugins: ["replay"] }"#);

    let sent: [serde_json::Value; 2] = [login, oauth].map(|body| serde_json::from_str(body).unwrap());
    let login = AccessTokenRequest::parse(ok(login)).unwrap().value;
    insta::assert_snapshot!(format!("{login:?}"), @r#"AccessTokenResponse { access_token: Some(AccessToken([redacted])), md_access_token: Some(MarketDataToken([redacted])), expiration_time: Some(2026-11-24T15:40:30Z), password_expiration_time: Some(2027-01-15T09:30:00Z), user_status: Some(Active), user_id: Some(15460), name: Some("synthetic-user"), has_live: Some(true), has_sim_plus: Some(false), show_kids: Some(false), hibp_hint: None, api_hosts: ApiHosts { hosts: {"demo": "demo.tradovateapi.com", "live": "live.tradovateapi.com", "mdDemo": "md-demo.tradovateapi.com", "mdLive": "md.tradovateapi.com", "replay": "replay.tradovateapi.com", "reportingDemo": "rpt-demo.tradovateapi.com", "reportingLive": "rpt-live.tradovateapi.com", "riskMonitorDemo": "risk-monitor-demo.ninjatrader.com", "riskMonitorLive": "risk-monitor-live.ninjatrader.com", "userContext": "user-context-api.ninjatrader.com"}, refused: [] }, org_name: None, has_funded: None, has_market_data: None, outdated_tac: None, outdated_liquidation_policy: None }"#);
    assert_eq!(sent[0]["accessToken"], login.access_token.unwrap().expose());
    assert_eq!(sent[0]["mdAccessToken"], login.md_access_token.unwrap().expose());
    let oauth = OAuthToken::parse(ok(oauth)).unwrap().value;
    insta::assert_snapshot!(format!("{oauth:?}"), @r#"OAuthTokenResponse { access_token: Some(AccessToken([redacted])), refresh_token: Some(RefreshToken([redacted])), token_type: Some("Bearer"), expires_in: Some(4800), refresh_token_expires_in: Some(93600), id_token: Some(IdToken([redacted])), md_access_token: None, user_id: None, api_hosts: ApiHosts { hosts: {"demo": "demo.tradovateapi.com", "live": "live.tradovateapi.com", "mdDemo": "md-demo.tradovateapi.com", "mdLive": "md.tradovateapi.com", "replay": "replay.tradovateapi.com", "reportingDemo": "rpt-demo.tradovateapi.com", "reportingLive": "rpt-live.tradovateapi.com", "riskMonitorDemo": "risk-monitor-demo.ninjatrader.com", "riskMonitorLive": "risk-monitor-live.ninjatrader.com", "userContext": "user-context-api.ninjatrader.com"}, refused: [] } }"#);
    assert_eq!(sent[1]["access_token"], oauth.access_token.unwrap().expose());
    assert_eq!(sent[1]["refresh_token"], oauth.refresh_token.unwrap().expose());
    assert_eq!(sent[1]["id_token"], oauth.id_token.unwrap().expose());
}
