//! No wait is longer than a day, whatever the server or a snapshot asks for.

use http::header;
use jiff::SignedDuration;
use tradovate_auth_core::{Environment, OAuthApp, PenaltyTicket, RefreshToken};
use tradovate_auth_session::{Login, Session};

use crate::driver::{Driver, dated, http_date, minute, plain, start, stored, user, with_header};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn locked_out_by(retry_after: &str) -> Driver {
    let mut driver = Driver::new(user(1));
    driver.exchange("accesstokenrequest", with_header(plain(429, ""), header::RETRY_AFTER, retry_after));
    driver
}

/// The time of the next request, in hours after the start, or `None` if no request leaves within four days.
fn silent_hours(mut driver: Driver) -> Option<i64> {
    let sent = driver.send_by(start() + DAY * 4)?;
    Some(sent.at.duration_since(start()).as_hours())
}

#[test]
fn a_lock_out_lasts_a_day_at_most() {
    assert_eq!(silent_hours(locked_out_by("4294967295")), Some(24));
    assert_eq!(silent_hours(locked_out_by("99999999999999999999999")), Some(24));
    assert_eq!(silent_hours(locked_out_by("86400")), Some(24));
    assert_eq!(silent_hours(locked_out_by("7200")), Some(2));
}

#[test]
fn a_lock_out_until_a_date_lasts_a_day_at_most() {
    let date = http_date(start() + DAY * 1000);
    assert_eq!(silent_hours(locked_out_by(&date)), Some(24), "the response has no `Date`");
    let mut driver = Driver::new(user(1));
    let response = with_header(dated(429, "", start()), header::RETRY_AFTER, &date);
    driver.exchange("accesstokenrequest", response);
    assert_eq!(silent_hours(driver), Some(24), "the response has a `Date`");
}

#[test]
fn a_lock_out_until_a_date_ends_at_that_date() {
    let response = with_header(dated(429, "", minute(300)), header::RETRY_AFTER, &http_date(minute(480)));
    let mut driver = Driver::new(user(1));
    driver.exchange("accesstokenrequest", response);
    assert_eq!(silent_hours(driver), Some(3), "three hours after the time in `Date`");
    assert_eq!(silent_hours(locked_out_by(&http_date(minute(240)))), Some(4), "by the local clock");
}

#[test]
fn a_snapshot_stops_requests_for_one_day_at_most() {
    let driver = locked_out_by("4294967295");
    let mut later = Driver::new(user(2));
    later.adopt(driver.stored());
    assert_eq!(silent_hours(later), Some(24));
}

#[test]
fn a_session_waits_a_day_at_most_for_a_penalty() {
    for wait in ["4294967295", "1e300", "\"99999999999999999999\""] {
        let mut driver = Driver::new(user(1));
        driver.exchange("accesstokenrequest", plain(200, format!(r#"{{"p-ticket":"t","p-time":{wait}}}"#)));
        let snapshot = driver.stored();
        assert_eq!(silent_hours(driver), Some(24), "{wait}");
        let mut later = Driver::new(user(2));
        later.adopt(snapshot);
        assert_eq!(silent_hours(later), Some(24), "{wait}, after a restart");
    }
    assert_eq!(PenaltyTicket::new("t", DAY.unsigned_abs() * 2).wait(), DAY.unsigned_abs());
}

#[test]
fn a_session_waits_an_hour_at_most_after_a_fault() {
    let mut driver = Driver::new(user(1));
    let sent = driver.send().unwrap();
    driver.answer(&sent, with_header(plain(503, ""), header::RETRY_AFTER, "4294967295"));
    assert_eq!(silent_hours(driver), Some(1));
}

#[test]
fn a_snapshot_with_absurd_times_stops_requests_for_one_day_at_most() {
    let mut driver = Driver::new(user(1));
    driver.adopt(stored(
        r#"{"version":1,"owner":{"login":"https://demo.tradovateapi.com/v1","user":"trader"},
            "postponed":{"count":1,"value":{"operation":"accesstokenrequest","request":"hash","ticket":"t","until":"9000-01-01T00:00:00Z"}},
            "writtenAt":"2026-11-24T14:00:00Z","pause":{"row":{"2026-11-24T13:59:00Z":"9000-01-01T00:00:00Z"}}}"#,
    ));
    assert_eq!(silent_hours(driver), Some(24));
}

#[test]
fn logins_with_future_times_in_a_snapshot_count_as_sent_now() {
    let log_ins = |what: &str| {
        let owner = r#""owner":{"login":"https://demo.tradovateapi.com/v1","user":"trader"}"#;
        stored(&format!(r#"{{"version":1,{owner},"logIns":{{{what}}}}}"#))
    };
    let ahead = r#""attempts":[{"id":1,"status":"opened","sent":"9000-01-01T00:00:00Z"},
        {"id":2,"status":"opened","sent":"9000-01-02T00:00:00Z"},{"id":3,"status":"opened","sent":"9000-01-03T00:00:00Z"}]"#;
    let mut driver = Driver::new(user(1));
    driver.adopt(log_ins(ahead));
    assert_eq!(silent_hours(driver), Some(1));
    let mut driver = Driver::new(user(1));
    driver.adopt(log_ins(r#""loss":{"at":"9000-01-01T00:00:00Z","kicks":1,"pauseUntil":"9000-01-01T00:00:00Z"}"#));
    assert_eq!(silent_hours(driver), Some(24));
}

#[test]
fn the_pause_after_a_given_up_token_continues_the_earlier_back_off() {
    let app = OAuthApp::new("app");
    let mut driver =
        Driver::new(Session::new(Environment::live(), Login::refresh_token(app, RefreshToken::new("rt")), 1));
    let granted = r#"{"access_token":"at","mdAccessToken":"md","expires_in":4800,"refresh_token":"rt-1"}"#;
    driver.exchange("oauthtoken", dated(200, granted, start()));
    assert!(driver.send().is_none());
    let generation = driver.session.token(driver.now).unwrap().generation;
    let dead = br#"{"errorText":"Expired Access Token"}"#;
    driver.session.rejected(driver.now, generation, http::StatusCode::UNAUTHORIZED, dead, &mut driver.budget);
    let mut sent = driver.send_by(minute(1)).unwrap();
    let mut renewals = 0;
    while sent.endpoint() == "renewaccesstoken" {
        renewals += 1;
        driver.answer(&sent, plain(500, ""));
        sent = driver.send_by(minute(10)).unwrap();
    }
    assert!(renewals > 3, "{renewals}");
    assert_eq!(sent.endpoint(), "oauthtoken");
    driver.answer(&sent, plain(500, ""));
    let next = driver.send_by(minute(20)).unwrap();
    let pause = next.at.duration_since(sent.at);
    assert!(pause >= SignedDuration::from_secs(30), "{pause:#}");
}

#[test]
fn a_ticket_postpones_only_its_own_request() {
    for (operation, leaves_at) in [("accesstokenrequest", 10), ("oauthtoken", 0)] {
        let owner = r#""owner":{"login":"https://demo.tradovateapi.com/v1","user":"trader"}"#;
        let ticket =
            format!(r#"{{"operation":"{operation}","request":"hash","ticket":"t","until":"2026-11-24T14:10:00Z"}}"#);
        let mut driver = Driver::new(user(1));
        driver.adopt(stored(&format!(r#"{{"version":1,{owner},"postponed":{{"count":1,"value":{ticket}}}}}"#)));
        assert_eq!(driver.send_by(minute(60)).unwrap().at, minute(leaves_at), "{operation}");
    }
}
