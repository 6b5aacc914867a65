//! Tests of scripted answers, lost answers and maintenance.

use http::Response;

use super::*;
use crate::{endpoint::Endpoint, maintenance::Maintenance};

fn fault() -> Response<Vec<u8>> {
    let date = "Thu, 01 Jan 1970 00:00:00 GMT";
    Response::builder().status(502).header("date", date).body(b"Bad Gateway".to_vec()).unwrap()
}

#[test]
fn a_scripted_answer_is_used_once_for_the_next_request_to_its_endpoint() {
    let mut world = World::new();
    world.simulator.answer_next(Endpoint::AccessTokenRequest, fault());
    assert_eq!(world.get(ME, "any").status, 401);
    let answer = world.login();
    assert_eq!(answer.status_and_body(), (502, "Bad Gateway"));
    assert_eq!(answer.header("date"), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(world.simulator.open_sessions(USER), 0);
    assert_eq!(world.login().status, 200);
}

#[test]
fn scripted_answers_for_any_request_are_used_in_order_even_for_the_page() {
    let mut world = World::new();
    for (endpoint, status) in [(Some(Endpoint::OauthToken), 400), (None, 500), (None, 503), (None, 418)] {
        world.simulator.answer_next(endpoint, Response::builder().status(status).body(Vec::new()).unwrap());
    }
    let page = page::show(&mut world, &page::authorize_url_with(&[])).status;
    let statuses = [page, world.login().status, world.accounts("any").status, world.login().status];
    assert_eq!(statuses, [500, 503, 418, 200]);
}

#[test]
fn a_request_whose_answer_is_lost_takes_effect() {
    let mut world = World::new();
    world.simulator.lose_next_answer(None, fault());
    assert_eq!(world.login().status, 502);
    assert_eq!(world.simulator.open_sessions(USER), 1);
}

#[test]
fn maintenance_answers_every_request_and_keeps_the_sessions() {
    let mut world = World::new();
    let token = world.token();
    world.simulator.set_maintenance(Some(Maintenance::Html));
    let answer = world.get(RENEW, &token);
    assert_eq!((answer.status, answer.header("content-type")), (503, "text/html"));
    assert!(answer.body.starts_with("<!DOCTYPE html>"));
    assert_eq!(page::show(&mut world, &page::authorize_url_with(&[])).status, 503);
    world.simulator.set_maintenance(None);
    assert_eq!(world.get(RENEW, &token).status, 200);
}

#[test]
fn maintenance_can_answer_500_with_an_error_id() {
    let mut world = World::new();
    world.simulator.set_maintenance(Some(Maintenance::ErrorId));
    let answer = world.login();
    assert_eq!(answer.status, 500);
    assert!(answer.body.starts_with("Internal Server Error, error id: "), "{}", answer.body);
    assert_ne!(world.login().body, answer.body);
}

#[test]
fn planned_maintenance_begins_and_ends_on_time() {
    let mut world = World::new();
    let (from, to) = (later(world.now, Duration::from_secs(60)), later(world.now, Duration::from_secs(120)));
    world.simulator.plan_maintenance(from, to, Maintenance::Html);
    assert_eq!(world.logins_after([0, 59, 1, 59, 1]), [200, 200, 503, 503, 200]);
}
