//! A session learns the server's time only from the server's own answers, whatever the local clock shows.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{Environment, OAuthApp, RefreshToken};
use tradovate_auth_session::{Login, Session, StoredRecord, StoredSession};

use crate::driver::{Driver, dated, minute, plain, start, token_until, user};
use crate::store::load;

const PAGE: &str = "<html><title>Bad gateway</title></html>";

/// A session that logged in while its clock was right. Its token lives 80 minutes, and its renewal is due.
fn renewing() -> Driver {
    let mut driver = Driver::new(user(1));
    driver.exchange("accesstokenrequest", dated(200, token_until("one", minute(80)), start()));
    driver.now = minute(66);
    driver
}

/// The last minute at which the token is handed out.
fn usable_until(driver: &Driver) -> i64 {
    let token = driver.session.token(driver.now).unwrap();
    token.usable_until.duration_since(start()).as_mins()
}

//= R-TIME-5
#[test]
fn the_date_of_a_gateways_page_does_not_change_the_clock() {
    let gateways = minute(66) - SignedDuration::from_mins(50);
    for (status, body) in [
        (200, PAGE),
        (502, PAGE),
        (503, ""),
        (503, "upstream connect error"),
        (503, r#"{"message":"Service Unavailable"}"#),
        (503, r#"["errorText"]"#),
        (429, ""),
        (404, ""),
        (500, "Internal Server Error, error id: 7"),
    ] {
        let mut driver = renewing();
        driver.exchange("renewaccesstoken", dated(status, body, gateways));
        assert_eq!(usable_until(&driver), 79, "{status} {body}");
    }
}

#[test]
fn the_date_of_the_servers_own_answer_sets_the_clock_whatever_its_status() {
    let servers = minute(66) - SignedDuration::from_mins(50);
    for (status, body) in [
        (200, r#"{"errorText":"Something new"}"#),
        (503, r#"{"errorText":"Maintenance"}"#),
        (500, r#"{"accessToken":null,"errorText":"Fault"}"#),
        (200, r#"{"p-ticket":"t","p-time":3}"#),
    ] {
        let mut driver = renewing();
        driver.exchange("renewaccesstoken", dated(status, body, servers));
        assert_eq!(usable_until(&driver), 129, "{status} {body}");
    }
}

/// A session whose clock is ahead by this much, and the function that turns a time of its clock into the server's time.
fn with_wrong_clock(ahead: SignedDuration) -> (Driver, impl Fn(Timestamp) -> Timestamp) {
    (Driver::new(user(1)), move |now: Timestamp| now - ahead)
}

#[test]
fn a_clock_that_is_days_slow_is_corrected_by_the_second_answer() {
    let (mut driver, server) = with_wrong_clock(SignedDuration::from_hours(-72));
    let end = server(start()) + SignedDuration::from_mins(80);
    driver.exchange("accesstokenrequest", dated(200, token_until("one", end), server(start())));
    // Until the token expires, only the renewal that asks for a second `Date` is due.
    let sent = driver.send_by(minute(79)).expect("a renewal");
    assert_eq!(sent.endpoint(), "renewaccesstoken");
    assert!(sent.at <= minute(1));
    driver.answer(
        &sent,
        dated(200, token_until("two", server(driver.now) + SignedDuration::from_mins(80)), server(driver.now)),
    );
    assert_eq!(driver.token().as_deref(), Some("two"));
    let usable = driver.session.token(driver.now).unwrap().usable_until.duration_since(driver.now);
    assert_eq!(usable.as_mins(), 79, "by the local clock");
    let renewal = driver.send_by(minute(79)).expect("a renewal");
    assert!((60..67).contains(&renewal.at.duration_since(start()).as_mins()));
}

#[test]
fn a_clock_that_is_days_ahead_is_corrected_by_the_second_answer() {
    let (mut driver, server) = with_wrong_clock(SignedDuration::from_hours(72));
    let body = |now: Timestamp| token_until("one", server(now) + SignedDuration::from_mins(80));
    driver.exchange("accesstokenrequest", dated(200, body(start()), server(start())));
    assert_eq!(driver.token(), None, "it seems to have ended three days ago");
    while driver.token().is_none() {
        let sent = driver.send_by(minute(70)).expect("another try");
        assert_eq!(sent.endpoint(), "renewaccesstoken", "the token that seems to have ended is kept");
        assert!(sent.at >= start() + SignedDuration::from_secs(15));
        driver.answer(&sent, dated(200, body(driver.now), server(driver.now)));
    }
    let usable = driver.session.token(driver.now).unwrap().usable_until.duration_since(driver.now);
    assert_eq!(usable.as_mins(), 79, "by the local clock");
}

#[test]
fn a_date_header_that_never_changes_is_not_used() {
    let mut driver = Driver::new(user(1));
    let stands = start() - SignedDuration::from_hours(72);
    driver.exchange("accesstokenrequest", dated(200, token_until("one", minute(80)), stands));
    let mut renewals = 0;
    while let Some(sent) = driver.send_by(minute(60)) {
        renewals += 1;
        driver.answer(&sent, dated(200, token_until("one", minute(80)), stands));
        assert_eq!(usable_until(&driver), 79);
    }
    assert!(renewals <= 1, "{renewals} renewals ask for a second `Date`");
}

#[test]
fn an_answer_without_a_date_does_not_change_the_clock() {
    let mut driver = renewing();
    driver.exchange("renewaccesstoken", plain(200, token_until("two", minute(160))));
    assert_eq!(usable_until(&driver), 159);
}

/// Two sessions with one store. The first one logged in while its clock was right. The second one has loaded the token
/// and the server's time. The token lives 80 minutes.
fn pair() -> (Driver, Driver) {
    let mut own = Driver::sharing(user(1));
    own.exchange("accesstokenrequest", dated(200, token_until("one", minute(80)), start()));
    assert!(own.send().is_none());
    let mut other = Driver::sharing(user(2));
    read(&mut other, own.stored(), 0);
    assert_eq!((usable_until(&own), usable_until(&other)), (79, 79));
    (own, other)
}

/// Makes the session load a record that was stored this many minutes ago by the clock of the store.
fn read(driver: &mut Driver, stored: StoredSession, age: u64) {
    let age = Duration::from_secs(60 * age);
    let revision = driver.store.put(&stored, driver.now);
    let record = StoredRecord { revision, age: Some(age), place: String::new(), session: Ok(stored) };
    load(&mut driver.session, driver.now, &mut driver.budget, record);
}

#[test]
fn a_slow_save_does_not_make_an_expired_token_look_alive() {
    let (mut own, mut other) = pair();
    (own.now, other.now) = (minute(11), minute(10));
    let late = other.stored();
    read(&mut own, late, 0);
    assert_eq!(usable_until(&own), 79, "what it has learnt by itself says more");
    other.now = minute(11);
    read(&mut own, other.stored(), 0);
    assert_eq!(usable_until(&own), 79);
}

#[test]
fn a_second_record_corrects_an_unnoticed_clock_step() {
    let (mut own, mut other) = pair();
    // It is the time at which the session was to be polled again.
    own.now = minute(60);
    other.now = minute(20);
    for usable in [79, 119] {
        read(&mut own, other.stored(), 0);
        assert_eq!(usable_until(&own), usable);
    }
    other.now = minute(21);
    own.now = minute(61);
    read(&mut own, other.stored(), 0);
    assert_eq!(usable_until(&own), 119);
    assert!(own.send().is_none(), "no renewal is due");
}

#[test]
fn an_expiry_from_a_slow_answer_with_a_date_is_not_corrected_after_the_clock_was_set() {
    let app = || {
        Session::new(Environment::live(), Login::refresh_token(OAuthApp::new("client"), RefreshToken::new("rt-0")), 1)
    };
    let mut driver = Driver::new(app());
    let sent = driver.send().unwrap();
    driver.now = start() + SignedDuration::from_secs(40);
    let body = r#"{"access_token":"at-1","refresh_token":"rt-1","expires_in":4800}"#;
    driver.answer(&sent, dated(200, body, start()));
    assert_eq!(driver.token().as_deref(), Some("at-1"));
    // The program restarts. Its clock was set three hours ahead.
    let mut restarted = Driver::new(app());
    restarted.now = minute(30) + SignedDuration::from_hours(3);
    restarted.adopt(driver.stored());
    restarted.exchange("renewaccesstoken", dated(200, r#"{"p-ticket":"k-1","p-time":15}"#, minute(30)));
    assert_eq!(restarted.token().as_deref(), Some("at-1"));
    restarted.now += SignedDuration::from_secs(16);
    assert_eq!(restarted.send().unwrap().endpoint(), "renewaccesstoken");
}
