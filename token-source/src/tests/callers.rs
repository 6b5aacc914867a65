//! What callers get from a source: tokens in each form, waits, errors, and the state of the session.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Response, StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{
    Answer, BaseUrl, Credentials, Endpoint as _, Environment, Exchange, MarketDataToken, OAuthApp, Purpose,
    RefreshToken, RenewAccessToken,
};
use tradovate_auth_session::{
    Lease, Login, MayLogIn, RateBudget, Revision, Session, StopReason, StoreAnswer, StoreError, StoreErrorKind,
    StoreRequest, StoredRecord,
};

use super::{answer, log_in, shared};
use crate::clock::tests::Simulated;
use crate::token_timeout::LONGEST_SLEEP;
use crate::{
    Clock, Idle, Seen, Settings, Shared, SharedBudget, Storage, SystemClock as _, Task, TokenError, TokenTimeout,
    may_see_token,
};

/// A session with this storage and its own simulated clock.
fn of(storage: Storage) -> (Arc<Shared>, Simulated) {
    let system = Simulated::new();
    let environment = Environment::demo();
    let settings = Settings {
        budget: SharedBudget::default(),
        clock: Clock::anchored(system.clone()),
        ..Settings::new(&environment)
    };
    let session = Session::new(environment, Credentials::new("trader", "password"), 7);
    (Arc::new(Shared::new(session, storage, settings, || ())), system)
}

#[test]
fn a_token_is_sent_only_to_hosts_of_its_environment() {
    let environment = Environment::demo();
    let may = |uri: &str| may_see_token(&environment, &uri.parse::<Uri>().unwrap());
    assert!(may("https://demo.tradovateapi.com/v1/account/list"));
    assert!(may("https://demo.tradovateapi.com:443/v1"));
    for other in [
        "http://demo.tradovateapi.com/v1",
        "http://demo.tradovateapi.com:443/v1",
        "https://demo.tradovateapi.com:444/v1",
        "https://evil.example/v1",
        "/v1/account/list",
    ] {
        assert!(!may(other), "{other}");
    }
    let local = Environment::custom(BaseUrl::parse("http://127.0.0.1:80/v1").unwrap());
    assert!(may_see_token(&local, &Uri::from_static("http://127.0.0.1/v1")));
    assert!(!may_see_token(&local, &Uri::from_static("http://127.0.0.1:81/v1")));
}

#[test]
fn a_token_provides_the_header_and_the_socket_frames() {
    let source = shared(&SharedBudget::default());
    let (permit, _) = source.next().unwrap();
    let expiry = Timestamp::now() + SignedDuration::from_mins(80);
    permit.answered(Ok(answer(
        200,
        None,
        &format!(r#"{{"accessToken":"at","expirationTime":"{expiry}","mdAccessToken":"md","userId":7}}"#),
    )));
    let token = source.token().unwrap();
    assert_eq!((token.expose(), token.expires_at(), source.user_id()), ("at", expiry, Some(7)));
    assert_eq!(token.authorize_frame(3), "authorize\n3\n\nat");
    assert_eq!(token.market_data_token().map(MarketDataToken::expose), Some("md"));
    assert_eq!(token.market_data_authorize_frame(4).as_deref(), Some("authorize\n4\n\nmd"));
    let mut headers = HeaderMap::new();
    token.authorize(&mut headers);
    assert_eq!(headers["authorization"], "Bearer at");
}

#[test]
fn the_environment_of_a_source_follows_the_hosts_in_a_login_answer() {
    let (source, system) = of(Storage::None);
    let host = || source.environment().base_url(Purpose::Login).unwrap().host().to_owned();
    assert_eq!(host(), "demo.tradovateapi.com");
    let (permit, _) = source.next().unwrap();
    let expiry = system.wall() + SignedDuration::from_mins(80);
    let hosts = r#"{"demo":"acme.ninjatrader.com"}"#;
    let body = format!(r#"{{"accessToken":"at","expirationTime":"{expiry}","apiHosts":{hosts}}}"#);
    permit.answered(Ok(answer(200, None, &body)));
    assert_eq!(host(), "acme.ninjatrader.com");
}

#[test]
fn a_token_is_valid_until_the_end_of_token_ends_in() {
    let (source, system) = of(Storage::None);
    assert_eq!(source.token_ends_in(), None);
    let (permit, _) = source.next().unwrap();
    let expiry = system.wall() + SignedDuration::from_mins(80);
    permit.answered(Ok(answer(200, None, &format!(r#"{{"accessToken":"at","expirationTime":"{expiry}"}}"#))));
    let left = source.token_ends_in().unwrap();
    assert!(left > Duration::from_secs(79 * 60), "{left:?}");
    system.pass(left.saturating_sub(Duration::from_nanos(1)));
    assert!(source.token().is_some());
    system.pass(Duration::from_nanos(1));
    assert_eq!((source.token().is_some(), source.token_ends_in()), (false, None));
}

#[test]
fn a_caller_waits_no_longer_than_the_token_timeout() {
    let (source, _) = of(Storage::None);
    let timeout = TokenTimeout::new(&source);
    let minute = Duration::from_secs(60);
    let error = timeout.sleep(&source, Idle::Wait(10 * minute)).unwrap_err();
    assert_eq!(error.retry_after(), Some(10 * minute));
    assert_eq!(error.to_string(), "no token for another 600 s");
    assert_eq!(timeout.sleep(&source, Idle::Wait(Duration::from_secs(1))).unwrap(), Duration::from_secs(1));
    assert_eq!(timeout.sleep(&source, Idle::Wait(Duration::from_secs(20))).unwrap(), LONGEST_SLEEP);
    assert_eq!(timeout.sleep(&source, Idle::Busy(Duration::from_secs(2))).unwrap(), Duration::from_secs(2));
    source.call_back(|| {
        let error = timeout.sleep(&source, Idle::Busy(minute)).unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(1)), "waiting in a callback would be a deadlock");
        let (other, _) = of(Storage::None);
        assert!(source.is_calling_back() && !other.is_calling_back());
        other.call_back(|| assert!(other.is_calling_back() && !source.is_calling_back()));
        assert!(source.is_calling_back());
    });
    assert!(!source.is_calling_back());
    let stopped = timeout.sleep(&source, Idle::Stopped(StopReason::ConsentRequired)).unwrap_err();
    assert_eq!(stopped.retry_after(), None);

    let environment = Environment::demo();
    let settings = Settings { token_timeout: Duration::ZERO, ..Settings::new(&environment) };
    let session = Session::new(environment, Credentials::new("trader", "password"), 7);
    let without_wait = Shared::new(session, Storage::None, settings, || ());
    assert!(TokenTimeout::new(&without_wait).sleep(&without_wait, Idle::Busy(minute)).is_err());
}

#[test]
fn a_token_error_names_the_last_failure() {
    let source = shared(&SharedBudget::default());
    let (permit, _) = source.next().unwrap();
    permit.answered(Ok(answer(500, None, "")));
    let reason = |source: &Shared| match TokenTimeout::new(source).sleep(source, Idle::Wait(Duration::MAX)).unwrap_err()
    {
        TokenError::NotYet { reason, .. } => reason.unwrap_or_default(),
        TokenError::Stopped(_) => unreachable!(),
    };
    assert!(reason(&source).starts_with("login failed: "), "{}", reason(&source));
    let error = TokenTimeout::new(&source).sleep(&source, Idle::Wait(Duration::MAX)).unwrap_err();
    assert!(error.to_string().ends_with(&format!(" s: {}", reason(&source))), "{error}");
    let (source, _) = of(Storage::None);
    let (permit, _) = source.next().unwrap();
    permit.answered(Ok(answer(200, None, r#"{"accessToken":"at","expirationTime":"2099-01-01T00:00:00Z"}"#)));
    assert_eq!(reason(&source), "", "nothing has failed");
}

#[test]
fn a_token_error_names_the_second_lost_session_as_the_last_failure() {
    let (source, system) = of(Storage::None);
    for _ in 0..2 {
        log_in(&source, SignedDuration::from_mins(80));
        system.pass(Duration::from_mins(10));
        let _ = source.rejected(&source.token().unwrap(), StatusCode::UNAUTHORIZED, b"Invalid access token");
        // A token is verified once in 15 minutes.
        system.pass(Duration::from_mins(6));
        let (permit, _) = source.next().unwrap();
        permit.answered(Ok(answer(401, None, "Invalid access token")));
    }
    let error = TokenTimeout::new(&source).sleep(&source, Idle::Wait(Duration::MAX)).unwrap_err();
    assert!(error.to_string().contains("more than once"), "{error}");
}

#[test]
fn a_stopped_session_returns_its_stop_reason() {
    let (source, _) = of(Storage::None);
    source.forget();
    assert!(matches!(source.next(), Err(Idle::Stopped(StopReason::Forgotten))));
    assert!(matches!(source.stop_reason(), Some(StopReason::Forgotten)));
}

#[test]
fn a_rejected_token_waits_for_verification() {
    let source = shared(&SharedBudget::default());
    log_in(&source, SignedDuration::from_mins(80));
    assert!(!source.wants_driver());
    let _ = source.rejected(&source.token().unwrap(), StatusCode::UNAUTHORIZED, b"");
    assert!(source.wants_driver());
}

#[test]
fn callers_drive_the_session_while_a_token_is_not_stored() {
    let (source, system) = of(Storage::Hook);
    let (permit, task) = source.next().unwrap();
    assert!(matches!(task, Task::Store(_)), "the login is announced first");
    permit.store_answered(Ok(StoreAnswer::Kept));
    log_in(&source, SignedDuration::from_mins(80));
    assert!(source.wants_driver(), "the only copy of the token is not stored");
    let (permit, task) = source.next().unwrap();
    assert!(matches!(task, Task::Store(_)));
    permit.store_answered(Err(StoreError::new(StoreErrorKind::NotWritable, "the disk is full")));
    assert!(source.wants_driver());
    system.pass(Duration::from_mins(1));
    let (permit, _) = source.next().unwrap();
    permit.store_answered(Ok(StoreAnswer::Kept));
    assert!(source.token().is_some() && !source.wants_driver());
}

#[test]
fn a_change_of_a_shared_store_ends_the_back_off_after_a_failed_load() {
    let (source, _) = of(Storage::Shared(MayLogIn::WhenNeeded));
    let (permit, task) = source.next().unwrap();
    assert!(matches!(task, Task::Store(_)) && source.is_busy());
    permit.store_answered(Err(StoreError::new(StoreErrorKind::Unreachable, "connection refused")));
    assert!(matches!(source.next(), Err(Idle::Wait(_))), "the source backs off");
    source.store_has_changed();
    let (permit, task) = source.next().unwrap();
    assert!(matches!(task, Task::Store(_)), "at once");
    let record =
        StoredRecord { revision: Revision(7), age: None, place: "here".into(), session: Ok(source.snapshot()) };
    permit.store_answered(Ok(StoreAnswer::Loaded(Some(record))));
    assert_eq!(source.known_revision(), Some(Revision(7)));
    let (permit, task) = source.next().unwrap();
    assert!(matches!(task, Task::Store(StoreRequest::Acquire(_))));
    permit.store_answered(Ok(StoreAnswer::Lease(Some(Lease { fence: 1, time: Duration::from_secs(67) }))));
    assert!(source.is_busy(), "it holds the lease");
}

#[test]
fn a_watch_reports_a_new_token_and_a_stop() {
    let (source, _) = of(Storage::None);
    let mut seen = Seen::current(&source);
    assert_eq!(seen.update(&source).unwrap_err(), LONGEST_SLEEP, "nothing has changed");
    source.forget();
    let change = seen.update(&source).unwrap();
    assert!(change.stopped.is_some() && !change.has_other_token && !change.has_other_hosts);
    assert!(seen.update(&source).is_err(), "once");
    let source = shared(&SharedBudget::default());
    let mut seen = Seen::current(&source);
    log_in(&source, SignedDuration::from_mins(80));
    let change = seen.update(&source).unwrap();
    assert!(change.has_other_token && !change.has_other_hosts && change.token.is_some());
}

#[test]
fn the_token_of_an_adopted_answer_is_returned() {
    let (source, system) = of(Storage::None);
    let expiry = system.wall() + SignedDuration::from_mins(80);
    let body = format!(r#"{{"accessToken":"changed","expirationTime":"{expiry}"}}"#);
    let value = RenewAccessToken::parse(Response::new(body)).unwrap().value;
    let exchange = Exchange { sent: system.wall(), received: system.wall(), server_time: None };
    source.adopt_answer(Answer { value, exchange }).unwrap();
    assert_eq!(source.token().unwrap().expose(), "changed");
}

#[test]
fn a_token_error_names_only_events_that_are_failures() {
    let environment = Environment::custom(BaseUrl::parse("http://127.0.0.1:1/v1").unwrap());
    let login = Login::refresh_token(OAuthApp::new("8"), RefreshToken::new("refresh"));
    let settings = Settings { budget: SharedBudget::default(), ..Settings::new(&environment) };
    let session = Session::new(environment, login, 7);
    let source = Arc::new(Shared::new(session, Storage::None, settings, || ()));
    let (permit, _) = source.next().unwrap();
    permit.answered(Ok(answer(
        200,
        None,
        r#"{"access_token":"at","refresh_token":"rt","expires_in":4800,"refresh_token_expires_in":93600}"#,
    )));
    // The event about the end of the consent comes after the event about the token.
    let error = TokenTimeout::new(&source).sleep(&source, Idle::Wait(Duration::MAX)).unwrap_err();
    assert!(matches!(error, TokenError::NotYet { reason: None, .. }), "{error}");
}

#[test]
fn the_longest_exchange_is_the_longer_of_policy_deadline_and_client_timeout() {
    let environment = Environment::demo();
    let longest = |timeout| {
        let settings = Settings { timeout: Duration::from_secs(timeout), ..Settings::new(&environment) };
        let session = Session::new(environment.clone(), Credentials::new("trader", "password"), 7);
        Shared::new(session, Storage::None, settings, || ()).longest_exchange().as_secs()
    };
    assert_eq!((longest(1), longest(100)), (45, 100));
}

#[test]
fn all_hosts_of_the_vendor_share_one_budget_and_each_other_host_has_its_own() {
    let budget = |environment: Environment| SharedBudget::of_process(&environment);
    let custom = |url| budget(Environment::custom(BaseUrl::parse(url).unwrap()));
    let lock = |budget: &SharedBudget| budget.with(|budget| budget.lock_out(crate::now(), Duration::from_secs(60)));
    let is_locked = |budget: &SharedBudget| budget.with(|budget| budget.locked_until(crate::now()).is_some());
    lock(&custom("http://127.0.0.1:2/v1"));
    assert!(is_locked(&custom("http://127.0.0.1:2/v1")) && !is_locked(&custom("http://127.0.0.1:3/v1")));
    assert!(!is_locked(&budget(Environment::demo())));
    lock(&budget(Environment::demo()));
    assert!(is_locked(&budget(Environment::live())), "one server");
    let mut own = RateBudget::default();
    own.lock_out(crate::now(), Duration::from_secs(60));
    assert!(is_locked(&own.into()));
}

#[test]
fn the_clock_of_the_process_shows_the_current_time_and_advances() {
    let before = crate::now();
    assert!(Timestamp::now().duration_since(before).abs() < SignedDuration::from_hours(1), "{before}");
    std::thread::sleep(Duration::from_millis(2));
    assert!(crate::now() > before);
    assert!(format!("{:?}", Clock::of_process()).starts_with("Clock(20"));
}

#[test]
fn the_debug_output_of_a_session_shows_its_settings_but_no_secret() {
    let (source, _) = of(Storage::None);
    let printed = format!("{source:?}");
    assert!(printed.contains("token_timeout") && !printed.contains("password"), "{printed}");
}

#[test]
fn each_call_of_seed_returns_another_seed() {
    assert_ne!(crate::random::seed(), crate::random::seed());
}
