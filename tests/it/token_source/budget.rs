//! Several sources behind one network address.

use std::thread;

use tradovate_auth::ClientId;
use tradovate_auth::ureq::{SharedBudget, TokenSource};
use tradovate_auth_simulator::{App, Endpoint, LockOut, Server, Simulator, User};

use crate::support::{Kind, await_one};

//= R-LIMIT-7
//= R-STATUS-9
#[test]
fn a_lock_out_of_one_source_silences_the_others() {
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
fn a_lock_out_that_a_caller_reports_silences_the_others() {
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
fn a_captcha_of_one_source_silences_the_logins_of_the_others() {
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
fn a_panic_while_the_budget_is_used_stops_no_source() {
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

/// Logins that succeed don't count; those under way do until their answers are there.
#[test]
fn more_sources_than_may_fail_in_an_hour_log_in_at_once() {
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
                kind.builder(server.environment(), credentials).budget(&budget).build().ask()
            })
            .collect();
        for answer in asked {
            assert!(await_one(&answer).is_ok(), "{kind:?}");
        }
        assert_eq!(server.statistics().logins, 8);
    }
}

#[test]
fn sources_of_a_process_share_a_budget_by_the_host_they_log_in_at() {
    let [locked, other] = [(), ()].map(|()| Simulator::builder().serve().unwrap());
    let source = |server: &Server| TokenSource::new(server.environment(), server.credentials());
    locked.lock_out(LockOut::too_many_requests());
    assert!(source(&locked).token().is_err());
    // Also one that is made anew after the first is gone.
    assert!(source(&locked).token().unwrap_err().retry_after().is_some());
    assert_eq!(locked.statistics().log().len(), 1);
    assert!(source(&other).token().is_ok());
}
