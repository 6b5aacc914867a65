//! Tests of callbacks that panic, block, or use their own token source.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use tradovate_auth::ureq::TokenError;
use tradovate_auth::{EventKind, Verdict};
use tradovate_auth_simulator::{Endpoint, Simulator};

use crate::support::{Kind, Source, await_one};

#[test]
fn a_panicking_event_callback_does_not_prevent_a_token() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.of(&server).on_event(|event| panic!("{event}")).build();
        let asked: Vec<_> = (0..20).map(|_| source.request_token()).collect();
        for answer in asked {
            assert!(await_one(&answer).is_ok());
        }
        assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1, "{kind:?}");
    }
}

#[test]
fn a_keeper_survives_an_event_callback_that_panics() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let (sender, receiver) = mpsc::channel();
        let observer = move |event: &tradovate_auth::Event| {
            sender.send(event.kind.clone()).unwrap();
            panic!("{event}");
        };
        let source = kind.of(&server).on_event(observer).build();
        let _keeper = source.keep_alive();
        assert!(matches!(await_one(&receiver), EventKind::LoggedIn { .. }));
        let _ = source.rejected(&source.token().unwrap(), 401, "Expired Access Token");
        assert!(matches!(await_one(&receiver), EventKind::Renewed { .. }), "{kind:?}");
    }
}

#[test]
fn after_a_panic_of_the_store_hook_another_caller_stores_again() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let stores = AtomicUsize::new(0);
        let source = kind
            .of(&server)
            .store(move |snapshot| match snapshot.expires_at().map(|_| stores.fetch_add(1, Ordering::SeqCst)) {
                Some(0) => panic!("the store is out of order"),
                _ => Ok(()),
            })
            // Less than the time after which a source gives up on its store.
            .token_timeout(Duration::from_secs(30))
            .build();
        let asked: Vec<_> = (0..20).map(|_| source.request_token()).collect();
        for answer in asked {
            assert!(await_one(&answer).is_ok());
        }
        assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1, "{kind:?}");
    }
}

#[test]
fn an_event_callback_can_call_its_token_source() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let own = Arc::new(OnceLock::<Source>::new());
        let used = Arc::clone(&own);
        let source = kind
            .of(&server)
            .on_event(move |_| {
                let source = used.get().unwrap();
                drop(source.snapshot());
                if let Source::Ureq(tokens) = source {
                    let token = tokens.token().unwrap();
                    let _ = source.rejected(&token, 403, "");
                }
            })
            .build();
        own.set(source.clone()).unwrap();
        assert!(source.token().is_ok(), "{kind:?}");
    }
}

#[test]
fn token_returns_an_error_at_once_inside_of_the_store_hook() {
    let server = Simulator::builder().serve().unwrap();
    let own = Arc::new(OnceLock::<Source>::new());
    let used = Arc::clone(&own);
    let (sender, receiver) = mpsc::channel();
    let source = Kind::Ureq
        .of(&server)
        .token_timeout(Duration::MAX)
        .store(move |_| {
            // Waits for the store that calls it.
            sender.send(used.get().unwrap().token().map(drop)).unwrap();
            Ok(())
        })
        .build();
    own.set(source.clone()).unwrap();
    assert!(source.token().is_ok());
    assert!(matches!(await_one(&receiver), Err(TokenError::NotYet { .. })));
}

#[test]
fn a_keeper_can_be_dropped_in_a_callback() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let (sender, receiver) = mpsc::channel();
        let receiver = Arc::new(std::sync::Mutex::new(receiver));
        let (done, dropped) = mpsc::channel();
        let source = kind
            .of(&server)
            .on_event(move |_| {
                drop(await_one(&receiver.lock().unwrap()));
                done.send(()).unwrap();
            })
            .build();
        sender.send(source.keep_alive()).unwrap();
        await_one(&dropped);
        assert!(source.token().is_ok(), "{kind:?}");
    }
}

#[test]
fn a_report_returns_its_verdict_even_if_the_event_callback_panics() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let source = kind.of(&server).on_event(|event| panic!("{event}")).build();
        let token = source.token().unwrap();
        assert_eq!(source.rejected(&token, 429, ""), Verdict::LockedOut, "{kind:?}");
    }
}

#[test]
fn a_source_survives_a_panicking_store_hook_and_a_panicking_event_callback() {
    for kind in Kind::ALL {
        let server = Simulator::builder().serve().unwrap();
        let stores = AtomicUsize::new(0);
        let source = kind
            .of(&server)
            .on_event(|event| panic!("{event}"))
            .store(move |snapshot| match snapshot.expires_at().map(|_| stores.fetch_add(1, Ordering::SeqCst)) {
                Some(0) => panic!("the store is out of order"),
                _ => Ok(()),
            })
            .token_timeout(Duration::from_secs(30))
            .build();
        assert!(source.token().is_ok(), "{kind:?}");
    }
}
