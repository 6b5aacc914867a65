//! Tests of failures of a Redis server and of the network in front of it.

use std::time::Duration;

use crate::members::Fleet;
use crate::redis::{Network, Redis};
use crate::shared_store::SharedStore;

const LIFETIME: Duration = Duration::from_secs(20);

/// Three processes that have a token and keep it valid.
fn running(store: SharedStore) -> Fleet {
    let mut fleet = Fleet::new(store, LIFETIME);
    for _ in 0..3 {
        fleet.start(300);
    }
    // Each process has its first token and a renewed one.
    for _ in 0..6 {
        fleet.await_word("token");
    }
    fleet
}

/// Asserts that a process that starts later uses the same session, and that the session continues to be renewed.
fn assert_continues(fleet: &mut Fleet) {
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
    assert_continues(&mut fleet);
}

pub(crate) fn a_redis_flush_causes_no_login() {
    let mut fleet = running(SharedStore::redis());
    let SharedStore::Redis(redis) = &fleet.store else { panic!("no Redis") };
    redis.flush();
    assert_continues(&mut fleet);
}

pub(crate) fn a_redis_eviction_causes_no_login() {
    let mut fleet = running(SharedStore::redis());
    let SharedStore::Redis(redis) = &fleet.store else { panic!("no Redis") };
    redis.evict();
    assert_continues(&mut fleet);
}

pub(crate) fn during_a_network_partition_the_valid_token_is_used() {
    let redis = Redis::start();
    let network = Network::to(&redis);
    let mut fleet = running(SharedStore::Port(network.port()));
    network.cut(true);
    // The next renewal is due, and the processes need the store for it.
    fleet.await_word("event store_failed_unreachable");
    network.cut(false);
    assert_continues(&mut fleet);
}

pub(crate) fn a_fail_over_to_an_empty_replica_causes_no_login() {
    let (redis, replica) = (Redis::start(), Redis::start());
    let network = Network::to(&redis);
    let mut fleet = running(SharedStore::Port(network.port()));
    network.fail_over(&replica);
    assert_continues(&mut fleet);
}
