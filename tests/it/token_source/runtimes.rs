//! Tests of async sources that are used from several, dropped and idle runtimes.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tradovate_auth::reqwest::{Client, TokenSource};
use tradovate_auth::{Policy, StoredSession};
use tradovate_auth_simulator::{Endpoint, Simulator};

use crate::support::{Gate, LOGGED_IN, Peer, RUNTIME, at, credentials, response};

fn current_thread() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Requests a token on a runtime, and gives up before the spawned task has run.
fn start_and_abandon_request(runtime: &Runtime, tokens: &TokenSource) {
    runtime.block_on(async {
        let mut asking = pin!(tokens.token());
        poll_fn(|context| {
            assert!(asking.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
    });
}

#[test]
fn a_source_can_be_used_from_one_runtime_after_another() {
    let server = Simulator::builder().serve().unwrap();
    let tokens = TokenSource::new(server.environment(), server.credentials()).unwrap();
    let token = current_thread().block_on(tokens.token()).unwrap();
    let _ = tokens.rejected(&token, http::StatusCode::UNAUTHORIZED, b"Expired Access Token");
    let renewed = current_thread().block_on(tokens.token()).unwrap();
    assert_eq!(renewed.generation(), token.generation() + 1);
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn a_source_can_be_used_from_several_runtimes_at_once() {
    let server = Simulator::builder().serve().unwrap();
    let tokens = TokenSource::new(server.environment(), server.credentials()).unwrap();
    let ask = |_| {
        let tokens = tokens.clone();
        thread::spawn(move || current_thread().block_on(tokens.token()).unwrap().generation())
    };
    let threads: Vec<_> = (0..16).map(ask).collect();
    // The runtime that sends the request may end first, when its own caller has its token.
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() > 0));
    assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1);
}

#[test]
fn dropping_a_runtime_during_an_exchange_does_not_block_other_callers() {
    let gate = Gate::closed();
    let held = gate.clone();
    let peer = Peer::acting(move |connection, _| {
        held.pass();
        drop(connection.write_all(&response("200 OK", &[], LOGGED_IN)));
    });
    let tokens = TokenSource::new(at(&peer.base_url()), credentials()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let asking = tokens.clone();
    drop(runtime.spawn(async move { drop(asking.token().await) }));
    gate.await_arrival();
    drop(runtime);
    gate.open();
    assert!(RUNTIME.block_on(tokens.token()).is_ok());
    assert_eq!(peer.requests().len(), 2, "the first may have been handled; one more is enough");
}

#[test]
fn dropping_a_runtime_before_the_request_is_sent_causes_no_second_login() {
    let server = Simulator::builder().serve().unwrap();
    let tokens = TokenSource::new(server.environment(), server.credentials()).unwrap();
    let runtime = current_thread();
    start_and_abandon_request(&runtime, &tokens);
    drop(runtime);
    assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 0);
    assert!(RUNTIME.block_on(tokens.token()).is_ok());
    assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1);
}

#[test]
fn dropping_a_runtime_before_the_store_answers_keeps_the_login() {
    let server = Simulator::builder().serve().unwrap();
    let builder = TokenSource::builder(server.environment(), server.credentials());
    let gate = Gate::closed();
    let held = gate.clone();
    let store = move |snapshot: StoredSession| {
        let held = held.clone();
        let pass = move || {
            if snapshot.expires_at().is_some() {
                held.pass();
            }
        };
        async move { tokio::task::spawn_blocking(pass).await }
    };
    let tokens = builder.store(store).build().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let asking = tokens.clone();
    drop(runtime.spawn(async move { drop(asking.token().await) }));
    gate.await_arrival();
    runtime.shutdown_background();
    gate.open();
    assert!(RUNTIME.block_on(tokens.token()).is_ok());
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn an_idle_runtime_blocks_other_callers_no_longer_than_the_exchange_timeout() {
    let server = Simulator::builder().serve().unwrap();
    let policy = Policy::default().with_deadline(Duration::from_secs(5));
    let client = Client::new(server.environment()).unwrap().with_timeout(Duration::from_secs(5));
    let builder = TokenSource::builder(server.environment(), server.credentials());
    let tokens = builder.policy(policy).client(client).build().unwrap();
    let idle = current_thread();
    start_and_abandon_request(&idle, &tokens);
    assert!(RUNTIME.block_on(tokens.token()).is_ok());
    drop(idle);
    assert!(RUNTIME.block_on(tokens.token()).is_ok());
    assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1);
}
