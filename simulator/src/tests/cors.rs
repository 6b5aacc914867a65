use super::*;

fn preflight(world: &mut World, path: &str) -> Answer {
    let request = Request::options(path)
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
        .body(Vec::new())
        .unwrap();
    world.send(request)
}

#[test]
fn a_preflight_allows_what_it_asks_for() {
    let answer = preflight(&mut World::new(), LOGIN);
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example");
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("access-control-allow-methods"), "GET, POST, OPTIONS");
    assert_eq!(answer.header("access-control-allow-headers"), "authorization,content-type");
    assert_eq!(answer.header("access-control-max-age"), "1800");
}

#[test]
fn a_preflight_is_no_request_to_the_endpoint() {
    let mut world = World::new();
    world.simulator.penalize_next(None, Duration::from_secs(3));
    preflight(&mut world, LOGIN);
    assert_eq!(world.simulator.statistics().requests(crate::Endpoint::AccessTokenRequest), 0);
    assert!(world.login().is_penalty());
}

#[test]
fn an_answer_echoes_the_origin() {
    let request = Request::get(ME).header("origin", "https://app.example").body(Vec::new()).unwrap();
    let answer = World::new().send(request);
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example");
    assert_eq!(answer.header("vary"), "Origin");
}

#[test]
fn an_answer_to_no_page_names_no_origin_but_varies_by_it() {
    let answer = World::new().login();
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("vary"), "Origin");
}

#[test]
fn options_without_an_origin_is_a_wrong_method() {
    assert_eq!(World::new().method(&Method::OPTIONS, LOGIN).status, 405);
}
