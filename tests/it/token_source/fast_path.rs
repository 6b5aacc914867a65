//! A token that is held is handed out whatever the session is busy with.

use std::thread;

use tradovate_auth::ureq::SharedBudget;
use tradovate_auth_simulator::Simulator;

use crate::support::{Gate, Kind, await_one};

#[test]
fn a_held_token_waits_for_no_store() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let gate = Gate::closed();
        gate.open();
        let held = gate.clone();
        let source = kind
            .of(&server)
            .store(move |_| {
                held.pass();
                Ok(())
            })
            .build();
        let token = source.token().unwrap();
        gate.await_arrival();
        gate.close();
        let _ = source.rejected(&token, 401, "");
        let _keeper = source.keep_alive();
        gate.await_arrival();
        assert_eq!(await_one(&source.ask()).unwrap().generation(), token.generation(), "{kind:?}");
        gate.open();
    }
}

#[test]
fn a_held_token_waits_for_no_lock() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let budget = SharedBudget::default();
        let source = kind.of(&server).budget(&budget).build();
        let token = source.token().unwrap();
        budget
            .with(|_| {
                // Gets the lock of the session, and waits for that of the budget inside.
                let waiting = source.clone();
                let waiting = thread::spawn(move || drop(waiting.snapshot()));
                for _ in 0..100 {
                    assert_eq!(await_one(&source.ask()).unwrap().generation(), token.generation(), "{kind:?}");
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
