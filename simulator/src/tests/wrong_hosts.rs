use super::{
    oauth::{code, exchange},
    *,
};
use crate::wrong_hosts::WrongHost;

const OLD: &str = "acme-old.eval.ninjatrader.com";

#[test]
fn a_host_that_serves_nobody_answers_404_without_a_body() {
    let mut world = World::new();
    world.simulator.set_wrong_host("Acme-Old.eval.ninjatrader.com", Some(WrongHost::NotFound));
    let mut world = world.at(OLD);
    let answer = world.post(LOGIN, &credentials());
    assert_eq!((answer.status, answer.body.as_str()), (404, ""));
    world.simulator.set_wrong_host(OLD, None);
    assert_eq!(world.post(LOGIN, &credentials()).status, 200);
}

#[test]
fn a_host_that_knows_no_app_refuses_exchanges_alone() {
    let mut world = World::new();
    let code = code(&mut world);
    world.simulator.set_wrong_host(OLD, Some(WrongHost::WrongClient));
    let mut world = world.at(OLD);
    let answer = world.post(OAUTH, &exchange(&code));
    assert_eq!(answer.get("error"), json!("invalid_client"));
    assert_eq!(answer.get("error_description"), json!("Wrong client_id"));
    assert_eq!(world.post(LOGIN, &credentials()).status, 200);
    assert!(!world.at("live.tradovateapi.com").post(OAUTH, &exchange(&code)).text("access_token").is_empty());
}
