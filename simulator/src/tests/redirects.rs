//! Tests of where the page redirects a browser, and where it never does.

use super::{
    oauth::{CHALLENGE, REDIRECT, exchange},
    page::{allow, authorize_url_with, code, deny, parameter, show},
    *,
};
use crate::registration::OAuthClient;

/// A world with a client that has these redirect URIs.
fn world_with(redirect_uris: &[&str]) -> World {
    let redirect_uris = redirect_uris.iter().map(|uri| (*uri).to_owned()).collect();
    let client = OAuthClient { redirect_uris, ..OAuthClient::default() };
    World::of(Simulator::builder().oauth_client(client))
}

/// Asserts that a request gets an error page with status 400 for both GET and POST.
#[track_caller]
fn assert_error_page(world: &mut World, url: &str) {
    for answer in [show(world, url), allow(world, url), deny(world, url)] {
        assert_eq!((answer.status, answer.header("location")), (400, ""), "{url}");
        assert!(answer.body.contains(r#"role="alert""#), "{}", answer.body);
    }
    assert_eq!(world.simulator.consent(USER, url), None, "{url}");
    assert_eq!(world.simulator.deny(url), None, "{url}");
}

/// The redirect that answers a request, for both GET and POST.
#[track_caller]
fn location(url: &str) -> String {
    let mut world = World::new();
    let answers = [show(&mut world, url), allow(&mut world, url), deny(&mut world, url)];
    let [shown, allowed, denied] = answers.map(|answer| {
        assert_eq!(answer.status, 303, "{url}");
        answer.header("location").to_owned()
    });
    assert_eq!((&allowed, &denied), (&shown, &shown));
    assert_eq!(world.simulator.consent(USER, url).as_ref(), Some(&shown));
    assert_eq!(world.simulator.deny(url).as_ref(), Some(&shown));
    shown
}

/// The error and the description with which a request is redirected.
#[track_caller]
fn error(changes: &[(&str, &str)]) -> (String, String) {
    let location = location(&authorize_url_with(changes));
    assert!(location.starts_with(&format!("{REDIRECT}?error=")), "{location}");
    assert_eq!(parameter(&location, "state").as_deref(), Some("a1"), "{location}");
    (parameter(&location, "error").unwrap(), parameter(&location, "error_description").unwrap())
}

#[test]
fn the_page_never_redirects_to_an_unregistered_redirect_uri() {
    let mut world = world_with(&["http://localhost:8888/back", "https://app.example/a%20b?x=1"]);
    for uri in [
        "http://localhost:8888/back/",
        "http://localhost:8888/back?next=https://evil.example",
        "http://localhost:8888/back#fragment",
        "http://localhost:8888/./back",
        "http://localhost:8888/Back",
        "http://LOCALHOST:8888/back",
        "HTTP://localhost:8888/back",
        "http://localhost/back",
        "http://localhost:8888@evil.example/back",
        "http://localhost:8888/bac%6b",
        "http://localhost:8888/back\r\nx: y",
        "http://localhost:8888/back ",
        "http://localhost:8888",
        "/back",
        "javascript:alert(1)",
        "https://app.example/a b?x=1",
        "https://app.example/a%20b?x=1&y=2",
        "https://app.example/a%20b",
    ] {
        assert_error_page(&mut world, &authorize_url_with(&[("redirect_uri", uri)]));
    }
}

#[test]
fn the_page_never_redirects_to_another_clients_redirect_uri_or_to_one_with_a_fragment() {
    let other = OAuthClient::public("other", "http://localhost:7777/");
    let mut world = World::of(Simulator::builder().oauth_client(OAuthClient::default()).oauth_client(other));
    assert_error_page(&mut world, &authorize_url_with(&[("redirect_uri", "http://localhost:7777/")]));
    for uri in ["http://localhost:8888/#here", "http://localhost:8888/\r\nx: y", "http://localhost:8888/ä"] {
        assert_error_page(&mut world_with(&[uri]), &authorize_url_with(&[("redirect_uri", uri)]));
    }
}

#[test]
fn an_ambiguous_request_is_never_answered_by_a_redirect() {
    let good = authorize_url_with(&[]);
    let mut requests = vec!["/oauth".to_owned(), "/oauth?".to_owned(), authorize_url_with(&[("redirect_uri", "")])];
    for client in ["unknown", "Synthetic-Client", "synthetic-client ", ""] {
        requests.push(authorize_url_with(&[("client_id", client)]));
    }
    for name in ["client_id", "redirect_uri", "state", "response_type", "code_challenge", "scope", "resource", "other"]
    {
        requests.push(authorize_url_with(&[(name, "a")]) + &format!("&{name}=a"));
    }
    for more in [
        "&redirect_uri=http%3A%2F%2Flocalhost%3A8888%2F",
        "&st%61te=b",
        "&other=&other=1",
        "&other=%",
        "&other=%f",
        "&other=%zz",
        "&other=%+1",
        "&other=%ff",
        "&%c3=1",
        "&%=1",
        "&scope=%C3%28",
        "&scope=%C3&other=%A4",
    ] {
        requests.push(good.clone() + more);
    }
    for request in requests {
        assert_error_page(&mut World::new(), &request);
    }
}

#[test]
fn an_authorization_request_needs_response_type_code_and_s256_or_no_challenge() {
    const BAD: &str = "invalid_request";
    for (name, value, code, why) in [
        ("response_type", "", BAD, "response_type is missing"),
        ("response_type", "token", "unsupported_response_type", "response_type must be code"),
        ("response_type", "code token", "unsupported_response_type", "response_type must be code"),
        ("response_type", "CODE", "unsupported_response_type", "response_type must be code"),
        ("code_challenge_method", "plain", BAD, "code_challenge_method must be S256"),
        ("code_challenge_method", "s256", BAD, "code_challenge_method must be S256"),
        ("code_challenge_method", "", BAD, "code_challenge_method must be S256"),
        ("code_challenge", "", BAD, "code_challenge is missing"),
    ] {
        assert_eq!(error(&[(name, value)]), (code.to_owned(), why.to_owned()), "{name} {value}");
    }
    for challenge in [
        &CHALLENGE[1..],
        &format!("{CHALLENGE}="),
        &format!("{CHALLENGE}a"),
        &CHALLENGE.replace('-', "+"),
        &CHALLENGE.replace('-', "/"),
        &CHALLENGE.replace('-', " "),
        &"ä".repeat(43),
    ] {
        let why = "code_challenge must be 43 characters of base64url";
        assert_eq!(error(&[("code_challenge", challenge)]), (BAD.to_owned(), why.to_owned()), "{challenge}");
    }
}

#[test]
fn the_redirect_repeats_the_state_exactly_and_has_none_if_none_was_sent() {
    for state in ["a b+c%20", "\"<&>'#?=;/\\", "ä€😀", "\r\nlocation: x", "\0", " ", &"s".repeat(8192)] {
        let url = authorize_url_with(&[("state", state)]);
        let mut world = World::new();
        for answer in [allow(&mut world, &url), deny(&mut world, &url)] {
            assert_eq!(parameter(answer.header("location"), "state").as_deref(), Some(state));
        }
        let error = location(&authorize_url_with(&[("state", state), ("response_type", "")]));
        assert_eq!(parameter(&error, "state").as_deref(), Some(state));
    }
    let url = authorize_url_with(&[("state", "")]);
    for answer in [allow(&mut World::new(), &url), deny(&mut World::new(), &format!("{url}&state="))] {
        assert!(answer.status == 303 && !answer.header("location").contains("state"));
    }
}

#[test]
fn the_answer_is_appended_to_the_query_of_the_redirect_uri() {
    for (uri, start) in [
        ("http://localhost:8888/?a=b&c=%20", "http://localhost:8888/?a=b&c=%20&code="),
        ("http://localhost:8888/?a", "http://localhost:8888/?a&code="),
        ("http://localhost:8888/?a=b&", "http://localhost:8888/?a=b&code="),
        ("http://localhost:8888/?", "http://localhost:8888/?code="),
        ("http://localhost:8888", "http://localhost:8888?code="),
        ("com.example.app:/back", "com.example.app:/back?code="),
    ] {
        let mut world = world_with(&[uri]);
        let answer = allow(&mut world, &authorize_url_with(&[("redirect_uri", uri)]));
        assert!(answer.header("location").starts_with(start), "{}", answer.header("location"));
        let request = with(exchange(&code(&answer)), "redirect_uri", uri);
        assert_eq!(world.post(OAUTH, &request).get("error"), Value::Null);
    }
}
