//! Tests that concurrent callers cause a single request.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use tokio::task::JoinSet;
use tradovate_auth_simulator::{Endpoint, Simulator};

use crate::support::{Gate, Kind, LOGGED_IN, Peer, RUNTIME, Source, at, credentials, response};

/// Lets 200 threads or 10,000 tasks request a token, and returns the generations of their tokens.
fn crowd(source: &Source) -> Vec<u64> {
    match source {
        Source::Ureq(tokens) => {
            let start = Arc::new(Barrier::new(200));
            let ask = |_| {
                let (tokens, start) = (tokens.clone(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    tokens.token().unwrap().generation()
                })
            };
            let threads: Vec<_> = (0..200).map(ask).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        }
        Source::Reqwest(tokens) => RUNTIME.block_on(async {
            let mut tasks = JoinSet::new();
            for _ in 0..10_000 {
                let tokens = tokens.clone();
                tasks.spawn(async move { tokens.token().await.unwrap().generation() });
            }
            tasks.join_all().await
        }),
    }
}

#[test]
fn concurrent_callers_without_a_token_log_in_once() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let generations = crowd(&kind.of(&server).build());
        assert!(generations.iter().all(|generation| *generation == generations[0]));
        assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1, "{kind:?}");
    }
}

#[test]
fn concurrent_callers_with_a_rejected_token_renew_once() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.of(&server).build();
        let token = source.token().unwrap();
        let _ = source.rejected(&token, 401, "Expired Access Token");
        let generations = crowd(&source);
        assert!(generations.iter().all(|generation| *generation == token.generation() + 1));
        let statistics = server.statistics();
        assert_eq!((statistics.logins, statistics.requests(Endpoint::RenewAccessToken)), (1, 1), "{kind:?}");
    }
}

#[test]
fn concurrent_callers_with_an_expired_token_log_in_once() {
    for kind in Kind::ALL {
        let server = Simulator::builder().lifetime(Duration::from_secs(1)).serve().unwrap();
        let source = kind.of(&server).build();
        let token = source.token().unwrap();
        server.with(|simulator| simulator.options_mut().lifetime = Duration::from_secs(4800));
        let left = token.expires_at().duration_since(jiff::Timestamp::now());
        thread::sleep(Duration::try_from(left).unwrap_or_default() + Duration::from_secs(1));
        crowd(&source);
        assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 2, "{kind:?}");
    }
}

#[test]
fn concurrent_callers_whose_renewal_is_refused_log_in_once() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.of(&server).build();
        let token = source.token().unwrap();
        server.with(|simulator| simulator.revoke(server.credentials().name()));
        let _ = source.rejected(&token, 401, "Invalid access token");
        crowd(&source);
        let statistics = server.statistics();
        let requests =
            [Endpoint::RenewAccessToken, Endpoint::AccessTokenRequest].map(|endpoint| statistics.requests(endpoint));
        assert_eq!(requests, [1, 2], "{kind:?}");
    }
}

/// A peer that holds its answers to logins until the gate opens.
fn held() -> (Peer, Gate) {
    let gate = Gate::closed();
    let held = gate.clone();
    let peer = Peer::acting(move |connection, _| {
        held.pass();
        drop(connection.write_all(&response("200 OK", &[], LOGGED_IN)));
    });
    (peer, gate)
}

#[test]
fn cancelling_the_first_caller_does_not_cancel_the_exchange() {
    let (peer, gate) = held();
    let Source::Reqwest(tokens) = Kind::Reqwest.builder(at(&peer.base_url()), credentials()).build() else { panic!() };
    let asking = tokens.clone();
    let first = RUNTIME.spawn(async move { asking.token().await.map(|token| token.generation()) });
    gate.await_arrival();
    first.abort();
    assert!(RUNTIME.block_on(first).unwrap_err().is_cancelled());
    gate.open();
    assert_eq!(RUNTIME.block_on(tokens.token()).unwrap().expose(), "canary-issued-token");
    assert_eq!(peer.requests().len(), 1);
}

#[test]
fn a_later_caller_joins_the_exchange_in_flight() {
    for kind in Kind::ALL {
        let (peer, gate) = held();
        let source = kind.builder(at(&peer.base_url()), credentials()).build();
        let asked = source.request_token();
        gate.await_arrival();
        let more: Vec<_> = (0..20).map(|_| source.request_token()).collect();
        gate.open();
        for answer in more.iter().chain([&asked]) {
            assert!(crate::support::await_one(answer).is_ok());
        }
        assert_eq!(peer.requests().len(), 1, "{kind:?}");
    }
}
