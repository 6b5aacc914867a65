//! Tests of several sources behind one network address.

use std::thread;

use tradovate_auth::ClientId;
use tradovate_auth::ureq::{SharedBudget, TokenSource};
use tradovate_auth_simulator::{App, Endpoint, LockOut, Server, Simulator, User};

use crate::support::{Kind, await_one};

//= R-LIMIT-7
//= R-STATUS-9
#[test]
fn a_lock_out_of_one_source_stops_the_requests_of_the_others() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let budget = SharedBudget::default();
        let [first, second] = [(), ()].map(|()| kind.of(&server).budget(&budget).build());
        server.lock_out(LockOut::too_many_requests());
        assert!(first.token().is_err());
        assert!(second.token().unwrap_err().retry_after().is_some());
        assert_eq!(server.statistics().log().len(), 1, "{kind:?}");
    }
}

#[test]
fn a_lock_out_that_a_caller_reports_stops_the_requests_of_all_sources() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let budget = SharedBudget::default();
        let [first, second] = [(), ()].map(|()| kind.of(&server).budget(&budget).build());
        let token = first.token().unwrap();
        let _ = first.rejected(&token, 429, "");
        assert!(second.token().is_err());
        assert_eq!(server.statistics().log().len(), 1, "{kind:?}");
    }
}

//= R-PENALTY-4
//= R-PENALTY-8
#[test]
fn a_captcha_of_one_source_stops_the_logins_of_the_others() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let budget = SharedBudget::default();
        let [first, second] = [(), ()].map(|()| kind.of(&server).budget(&budget).build());
        server.captcha_next(Endpoint::AccessTokenRequest);
        assert!(first.token().is_err());
        assert!(second.token().is_err());
        assert_eq!(server.statistics().log().len(), 1, "{kind:?}");
    }
}

#[test]
fn a_panic_while_the_budget_is_locked_does_not_stop_a_source() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let budget = SharedBudget::default();
        let source = kind.of(&server).budget(&budget).build();
        let used = budget.clone();
        let panicked = thread::spawn(move || used.with(|_| panic!("a mistake of the caller's"))).join();
        assert!(panicked.is_err());
        assert!(source.token().is_ok(), "{kind:?}");
    }
}

/// Successful logins don't count against the limit. Logins in flight count until their answers come.
#[test]
fn eight_sources_can_log_in_at_once_although_only_five_failed_logins_are_allowed() {
    for kind in Kind::ALL {
        let builder = (0..8).fold(Simulator::builder(), |builder, index| {
            builder.user(User::new(&format!("trader-{index}"), "correct horse"))
        });
        let server = builder.app(App::default()).serve().unwrap();
        let budget = SharedBudget::default();
        let asked: Vec<_> = (0..8)
            .map(|index| {
                let app = App::default();
                let credentials = tradovate_auth::Credentials::new(format!("trader-{index}"), "correct horse")
                    .with_app(&app.app_id, "1.0")
                    .with_api_key(ClientId::parse(&app.cid), app.sec.expose());
                kind.builder(server.environment(), credentials).budget(&budget).build().request_token()
            })
            .collect();
        for answer in asked {
            assert!(await_one(&answer).is_ok(), "{kind:?}");
        }
        assert_eq!(server.statistics().logins, 8);
    }
}

#[test]
fn sources_with_the_same_login_host_share_a_budget() {
    let [locked, other] = [(), ()].map(|()| Simulator::builder().serve().unwrap());
    let source = |server: &Server| TokenSource::new(server.environment(), server.credentials());
    locked.lock_out(LockOut::too_many_requests());
    assert!(source(&locked).token().is_err());
    // This also holds for a source that is created after the first one was dropped.
    assert!(source(&locked).token().unwrap_err().retry_after().is_some());
    assert_eq!(locked.statistics().log().len(), 1);
    assert!(source(&other).token().is_ok());
}
