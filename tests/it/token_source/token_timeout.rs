//! Tests of how long callers wait, which error they get after the timeout, and what happens to the answer.

use std::sync::mpsc;
use std::time::Duration;

use tradovate_auth::ureq::TokenError;
use tradovate_auth::{Credentials, Event, Policy, StopReason};
use tradovate_auth_simulator::{Endpoint, LockOut, Server, Simulator};

use crate::support::{Gate, Kind, LOGGED_IN, Peer, at, await_one, credentials, response};

const AN_HOUR: Duration = Duration::from_secs(3590);

/// Asserts that a long wait is returned as an error at once, and that further calls send nothing.
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
fn a_lock_out_is_returned_as_an_error_at_once() {
    closes_for_an_hour(|server| server.lock_out(LockOut::locked()));
    closes_for_an_hour(|server| server.lock_out(LockOut::too_many_requests()));
}

#[test]
fn a_captcha_is_returned_as_an_error_at_once() {
    closes_for_an_hour(|server| server.captcha_next(Endpoint::AccessTokenRequest));
}

#[test]
fn a_caller_waits_for_a_short_penalty() {
    Kind::each_at_once(|kind| {
        let server = Simulator::builder().serve().unwrap();
        server.penalize_next(Duration::from_secs(1));
        assert!(kind.of(&server).build().token().is_ok());
        assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 2, "{kind:?}");
    });
}

/// A server that answers logins after the gate is opened.
fn logging_in_behind(gate: &Gate) -> Peer {
    let gate = gate.clone();
    Peer::acting(move |connection, _| {
        gate.pass();
        drop(connection.write_all(&response("200 OK", &[], LOGGED_IN)));
    })
}

#[test]
fn callers_with_a_short_timeout_get_an_error_until_the_answer_has_come() {
    for kind in Kind::ALL {
        let gate = Gate::closed();
        let peer = logging_in_behind(&gate);
        let source = kind.builder(at(&peer.base_url()), credentials()).token_timeout(Duration::from_millis(20)).build();
        for _ in 0..3 {
            // This includes the first caller, for which the request was sent.
            assert!(matches!(source.token(), Err(TokenError::NotYet { .. })), "{kind:?}");
        }
        gate.open();
        assert_eq!(source.await_token().expose(), "canary-issued-token");
        assert_eq!(peer.requests().len(), 1, "{kind:?}");
    }
}

#[test]
fn a_failed_login_is_reported_with_its_host_and_cause() {
    for kind in Kind::ALL {
        let (sender, events) = mpsc::channel();
        // No server listens there.
        let source = kind
            .builder(at("http://127.0.0.1:1/v1"), credentials())
            .token_timeout(Duration::ZERO)
            .on_event(move |event: &Event| drop(sender.send(event.clone())))
            .build();
        assert!(source.token().is_err());
        let event = await_one(&events);
        assert!(event.to_string().starts_with("login failed: nothing was sent to 127.0.0.1: "), "{kind:?}: {event}");
        assert!(
            event.to_string().contains(": connection refused; the session tries again after "),
            "{kind:?}: {event}"
        );
        let error = source.token().unwrap_err();
        let TokenError::NotYet { reason: Some(reason), .. } = &error else { panic!("{kind:?}: {error}") };
        assert!(reason.contains("nothing was sent to 127.0.0.1: connection refused"), "{kind:?}: {reason}");
    }
}

#[test]
fn an_answer_is_stored_even_if_no_caller_waits_for_it() {
    for kind in Kind::ALL {
        let gate = Gate::closed();
        let peer = logging_in_behind(&gate);
        let (sender, stored) = mpsc::channel();
        let source = kind
            .builder(at(&peer.base_url()), credentials())
            .token_timeout(Duration::ZERO)
            .store(move |snapshot| match snapshot.expires_at() {
                Some(_) => sender.send(()).map_err(|error| error.to_string()),
                None => Ok(()),
            })
            .build();
        assert!(matches!(source.token(), Err(TokenError::NotYet { .. })), "{kind:?}");
        gate.open();
        await_one(&stored);
        source.await_token();
        assert_eq!(peer.requests().len(), 1);
    }
}

#[test]
fn refused_credentials_stop_a_source_until_they_are_replaced() {
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
fn after_forget_a_source_returns_no_token_and_sends_nothing() {
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
fn a_token_that_arrives_after_forget_is_not_used() {
    for kind in Kind::ALL {
        let gate = Gate::closed();
        let held = gate.clone();
        let peer = Peer::acting(move |connection, _| {
            held.pass();
            drop(connection.write_all(&response("200 OK", &[], LOGGED_IN)));
        });
        let source = kind.builder(at(&peer.base_url()), credentials()).build();
        let asked = source.request_token();
        gate.await_arrival();
        source.forget();
        gate.open();
        let answer = await_one(&asked);
        assert!(matches!(answer, Err(TokenError::Stopped(StopReason::Forgotten))), "{kind:?}: {answer:?}");
        assert!(source.token().is_err());
    }
}

/// A caller whose answer can still come must not cause a second request.
#[test]
fn a_client_timeout_longer_than_the_policys_does_not_cause_a_second_request() {
    Kind::each_at_once(|kind| {
        let gate = Gate::closed();
        let held = gate.clone();
        let peer = Peer::acting(move |connection, _| {
            held.pass();
            drop(connection.write_all(&response("200 OK", &[], LOGGED_IN)));
        });
        let policy = Policy::default().with_deadline(Duration::from_secs(5));
        let source = kind.builder(at(&peer.base_url()), credentials()).policy(policy).build();
        let asked = source.request_token();
        gate.await_arrival();
        std::thread::sleep(Duration::from_secs(7));
        gate.open();
        assert!(await_one(&asked).is_ok());
        assert_eq!(peer.requests().len(), 1, "{kind:?}");
    });
}
