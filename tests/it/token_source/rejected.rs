//! Tests of refused API calls that callers report: the verdict, at most one renewal, and never a login.

use std::cell::OnceCell;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use tradovate_auth::{Event, EventKind, Verdict};
use tradovate_auth_simulator::{ApiAccess, Endpoint, Simulator};

use crate::support::{Kind, LOGGED_IN, Peer, SimulatedClock, Source, at, await_one, await_that, credentials, response};

const VERDICTS: [(u16, &str, Verdict); 18] = [
    (401, "Expired Access Token", Verdict::Dead),
    (401, "Invalid access token", Verdict::Dead),
    (401, "\"Invalid access token\"", Verdict::Dead),
    (401, "Access is denied", Verdict::BeingChecked),
    (401, "", Verdict::BeingChecked),
    (307, "", Verdict::Moved),
    (308, "", Verdict::Moved),
    (421, "", Verdict::Moved),
    (423, "", Verdict::LockedOut),
    (429, "", Verdict::LockedOut),
    (400, "Invalid access token", Verdict::NotAboutTheToken),
    (403, "Access is denied", Verdict::NotAboutTheToken),
    (404, "", Verdict::NotAboutTheToken),
    (408, "", Verdict::NotAboutTheToken),
    (500, "", Verdict::NotAboutTheToken),
    (200, r#"{"orderId":7}"#, Verdict::NotAboutTheToken),
    (200, r#"{"p-ticket":"t","p-time":15}"#, Verdict::Postponed),
    (200, r#"{"p-captcha":true}"#, Verdict::CaptchaAsked),
];

#[test]
fn each_kind_of_refused_call_gets_its_verdict() {
    for (status, body, verdict) in VERDICTS {
        for kind in Kind::ALL {
            let server = Simulator::builder().serve().unwrap();
            let source = kind.of(&server).build();
            let token = source.token().unwrap();
            assert_eq!(source.rejected(&token, status, body), verdict, "{kind:?}: {status} {body}");
        }
    }
}

#[test]
fn a_report_about_an_old_token_does_not_affect_the_new_one() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.of(&server).build();
        let old = source.token().unwrap();
        let _ = source.rejected(&old, 401, "Expired Access Token");
        let new = source.token().unwrap();
        assert_eq!(source.rejected(&old, 401, "Expired Access Token"), Verdict::AlreadyReplaced);
        assert_eq!(source.token().unwrap().generation(), new.generation());
        assert_eq!(server.statistics().requests(Endpoint::RenewAccessToken), 1, "{kind:?}");
    }
}

#[test]
fn a_thousand_reported_refusals_cause_one_verifying_renewal() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.of(&server).build();
        let token = source.token().unwrap();
        let _keeper = source.keep_alive();
        std::thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let _ = source.rejected(&token, 401, "Access is denied");
                    }
                });
            }
        });
        await_that(|| source.token().unwrap().generation() > token.generation());
        for _ in 0..100 {
            assert_eq!(source.rejected(&source.token().unwrap(), 401, "Access is denied"), Verdict::Forbidden);
        }
        let statistics = server.statistics();
        assert_eq!((statistics.logins, statistics.requests(Endpoint::RenewAccessToken)), (1, 1), "{kind:?}");
    }
}

#[test]
fn a_forbidden_call_never_causes_a_login() {
    for access in [ApiAccess::Denied, ApiAccess::DeniedSilently] {
        for kind in Kind::ALL {
            let server = Simulator::builder().serve().unwrap();
            server.with(|simulator| {
                let user = server.credentials().name().to_owned();
                simulator.user_mut(&user).unwrap().api_access = access;
            });
            let source = kind.of(&server).build();
            for _ in 0..50 {
                let token = source.token().unwrap();
                let mut response = ureq::get(server.base_url() + "/account/list")
                    .config()
                    .http_status_as_error(false)
                    .build()
                    .header("Authorization", token.header())
                    .call()
                    .unwrap();
                let body = response.body_mut().read_to_string().unwrap();
                let verdict = source.rejected(&token, response.status().as_u16(), &body);
                assert!(matches!(verdict, Verdict::BeingChecked | Verdict::Forbidden | Verdict::AlreadyReplaced));
            }
            let statistics = server.statistics();
            assert_eq!(statistics.logins, 1, "{kind:?}");
            assert!(statistics.requests(Endpoint::RenewAccessToken) <= 1, "{kind:?}");
        }
    }
}

#[test]
fn a_reported_refusal_wakes_the_keeper() {
    for (status, body) in [(401, "Expired Access Token"), (401, ""), (421, "")] {
        for kind in Kind::ALL {
            let server = Simulator::builder().serve().unwrap();
            let (sender, events) = mpsc::channel();
            let source = kind.of(&server).on_event(move |event: &Event| drop(sender.send(event.kind.clone()))).build();
            let _keeper = source.keep_alive();
            assert!(matches!(await_one(&events), EventKind::LoggedIn { .. }));
            let _ = source.rejected(&source.token().unwrap(), status, body);
            assert!(matches!(await_one(&events), EventKind::Renewed { .. }), "{kind:?}: {status}");
        }
    }
}

#[test]
fn a_reported_refusal_is_verified_without_a_keeper() {
    for (status, body) in [(401, "Access is denied"), (408, ""), (500, ""), (421, "")] {
        for kind in Kind::ALL {
            let server = Simulator::builder().serve().unwrap();
            let source = kind.of(&server).build();
            let token = source.token().unwrap();
            for _ in 0..10 {
                let _ = source.rejected(&token, status, body);
            }
            await_that(|| source.token().unwrap().generation() > token.generation());
            let statistics = server.statistics();
            assert_eq!(
                (statistics.logins, statistics.requests(Endpoint::RenewAccessToken)),
                (1, 1),
                "{kind:?}: {status}"
            );
        }
    }
}

/// The next event of a source that only its callers drive.
fn next_event(source: &Source, events: &Receiver<EventKind>) -> EventKind {
    let next = OnceCell::new();
    await_that(|| {
        assert!(source.token().is_ok(), "there is a token until the session is lost");
        events.try_recv().is_ok_and(|event| next.set(event).is_ok())
    });
    next.into_inner().unwrap()
}

#[test]
fn a_kick_that_looks_like_a_server_fault_is_detected_without_a_keeper() {
    for status in ["408 Request Timeout", "500 Internal Server Error"] {
        for kind in Kind::ALL {
            // Every request with the token of the closed session gets this answer, including a renewal.
            let peer = Peer::acting(move |connection, request| {
                let renews = request.contains("/renewaccesstoken");
                let fault = response(status, &[], "");
                drop(connection.write_all(&if renews { fault } else { response("200 OK", &[], LOGGED_IN) }));
            });
            let clock = SimulatedClock::new();
            let (sender, events) = mpsc::channel();
            let source = kind
                .builder(at(&peer.base_url()), credentials())
                .clock(&clock.clock())
                .on_event(move |event: &Event| drop(sender.send(event.kind.clone())))
                .build();
            let kicked = source.token().unwrap();
            assert!(matches!(await_one(&events), EventKind::LoggedIn { .. }));
            let _ = source.rejected(&kicked, status[..3].parse().unwrap(), "");
            for _ in 0..3 {
                let event = next_event(&source, &events);
                assert!(matches!(event, EventKind::Failed { .. }), "{kind:?}: {event}");
                // Longer than the pause between two tries.
                clock.pass(Duration::from_secs(61));
            }
            await_that(|| source.token().unwrap().generation() > kicked.generation());
            assert!(matches!(await_one(&events), EventKind::SessionLost), "{kind:?}");
            let log_ins = peer.requests().iter().filter(|request| request.contains("/accesstokenrequest")).count();
            assert_eq!((log_ins, peer.requests().len()), (2, 5), "{kind:?}");
        }
    }
}
