use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use tradovate_auth_store::Store as _;

use super::*;
use crate::fake_server::{FakeServer, LONG, NOTHING, READ_ONLY, Reply, name};

#[test]
fn calls_one_after_another_share_a_connection_unless_it_was_idle_for_too_long() {
    let server = FakeServer::empty();
    let store = server.store();
    for _ in 0..3 {
        store.load(&name()).unwrap();
    }
    assert_eq!(server.connections(), 1);
    let store = store.with(|settings| settings.longest_quiet = Duration::ZERO);
    for _ in 0..3 {
        store.load(&name()).unwrap();
    }
    assert_eq!(server.connections(), 4);
}

#[test]
fn a_store_keeps_at_most_eight_idle_connections() {
    let all_at_once = Barrier::new(12);
    let server = FakeServer::start(move |_| {
        all_at_once.wait();
        Reply::Send(NOTHING)
    });
    let store = server.store();
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| store.load(&name()).unwrap());
        }
    });
    assert_eq!(server.connections(), 12);
    server.wait_for_open_connections(8);
    assert_eq!(lock(&store.blocking.idle).len(), 8);
}

#[test]
fn a_load_is_repeated_if_the_connection_was_closed_and_a_lease_is_not() {
    let loading = FakeServer::closing_once();
    loading.store().load(&name()).unwrap();
    assert_eq!(loading.count("EVALSHA"), 2);
    let leasing = FakeServer::closing_once();
    leasing.store().lease(&name(), LONG).unwrap_err();
    assert_eq!(leasing.count("EVALSHA"), 1);
}

#[test]
fn a_load_that_the_server_refuses_is_not_repeated() {
    let server = FakeServer::start(|_| Reply::Send(READ_ONLY));
    server.store().load(&name()).unwrap_err();
    assert_eq!(server.count("EVALSHA"), 1);
}

#[test]
fn the_store_connects_again_if_the_server_became_a_replica() {
    let server = FakeServer::replica_once(":7\r\n");
    let store = server.store();
    store.lease(&name(), LONG).unwrap_err();
    assert_eq!(store.lease(&name(), LONG).unwrap().unwrap().fence, 7);
}

#[test]
fn the_watching_connection_ends_if_nobody_waits_for_long_and_is_made_again() {
    let server = FakeServer::empty();
    let short = Duration::from_millis(20);
    let store = server.store().with(|settings| (settings.longest_quiet, settings.tried_every) = (short, short));
    for round in 1..=2 {
        store.changed(&name(), None, Duration::ZERO).unwrap();
        assert_eq!(server.count("SUBSCRIBE"), round);
        server.wait_for("PUNSUBSCRIBE", round);
    }
}

#[test]
fn the_watching_connection_is_tested_and_stays_while_a_caller_waits() {
    let pings = AtomicU32::new(0);
    let server = FakeServer::start(move |received| match received.command.as_str() {
        "PING" if pings.fetch_add(1, Ordering::SeqCst) == 4 => Reply::Close,
        "PING" => Reply::Usual,
        _ => Reply::Send(NOTHING),
    });
    let short = Duration::from_millis(1);
    let store = server.store().with(|settings| (settings.longest_quiet, settings.tried_every) = (short, short));
    store.changed(&name(), None, LONG).unwrap_err();
    assert_eq!((server.count("SUBSCRIBE"), server.count("PING")), (1, 5));
}

#[test]
fn a_waiting_caller_gets_an_error_if_the_server_does_not_answer_a_ping() {
    let server = FakeServer::start(|received| match received.command.as_str() {
        "PING" => Reply::Silence,
        _ => Reply::Send(NOTHING),
    });
    let short = Duration::from_millis(20);
    let store = server.store().time_outs(LONG, short).with(|settings| settings.tried_every = short);
    store.changed(&name(), None, LONG).unwrap_err();
}
