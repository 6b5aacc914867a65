use super::*;

#[test]
fn an_unknown_path_is_not_found() {
    for path in ["/v2/auth/me", "/auth/me", "/nowhere"] {
        assert_eq!(World::new().method(&Method::GET, path).status_and_body(), (404, ""));
    }
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
fn a_path_is_found_in_any_case_and_a_call_needs_a_bearer_token() {
    let mut world = World::new();
    let token = world.post("/v1/auth/accessTokenRequest", &credentials()).text("accessToken");
    for (path, authorization, status) in [
        ("/v1/auth/renewAccessToken", format!("Bearer {token}"), 200),
        ("/V1/AUTH/ME", format!("bearer {token}"), 200),
        (ACCOUNTS, format!("Basic {token}"), 404),
        (ACCOUNTS, token, 404),
        (ACCOUNTS, "Bearer ".to_owned(), 404),
    ] {
        let request = Request::get(path).header("authorization", authorization).body(Vec::new()).unwrap();
        assert_eq!(world.send(request).status, status, "{path}");
    }
    for path in [ME, RENEW, ACCOUNTS] {
        assert_eq!(world.method(&Method::GET, path).status, 404, "{path}");
    }
}

#[test]
fn every_answer_tells_the_servers_time() {
    let mut world = World::with_options(|options| options.clock_skew = jiff::SignedDuration::from_secs(90));
    world.now = "2026-11-04T06:07:08.9Z".parse().unwrap();
    for path in [LOGIN, "/nowhere"] {
        assert_eq!(world.method(&Method::GET, path).header("date"), "Wed, 04 Nov 2026 06:08:38 GMT");
    }
}
