//! Tests of the keeper: it renews before expiry over real HTTP, and ends when it is dropped.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tradovate_auth::Event;
use tradovate_auth_simulator::{Limits, Simulator};

use crate::support::{Gate, Kind, LOGGED_IN, Peer, at, await_one, credentials, response};

#[test]
fn a_keeper_keeps_a_token_valid_at_all_times_with_one_login() {
    std::thread::scope(|scope| {
        for kind in Kind::ALL {
            scope.spawn(move || {
                let server = Simulator::builder()
                    .lifetime(Duration::from_secs(2))
                    .options(|options| options.limits = Limits::none())
                    .serve()
                    .unwrap();
                let source = kind.of(&server).build();
                let _keeper = source.keep_alive();
                source.token().unwrap();
                let end = Instant::now() + Duration::from_secs(7);
                while Instant::now() < end {
                    let token = source.token().unwrap();
                    assert!(token.expires_at() > Timestamp::now(), "{kind:?}");
                    std::thread::sleep(Duration::from_millis(2));
                }
                let statistics = server.statistics();
                assert_eq!(statistics.logins, 1, "{kind:?}");
                assert!(statistics.renewals >= 4, "{kind:?}: {}", statistics.renewals);
            });
        }
    });
}

/// Sends a message when its last owner drops it.
struct DropSignal(mpsc::Sender<()>);

impl Drop for DropSignal {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn dropping_the_keeper_releases_its_source() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        for _ in 0..20 {
            let (sender, gone) = mpsc::channel();
            let signal = std::sync::Arc::new(DropSignal(sender));
            let held = move |_: &Event| {
                let _ = &signal;
            };
            server.with(Simulator::release);
            let source = kind.of(&server).on_event(held).build();
            let keeper = source.keep_alive();
            source.token().unwrap();
            drop(source);
            drop(keeper);
            await_one(&gone);
        }
    }
}

#[test]
fn dropping_the_keeper_during_an_exchange_keeps_the_answer() {
    for kind in Kind::ALL {
        let gate = Gate::closed();
        let held = gate.clone();
        let peer = Peer::acting(move |connection, _| {
            held.pass();
            drop(connection.write_all(&response("200 OK", &[], LOGGED_IN)));
        });
        let source = kind.builder(at(&peer.base_url()), credentials()).build();
        let keeper = source.keep_alive();
        gate.await_arrival();
        // Returns although the answer is blocked.
        drop(keeper);
        gate.open();
        assert_eq!(source.token().unwrap().expose(), "canary-issued-token");
        assert_eq!(peer.requests().len(), 1, "{kind:?}");
    }
}

#[test]
fn two_keepers_of_a_source_send_no_more_requests_than_one() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.of(&server).build();
        let _keepers = [source.keep_alive(), source.keep_alive()];
        let token = source.token().unwrap();
        let _ = source.rejected(&token, 401, "Expired Access Token");
        source.token().unwrap();
        assert_eq!(server.statistics().log().len(), 2, "{kind:?}");
    }
}
