use super::*;

#[test]
fn an_unknown_path_is_not_found() {
    let answer = World::new().method(&Method::GET, "/v2/auth/me");
    assert_eq!((answer.status, answer.body.as_str()), (404, ""));
}

#[test]
fn a_wrong_method_is_told_the_right_one() {
    for (method, path, allowed) in
        [(Method::GET, LOGIN, "POST"), (Method::POST, ME, "GET"), (Method::HEAD, RENEW, "GET")]
    {
        let answer = World::new().method(&method, path);
        assert_eq!((answer.status, answer.header("allow")), (405, allowed));
    }
}

#[test]
fn the_camel_case_of_the_guides_works() {
    let mut world = World::new();
    let token = world.post("/v1/auth/accessTokenRequest", &credentials()).text("accessToken");
    assert_eq!(world.get("/v1/auth/renewAccessToken", &token).status, 200);
}

#[test]
fn a_protected_call_without_a_token_is_not_found() {
    for path in [ME, RENEW, ACCOUNTS] {
        assert_eq!(World::new().method(&Method::GET, path).status, 404, "{path}");
    }
}

#[test]
fn only_bearer_tokens_are_read() {
    let mut world = World::new();
    let token = world.token();
    for (value, status) in [
        (format!("bearer {token}"), 200),
        (format!("Basic {token}"), 404),
        (token.clone(), 404),
        ("Bearer ".into(), 404),
    ] {
        let request = Request::get(ACCOUNTS).header("authorization", &value).body(Vec::new()).unwrap();
        assert_eq!(world.send(request).status, status);
    }
}

#[test]
fn every_answer_tells_the_servers_time() {
    let mut world = World::new();
    world.simulator.options_mut().clock_skew = jiff::SignedDuration::from_secs(90);
    for path in [LOGIN, "/nowhere"] {
        assert_eq!(world.method(&Method::GET, path).header("date"), "Tue, 24 Nov 2026 12:01:30 GMT");
    }
}
