use std::sync::Arc;

use tokio::runtime::Runtime;

use super::*;
use crate::fake_server::{FakeServer, LONG, NOTHING, READ_ONLY, Reply, name};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    Runtime::new().unwrap().block_on(future)
}

#[test]
fn calls_share_a_connection_unless_it_was_idle_for_too_long() {
    let server = FakeServer::empty();
    let store = server.store();
    block_on(async {
        for _ in 0..3 {
            store.load(&name()).await.unwrap();
        }
        assert_eq!(server.connections(), 1);
        let store = store.with(|settings| settings.longest_quiet = Duration::ZERO);
        for _ in 0..3 {
            store.load(&name()).await.unwrap();
        }
        assert_eq!(server.connections(), 4);
    });
}

#[test]
fn a_load_is_repeated_if_the_connection_was_closed_and_a_lease_is_not() {
    let loading = FakeServer::closing_once();
    block_on(loading.store().load(&name())).unwrap();
    assert_eq!(loading.count("EVALSHA"), 2);
    let leasing = FakeServer::closing_once();
    block_on(leasing.store().lease(&name(), LONG)).unwrap_err();
    assert_eq!(leasing.count("EVALSHA"), 1);
}

#[test]
fn a_load_that_the_server_refuses_is_not_repeated() {
    let server = FakeServer::start(|_| Reply::Send(READ_ONLY));
    block_on(server.store().load(&name())).unwrap_err();
    assert_eq!(server.count("EVALSHA"), 1);
}

#[test]
fn the_store_connects_again_if_the_server_became_a_replica() {
    let server = FakeServer::replica_once(":7\r\n");
    let store = server.store();
    block_on(async {
        store.lease(&name(), LONG).await.unwrap_err();
        assert_eq!(store.lease(&name(), LONG).await.unwrap().unwrap().fence, 7);
    });
}

#[test]
fn one_of_all_waiting_callers_tests_the_connection() {
    let server = FakeServer::empty();
    let tried_every = Duration::from_millis(50);
    let store = Arc::new(server.store().with(|settings| settings.tried_every = tried_every));
    let begun = Instant::now();
    block_on(async {
        let wait = || {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.changed(&name(), None, Duration::from_millis(220)).await })
        };
        for waiting in [(); 10].map(|()| wait()) {
            waiting.await.unwrap().unwrap();
        }
    });
    let most = begun.elapsed().div_duration_f64(tried_every);
    let count = server.count("PING");
    assert!(f64::from(u32::try_from(count).unwrap()) <= most, "{count} {most}");
}

#[test]
fn a_waiting_caller_gets_an_error_if_the_server_does_not_answer_a_ping() {
    let server = FakeServer::start(|received| match received.command.as_str() {
        "PING" => Reply::Silence,
        _ => Reply::Send(NOTHING),
    });
    let short = Duration::from_millis(20);
    let store = server.store().time_outs(LONG, short).with(|settings| settings.tried_every = short);
    block_on(store.changed(&name(), None, LONG)).unwrap_err();
}
