//! A shared session over hand-made answers: what can't be brought about by a server.

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
    assert!(!budget.is_unsettled());
}

#[test]
fn a_budget_with_requests_in_flight_is_checked_again_soon() {
    let budget = SharedBudget::default();
    let all: Vec<_> = (0..5).map(|_| shared(&budget)).collect();
    let (last, first) = all.split_last().unwrap();
    let mut permits: Vec<_> = first.iter().map(|shared| shared.next().unwrap()).collect();
    assert!(matches!(last.next(), Err(Idle::Wait(time)) if time <= Duration::from_secs(1)));
    for (permit, _) in permits.drain(..) {
        permit.answered(Ok(answer(200, None, r#"{"errorText":"Incorrect username or password"}"#)));
    }
    // Now all of them count, and it is known for how long.
    std::thread::sleep(Duration::from_secs(1));
    assert!(matches!(last.next(), Err(Idle::Wait(time)) if time > Duration::from_secs(3500)));
}

#[test]
fn every_change_wakes_the_waiting_callers() {
    let told = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&told);
    let environment = Environment::custom(BaseUrl::parse("http://127.0.0.1:1/v1").unwrap());
    let settings = Settings::new(&environment);
    let session = Session::new(environment, Credentials::new("trader", "password"), 7);
    let count = move || {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let shared = Arc::new(Shared::new(session, Storage::None, settings, count));
    let tells = |act: &dyn Fn()| {
        let before = told.load(Ordering::SeqCst);
        act();
        told.load(Ordering::SeqCst) > before
    };
    assert!(tells(&|| log_in(&shared, SignedDuration::from_mins(80))));
    assert!(tells(&|| assert!(matches!(shared.next(), Err(Idle::Wait(_))))));
    assert!(!tells(&|| assert!(matches!(shared.next(), Err(Idle::Wait(_))))), "a rest that holds is no news");
    assert!(tells(&|| {
        let _ = shared.rejected(&shared.token().unwrap(), StatusCode::UNAUTHORIZED, b"");
    }));
    assert!(tells(&|| drop(shared.next().unwrap())));
    assert!(tells(&|| shared.adopt(shared.snapshot())));
    assert!(tells(&|| shared.replace_credentials(Credentials::new("trader", "another"))));
    assert!(tells(&|| shared.forget()));
}

#[test]
fn a_session_is_busy_between_two_actions_of_a_carrier() {
    let shared = shared(&SharedBudget::default());
    let carrier = shared.carrier();
    log_in(&shared, SignedDuration::from_mins(80));
    assert!(shared.is_busy());
    drop(carrier);
    assert!(!shared.is_busy());
}
