//! What can happen to a Redis, and to the network before it.

use std::time::Duration;

use crate::members::Fleet;
use crate::redis::{Network, Redis};
use crate::shared_store::SharedStore;

const LIFETIME: Duration = Duration::from_secs(20);

/// Three processes that have a token, and watch.
fn running(store: SharedStore) -> Fleet {
    let mut fleet = Fleet::new(store, LIFETIME);
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

pub(crate) fn a_redis_restart_without_data_causes_no_login() {
    let mut fleet = running(SharedStore::redis());
    let SharedStore::Redis(redis) = &mut fleet.store else { panic!("no Redis") };
    redis.restart();
    assert_goes_on(&mut fleet);
}

pub(crate) fn a_redis_flush_causes_no_login() {
    let mut fleet = running(SharedStore::redis());
    let SharedStore::Redis(redis) = &fleet.store else { panic!("no Redis") };
    redis.flush();
    assert_goes_on(&mut fleet);
}

pub(crate) fn during_a_network_partition_the_valid_token_is_used() {
    let redis = Redis::start();
    let network = Network::to(&redis);
    let mut fleet = running(SharedStore::Port(network.port()));
    network.cut(true);
    // The next renewal is due, and can't be had.
    fleet.await_word("event store_failed_unreachable");
    network.cut(false);
    assert_goes_on(&mut fleet);
}

pub(crate) fn a_fail_over_to_an_empty_replica_causes_no_login() {
    let (redis, replica) = (Redis::start(), Redis::start());
    let network = Network::to(&redis);
    let mut fleet = running(SharedStore::Port(network.port()));
    network.fail_over(&replica);
    assert_goes_on(&mut fleet);
}
