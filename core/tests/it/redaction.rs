//! No secret is printed: not by a value that contains it, and not by an error after a server has repeated it.

use crate::support::{now, ok, read, response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use std::time::Duration;
use tradovate_auth_core::{
    AccessToken, AccessTokenRequest, ApiHosts, Assertion, AuthorizationRequest, AuthorizedCode, BodyFormat,
    CaptchaAnswer, ClientId, ClientSecret, Credentials, DeviceId, Endpoint, Entropy, Environment, Grant, HttpAuth, Me,
    OAuthApp, OAuthGrant, OAuthToken, PenaltyTicket, RefreshToken, RenewAccessToken, RequestBody,
};

const CANARY: &str = "canary";

fn credentials(secret: &str) -> Credentials {
    Credentials::new("trader", secret)
        .with_app("Sample App", "1.0")
        .with_device_id(DeviceId::new("device"))
        .with_api_key(ClientId::Number(8), secret)
        .with_field("own", secret)
}

/// Entropy that makes the verifier and the state `canarycanary…`.
fn canaries() -> Entropy {
    let half = BASE64_URL_SAFE_NO_PAD.decode([&CANARY.repeat(7), "c"].concat()).unwrap();
    Entropy::from(<[u8; Entropy::LENGTH]>::try_from(half.repeat(2)).unwrap())
}

/// A code with the characters of `text` that a code can have.
fn code(text: &str) -> AuthorizedCode {
    let request = AuthorizationRequest::new(&OAuthApp::new("app"), "http://localhost/");
    let (url, mut pending) = request.begin(&Environment::live(), canaries()).unwrap();
    let state = form_urlencoded::parse(url.as_str().as_bytes()).find(|(name, _)| name == "state").unwrap().1;
    let printable: String = text.chars().filter(char::is_ascii_graphic).collect();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("code", &["code", &printable].concat()).append_pair("state", &state);
    pending.redirected_query(&query.finish()).unwrap()
}

fn exchanges(secret: &str) -> [OAuthToken; 2] {
    [OAuthGrant::from(code(secret)), RefreshToken::new(secret).into()].map(|grant| {
        OAuthToken::new("app", grant)
            .with_client_secret(ClientSecret::new(secret))
            .with_http_auth(HttpAuth::new(secret))
            .with_assertion(Assertion::new(secret))
    })
}

fn ticket(secret: &str) -> PenaltyTicket {
    PenaltyTicket::new(secret, Duration::from_secs(3)).with_captcha_answer(CaptchaAnswer::new(CANARY))
}

/// Every request that can contain a secret.
fn requests(secret: &str) -> Vec<http::Request<RequestBody>> {
    let environment = Environment::demo();
    let token = AccessToken::parse(&secret.replace(|c: char| !c.is_ascii_graphic(), "")).unwrap();
    let mut requests = vec![
        AccessTokenRequest::new(&credentials(secret)).with_ticket(ticket(secret)).request(&environment).unwrap(),
        RenewAccessToken::new(token.clone()).request(&environment).unwrap(),
        Me::new(token).request(&environment).unwrap(),
    ];
    for exchange in exchanges(secret) {
        for format in [BodyFormat::Json, BodyFormat::Form] {
            let exchange = exchange.clone().with_body_format(format).with_ticket(ticket(secret));
            requests.push(exchange.request(&environment).unwrap());
        }
    }
    requests
}

fn assert_clean(printed: &str, origin: &str) {
    let line = printed.lines().find(|line| line.contains(CANARY));
    assert_eq!(line, None, "{origin}");
}

#[test]
fn types_with_a_secret_do_not_print_it() {
    let token = AccessToken::parse(CANARY).unwrap();
    let credentials = credentials(CANARY);
    assert_clean(&format!("{credentials:?} {credentials:#?}"), "credentials");
    let login = AccessTokenRequest::new(&credentials).with_ticket(ticket(CANARY));
    assert_clean(&format!("{login:?} {login:#?}"), "login");
    assert_clean(&format!("{:?} {:?}", RenewAccessToken::new(token.clone()), Me::new(token)), "bearer");
    for exchange in exchanges(CANARY).map(|exchange| exchange.with_ticket(ticket(CANARY))) {
        assert_clean(&format!("{exchange:?} {exchange:#?}"), "exchange");
    }
    for request in requests(CANARY) {
        assert_clean(&format!("{request:?} {request:#?}"), "request");
    }
    assert_clean(&format!("{:?} {} {:#?}", ticket(CANARY), ticket(CANARY), ticket(CANARY)), "ticket");
    let shown = "PenaltyTicket { ticket: Ticket([redacted]), wait: 3s, message: None, captcha_answer: Some(CaptchaAnswer([redacted])) }";
    assert_eq!(format!("{:?}", ticket(CANARY)), shown);
}

#[test]
fn no_secret_of_an_answer_is_printed() {
    let access_token = format!(
        r#"{{"accessToken":"{CANARY}","mdAccessToken":"{CANARY}","expirationTime":"2026-11-24T15:40:30Z","new":"{CANARY}"}}"#
    );
    let oauth = format!(
        r#"{{"access_token":"{CANARY}","refresh_token":"{CANARY}","id_token":"{CANARY}","mdAccessToken":"{CANARY}",
            "accessToken":"{CANARY}","expires_in":4800,"refresh_token_expires_in":9}}"#
    );
    for body in [access_token, oauth, format!(r#"{{"p-ticket":"{CANARY}","p-time":3}}"#)] {
        assert_clean(&read(&ok(&body)).printed, &body);
    }
}

#[test]
fn a_grant_prints_no_secret() {
    let body = format!(
        r#"{{"access_token":"{CANARY}","refresh_token":"{CANARY}","mdAccessToken":"{CANARY}","expires_in":9}}"#
    );
    let held = Grant::from_oauth(OAuthToken::parse(ok(&body)).unwrap(), now(), now(), None).unwrap();
    let body = r#"{"accessToken":"t","expirationTime":"2026-11-24T15:40:30Z"}"#;
    let reply = RenewAccessToken::parse(ok(body)).unwrap();
    let grant = Grant::from_access_token(reply, now(), now(), Some(&held)).unwrap();
    assert!(grant.market_data.is_some() && grant.refresh.is_some());
    assert_clean(&format!("{held:?} {held:#?} {grant:?} {grant:#?}"), "grant");
}

#[test]
fn a_json_error_quotes_nothing() {
    for body in [
        format!(r#"{{"accessToken":"{CANARY} {CANARY}"}}"#),
        format!(r#"{{"accessToken":["{CANARY}"]}}"#),
        format!(r#"{{"accessToken":{CANARY}}}"#),
        format!(r#"{{"accessToken":"{CANARY}\x"}}"#),
        format!(r#"{{"accessToken":"{CANARY}","accessToken":"{CANARY}"}}"#),
        format!(r#"{{"{CANARY}":1,"{CANARY}":1}}"#),
        format!(r#"{{"expirationTime":"{CANARY}"}}"#),
        format!(r#"{{"userId":"{CANARY}"}}"#),
        format!(r#"{{"expires_in":"{CANARY}"}}"#),
        format!(r#"{{"apiHosts":"{CANARY}"}}"#),
        format!(r#"{{"p-ticket":"t","p-time":"{CANARY}"}}"#),
        format!(r#"{{"errorText":["{CANARY}"]}}"#),
        CANARY.to_string(),
        format!("\"{CANARY}\""),
        format!("<html>{CANARY}"),
    ] {
        assert_clean(&read(&ok(&body)).printed, &body);
    }
}

#[test]
fn a_long_secret_is_masked_wherever_the_server_writes_it() {
    let secret = format!("{CANARY}0123456789ABCDEF");
    for body in [
        format!(r#"{{"errorText":"the token {secret} is dead"}}"#),
        format!(r#"{{"error":"{secret}","error_description":"see {secret}"}}"#),
        format!(r#"{{"p-ticket":"t","p-message":"{secret}"}}"#),
        format!(r#"{{"p-captcha":"{secret}","p-message":"{secret}"}}"#),
        format!(r#"{{"{secret}":1,"apiHosts":{{"{secret}":"https://{secret}"}}}}"#),
        format!("the token {secret} is dead"),
        format!("<h1>{secret}</h1>"),
    ] {
        for status in [200, 400, 401, 403, 404, 500] {
            assert_clean(&read(&response(status, &[], body.as_bytes())).printed, &body);
        }
    }
    let hosts = ApiHosts::from_iter([(secret.as_str(), "not a host")]);
    assert_clean(&format!("{hosts:?}"), "hosts");
}

/// The forms in which frameworks show the body of a request in an error.
fn echoes(request: &http::Request<RequestBody>) -> Vec<String> {
    let body = String::from_utf8(request.body().as_ref().to_vec()).unwrap();
    let html = body
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;");
    let inner = serde_json::to_string(&body).unwrap();
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    vec![
        body.clone(),
        format!("cannot read the request: {body}"),
        format!("<html><body><pre>{html}</pre></body></html>"),
        format!(r#"{{"message":{inner}}}"#),
        format!("request = {inner}"),
        format!("body: {inner}"),
        format!("at [Source: (String){inner}; line: 1]"),
        format!("at [Source: (String)\"{body}\"; line: 1]"),
        headers.join("\r\n"),
        format!("[{}]", headers.join(", ")),
        format!(
            "{:?}",
            request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect::<Vec<_>>()
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_that_the_server_repeats_is_masked(
        secret in "canary[ -~äß]{0,12}canary[ -~]{0,12}canary",
        status in proptest::sample::select(&[200_u16, 400, 401, 403, 404, 500][..]),
    ) {
        for request in requests(&secret) {
            for echo in echoes(&request) {
                assert_clean(&read(&response(status, &[], echo.as_bytes())).printed, &echo);
                for key in ["errorText", "error_description", "p-message"] {
                    let body = serde_json::json!({ key: echo, "p-ticket": if key == "p-message" { "t" } else { "" } });
                    assert_clean(&read(&response(status, &[], body.to_string().as_bytes())).printed, &echo);
                }
            }
        }
    }
}
