//! What can happen to a Redis, and to the network before it.

use std::time::Duration;

use crate::members::Fleet;
use crate::place::Place;
use crate::redis::{Network, Redis};

const LIFETIME: Duration = Duration::from_secs(20);

/// Three processes that have a token, and watch.
fn running(place: Place) -> Fleet {
    let mut fleet = Fleet::new(place, LIFETIME);
    for _ in 0..3 {
        fleet.start(300);
    }
    // One token each, and one that was renewed.
    for _ in 0..6 {
        fleet.await_word("token");
    }
    fleet
}

/// One that comes later uses the same session, and it goes on being renewed.
fn assert_goes_on(fleet: &mut Fleet) {
    let newcomer = fleet.start(300);
    fleet.await_word_of(newcomer, "token");
    for _ in 0..4 {
        fleet.await_word("token");
    }
    fleet.assert_well();
}

pub(crate) fn a_restart_that_loses_everything_costs_no_login() {
    let mut fleet = running(Place::redis());
    let Place::Redis(redis) = &mut fleet.place else { panic!("no Redis") };
    redis.restart();
    assert_goes_on(&mut fleet);
}

pub(crate) fn a_flush_costs_no_login() {
    let mut fleet = running(Place::redis());
    let Place::Redis(redis) = &fleet.place else { panic!("no Redis") };
    redis.flush();
    assert_goes_on(&mut fleet);
}

pub(crate) fn an_eviction_costs_no_login() {
    let mut fleet = running(Place::redis());
    let Place::Redis(redis) = &fleet.place else { panic!("no Redis") };
    redis.evict();
    assert_goes_on(&mut fleet);
}

pub(crate) fn a_partition_is_sat_out_with_the_token_that_is_held() {
    let redis = Redis::start();
    let network = Network::to(&redis);
    let mut fleet = running(Place::Port(network.port()));
    network.cut(true);
    // The next renewal is due, and can't be had.
    fleet.await_word("event the store can't be reached");
    network.cut(false);
    assert_goes_on(&mut fleet);
}

pub(crate) fn a_fail_over_to_an_empty_replica_costs_no_login() {
    let (redis, replica) = (Redis::start(), Redis::start());
    let network = Network::to(&redis);
    let mut fleet = running(Place::Port(network.port()));
    network.fail_over(&replica);
    assert_goes_on(&mut fleet);
}
