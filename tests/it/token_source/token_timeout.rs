//! How long callers wait, what they are told when that is not long enough, and what becomes of the answer.

use std::sync::mpsc;
use std::time::Duration;

use tradovate_auth::ureq::TokenError;
use tradovate_auth::{Credentials, Event, Policy, StopReason};
use tradovate_auth_simulator::{Endpoint, LockOut, Server, Simulator};

use crate::support::{Gate, Kind, LOGGED_IN, Peer, at, await_one, credentials, response};

const AN_HOUR: Duration = Duration::from_secs(3590);

/// A long wait is an error at once, and nothing is sent by asking again.
fn closes_for_an_hour(close: impl Fn(&Server)) {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        close(&server);
        let source = kind.of(&server).build();
        for _ in 0..3 {
            let error = source.token().unwrap_err();
            assert!(error.retry_after().unwrap() > AN_HOUR, "{kind:?}: {error}");
            assert!(matches!(&error, TokenError::NotYet { reason: Some(_), .. }), "{error:?}");
        }
        assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1, "{kind:?}");
    }
}

#[test]
fn a_lock_out_is_an_error_at_once() {
    closes_for_an_hour(|server| server.lock_out(LockOut::locked()));
    closes_for_an_hour(|server| server.lock_out(LockOut::too_many_requests()));
}

#[test]
fn a_captcha_is_an_error_at_once() {
    closes_for_an_hour(|server| server.captcha_next(Endpoint::AccessTokenRequest));
}

#[test]
fn a_short_penalty_is_waited_for() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        server.penalize_next(Duration::from_secs(1));
        assert!(kind.of(&server).build().token().is_ok());
        assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 2, "{kind:?}");
    }
}

/// A server that answers logins once the gate is open.
fn logging_in_behind(gate: &Gate) -> Peer {
    let gate = gate.clone();
    Peer::acting(move |connection, _| {
        gate.pass();
        drop(connection.write_all(&response("200 OK", &[], LOGGED_IN)));
    })
}

#[test]
fn a_caller_that_does_not_wait_gets_an_error_and_the_next_one_the_answer() {
    for kind in Kind::ALL {
        let gate = Gate::closed();
        let peer = logging_in_behind(&gate);
        let source = kind.builder(at(&peer.base_url()), credentials()).token_timeout(Duration::from_millis(20)).build();
        for _ in 0..3 {
            // The first of them, too, though it was the one who had the request sent.
            assert!(matches!(source.token(), Err(TokenError::NotYet { .. })), "{kind:?}");
        }
        gate.open();
        assert_eq!(source.token_at_last().expose(), "canary-issued-token");
        assert_eq!(peer.requests().len(), 1, "{kind:?}");
    }
}

#[test]
fn the_first_failed_try_is_an_event_with_host_and_cause_which_callers_are_told() {
    for kind in Kind::ALL {
        let (sender, events) = mpsc::channel();
        // Nobody listens there.
        let source = kind
            .builder(at("http://127.0.0.1:1/v1"), credentials())
            .token_timeout(Duration::ZERO)
            .on_event(move |event: &Event| drop(sender.send(event.clone())))
            .build();
        assert!(source.token().is_err());
        let event = await_one(&events);
        assert!(event.to_string().starts_with("login failed: nothing was sent to 127.0.0.1: "), "{kind:?}: {event}");
        assert!(event.to_string().contains(": connection refused; next try at "), "{kind:?}: {event}");
        let error = source.token().unwrap_err();
        let TokenError::NotYet { reason: Some(reason), .. } = &error else { panic!("{kind:?}: {error}") };
        assert!(reason.contains("nothing was sent to 127.0.0.1: connection refused"), "{kind:?}: {reason}");
    }
}

#[test]
fn an_answer_is_stored_though_nobody_waits_any_more() {
    for kind in Kind::ALL {
        let gate = Gate::closed();
        let peer = logging_in_behind(&gate);
        let (sender, stored) = mpsc::channel();
        let source = kind
            .builder(at(&peer.base_url()), credentials())
            .token_timeout(Duration::ZERO)
            .store(move |_| sender.send(()).map_err(|error| error.to_string()))
            .build();
        assert!(matches!(source.token(), Err(TokenError::NotYet { .. })), "{kind:?}");
        gate.open();
        await_one(&stored);
        source.token_at_last();
        assert_eq!(peer.requests().len(), 1);
    }
}

#[test]
fn refused_credentials_stop_a_source_until_it_has_others() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.builder(server.environment(), Credentials::new("trader", "wrong")).build();
        for _ in 0..3 {
            assert!(matches!(source.token(), Err(TokenError::Stopped(StopReason::Refused(_)))), "{kind:?}");
        }
        assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1);
        source.replace_credentials(server.credentials());
        assert!(source.token().is_ok());
    }
}

//= R-SESSION-5
#[test]
fn a_forgotten_source_gives_no_token_and_sends_nothing() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.of(&server).build();
        source.token().unwrap();
        let _keeper = source.keep_alive();
        source.forget();
        assert!(matches!(source.token(), Err(TokenError::Stopped(StopReason::Forgotten))), "{kind:?}");
        assert_eq!(server.statistics().log().len(), 1);
    }
}

#[test]
fn what_comes_after_it_was_forgotten_is_no_token() {
    for kind in Kind::ALL {
        let gate = Gate::closed();
        let held = gate.clone();
        let peer = Peer::acting(move |connection, _| {
            held.pass();
            drop(connection.write_all(&response("200 OK", &[], LOGGED_IN)));
        });
        let source = kind.builder(at(&peer.base_url()), credentials()).build();
        let asked = source.ask();
        gate.await_arrival();
        source.forget();
        gate.open();
        let answer = await_one(&asked);
        assert!(matches!(answer, Err(TokenError::Stopped(StopReason::Forgotten))), "{kind:?}: {answer:?}");
        assert!(source.token().is_err());
    }
}

/// What a caller may still get is not asked for a second time beside it.
#[test]
fn a_client_that_is_given_more_time_than_the_policy_is_let_finish() {
    for kind in Kind::ALL {
        let gate = Gate::closed();
        let held = gate.clone();
        let peer = Peer::acting(move |connection, _| {
            held.pass();
            drop(connection.write_all(&response("200 OK", &[], LOGGED_IN)));
        });
        let policy = Policy::default().with_deadline(Duration::from_secs(5));
        let source = kind.builder(at(&peer.base_url()), credentials()).policy(policy).build();
        let asked = source.ask();
        gate.await_arrival();
        std::thread::sleep(Duration::from_secs(7));
        gate.open();
        assert!(await_one(&asked).is_ok());
        assert_eq!(peer.requests().len(), 1, "{kind:?}");
    }
}
