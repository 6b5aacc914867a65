//! Tests of the page's content and its security headers.

use super::{
    oauth::{CHALLENGE, REDIRECT},
    *,
};
use crate::{lock_outs::LockOut, registration::OAuthClient};

/// A text that would break out of an HTML text or attribute if it were not escaped.
const INJECTION: &str = "\"'><script>alert(1)</script>&amp;";
const INJECTION_ESCAPED: &str = "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;";

/// The URL of the page for a request with some parameters changed; an empty value removes the parameter.
pub(super) fn authorize_url_with(changes: &[(&str, &str)]) -> String {
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", "synthetic-client"),
        ("redirect_uri", REDIRECT),
        ("state", "a1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    parameters.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    parameters.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    format!("/oauth?{}", form(&parameters))
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub(super) fn show(world: &mut World, url: &str) -> Answer {
    world.method(&Method::GET, url)
}

fn submit(world: &mut World, url: &str, user: &str, password: &str, decision: &str) -> Answer {
    world.bytes(url, FORM, form(&[("username", user), ("password", password), ("decision", decision)]))
}

pub(super) fn allow(world: &mut World, url: &str) -> Answer {
    submit(world, url, USER, "synthetic-password", "allow")
}

pub(super) fn allow_as(world: &mut World, user: &str, password: &str) -> Answer {
    submit(world, &authorize_url_with(&[]), user, password, "allow")
}

pub(super) fn deny(world: &mut World, url: &str) -> Answer {
    submit(world, url, "", "", "deny")
}

/// A parameter from the query of a URL.
pub(super) fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The code in the URL of a redirect.
pub(super) fn code(answer: &Answer) -> String {
    parameter(answer.header("location"), "code").unwrap()
}

fn world_with(client: OAuthClient) -> World {
    World::of(Simulator::builder().oauth_client(client))
}

/// One page of each kind: the form, the form after a refused login, and an error page.
fn pages() -> [Answer; 3] {
    let mut world = World::new();
    [
        show(&mut world, &authorize_url_with(&[("scope", "openid"), ("resource", "https://api.example/")])),
        allow_as(&mut world, USER, "wrong"),
        show(&mut world, &authorize_url_with(&[("client_id", "unknown")])),
    ]
}

#[test]
fn the_page_shows_the_client_and_its_request() {
    let unknown = ("env", "demo");
    let url = authorize_url_with(&[("scope", "openid profile"), ("resource", "https://api.example/"), unknown]);
    let answer = show(&mut world_with(OAuthClient::default().named("Sample Charts")), &url);
    assert_eq!(answer.status, 200);
    for text in [
        "Allow <bdi>Sample Charts</bdi>",
        "<bdi>synthetic-client</bdi>",
        "openid profile",
        "https://api.example/",
        REDIRECT,
        "act for you",
    ] {
        assert!(answer.body.contains(text), "{text} in {}", answer.body);
    }
    let answer = show(&mut World::new(), &authorize_url_with(&[]));
    assert!(answer.body.contains("Allow <bdi>synthetic-client</bdi>"), "{}", answer.body);
    assert!(!answer.body.contains("Scope") && !answer.body.contains("Resource"), "{}", answer.body);
}

#[test]
fn the_page_has_labelled_fields_and_the_enter_key_presses_allow() {
    let body = show(&mut World::new(), &authorize_url_with(&[])).body;
    for element in [
        r#"<form method="post">"#,
        r#"<label for="username">"#,
        r#"<input id="username" name="username" type="text" value="" autocomplete="username""#,
        r#"<label for="password">"#,
        r#"<input id="password" name="password" type="password" autocomplete="current-password""#,
        r#" id="allow" name="decision" value="allow">"#,
        r#" id="deny" name="decision" value="deny" formnovalidate>"#,
    ] {
        assert!(body.contains(element), "{element} in {body}");
    }
    assert!(body.split("<button").nth(1).unwrap().contains(r#"value="allow""#), "{body}");
}

#[test]
fn every_page_says_that_it_is_a_simulator_and_loads_no_resources() {
    for page in pages() {
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let body = page.body;
        assert!(body.contains("this is not Tradovate. Never type a real password here."), "{body}");
        assert!(body.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{body}");
        assert!(body.contains("· Tradovate simulator</title>"), "{body}");
        for loading in
            ["<script", "javascript:", "src=", "href=", "action=", "<link", "<img", "<iframe", "url(", "@import"]
        {
            assert!(!body.contains(loading), "{loading} in {body}");
        }
        let mut attributes =
            body.split('=').filter_map(|before| before.rsplit(|c: char| !c.is_ascii_alphabetic()).next());
        assert!(!attributes.any(|attribute| attribute.starts_with("on")), "{body}");
    }
}

#[test]
fn every_page_has_security_headers_and_sets_no_cookie() {
    let mut world = World::new();
    let redirect = allow(&mut world, &authorize_url_with(&[]));
    let method = world.method(&Method::PUT, "/oauth");
    for answer in pages().into_iter().chain([redirect, method]) {
        for (header, value) in [
            (
                "content-security-policy",
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
            ),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("set-cookie", ""),
        ] {
            assert_eq!(answer.header(header), value, "{header}");
        }
    }
}

#[test]
fn scripts_of_other_origins_cannot_read_the_page() {
    for method in [Method::GET, Method::OPTIONS] {
        let request =
            Request::builder().method(&method).uri(authorize_url_with(&[])).header("origin", "https://app.example");
        let request = request.header("access-control-request-method", "GET").body(Vec::new()).unwrap();
        let answer = World::new().send(request);
        for header in ["access-control-allow-origin", "access-control-allow-methods"] {
            assert_eq!(answer.header(header), "", "{method}");
        }
    }
}

#[test]
fn the_path_of_the_page_ignores_letter_case_and_accepts_get_and_post() {
    let mut world = World::new();
    assert_eq!(show(&mut world, &authorize_url_with(&[]).replace("oauth", "OAuth")).status, 200);
    for path in ["/oauth/", "/v1/oauth", "/oauth2", "//oauth", "/%6fauth"] {
        assert_eq!(show(&mut world, &authorize_url_with(&[]).replacen("/oauth", path, 1)).status, 404, "{path}");
    }
    for method in [Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = world.method(&method, &authorize_url_with(&[]));
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, POST"), "{method}");
    }
}

#[test]
fn text_from_requests_and_registrations_is_escaped_in_html() {
    let mut client = OAuthClient::public(INJECTION, INJECTION);
    client.redirect_uris.push(REDIRECT.to_owned());
    let named = OAuthClient::default().named(INJECTION);
    let mut world = World::of(Simulator::builder().oauth_client(client).oauth_client(named));
    let client = ("client_id", INJECTION);
    let mut answers = vec![allow_as(&mut World::new(), INJECTION, INJECTION)];
    for changes in [
        &[][..],
        &[client],
        &[client, ("redirect_uri", INJECTION)],
        &[("scope", INJECTION)],
        &[("resource", INJECTION)],
        &[("redirect_uri", INJECTION)],
        &[("client_id", &format!("unknown {INJECTION}"))],
    ] {
        answers.push(show(&mut world, &authorize_url_with(changes)));
    }
    for Answer { body, .. } in answers {
        assert!(body.contains(INJECTION_ESCAPED) && !body.contains("<script"), "{body}");
    }
}

#[test]
fn no_page_shows_the_state_or_unknown_parameters() {
    let url = authorize_url_with(&[
        ("state", "canary"),
        ("error", "canary"),
        ("error_description", "canary"),
        ("other", "canary"),
    ]);
    let mut world = World::new();
    for answer in [show(&mut world, &url), submit(&mut world, &url, "a", "canary", "allow")] {
        assert!(answer.status == 200 && !answer.body.contains("canary"), "{}", answer.body);
    }
}

#[test]
fn lock_outs_penalties_and_limits_do_not_apply_to_the_page() {
    let mut world = World::new();
    for _ in 0..10 {
        allow_as(&mut world, USER, "wrong");
    }
    assert!(!world.login().is_penalty());
    world.simulator.lock_out(LockOut::too_many_requests());
    world.simulator.penalize_next(None, Duration::from_secs(3));
    world.simulator.options_mut().limits.anonymous = 0;
    assert_eq!(world.login().status, 429);
    assert_eq!(allow(&mut world, &authorize_url_with(&[])).status, 303);
}
