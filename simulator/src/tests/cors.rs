//! Tests of the cross-origin headers and preflight requests.

use super::*;
use crate::endpoint::Endpoint;

#[test]
fn a_preflight_is_answered_without_counting_a_request() {
    let mut world = World::new();
    world.simulator.penalize_next(None, Duration::from_secs(3));
    let request = Request::options(LOGIN)
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    let answer = world.send(request.body(Vec::new()).unwrap());
    assert_eq!(answer.status_and_body(), (204, ""));
    for (header, value) in [
        ("access-control-allow-origin", "https://app.example"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET, POST, OPTIONS"),
        ("access-control-allow-headers", "authorization,content-type"),
        ("access-control-max-age", "1800"),
    ] {
        assert_eq!(answer.header(header), value, "{header}");
    }
    assert_eq!(world.simulator.statistics().requests(Endpoint::AccessTokenRequest), 0);
    assert!(world.login().is_penalty());
}

#[test]
fn a_response_allows_the_origin_of_the_page_that_sent_the_request() {
    let from_page = Request::get(ME).header("origin", "https://app.example").body(Vec::new()).unwrap();
    for (answer, origin) in [(World::new().send(from_page), "https://app.example"), (World::new().login(), "")] {
        assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (origin, "Origin"));
    }
}

#[test]
fn an_options_request_that_is_not_a_preflight_gets_405() {
    for header in ["accept", "origin", "access-control-request-method"] {
        let request = Request::options(LOGIN).header(header, "POST").body(Vec::new()).unwrap();
        assert_eq!(World::new().send(request).status, 405, "{header}");
    }
}
