//! Tests that a valid token is returned at once, whatever the session is doing.

use std::thread;

use tradovate_auth::ureq::SharedBudget;
use tradovate_auth_simulator::Simulator;

use crate::support::{Gate, Kind, await_one};

#[test]
fn a_valid_token_is_returned_while_the_store_is_blocked() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let gate = Gate::closed();
        gate.open();
        let held = gate.clone();
        let source = kind
            .of(&server)
            .store(move |snapshot| {
                if snapshot.expires_at().is_some() {
                    held.pass();
                }
                Ok(())
            })
            .build();
        let token = source.token().unwrap();
        gate.await_arrival();
        gate.close();
        let _ = source.rejected(&token, 401, "");
        let _keeper = source.keep_alive();
        gate.await_arrival();
        assert_eq!(await_one(&source.request_token()).unwrap().generation(), token.generation(), "{kind:?}");
        gate.open();
    }
}

#[test]
fn a_valid_token_is_returned_while_the_session_is_locked() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let budget = SharedBudget::default();
        let source = kind.of(&server).budget(&budget).build();
        let token = source.token().unwrap();
        budget
            .with(|_| {
                // Takes the lock of the session, then waits for the lock of the budget.
                let waiting = source.clone();
                let waiting = thread::spawn(move || drop(waiting.snapshot()));
                for _ in 0..100 {
                    assert_eq!(
                        await_one(&source.request_token()).unwrap().generation(),
                        token.generation(),
                        "{kind:?}"
                    );
                }
                assert!(!waiting.is_finished());
                waiting
            })
            .join()
            .unwrap();
    }
}

#[test]
fn headers_share_the_bytes_of_their_token() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.of(&server).build();
        let [first, second] = [(), ()].map(|()| source.token().unwrap().header());
        assert_eq!(first.as_bytes().as_ptr(), second.as_bytes().as_ptr(), "{kind:?}");
        assert!(first.is_sensitive());
    }
}
