//! Tests of a shared session with answers made by hand, for cases that a simulated server can't produce.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{BaseUrl, Credentials, Environment, ResponseBody};
use tradovate_auth_session::{Operation, Session};

use crate::{Idle, Settings, Shared, SharedBudget, Storage, Task};

mod callers;
mod clock;
mod events;
mod published;

fn shared(budget: &SharedBudget) -> Arc<Shared> {
    let environment = Environment::custom(BaseUrl::parse("http://127.0.0.1:1/v1").unwrap());
    let settings = Settings { budget: budget.clone(), ..Settings::new(&environment) };
    let session = Session::new(environment, Credentials::new("trader", "password"), 7);
    Arc::new(Shared::new(session, Storage::None, settings, || ()))
}

fn answer(status: u16, date: Option<Timestamp>, body: &str) -> Response<ResponseBody> {
    let mut bytes = ResponseBody::with_limit(10_000);
    bytes.extend(body.as_bytes()).unwrap();
    let response = Response::builder().status(status);
    let date = date.map(|date| date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    date.into_iter().fold(response, |response, date| response.header("date", date)).body(bytes).unwrap()
}

fn log_in(shared: &Arc<Shared>, lifetime: SignedDuration) {
    let (permit, task) = shared.next().unwrap();
    assert!(matches!(task, Task::Send(_)));
    let expiry = Timestamp::now() + lifetime;
    permit.answered(Ok(answer(200, None, &format!(r#"{{"accessToken":"synthetic","expirationTime":"{expiry}"}}"#))));
}

#[test]
fn a_token_that_turns_out_to_be_expired_is_no_longer_returned() {
    let shared = shared(&SharedBudget::default());
    log_in(&shared, SignedDuration::from_mins(10));
    let token = shared.token().unwrap();
    let _ = shared.rejected(&token, StatusCode::UNAUTHORIZED, b"");
    let (permit, _) = shared.next().unwrap();
    assert!(shared.token().is_some());
    let date = Timestamp::now() + SignedDuration::from_mins(11);
    permit.answered(Ok(answer(500, Some(date), r#"{"errorText":"Internal Server Error"}"#)));
    assert!(shared.token().is_none());
}

#[test]
fn a_permit_that_is_dropped_before_sending_counts_as_unsent() {
    let budget = SharedBudget::default();
    let shared = shared(&budget);
    drop(shared.next().unwrap());
    let now = Timestamp::now();
    assert!(matches!(shared.next(), Err(Idle::Wait(_))));
    budget.with(|budget| {
        for _ in 0..4 {
            assert!(budget.earliest(now, Operation::LogIn) <= now);
            budget.take(now, Operation::LogIn);
        }
    });
    assert!(!budget.has_requests_in_flight());
}

#[test]
fn a_full_budget_with_requests_in_flight_is_checked_again_within_a_second() {
    let budget = SharedBudget::default();
    let all: Vec<_> = (0..5).map(|_| shared(&budget)).collect();
    let (last, first) = all.split_last().unwrap();
    let mut permits: Vec<_> = first.iter().map(|shared| shared.next().unwrap()).collect();
    assert!(matches!(last.next(), Err(Idle::Wait(time)) if time <= Duration::from_secs(1)));
    for (permit, _) in permits.drain(..) {
        permit.answered(Ok(answer(200, None, r#"{"errorText":"Incorrect username or password"}"#)));
    }
    // Now all requests count, and the budget knows until when.
    std::thread::sleep(Duration::from_secs(1));
    assert!(matches!(last.next(), Err(Idle::Wait(time)) if time > Duration::from_secs(3500)));
}

#[test]
fn every_change_wakes_waiting_callers() {
    let wake_count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&wake_count);
    let environment = Environment::custom(BaseUrl::parse("http://127.0.0.1:1/v1").unwrap());
    let settings = Settings::new(&environment);
    let session = Session::new(environment, Credentials::new("trader", "password"), 7);
    let count = move || {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let shared = Arc::new(Shared::new(session, Storage::None, settings, count));
    let wakes = |act: &dyn Fn()| {
        let before = wake_count.load(Ordering::SeqCst);
        act();
        wake_count.load(Ordering::SeqCst) > before
    };
    assert!(wakes(&|| log_in(&shared, SignedDuration::from_mins(80))));
    assert!(wakes(&|| assert!(matches!(shared.next(), Err(Idle::Wait(_))))));
    assert!(!wakes(&|| assert!(matches!(shared.next(), Err(Idle::Wait(_))))), "an unchanged rest wakes nobody");
    assert!(wakes(&|| {
        let _ = shared.rejected(&shared.token().unwrap(), StatusCode::UNAUTHORIZED, b"");
    }));
    assert!(wakes(&|| drop(shared.next().unwrap())));
    assert!(wakes(&|| shared.adopt(shared.snapshot())));
    assert!(wakes(&|| shared.replace_credentials(Credentials::new("trader", "another"))));
    assert!(wakes(&|| shared.forget()));
}

#[test]
fn a_session_stays_busy_until_its_carrier_is_dropped() {
    let shared = shared(&SharedBudget::default());
    let carrier = shared.carrier();
    log_in(&shared, SignedDuration::from_mins(80));
    assert!(shared.is_busy());
    drop(carrier);
    assert!(!shared.is_busy());
}
