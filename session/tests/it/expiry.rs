//! A token that has expired only by the local clock does not lead to a login (law 3).

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{Environment, OAuthApp};
use tradovate_auth_session::{EventKind, Login, Session, StoredSession};

use crate::driver::{Driver, Sent, dated, minute, plain, start, stored, token_until, user};

const DEAD: &str = "Invalid access token";

/// The snapshot ten minutes after a login at the start. The server's time is learnt, and the token lives 80 minutes.
fn stored_by_a_right_clock() -> StoredSession {
    let mut driver = Driver::new(user(1));
    driver.exchange("accesstokenrequest", dated(200, token_until("one", minute(80)), start()));
    driver.now = minute(10);
    driver.stored()
}

/// A session that continues from a snapshot at a time that the local clock shows.
fn resumed(now: Timestamp, stored: StoredSession) -> Driver {
    let mut driver = Driver::new(user(2));
    driver.now = now;
    driver.adopt(stored);
    driver
}

fn is_renewal(sent: Option<&Sent>) -> bool {
    sent.is_some_and(|sent| sent.endpoint() == "renewaccesstoken")
}

#[test]
fn a_restart_with_a_clock_that_is_hours_ahead_opens_no_second_session() {
    let mut driver = resumed(minute(200), stored_by_a_right_clock());
    assert_eq!(driver.token(), None, "it seems to have expired");
    driver.exchange("renewaccesstoken", dated(200, token_until("two", minute(100)), minute(20)));
    assert_eq!(driver.token().as_deref(), Some("two"));
    assert!(driver.send().is_none());
}

#[test]
fn a_401_for_an_expired_token_causes_a_login_but_no_loss() {
    let mut driver = resumed(minute(200), stored_by_a_right_clock());
    driver.exchange("renewaccesstoken", plain(401, DEAD));
    driver.exchange("accesstokenrequest", plain(200, token_until("two", minute(300))));
    let is_lost = driver.events().iter().any(|event| matches!(event.kind, EventKind::SessionLost));
    assert!(!is_lost, "the end of a token that had expired is not reported");
}

#[test]
fn if_renewals_of_a_rejected_token_fail_for_two_minutes_a_login_follows() {
    for (status, body) in [(500, ""), (200, "garbage"), (408, "")] {
        let mut driver = resumed(minute(200), stored_by_a_right_clock());
        let mut renewals = 0;
        let login = loop {
            let sent = driver.send_by(minute(210)).expect("a request");
            if !is_renewal(Some(&sent)) {
                break sent;
            }
            renewals += 1;
            driver.answer(&sent, plain(status, body));
        };
        assert_eq!(login.endpoint(), "accesstokenrequest");
        assert!(renewals >= 3 && login.at >= minute(202), "{renewals} renewals for {status} until {}", login.at);
    }
}

#[test]
fn if_no_renewal_reaches_the_server_for_an_hour_a_login_follows() {
    let mut driver = resumed(minute(200), stored_by_a_right_clock());
    let login = loop {
        let sent = driver.send_by(minute(300)).expect("a request");
        if !is_renewal(Some(&sent)) {
            break sent;
        }
        driver.answer(&sent, plain(503, ""));
    };
    assert!(login.at >= minute(260), "{}", login.at);
}

//= R-RENEW-5
#[test]
fn a_session_logs_in_without_a_renewal_if_the_token_expired_by_server_time() {
    let mut driver = Driver::new(user(1));
    driver.exchange("accesstokenrequest", dated(200, token_until("one", minute(80)), start()));
    let renewal = driver.send_by(minute(70)).unwrap();
    driver.answer(&renewal, plain(200, r#"{"p-captcha":true}"#));
    let login = driver.send_by(minute(81)).unwrap();
    assert_eq!(login.endpoint(), "accesstokenrequest");
}

#[test]
fn a_running_clock_that_steps_ahead_again_and_again_opens_no_second_session() {
    let mut driver = Driver::new(user(1));
    driver.exchange("accesstokenrequest", dated(200, token_until("one", minute(80)), start()));
    driver.send();
    for step in 1..=9 {
        let servers = start() + SignedDuration::from_secs(4 * step);
        driver.now = servers + SignedDuration::from_hours(2 * step);
        assert_eq!(driver.token(), None);
        let end = servers + SignedDuration::from_mins(80);
        driver.exchange("renewaccesstoken", dated(200, token_until("one", end), servers));
        assert!(driver.token().is_some(), "step {step}");
        assert!(driver.send().is_none(), "step {step}");
    }
}

#[test]
fn a_reported_clock_step_leads_to_a_renewal_and_not_to_a_login() {
    let mut driver = Driver::new(user(1));
    driver.exchange("accesstokenrequest", dated(200, token_until("one", minute(80)), start()));
    let renewal = driver.send_by(minute(70)).unwrap();
    driver.answer(&renewal, plain(200, r#"{"p-captcha":true}"#));
    driver.send();
    driver.session.clock_was_set();
    let next = driver.send_by(minute(130)).unwrap();
    assert!(is_renewal(Some(&next)), "the captcha is over");
}

#[test]
fn a_poll_half_a_minute_late_keeps_the_learnt_server_time() {
    let mut driver = Driver::new(user(1));
    driver.exchange("accesstokenrequest", dated(200, token_until("one", minute(80)), start()));
    let renewal = driver.send_by(minute(70)).unwrap();
    driver.answer(&renewal, plain(200, r#"{"p-captcha":true}"#));
    // The session was to be polled when the token expires, and is polled half a minute later.
    driver.send_by(minute(80) - SignedDuration::from_secs(1));
    driver.now = minute(80) + SignedDuration::from_secs(30);
    assert_eq!(driver.send().unwrap().endpoint(), "accesstokenrequest");
}

#[test]
fn after_a_restart_one_renewal_confirms_the_token() {
    let mut driver = resumed(minute(20), stored_by_a_right_clock());
    assert_eq!(driver.token().as_deref(), Some("one"), "it is used meanwhile");
    driver.exchange("renewaccesstoken", dated(200, token_until("two", minute(100)), minute(20)));
    let next = driver.send_by(minute(200)).unwrap();
    assert!(next.at >= minute(80), "and then the next one is due before the token ends");
}

#[test]
fn after_a_restart_with_a_clock_set_back_no_expired_token_is_returned() {
    // The snapshot was stored 79 minutes after the login. The clock shows the time of the login.
    let mut driver = Driver::new(user(1));
    driver.exchange("accesstokenrequest", dated(200, token_until("one", minute(80)), start()));
    driver.now = minute(79);
    let mut later = resumed(start(), driver.stored());
    let token = later.session.token(later.now).expect("a token");
    assert!(token.usable_until <= minute(1), "{}", token.usable_until);
    let renewal = later.send().expect("a renewal");
    assert!(is_renewal(Some(&renewal)));
    later.answer(&renewal, plain(401, "Expired Access Token"));
    assert_eq!(later.token(), None);
}

#[test]
fn without_a_date_the_servers_time_is_no_earlier_than_when_the_snapshot_was_written() {
    let mut driver = Driver::new(user(1));
    driver.exchange("accesstokenrequest", plain(200, token_until("one", minute(80))));
    driver.now = minute(79);
    let later = resumed(minute(-600), driver.stored());
    let usable = later.session.token(later.now).expect("a token").usable_until;
    assert!(usable <= minute(-599), "{usable}");
}

#[test]
fn programs_that_crash_again_and_again_confirm_the_token_once_in_a_quarter_of_an_hour() {
    let mut stored = stored_by_a_right_clock();
    let mut renewals = Vec::new();
    for seconds in (0..45 * 60).step_by(10) {
        let mut driver = Driver::new(user(seconds).with_store());
        driver.now = minute(12) + SignedDuration::from_secs(seconds.try_into().unwrap());
        driver.adopt(stored);
        // The program crashes after the request has left, so only the earlier snapshot remains.
        let sent = driver.send();
        renewals.extend(sent.iter().filter(|sent| is_renewal(Some(sent))).map(|sent| sent.at));
        stored = match sent {
            Some(_) => driver.store.session().expect("what is remembered is stored before the request leaves"),
            None => driver.stored(),
        };
    }
    assert_eq!(renewals.len(), 3, "{renewals:?}");
    assert!(renewals.windows(2).all(|pair| pair[1].duration_since(pair[0]) >= SignedDuration::from_mins(15)));
}

#[test]
fn a_refresh_token_is_kept_with_a_clock_that_is_days_ahead() {
    let text = r#"{"version":1,"owner":{"login":"https://live.tradovateapi.com/v1","app":"app"},
        "refresh":{"token":"rt","expiresAt":"2026-11-25T16:00:00Z","issuedAt":"2026-11-24T14:00:00Z"}}"#;
    let mut driver = Driver::new(Session::new(Environment::live(), Login::app(OAuthApp::new("app")), 1));
    driver.now = minute(60 * 24 * 3);
    driver.adopt(stored(text));
    let sent = driver.send().expect("the refresh token is presented");
    assert_eq!(sent.endpoint(), "oauthtoken");
    driver.answer(&sent, dated(200, r#"{"error":"invalid_grant"}"#, minute(60 * 24 * 3)));
    assert!(driver.send_by(minute(60 * 24 * 4)).is_none(), "the server's time says that it has ended");
}
