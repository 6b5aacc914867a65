//! What the page looks like, and what it is guarded by.

use super::{
    oauth::{CHALLENGE, REDIRECT},
    *,
};
use crate::{endpoint::Endpoint, lock_outs::LockOut, maintenance::Maintenance, registration::OAuthClient};

/// What somebody who wants to break out of a text or an attribute would write.
const INJECTION: &str = "\"'><script>alert(1)</script>&amp;";
const INJECTION_ESCAPED: &str = "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;";

/// The URL of the page for a request with some parameters changed; an empty one is left out.
pub(super) fn asking(changes: &[(&str, &str)]) -> String {
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

pub(super) fn submit(world: &mut World, url: &str, fields: &[(&str, &str)]) -> Answer {
    world.bytes(url, "application/x-www-form-urlencoded", form(fields).as_bytes())
}

pub(super) fn allow(world: &mut World, url: &str) -> Answer {
    submit(world, url, &[("username", "synthetic-user"), ("password", "synthetic-password"), ("decision", "allow")])
}

pub(super) fn allow_as(world: &mut World, user: &str, password: &str) -> Answer {
    submit(world, &asking(&[]), &[("username", user), ("password", password), ("decision", "allow")])
}

pub(super) fn deny(world: &mut World, url: &str) -> Answer {
    submit(world, url, &[("username", ""), ("password", ""), ("decision", "deny")])
}

/// A parameter in the query of a URL.
pub(super) fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The code a redirect brings back.
pub(super) fn code(answer: &Answer) -> String {
    parameter(answer.header("location"), "code").unwrap()
}

fn world_with(client: OAuthClient) -> World {
    World::of(Simulator::builder().oauth_client(client))
}

/// One page of each kind: the form, the form after a refusal, and a mistake.
fn pages() -> [Answer; 3] {
    let mut world = World::new();
    [
        show(&mut world, &asking(&[("scope", "openid"), ("resource", "https://api.example/")])),
        allow_as(&mut world, "synthetic-user", "wrong"),
        show(&mut world, &asking(&[("client_id", "unknown")])),
    ]
}

#[test]
fn the_page_says_who_asks_for_what() {
    let url = asking(&[("scope", "openid profile"), ("resource", "https://api.example/")]);
    let answer = show(&mut World::new(), &url);
    assert_eq!(answer.status, 200);
    for text in ["<bdi>synthetic-client</bdi>", "openid profile", "https://api.example/", REDIRECT, "act for you"] {
        assert!(answer.body.contains(text), "{text} in {}", answer.body);
    }
}

#[test]
fn the_page_leaves_out_what_is_not_asked_for() {
    let answer = show(&mut World::new(), &asking(&[]));
    assert!(!answer.body.contains("Scope") && !answer.body.contains("Resource"), "{}", answer.body);
}

#[test]
fn the_page_calls_a_client_by_its_name_and_its_id() {
    let answer = show(&mut world_with(OAuthClient::default().named("Sample Charts")), &asking(&[]));
    assert!(answer.body.contains("Allow <bdi>Sample Charts</bdi>"), "{}", answer.body);
    assert!(answer.body.contains("<bdi>synthetic-client</bdi>"), "{}", answer.body);
}

#[test]
fn the_page_has_labelled_fields_and_two_buttons() {
    let body = show(&mut World::new(), &asking(&[])).body;
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
}

#[test]
fn the_enter_key_allows() {
    let body = show(&mut World::new(), &asking(&[])).body;
    assert!(body.find("<button").map(|at| &body[at..]).unwrap().contains(r#"value="allow""#));
    assert!(body.find(r#"id="allow""#) < body.find(r#"id="deny""#));
}

#[test]
fn every_page_says_that_it_is_a_simulator() {
    for page in pages() {
        assert!(page.body.contains("this is not Tradovate. Never type a real password here."), "{}", page.body);
        assert!(page.body.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{}", page.body);
        assert!(page.body.contains("· Tradovate simulator</title>"), "{}", page.body);
    }
}

#[test]
fn no_page_has_a_script_or_anything_from_elsewhere() {
    for page in pages() {
        for loading in
            ["<script", "javascript:", "src=", "href=", "action=", "<link", "<img", "<iframe", "url(", "@import"]
        {
            assert!(!page.body.contains(loading), "{loading} in {}", page.body);
        }
        let mut attributes =
            page.body.split('=').filter_map(|before| before.rsplit(|c: char| !c.is_ascii_alphabetic()).next());
        assert!(!attributes.any(|attribute| attribute.starts_with("on")), "{}", page.body);
    }
}

#[test]
fn every_answer_is_guarded() {
    let mut world = World::new();
    let redirect = allow(&mut world, &asking(&[]));
    let method = world.method(&Method::PUT, "/oauth");
    for answer in pages().into_iter().chain([redirect, method]) {
        let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
        assert_eq!(answer.header("content-security-policy"), policy);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-frame-options"), "DENY");
    }
}

#[test]
fn a_page_is_html_in_utf_8() {
    for page in pages() {
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    }
}

#[test]
fn no_page_can_be_read_by_a_script_of_another_origin() {
    let mut world = World::new();
    for method in [Method::GET, Method::OPTIONS] {
        let request = Request::builder().method(&method).uri(asking(&[])).header("origin", "https://app.example");
        let answer = world.send(request.header("access-control-request-method", "GET").body(Vec::new()).unwrap());
        for header in ["access-control-allow-origin", "access-control-allow-methods"] {
            assert_eq!(answer.header(header), "", "{method}");
        }
    }
}

#[test]
fn no_session_in_the_browser_is_begun_or_heeded() {
    let mut world = World::new();
    let redirect = allow(&mut world, &asking(&[]));
    assert_eq!(redirect.header("set-cookie"), "");
    let request = Request::get(asking(&[])).header("cookie", "session=1").body(Vec::new()).unwrap();
    assert!(world.send(request).body.contains(r#"id="password""#));
}

#[test]
fn the_path_is_found_in_any_case_and_nowhere_else() {
    let mut world = World::new();
    assert_eq!(show(&mut world, &asking(&[]).replace("oauth", "OAuth")).status, 200);
    for path in ["/oauth/", "/v1/oauth", "/oauth2", "//oauth", "/%6fauth"] {
        assert_eq!(show(&mut world, &asking(&[]).replacen("/oauth", path, 1)).status, 404, "{path}");
    }
}

#[test]
fn other_methods_are_told_the_right_ones() {
    for method in [Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = World::new().method(&method, &asking(&[]));
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, POST"), "{method}");
    }
}

#[test]
fn nothing_that_came_with_a_request_becomes_html() {
    let mut client = OAuthClient::public(INJECTION, INJECTION);
    client.redirect_uris.push(REDIRECT.to_owned());
    let mut world = World::of(Simulator::builder().oauth_client(client).oauth_client(OAuthClient::default()));
    let client = ("client_id", INJECTION);
    for request in [
        asking(&[client]),
        asking(&[client, ("redirect_uri", INJECTION)]),
        asking(&[("scope", INJECTION)]),
        asking(&[("resource", INJECTION)]),
        asking(&[("redirect_uri", INJECTION)]),
        asking(&[("client_id", &format!("unknown {INJECTION}"))]),
    ] {
        let answer = show(&mut world, &request);
        assert!(answer.body.contains(INJECTION_ESCAPED), "{request}: {}", answer.body);
        assert!(!answer.body.contains("<script"), "{request}: {}", answer.body);
    }
}

#[test]
fn no_name_becomes_html() {
    let shown = show(&mut world_with(OAuthClient::default().named(INJECTION)), &asking(&[]));
    let refused = allow_as(&mut World::new(), INJECTION, INJECTION);
    for answer in [shown, refused] {
        assert!(answer.body.contains(INJECTION_ESCAPED), "{}", answer.body);
        assert!(!answer.body.contains("<script"), "{}", answer.body);
    }
}

#[test]
fn no_page_repeats_the_state_or_any_other_parameter() {
    let url = asking(&[("state", "canary"), ("error", "canary"), ("error_description", "canary"), ("other", "canary")]);
    let mut world = World::new();
    let refused = submit(&mut world, &url, &[("username", "a"), ("password", "canary"), ("decision", "allow")]);
    for answer in [show(&mut world, &url), refused] {
        assert!(answer.status == 200 && !answer.body.contains("canary"), "{}", answer.body);
    }
}

#[test]
fn maintenance_closes_the_page() {
    let mut world = World::new();
    world.simulator.set_maintenance(Some(Maintenance::Html));
    assert_eq!(show(&mut world, &asking(&[])).status, 503);
}

#[test]
fn lock_outs_and_penalties_leave_the_page_alone() {
    let mut world = World::new();
    world.simulator.lock_out(LockOut::too_many_requests());
    world.simulator.penalize_next(None, Duration::from_secs(3));
    world.simulator.options_mut().limits.anonymous = 0;
    assert_eq!(world.failing_login().status, 429);
    assert_eq!(allow(&mut world, &asking(&[])).status, 303);
}

#[test]
fn refusals_at_the_page_count_for_no_limit() {
    let mut world = World::new();
    for _ in 0..10 {
        allow_as(&mut world, "synthetic-user", "wrong");
    }
    assert!(!world.login().is_penalty());
}

#[test]
fn the_page_can_be_scripted() {
    let mut world = World::new();
    let scripted = http::Response::builder().status(418).body(b"scripted".to_vec()).unwrap();
    world.simulator.answer_next(Endpoint::OauthToken, scripted.clone());
    assert_eq!(show(&mut world, &asking(&[])).status, 200);
    world.simulator.answer_next(None, scripted);
    assert_eq!(show(&mut world, &asking(&[])).body, "scripted");
}

#[test]
fn the_page_is_logged_without_its_query_and_not_counted() {
    let mut world = World::new();
    allow(&mut world, &asking(&[]));
    let statistics = world.simulator.statistics();
    let entry = statistics.log().next_back().unwrap();
    assert_eq!((&entry.method, entry.path.as_str(), entry.status.as_u16()), (&Method::POST, "/oauth", 303));
    assert_eq!(statistics.requests(Endpoint::OauthToken), 0);
    assert_eq!((statistics.logins, statistics.code_exchanges), (0, 0));
}
