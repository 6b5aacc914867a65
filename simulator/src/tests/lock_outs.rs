use super::*;
use crate::lock_outs::LockOut;

#[test]
fn a_lock_out_answers_everything_with_an_empty_body() {
    for (lock_out, status) in [(LockOut::too_many_requests(), 429), (LockOut::locked(), 423)] {
        let mut world = World::new();
        world.simulator.lock_out(lock_out);
        for path in [LOGIN, "/nowhere"] {
            let answer = world.method(&Method::GET, path);
            assert_eq!((answer.status, answer.body.as_str(), answer.header("retry-after")), (status, "", ""));
        }
    }
}

#[test]
fn a_lock_out_ends_after_an_hour_without_a_request() {
    let mut world = World::new();
    world.simulator.lock_out(LockOut::too_many_requests());
    world.login();
    world.wait_an_hour();
    assert_eq!(world.login().status, 200);
}

#[test]
fn a_request_meanwhile_restarts_the_hour() {
    let mut world = World::new();
    world.simulator.lock_out(LockOut::locked());
    world.login();
    world.wait(3599);
    assert_eq!(world.login().status, 423);
    world.wait(3599);
    assert_eq!(world.login().status, 423);
    world.wait(3600);
    assert_eq!(world.login().status, 200);
}

#[test]
fn a_longer_retry_after_holds() {
    let mut world = World::new();
    world.simulator.lock_out(LockOut::too_many_requests().with_retry_after(Duration::from_secs(5400)));
    assert_eq!(world.login().header("retry-after"), "5400");
    world.wait(5399);
    assert_eq!(world.login().status, 429);
    world.wait(5400);
    assert_eq!(world.login().status, 200);
}

#[test]
fn a_shorter_retry_after_does_not_shorten_the_hour() {
    let mut world = World::new();
    world.simulator.lock_out(LockOut::too_many_requests().with_retry_after(Duration::from_secs(60)));
    world.login();
    world.wait(60);
    assert_eq!(world.login().status, 429);
}

#[test]
fn a_lock_out_can_meet_one_network() {
    let mut world = World::new();
    let mut lock_out = LockOut::too_many_requests();
    lock_out.network = Some(Network("198.51.100.0/24".to_owned()));
    world.simulator.lock_out(lock_out);
    assert_eq!(world.login().status, 200);
    world.network = Some(Network("198.51.100.0/24".to_owned()));
    assert_eq!(world.login().status, 429);
}

#[test]
fn a_release_ends_it() {
    let mut world = World::new();
    world.simulator.lock_out(LockOut::too_many_requests());
    world.simulator.release();
    assert_eq!(world.login().status, 200);
}
