use super::testing::*;
use super::*;
use crate::credentials::Credentials;
use crate::place::url::{BaseUrl, SecureUrl};
use crate::wire::secret::RefreshToken;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

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

#[test]
fn every_environment_has_an_address_for_every_endpoint() {
    let local = BaseUrl::parse("http://127.0.0.1:8080/v1").unwrap();
    let token_url = SecureUrl::parse("https://live.tradovateapi.com/auth/oauthtoken").unwrap();
    let table = [
        ("live", Environment::live()),
        ("demo", Environment::demo()),
        ("evaluation", Environment::evaluation()),
        ("staging live", Environment::staging_live()),
        ("staging demo", Environment::staging_demo()),
        ("custom", Environment::custom(local)),
        ("demo with a token URL", Environment::demo().with_token_url(token_url)),
    ]
    .map(|(name, environment)| {
        let uris: Vec<_> = requests(&environment).iter().map(|request| format!("\n  {}", request.uri())).collect();
        (name, uris.concat())
    });
    insta::assert_snapshot!(lines(table), @r"
    live: 
      https://live.tradovateapi.com/v1/auth/accesstokenrequest
      https://live.tradovateapi.com/v1/auth/renewaccesstoken
      https://live.tradovateapi.com/v1/auth/me
      https://live.tradovateapi.com/v1/auth/oauthtoken
    demo: 
      https://demo.tradovateapi.com/v1/auth/accesstokenrequest
      https://demo.tradovateapi.com/v1/auth/renewaccesstoken
      https://live.tradovateapi.com/v1/auth/me
      https://demo.tradovateapi.com/v1/auth/oauthtoken
    evaluation: 
      https://live.tradovateapi.com/v1/auth/accesstokenrequest
      https://live.tradovateapi.com/v1/auth/renewaccesstoken
      https://live.tradovateapi.com/v1/auth/me
      https://live.tradovateapi.com/v1/auth/oauthtoken
    staging live: 
      https://live-api.staging.ninjatrader.dev/v1/auth/accesstokenrequest
      https://live-api.staging.ninjatrader.dev/v1/auth/renewaccesstoken
      https://live-api.staging.ninjatrader.dev/v1/auth/me
      https://live-api.staging.ninjatrader.dev/v1/auth/oauthtoken
    staging demo: 
      https://demo-api.staging.ninjatrader.dev/v1/auth/accesstokenrequest
      https://demo-api.staging.ninjatrader.dev/v1/auth/renewaccesstoken
      https://live-api.staging.ninjatrader.dev/v1/auth/me
      https://demo-api.staging.ninjatrader.dev/v1/auth/oauthtoken
    custom: 
      http://127.0.0.1:8080/v1/auth/accesstokenrequest
      http://127.0.0.1:8080/v1/auth/renewaccesstoken
      http://127.0.0.1:8080/v1/auth/me
      http://127.0.0.1:8080/v1/auth/oauthtoken
    demo with a token URL: 
      https://demo.tradovateapi.com/v1/auth/accesstokenrequest
      https://demo.tradovateapi.com/v1/auth/renewaccesstoken
      https://live.tradovateapi.com/v1/auth/me
      https://live.tradovateapi.com/auth/oauthtoken
    ");
}

#[test]
fn requests_follow_the_hosts_an_answer_named() {
    let mut environment = Environment::evaluation();
    let fixture = include_str!("../../../tests/fixtures/login-dedicated-hosts.json");
    assert!(environment.follow(&AccessTokenRequest::parse(ok(fixture)).unwrap().value.api_hosts).is_empty());
    let hosts = requests(&environment).map(|request| request.uri().host().unwrap().to_string());
    assert_eq!(hosts, ["live.tradovateapi.com"; 4]);
    assert_eq!(
        environment.url(crate::Purpose::Trading, "/order/list").unwrap().to_string(),
        "https://acme-demo.eval.ninjatrader.com/v1/order/list"
    );
}

#[test]
fn a_get_has_no_body_and_describes_none() {
    let [_, renew, me, _] = requests(&Environment::demo());
    for get in [renew, me] {
        assert!(get.body().is_empty());
        let names: Vec<_> = get.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["accept", "authorization"]);
    }
}

#[test]
fn no_request_prints_its_secrets() {
    for request in requests(&Environment::demo()) {
        let shown = format!("{request:?} {request:#?}").replace("auth/oauthtoken", "").replace("accesstoken", "");
        let shown = shown.replace("renew", "");
        for secret in ["password", "\"token", "Bearer", "\"refresh"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
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
