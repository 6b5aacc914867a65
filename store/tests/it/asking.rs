//! Programs pass the requests of a session to its store.

use tradovate_auth_session::{StoreAnswer, StoreRequest};
use tradovate_auth_store::ask;
#[cfg(feature = "tokio")]
use tradovate_auth_store::ask_async;

use super::*;

/// Sends each kind of request, one after another, and checks each answer.
fn check(ask: impl Fn(&World, &StoreRequest) -> Result<StoreAnswer, StoreError>) {
    let world = World::new();
    let lease = match ask(&world, &StoreRequest::Acquire(MINUTE)) {
        Ok(StoreAnswer::Lease(Some(lease))) => lease,
        other => panic!("{other:?}"),
    };
    let save = StoreRequest::Save { snapshot: session(7), known: None, lease };
    assert!(matches!(ask(&world, &save), Ok(StoreAnswer::Saved(Some(_)))));
    assert!(
        matches!(ask(&world, &StoreRequest::Load), Ok(StoreAnswer::Loaded(stored)) if user_of(stored.clone()) == Some(7))
    );
    assert!(matches!(ask(&world, &StoreRequest::Release(lease)), Ok(StoreAnswer::Released)));
    assert_eq!(world.store.held_lease(&world.name).unwrap(), None);
    let error = ask(&world, &StoreRequest::Keep(session(7))).unwrap_err();
    assert_says(&error, StoreErrorKind::Misconfigured, "a store hook of its own");
}

#[test]
fn ask_runs_each_request_of_a_session() {
    check(|world, request| ask(&world.store, &world.name, request));
}

#[cfg(feature = "tokio")]
#[test]
fn ask_async_runs_each_request_of_a_session() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    check(|world, request| runtime.block_on(ask_async(&world.store, &world.name, request)));
}
