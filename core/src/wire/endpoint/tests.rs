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
