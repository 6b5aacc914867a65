use super::super::testing::*;
use super::*;
use crate::place::url::SecureUrl;
use alloc::format;
use core::time::Duration;

fn code(code_verifier: Option<&str>) -> OAuthToken {
    OAuthToken::new("app", authorized("the-code", "http://localhost:8765/callback", code_verifier))
}

fn authorized(code: &str, redirect_uri: &str, verifier: Option<&str>) -> AuthorizedCode {
    AuthorizedCode {
        code: AuthorizationCode::new(code),
        code_verifier: verifier.map(CodeVerifier::new),
        asked: Asked {
            client_id: "app".into(),
            redirect_uri: redirect_uri.into(),
            authorize_url: "https://trader.tradovate.com/oauth".into(),
        },
    }
}

fn refresh() -> OAuthToken {
    OAuthToken::new("app", RefreshToken::new("refresh"))
}

fn full() -> OAuthToken {
    code(Some("verifier"))
        .with_client_secret(ClientSecret::new("app-secret"))
        .with_resource("https://api.example/")
        .with_http_auth(HttpAuth::new("auth"))
        .with_assertion(Assertion::new("assertion"))
}

fn request(exchange: &OAuthToken) -> Result<Request<RequestBody>, BuildError> {
    exchange.request(&Environment::live())
}

//= R-OAUTH-1
//= R-OAUTH-13
#[test]
fn a_code_is_sent_as_json() {
    insta::assert_snapshot!(show(request(&code(None))), @r#"
    POST https://live.tradovateapi.com/v1/auth/oauthtoken
    accept: application/json
    content-type: application/json
    {"grant_type":"authorization_code","code":"the-code","redirect_uri":"http://localhost:8765/callback","client_id":"app"}
    "#);
}

//= R-OAUTH-1
#[test]
fn a_code_is_sent_as_a_form_where_that_is_chosen() {
    insta::assert_snapshot!(show(request(&code(Some("verifier")).with_body_format(BodyFormat::Form))), @r"
    POST https://live.tradovateapi.com/v1/auth/oauthtoken
    accept: application/json
    content-type: application/x-www-form-urlencoded
    grant_type=authorization_code&code=the-code&redirect_uri=http%3A%2F%2Flocalhost%3A8765%2Fcallback&code_verifier=verifier&client_id=app
    ");
}

//= R-OAUTH-3
#[test]
fn the_largest_exchange_has_all_fields_of_the_specification() {
    insta::assert_snapshot!(body(request(&full())), @r#"{"grant_type":"authorization_code","code":"the-code","redirect_uri":"http://localhost:8765/callback","code_verifier":"verifier","client_id":"app","client_secret":"app-secret","httpAuth":"auth","resource":"https://api.example/","assertion":"assertion"}"#);
    insta::assert_snapshot!(body(request(&full().with_body_format(BodyFormat::Form))), @"grant_type=authorization_code&code=the-code&redirect_uri=http%3A%2F%2Flocalhost%3A8765%2Fcallback&code_verifier=verifier&client_id=app&client_secret=app-secret&httpAuth=auth&resource=https%3A%2F%2Fapi.example%2F&assertion=assertion");
}

//= R-OAUTH-12
//= R-OAUTH-13
#[test]
fn a_public_client_refreshes_without_a_secret_and_repeats_its_resource() {
    insta::assert_snapshot!(show(request(&refresh().with_resource("https://api.example/"))), @r#"
    POST https://live.tradovateapi.com/v1/auth/oauthtoken
    accept: application/json
    content-type: application/json
    {"grant_type":"refresh_token","refresh_token":"refresh","client_id":"app","resource":"https://api.example/"}
    "#);
}

//= R-PENALTY-3
#[test]
fn a_ticket_is_added_behind_the_identical_body() {
    for format in [BodyFormat::Json, BodyFormat::Form] {
        for exchange in [code(None), full(), refresh()] {
            let exchange = exchange.with_body_format(format);
            let first = body(request(&exchange));
            let ticket = PenaltyTicket::new("a+b/=\"", Duration::from_secs(3));
            let second = body(request(&exchange.with_ticket(ticket)));
            let expected = match format {
                BodyFormat::Json => [first.strip_suffix('}').unwrap(), r#","p-ticket":"a+b/=\""}"#].concat(),
                BodyFormat::Form => [&first, "&p-ticket=a%2Bb%2F%3D%22"].concat(),
            };
            assert_eq!(second, expected);
        }
    }
}

#[test]
fn characters_that_have_a_meaning_are_escaped() {
    let exchange = || OAuthToken::new("a&b=c+d%e \"f\\ü", RefreshToken::new("*-._~é€😀"));
    assert_eq!(
        body(request(&exchange().with_body_format(BodyFormat::Form))),
        "grant_type=refresh_token&refresh_token=*-._%7E%C3%A9%E2%82%AC%F0%9F%98%80\
         &client_id=a%26b%3Dc%2Bd%25e+%22f%5C%C3%BC"
    );
    assert_eq!(
        body(request(&exchange())),
        r#"{"grant_type":"refresh_token","refresh_token":"*-._~é€😀","client_id":"a&b=c+d%e \"f\\ü"}"#
    );
}

/// What becomes of each text field with a text in it.
fn with_each(text: &str) -> String {
    let by_code = |code: &str, redirect_uri: &str, verifier: Option<&str>| {
        OAuthToken::new("app", authorized(code, redirect_uri, verifier))
    };
    let each = [
        by_code(text, "x", None),
        by_code("x", text, None),
        by_code("x", "x", Some(text)),
        OAuthToken::new("app", RefreshToken::new(text)),
        OAuthToken::new(text, RefreshToken::new("x")),
        refresh().with_client_secret(ClientSecret::new(text)),
        refresh().with_http_auth(HttpAuth::new(text)),
        refresh().with_resource(text),
        refresh().with_assertion(Assertion::new(text)),
    ];
    faults(each.map(|exchange| request(&exchange)))
}

//= R-OAUTH-3
#[test]
fn a_field_that_cannot_be_sent_is_named() {
    let fields =
        "code, redirect_uri, code_verifier, refresh_token, client_id, client_secret, httpAuth, resource, assertion";
    let all = |fault: &str| fields.split(", ").map(|field| [field, fault].concat()).collect::<Vec<_>>().join(", ");
    assert_eq!(with_each(&"ü".repeat(8192)), ["ok"; 9].join(", "));
    assert_eq!(with_each(&"ü".repeat(8193)), all(" > 8192"));
    assert_eq!(with_each("x\r\n"), all(" control"));
    let (required, optional) = fields.split_once(", httpAuth").unwrap();
    assert_eq!(
        with_each(""),
        required.replace(", ", " empty, ") + " empty" + &", ok".repeat(optional.split(',').count())
    );
}

const TWINS: [(&str, &str, &str, &str); 6] = [
    ("access_token", "accessToken", r#""one""#, r#""two""#),
    ("refresh_token", "refreshToken", r#""one""#, r#""two""#),
    ("token_type", "tokenType", r#""bearer""#, r#""Bearer2""#),
    ("expires_in", "expiresIn", "4800", "4801"),
    ("refresh_token_expires_in", "refreshTokenExpiresIn", "9", "8"),
    ("id_token", "idToken", r#""one""#, r#""two""#),
];

//= R-OAUTH-11
#[test]
fn twins_must_agree() {
    for (snake, camel, one, other) in TWINS {
        let token = if snake == "access_token" { "" } else { r#""access_token":"t","# };
        let answer = |snake_value, camel_value| {
            OAuthToken::parse(ok(&format!(r#"{{{token}"{snake}":{snake_value},"{camel}":{camel_value}}}"#)))
        };
        assert!(answer(one, one).is_ok(), "{snake}");
        assert!(answer(one, "null").is_ok() && answer("null", one).is_ok(), "{snake}");
        let error = refused(answer(one, other));
        assert!(matches!(error, Error::Contradiction(Contradiction::Twins(field)) if field == snake), "{error:?}");
    }
}

//= R-OAUTH-11
#[test]
fn camel_case_alone_is_as_good() {
    let body = r#"{"accessToken":"a","refreshToken":"r","tokenType":"BEARER","expiresIn":"4800",
        "refreshTokenExpiresIn":93600.9,"idToken":"i","mdAccessToken":"m","userId":"7"}"#;
    let token = OAuthToken::parse(ok(body)).unwrap().value;
    assert_eq!(token.access_token.unwrap().expose(), "a");
    assert_eq!(token.refresh_token.unwrap().expose(), "r");
    assert_eq!((token.expires_in, token.refresh_token_expires_in), (Some(4800), Some(93600)));
    assert_eq!(token.id_token.unwrap().expose(), "i");
    assert_eq!((token.md_access_token.unwrap().expose(), token.user_id), ("m", Some(7)));
}

//= R-OAUTH-14
#[test]
fn a_token_that_is_not_a_bearer_is_refused() {
    for kind in ["mac", "", "Bearer ", "DPoP"] {
        for key in ["token_type", "tokenType"] {
            let error = refused(OAuthToken::parse(ok(&format!(r#"{{"access_token":"t","{key}":"{kind}"}}"#))));
            assert!(matches!(error, Error::Contradiction(Contradiction::NotBearer)), "{kind}: {error:?}");
        }
    }
}

//= R-LOGIN-11
//= R-OAUTH-6
#[test]
fn a_token_beside_an_error_is_a_contradiction() {
    for token in
        ["access_token", "accessToken", "refresh_token", "refreshToken", "id_token", "idToken", "mdAccessToken"]
    {
        let error = refused(OAuthToken::parse(ok(&format!(r#"{{"error":"invalid_grant","{token}":"t"}}"#))));
        assert!(matches!(error, Error::Contradiction(Contradiction::TokenBesideRefusal { .. })), "{token}: {error:?}");
    }
}

#[test]
fn a_code_is_exchanged_by_the_app_and_in_the_environment_it_was_asked_for() {
    let code = || authorized("the-code", "http://localhost:8765/callback", None);
    let elsewhere =
        Environment::live().with_authorize_url(SecureUrl::parse("https://web.ninjatrader.com/oauth").unwrap());
    let pinned = Environment::custom(crate::place::url::BaseUrl::parse("https://other.example/v1").unwrap());
    for (client_id, environment) in [("another", Environment::live()), ("app", elsewhere), ("app", pinned)] {
        let refused = OAuthToken::new(client_id, code()).request(&environment);
        assert_eq!(refused.unwrap_err(), BuildError::ForeignCode, "{client_id}");
        assert!(OAuthToken::new(client_id, RefreshToken::new("x")).request(&environment).is_ok());
    }
    assert!(OAuthToken::new("app", code()).request(&Environment::demo()).is_ok(), "one page serves Live and Demo");
}
