//! Tests of rotating refresh tokens: each is stored before it is used, and no stored one is lost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tradovate_auth::ureq::{SharedBudget, TokenError};
use tradovate_auth::{Event, EventKind, Login, RefreshToken, StopReason, StoredSession};
use tradovate_auth_simulator::{Endpoint, LockOut, Server, Simulator};

use crate::support::{Kind, Transport, app, await_one, await_that, consent};

/// The refresh token that a user's consent yields.
pub(super) fn refresh_token(server: &Server) -> RefreshToken {
    let [transport, _] = Transport::both(&server.environment());
    transport.call(&app().exchange(consent(server))).unwrap().grant().unwrap().refresh.unwrap().token
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Presented,
    Failed,
    Stored,
}

#[test]
fn a_rotated_refresh_token_is_stored_before_it_is_used() {
    Kind::each_at_once(|kind| {
        let steps = Arc::new(Mutex::new(Vec::new()));
        let (seen, done) = (Arc::clone(&steps), Arc::clone(&steps));
        let server = Simulator::builder()
            .lifetime(Duration::from_secs(2))
            .on_request(move |entry| {
                if entry.path.ends_with("oauthtoken") {
                    seen.lock().unwrap().push(Step::Presented);
                }
            })
            .serve()
            .unwrap();
        let refresh = refresh_token(&server);
        steps.lock().unwrap().clear();
        let stores = AtomicUsize::new(0);
        let (sender, events) = mpsc::channel();
        let source = kind
            .refreshing(server.environment(), Login::refresh_token(app(), refresh))
            .store(move |_| {
                let fails = stores.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
                done.lock().unwrap().push(if fails { Step::Failed } else { Step::Stored });
                if fails { Err("no connection".to_owned()) } else { Ok(()) }
            })
            .on_event(move |event: &Event| drop(sender.send(event.kind.clone())))
            .build();
        let keeper = source.keep_alive();
        let mut refreshes = 0;
        while refreshes < 3 {
            refreshes += usize::from(matches!(await_one(&events), EventKind::Refreshed { .. }));
        }
        drop(keeper);
        let steps = steps.lock().unwrap().clone();
        assert_eq!(steps[..9], [Step::Presented, Step::Failed, Step::Stored].repeat(3), "{kind:?}");
    });
}

#[test]
fn a_new_process_continues_with_the_stored_refresh_token() {
    Kind::each_at_once(|kind| {
        let server = Simulator::builder().lifetime(Duration::from_secs(5)).serve().unwrap();
        let refresh = refresh_token(&server);
        let source = kind.refreshing(server.environment(), Login::refresh_token(app(), refresh.clone())).build();
        source.token().unwrap();
        let stored: StoredSession = serde_json::from_str(&serde_json::to_string(&source.snapshot()).unwrap()).unwrap();
        server.with(|simulator| simulator.options_mut().lifetime = Duration::from_secs(4800));
        // The configured refresh token is used up. The stored one replaces it.
        let resumed = kind.builder(server.environment(), Login::refresh_token(app(), refresh)).resume(&stored).build();
        std::thread::sleep(Duration::from_secs(6));
        assert!(resumed.token().is_ok(), "{kind:?}");
        assert_eq!(server.statistics().refreshes, 2);
    });
}

#[test]
fn a_source_with_a_code_waits_for_penalties_and_refreshes() {
    for kind in Kind::ALL {
        let server = Simulator::builder().lifetime(Duration::from_secs(2)).serve().unwrap();
        let code = consent(&server);
        server.penalize_next(Duration::from_secs(1));
        let (sender, events) = mpsc::channel();
        let source = kind
            .refreshing(server.environment(), Login::code(app(), code))
            .on_event(move |event: &Event| drop(sender.send(event.kind.clone())))
            .build();
        let first = source.token().unwrap();
        assert!(matches!(await_one(&events), EventKind::Postponed { .. }));
        assert!(matches!(await_one(&events), EventKind::LoggedIn { .. }));
        let keeper = source.keep_alive();
        while !matches!(await_one(&events), EventKind::Refreshed { .. }) {}
        drop(keeper);
        assert_ne!(source.token().unwrap().expose(), first.expose(), "{kind:?}");
        assert_eq!(server.statistics().code_exchanges, 1);
    }
}

//= R-RENEW-12
#[test]
fn a_renewal_brings_the_market_data_token_after_an_exchange_without_a_keeper() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.builder(server.environment(), Login::code(app(), consent(&server))).build();
        source.token().unwrap();
        await_that(|| source.token().unwrap().market_data_token().is_some());
        let statistics = server.statistics();
        assert_eq!((statistics.code_exchanges, statistics.renewals, statistics.refreshes), (1, 1, 0), "{kind:?}");
    }
}

#[test]
fn a_refused_code_is_an_error_with_advice() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let code = consent(&server);
        assert!(kind.builder(server.environment(), Login::code(app(), code.clone())).build().token().is_ok());
        let again = kind.builder(server.environment(), Login::code(app(), code)).build();
        let error = again.token().unwrap_err();
        assert!(error.to_string().contains("the code was used"), "{error}");
        again.token().unwrap_err();
        assert_eq!(server.statistics().requests(Endpoint::OauthToken), 2, "{kind:?}");
    }
}

#[test]
fn a_lock_out_during_an_exchange_prevents_the_next_exchange() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let (one, other) = (consent(&server), consent(&server));
        server.lock_out(LockOut::too_many_requests());
        let budget = SharedBudget::default();
        for code in [one, other] {
            let source = kind.builder(server.environment(), Login::code(app(), code)).budget(&budget).build();
            assert!(matches!(source.token(), Err(TokenError::Stopped(StopReason::CodeLost))), "{kind:?}");
        }
        assert_eq!(server.statistics().requests(Endpoint::OauthToken), 1, "{kind:?}");
    }
}

#[test]
fn a_source_of_an_app_resumes_from_a_snapshot() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.builder(server.environment(), Login::code(app(), consent(&server))).build();
        source.token().unwrap();
        let resumed = kind.builder(server.environment(), Login::app(app())).resume(&source.snapshot()).build();
        // The token is the stored one, or its renewal.
        resumed.token().unwrap();
        assert_eq!(server.statistics().requests(Endpoint::OauthToken), 1, "{kind:?}");
    }
}

#[test]
fn a_session_without_consent_returns_an_error_with_advice() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.refreshing(server.environment(), Login::code(app(), consent(&server))).build();
        let token = source.token().unwrap();
        server.with(|simulator| simulator.revoke("synthetic-user"));
        source.rejected(&token, 401, "Invalid access token");
        let error = source.token().unwrap_err();
        assert!(error.to_string().contains("the user has to authorize the app again"), "{error}");
    }
}
