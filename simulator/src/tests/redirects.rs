//! Where the page sends a browser, and where it never does.

use super::{
    oauth::{CHALLENGE, REDIRECT, exchange},
    page::{allow, asking, code, deny, parameter, show},
    *,
};
use crate::registration::OAuthClient;

/// A client with the redirect URIs.
fn world_with(redirect_uris: &[&str]) -> World {
    let redirect_uris = redirect_uris.iter().map(|uri| (*uri).to_owned()).collect();
    let client = OAuthClient { redirect_uris, ..OAuthClient::default() };
    World::of(Simulator::builder().oauth_client(client))
}

/// Whether a request is answered by a page with status 400, however it comes.
#[track_caller]
fn assert_is_shown(world: &mut World, url: &str) {
    for answer in [show(world, url), allow(world, url), deny(world, url)] {
        assert_eq!((answer.status, answer.header("location")), (400, ""), "{url}");
        assert!(answer.body.contains(r#"role="alert""#), "{}", answer.body);
    }
    assert_eq!(world.simulator.consent(USER, url), None, "{url}");
    assert_eq!(world.simulator.deny(url), None, "{url}");
}

/// The redirect that a request leads to, however it comes.
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

/// Error, description and state that a request is sent back with.
#[track_caller]
fn error(changes: &[(&str, &str)]) -> (String, String) {
    let location = location(&asking(changes));
    assert!(location.starts_with(&format!("{REDIRECT}?error=")), "{location}");
    assert_eq!(parameter(&location, "state").as_deref(), Some("a1"), "{location}");
    (parameter(&location, "error").unwrap(), parameter(&location, "error_description").unwrap())
}

#[test]
fn nobody_is_sent_to_a_redirect_uri_that_is_not_registered() {
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
        assert_is_shown(&mut world, &asking(&[("redirect_uri", uri)]));
    }
}

#[test]
fn nobody_is_sent_to_a_redirect_uri_that_another_client_registered_or_that_cannot_carry_an_answer() {
    let other = OAuthClient::public("other", "http://localhost:7777/");
    let mut world = World::of(Simulator::builder().oauth_client(OAuthClient::default()).oauth_client(other));
    assert_is_shown(&mut world, &asking(&[("redirect_uri", "http://localhost:7777/")]));
    for uri in ["http://localhost:8888/#here", "http://localhost:8888/\r\nx: y", "http://localhost:8888/ä"] {
        assert_is_shown(&mut world_with(&[uri]), &asking(&[("redirect_uri", uri)]));
    }
}

#[test]
fn a_request_that_cannot_be_read_for_certain_sends_nobody_anywhere() {
    let good = asking(&[]);
    let mut requests = vec!["/oauth".to_owned(), "/oauth?".to_owned(), asking(&[("redirect_uri", "")])];
    for client in ["unknown", "Synthetic-Client", "synthetic-client ", ""] {
        requests.push(asking(&[("client_id", client)]));
    }
    for name in ["client_id", "redirect_uri", "state", "response_type", "code_challenge", "scope", "resource", "other"]
    {
        requests.push(asking(&[(name, "a")]) + &format!("&{name}=a"));
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
        assert_is_shown(&mut World::new(), &request);
    }
}

#[test]
fn only_a_code_with_a_hashed_challenge_or_none_can_be_asked_for() {
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
fn the_state_comes_back_exactly_or_not_at_all() {
    for state in ["a b+c%20", "\"<&>'#?=;/\\", "ä€😀", "\r\nlocation: x", "\0", " ", &"s".repeat(8192)] {
        let url = asking(&[("state", state)]);
        let mut world = World::new();
        for answer in [allow(&mut world, &url), deny(&mut world, &url)] {
            assert_eq!(parameter(answer.header("location"), "state").as_deref(), Some(state));
        }
        let error = location(&asking(&[("state", state), ("response_type", "")]));
        assert_eq!(parameter(&error, "state").as_deref(), Some(state));
    }
    let url = asking(&[("state", "")]);
    for answer in [allow(&mut World::new(), &url), deny(&mut World::new(), &format!("{url}&state="))] {
        assert!(answer.status == 303 && !answer.header("location").contains("state"));
    }
}

#[test]
fn an_answer_is_appended_to_the_query_that_a_redirect_uri_has() {
    for (uri, start) in [
        ("http://localhost:8888/?a=b&c=%20", "http://localhost:8888/?a=b&c=%20&code="),
        ("http://localhost:8888/?a", "http://localhost:8888/?a&code="),
        ("http://localhost:8888/?a=b&", "http://localhost:8888/?a=b&code="),
        ("http://localhost:8888/?", "http://localhost:8888/?code="),
        ("http://localhost:8888", "http://localhost:8888?code="),
        ("com.example.app:/back", "com.example.app:/back?code="),
    ] {
        let mut world = world_with(&[uri]);
        let answer = allow(&mut world, &asking(&[("redirect_uri", uri)]));
        assert!(answer.header("location").starts_with(start), "{}", answer.header("location"));
        let request = with(exchange(&code(&answer)), "redirect_uri", uri);
        assert_eq!(world.post(OAUTH, &request).get("error"), Value::Null);
    }
}
