//! Tests of lock-outs with 423 and 429.

use super::*;
use crate::lock_outs::LockOut;

#[test]
fn a_lock_out_answers_every_request_with_an_empty_body() {
    for (lock_out, status) in [(LockOut::too_many_requests(), 429), (LockOut::locked(), 423)] {
        let mut world = World::new();
        world.simulator.lock_out(lock_out);
        for path in [LOGIN, "/nowhere"] {
            let answer = world.method(&Method::GET, path);
            assert_eq!((answer.status_and_body(), answer.header("retry-after")), ((status, ""), ""));
        }
    }
}

#[test]
fn a_lock_out_ends_after_its_duration_or_a_longer_retry_after_without_a_request() {
    for (retry_after, wait) in [(None, 3600), (Some(60), 3600), (Some(5400), 5400)] {
        let mut world = World::new();
        let mut lock_out = LockOut::too_many_requests();
        lock_out.retry_after = retry_after.map(Duration::from_secs);
        world.simulator.lock_out(lock_out);
        assert_eq!(world.login().header("retry-after"), retry_after.map_or(String::new(), |wait| wait.to_string()));
        assert_eq!(world.logins_after([wait - 1, wait - 1, wait]), [429, 429, 200]);
    }
}

#[test]
fn a_lock_out_can_be_limited_to_one_network_and_be_released() {
    let mut world = World::new();
    let mut lock_out = LockOut::too_many_requests();
    lock_out.network = Some(Network("198.51.100.0/24".to_owned()));
    world.simulator.lock_out(lock_out);
    assert_eq!(world.login().status, 200);
    world.network = Some(Network("198.51.100.0/24".to_owned()));
    assert_eq!(world.login().status, 429);
    world.simulator.release();
    assert_eq!(world.login().status, 200);
}
