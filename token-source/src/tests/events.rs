//! The callback receives events in their order, no matter which thread delivers them.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use http::StatusCode;
use tradovate_auth_core::{BaseUrl, Environment, OAuthApp, RefreshToken};
use tradovate_auth_session::{Event, EventKind, Login, Session, StoredSession};

use crate::{Idle, Settings, Shared, SharedBudget, Storage, Task, TokenError};

const LONG: Duration = Duration::from_secs(60);

type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

fn shared(on_event: Option<Observer>) -> Arc<Shared> {
    let environment = Environment::custom(BaseUrl::parse("http://127.0.0.1:1/v1").unwrap());
    let settings = Settings { on_event, budget: SharedBudget::default(), ..Settings::new(&environment) };
    let session = Session::new(environment, Login::refresh_token(OAuthApp::new("8"), RefreshToken::new("refresh")), 7);
    Arc::new(Shared::new(session, Storage::None, settings, || ()))
}

/// A source of an app whose callback records each event and blocks in the first one until the test releases it.
struct Slow {
    shared: Arc<Shared>,
    entered: Receiver<()>,
    go_on: Sender<()>,
    seen: Arc<Mutex<Vec<String>>>,
}

fn slow() -> Slow {
    let (enter, entered) = mpsc::channel();
    let (go_on, let_go) = mpsc::channel();
    let let_go = Mutex::new(let_go);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&seen);
    let observer = move |event: &Event| {
        written.lock().unwrap().push(format!("{} begins", name(event)));
        if written.lock().unwrap().len() == 1 {
            enter.send(()).unwrap();
            let_go.lock().unwrap().recv_timeout(LONG).unwrap();
        }
        written.lock().unwrap().push(format!("{} ends", name(event)));
    };
    let shared = shared(Some(Arc::new(observer)));
    Slow { shared, entered, go_on, seen }
}

fn name(event: &Event) -> &'static str {
    match &event.kind {
        EventKind::RefreshOutcomeUnknown => "outcome unknown",
        EventKind::Failed { .. } => "failed",
        EventKind::Adopted { .. } => "adopted",
        EventKind::LockedOut { .. } => "locked out",
        _ => "another",
    }
}

/// A session that another process of the same app has stored.
fn stored() -> StoredSession {
    let shared = shared(None);
    let (permit, _) = shared.next().unwrap();
    permit.answered(Ok(super::answer(200, None, r#"{"access_token":"synthetic","expires_in":4800}"#)));
    shared.snapshot()
}

#[test]
fn events_during_a_callback_are_delivered_after_it() {
    let Slow { shared, entered, go_on, seen } = slow();
    let (permit, _) = shared.next().unwrap();
    let failing = thread::spawn(move || drop(permit));
    entered.recv_timeout(LONG).unwrap();
    shared.adopt(stored());
    assert!(shared.token().is_some(), "nobody waits for the callback");
    go_on.send(()).unwrap();
    failing.join().unwrap();
    let seen = seen.lock().unwrap();
    let order = ["failed", "adopted"].map(|name| [format!("{name} begins"), format!("{name} ends")]);
    assert_eq!(*seen, order.concat());
}

#[test]
fn others_may_drive_the_session_while_a_callback_runs() {
    let Slow { shared, entered, go_on, .. } = slow();
    let (permit, _) = shared.next().unwrap();
    let failing = thread::spawn(move || drop(permit));
    entered.recv_timeout(LONG).unwrap();
    let next = shared.next();
    assert!(shared.is_busy(), "an event is being delivered");
    go_on.send(()).unwrap();
    failing.join().unwrap();
    assert!(!matches!(next, Err(Idle::Busy(_))), "{next:?}");
    drop(next);
    assert!(!shared.is_busy());
}

#[test]
fn a_token_error_does_not_name_a_failure_before_the_last_success() {
    let Slow { shared, entered, go_on, seen } = slow();
    let (mut permit, _) = shared.next().unwrap();
    permit.begin();
    let failing = thread::spawn(move || drop(permit));
    entered.recv_timeout(LONG).unwrap();
    shared.adopt(stored());
    go_on.send(()).unwrap();
    failing.join().unwrap();
    let begun = seen.lock().unwrap().iter().filter(|line| line.ends_with("begins")).cloned().collect::<Vec<_>>();
    assert_eq!(begun, ["outcome unknown begins", "failed begins", "adopted begins"]);
    let TokenError::NotYet { reason, .. } = shared.not_yet(Duration::ZERO) else { panic!("it has stopped") };
    assert_eq!(reason, None);
}

#[test]
fn a_token_error_does_not_say_that_a_token_is_usable() {
    let seen = Arc::new(Mutex::new(String::new()));
    let written = Arc::clone(&seen);
    let shared = shared(Some(Arc::new(move |event: &Event| *written.lock().unwrap() = event.to_string())));
    shared.adopt(stored());
    let _ = shared.rejected(&shared.token().unwrap(), StatusCode::TOO_MANY_REQUESTS, b"");
    assert!(seen.lock().unwrap().contains("; the token is usable until "), "the event says it");
    let TokenError::NotYet { reason, .. } = shared.not_yet(Duration::ZERO) else { panic!("it has stopped") };
    let reason = reason.unwrap();
    assert!(reason.ends_with("; the program has no token"), "{reason}");
}

#[test]
fn a_callback_that_uses_the_source_is_not_called_recursively() {
    let own = Arc::new(Mutex::new(None::<Arc<Shared>>));
    let (used, seen) = (Arc::clone(&own), Arc::new(Mutex::new(Vec::new())));
    let written = Arc::clone(&seen);
    let observer = move |event: &Event| {
        written.lock().unwrap().push(format!("{} begins", name(event)));
        let shared = used.lock().unwrap().clone();
        if let (Some(shared), EventKind::Adopted { .. }) = (shared, &event.kind) {
            let token = shared.token().unwrap();
            let _ = shared.rejected(&token, StatusCode::TOO_MANY_REQUESTS, b"");
        }
        written.lock().unwrap().push(format!("{} ends", name(event)));
    };
    let shared = shared(Some(Arc::new(observer)));
    *own.lock().unwrap() = Some(Arc::clone(&shared));
    shared.adopt(stored());
    own.lock().unwrap().take();
    let order = ["adopted", "locked out"].map(|name| [format!("{name} begins"), format!("{name} ends")]);
    assert_eq!(*seen.lock().unwrap(), order.concat());
}

#[test]
fn a_call_that_finds_nothing_to_do_polls_again_after_a_change_by_its_own_callback() {
    let own = Arc::new(Mutex::new(None::<Arc<Shared>>));
    let used = Arc::clone(&own);
    let adopt = move |event: &Event| {
        let shared = used.lock().unwrap().clone();
        if let (Some(shared), EventKind::Stopped(_)) = (shared, &event.kind) {
            shared.adopt(stored());
        }
    };
    let environment = Environment::custom(BaseUrl::parse("http://127.0.0.1:1/v1").unwrap());
    let settings = Settings { on_event: Some(Arc::new(adopt)), ..Settings::new(&environment) };
    let session = Session::new(environment, Login::app(OAuthApp::new("8")), 7);
    let shared = Arc::new(Shared::new(session, Storage::None, settings, || ()));
    *own.lock().unwrap() = Some(Arc::clone(&shared));
    let next = shared.next();
    own.lock().unwrap().take();
    assert!(matches!(next, Ok((_, Task::Send(_)))), "the adopted token is confirmed");
}
