//! Tests that no input makes the simulator panic.

use jiff::SignedDuration;

use super::*;
use crate::hosts::ApiHosts;

/// All prefixes of a text, and the text with each of its bytes replaced.
fn mutations(text: &str) -> impl Iterator<Item = Vec<u8>> {
    let text = text.as_bytes();
    (0..text.len()).flat_map(move |at| {
        let replaced = b"\0\"{<&=%+#?/9\x80\xff".map(|byte| [&text[..at], &[byte], &text[at + 1..]].concat());
        replaced.into_iter().chain([text[..at].to_vec()])
    })
}

#[test]
fn no_request_body_makes_the_simulator_panic() {
    let mut world = World::without_limits();
    let login = with(credentials(), "p-ticket", "ticket").to_string();
    let code = "grant_type=authorization_code&code=%41%zz&client_id=synthetic-client&p-ticket=1";
    let refresh = r#"{"grant_type":"refresh_token","refresh_token":null,"client_id":"\u0000\ud83d\ude00"}"#;
    let page = "username=synthetic-user&password=%41+b&decision=allow";
    for (path, content_type, body) in [
        (LOGIN, "application/json", login.as_str()),
        (OAUTH, FORM, code),
        (OAUTH, "application/json", refresh),
        (&page::authorize_url_with(&[]), FORM, page),
    ] {
        for mutated in mutations(body) {
            world.bytes(path, content_type, mutated.clone());
            world.bytes(path, "", mutated);
        }
    }
}

#[test]
fn no_authorize_url_makes_the_simulator_panic() {
    let mut world = World::without_limits();
    for url in mutations(&page::authorize_url_with(&[("scope", "openid ä"), ("state", "%\0")])) {
        let text = String::from_utf8_lossy(&url);
        world.simulator.consent(USER, &text);
        world.simulator.deny(&text);
        for method in [Method::GET, Method::POST] {
            // Some of these are not valid URIs.
            if let Ok(request) = Request::builder().method(method).uri(&*url).body(b"decision=deny") {
                world.simulator.handle(world.now, request);
            }
        }
    }
}

#[test]
fn no_length_of_a_query_makes_the_simulator_panic() {
    let mut world = World::without_limits();
    let megabyte = page::authorize_url_with(&[("state", &"s".repeat(1 << 20))]);
    assert_eq!(world.simulator.consent(USER, &megabyte), None);
    let percent = format!("/oauth?{}", "%".repeat(60_000));
    let pairs = format!("/oauth?{}", "a&".repeat(30_000));
    let state = page::authorize_url_with(&[("state", &"ä".repeat(10_000))]);
    for (url, status) in [(percent, 400), (pairs, 400), (state, 303)] {
        assert_eq!(page::deny(&mut world, &url).status, status);
    }
}

#[test]
fn no_header_makes_the_simulator_panic() {
    let mut world = World::without_limits();
    for value in [&b""[..], b" ", b"Bearer", b"Bearer \xff", b"[::1", b"]:@", b"a@b@c:", b"\x80", b"...", b":"] {
        for name in ["authorization", "content-type", "origin", "access-control-request-headers"] {
            let value = http::HeaderValue::from_bytes(value).unwrap();
            for method in [Method::GET, Method::POST, Method::OPTIONS] {
                let request = Request::builder().method(method).uri(LOGIN).header(name, value.clone());
                world.send(request.header("access-control-request-method", "POST").body(Vec::new()).unwrap());
            }
        }
        let host = http::HeaderValue::from_bytes(value).unwrap();
        let request = Request::post(LOGIN).header("host", host).body(credentials().to_string()).unwrap();
        world.simulator.handle(world.now, request);
    }
}

#[test]
fn no_time_makes_the_simulator_panic() {
    let extremes = |options: &mut Options| {
        options.lifetime = Duration::MAX;
        options.refresh_lifetime = Duration::MAX;
        options.code_lifetime = Duration::MAX;
    };
    for skew in [SignedDuration::MIN, SignedDuration::ZERO, SignedDuration::MAX] {
        let mut world = World::of(Simulator::builder().clock_skew(skew).options(extremes));
        for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX, Timestamp::MIN] {
            world.now = now;
            world.simulator.penalize_next(None, Duration::MAX);
            assert!(world.login().is_penalty());
            world.login();
            oauth::session(&mut world);
            world.get(RENEW, "unknown");
        }
    }
}

#[test]
fn a_token_keeps_working_if_the_clock_of_the_simulator_goes_back() {
    let mut world = World::new();
    let token = world.token();
    world.now = later(Timestamp::UNIX_EPOCH, HOUR);
    assert_eq!(world.accounts(&token).status, 200);
}

#[test]
fn a_redirect_to_an_invalid_host_has_no_location_header() {
    let hosts = ApiHosts::standard().with("demo", "not a\nhost");
    let mut world = World::with_user(User { hosts: Some(hosts), ..User::default() }).at(DEMO);
    assert_eq!(world.login().status_and_location(), (307, ""));
}

#[test]
fn controlling_an_unknown_user_has_no_effect() {
    let mut world = World::new();
    let simulator = &mut world.simulator;
    simulator.close_sessions("nobody");
    simulator.revoke("nobody");
    simulator.expire_sessions("nobody");
    simulator.approve_device("nobody");
    simulator.move_hosts("nobody", ApiHosts::empty());
    let code = simulator.issue_code("nobody", "synthetic-client", oauth::REDIRECT, None);
    let request = with(oauth::exchange(&code), "code_verifier", Value::Null);
    assert_eq!(world.post(OAUTH, &request).get("error"), "invalid_grant");
}
