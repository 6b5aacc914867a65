//! Tests of the async form only: several runtimes, and dropped futures.

use std::time::Duration;

use tokio::runtime::Runtime;
use tradovate_auth_store::{AsyncStore, Store};

use crate::helpers::{LONG, name, session};
use crate::party::patient_store;
use crate::server::Server;

pub(crate) fn a_store_outlives_its_runtime() {
    let server = Server::start();
    let store = patient_store(&server.url());
    for _ in 0..3 {
        let runtime = Runtime::new().unwrap();
        // On a new runtime, even the first call succeeds. The store repeats neither of the two calls after an error.
        let lease = runtime.block_on(AsyncStore::lease(&store, &name(), LONG)).unwrap().unwrap();
        runtime.block_on(AsyncStore::release(&store, &name(), lease)).unwrap();
    }
}

pub(crate) fn several_runtimes_share_a_store() {
    let server = Server::start();
    let store = patient_store(&server.url());
    let (one, other) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let lease = one.block_on(AsyncStore::lease(&store, &name(), LONG)).unwrap().unwrap();
    assert!(other.block_on(AsyncStore::lease(&store, &name(), LONG)).unwrap().is_none());
    let waiting = {
        let store = store.clone();
        other.spawn(async move { AsyncStore::changed(&store, &name(), None, LONG).await })
    };
    one.block_on(AsyncStore::save(&store, &name(), &session(1), None, lease)).unwrap().unwrap();
    other.block_on(waiting).unwrap().unwrap();
}

pub(crate) fn dropped_waits_leave_no_connection_behind() {
    let server = Server::start();
    let store = patient_store(&server.url());
    Runtime::new().unwrap().block_on(async {
        for _ in 0..50 {
            let name = name();
            let waiting = AsyncStore::changed(&store, &name, None, LONG);
            tokio::time::timeout(Duration::from_millis(5), waiting).await.unwrap_err();
        }
        assert!(AsyncStore::load(&store, &name()).await.unwrap().is_none());
    });
    let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut server.raw()).unwrap();
    assert!(clients.lines().count() <= 2, "{clients}");
    assert!(Store::load(&store, &name()).unwrap().is_none());
}
