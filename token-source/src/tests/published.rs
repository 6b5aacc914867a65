//! Callers see published changes at once, even while a request is in flight or a callback runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use jiff::SignedDuration;
use tradovate_auth_core::{BaseUrl, Credentials, Environment};
use tradovate_auth_session::{Event, EventKind, Session};

use crate::clock::tests::Simulated;
use crate::{Clock, Idle, Seen, Settings, Shared, SharedBudget, Storage};

fn settings(environment: &Environment) -> Settings {
    Settings { budget: SharedBudget::default(), ..Settings::new(environment) }
}

fn environment() -> Environment {
    Environment::custom(BaseUrl::parse("http://127.0.0.1:1/v1").unwrap())
}

fn session() -> Session {
    Session::new(environment(), Credentials::new("trader", "password"), 7)
}

#[test]
fn the_access_token_is_returned_if_the_market_data_token_expires_during_a_request() {
    let system = Simulated::new();
    let clock = Clock::anchored(system.clone());
    let settings = Settings { clock: clock.clone(), ..settings(&environment()) };
    let source = Arc::new(Shared::new(session(), Storage::None, settings, || ()));
    let start = clock.now();
    let answer = |text: &str, end: i64, more: &str| {
        let end = start + SignedDuration::from_mins(end);
        super::answer(200, None, &format!(r#"{{"accessToken":"{text}","expirationTime":"{end}"{more}}}"#))
    };
    let (permit, _) = source.next().unwrap();
    permit.answered(Ok(answer("one", 80, r#","mdAccessToken":"md""#)));
    system.pass(Duration::from_secs(67 * 60));
    let (permit, _) = source.next().unwrap();
    permit.answered(Ok(answer("two", 147, "")));
    system.pass(Duration::from_secs(12 * 60 + 50));
    let _ = source.rejected(&source.token().unwrap(), StatusCode::INTERNAL_SERVER_ERROR, b"");
    let (_in_flight, _) = source.next().unwrap();
    let mut seen = Seen::current(&source);
    system.pass(Duration::from_secs(20));
    assert!(seen.update(&source).is_err(), "the access token is the same");
    assert!(matches!(source.next(), Err(Idle::Busy(_))));
    let token = source.token().expect("the access token is good for another hour");
    assert!(token.market_data_token().is_none());
}

#[test]
fn waiting_callers_are_woken_after_the_last_event_callback() {
    let woken = Arc::new(AtomicUsize::new(0));
    let woken_before_callback = Arc::new(AtomicUsize::new(0));
    let (read, written) = (Arc::clone(&woken), Arc::clone(&woken_before_callback));
    let on_event = move |_: &Event| written.store(read.load(Ordering::SeqCst), Ordering::SeqCst);
    let settings = Settings { on_event: Some(Arc::new(on_event)), ..settings(&environment()) };
    let counted = Arc::clone(&woken);
    let wake = move || {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let source = Arc::new(Shared::new(session(), Storage::None, settings, wake));
    super::log_in(&source, SignedDuration::from_mins(80));
    assert!(!source.is_busy());
    assert!(woken.load(Ordering::SeqCst) > woken_before_callback.load(Ordering::SeqCst));
}

#[test]
fn waiting_callers_are_woken_before_an_event_callback_runs() {
    let woken = Arc::new(AtomicUsize::new(0));
    let woken_before_callback = Arc::new(AtomicUsize::new(0));
    let (read, written) = (Arc::clone(&woken), Arc::clone(&woken_before_callback));
    let on_event = move |event: &Event| {
        if let EventKind::LoggedIn { .. } = event.kind {
            written.store(read.load(Ordering::SeqCst), Ordering::SeqCst);
        }
    };
    let settings = Settings { on_event: Some(Arc::new(on_event)), ..settings(&environment()) };
    let counted = Arc::clone(&woken);
    let wake = move || {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let source = Arc::new(Shared::new(session(), Storage::None, settings, wake));
    let before = woken.load(Ordering::SeqCst);
    super::log_in(&source, SignedDuration::from_mins(80));
    assert!(woken_before_callback.load(Ordering::SeqCst) > before);
}
