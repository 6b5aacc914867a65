//! Facts are forgotten as soon as they no longer matter, and not earlier.

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::{Credentials, Environment, OAuthApp, RefreshToken};
use tradovate_auth_session::{Login, Session, SessionSet, SetAction};

use crate::driver::{Driver, minute, plain, start, stored, token_until, user};

type Set = SessionSet<String>;

fn trader(seed: u64) -> Session {
    Session::new(Environment::demo(), Credentials::new("trader", "password"), seed)
}

/// Polls a set until it waits, and answers each request with this status and body. Returns the number of requests.
fn run(set: &mut Set, now: Timestamp, status: u16, body: &str) -> usize {
    let mut requests = 0;
    loop {
        match set.poll(now) {
            SetAction::Send { session, id, .. } => {
                requests += 1;
                set.receive(now, session, id, plain(status, body));
            }
            SetAction::Wait { until } => {
                assert!(until > now);
                return requests;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_set_drops_a_network_without_sessions_and_limits() {
    let mut set = Set::new();
    let networks: Vec<_> = (0..100).map(|number| format!("network {number}")).collect();
    for (network, seed) in networks.iter().zip(0..) {
        let key = set.insert(network.clone(), trader(seed));
        assert_eq!(run(&mut set, start(), 200, &token_until("one", minute(80))), 1);
        set.remove(key);
    }
    set.poll(minute(59));
    let is_kept = |network| set.budget(network).is_some();
    assert!(networks.iter().all(is_kept), "a login counts for an hour as a request without a bearer token");
    set.poll(minute(61));
    assert!(networks.iter().all(|network| set.budget(network).is_none()));
    assert!(matches!(set.poll(minute(61)), SetAction::Wait { until } if until == Timestamp::MAX));
}

#[test]
fn a_set_keeps_the_lock_out_of_a_network_without_sessions_until_it_is_over() {
    let mut set = Set::new();
    let key = set.insert("office".into(), trader(1));
    run(&mut set, start(), 429, "");
    let until = set.budget(&"office".into()).unwrap().locked_until(start()).unwrap();
    set.remove(key);
    set.poll(until - SignedDuration::from_secs(1));
    assert_eq!(set.budget(&"office".into()).unwrap().locked_until(start()), Some(until));

    let key = set.insert("office".into(), trader(2));
    assert_eq!(run(&mut set, until - SignedDuration::from_secs(1), 503, ""), 0, "the lock-out still holds");
    set.remove(key);
    set.poll(until);
    assert!(set.budget(&"office".into()).is_none());
    let key = set.insert("office".into(), trader(3));
    assert_eq!(run(&mut set, until, 200, &token_until("one", minute(200))), 1);
    assert!(set.get(key).unwrap().token(until).is_some());
}

#[test]
fn a_set_keeps_the_counted_requests_and_the_captcha_of_a_network_without_sessions_for_their_hour() {
    for body in [r#"{"errorText":"Incorrect username or password."}"#, r#"{"p-captcha":true}"#] {
        let mut set = Set::new();
        let key = set.insert("office".into(), trader(1));
        let SetAction::Send { session, id, .. } = set.poll(start()) else { panic!("nothing is sent") };
        set.receive(start(), session, id, plain(200, body));
        set.remove(key);
        set.poll(minute(59));
        assert!(set.budget(&"office".into()).is_some(), "{body}");
        set.poll(minute(61));
        assert!(set.budget(&"office".into()).is_none(), "{body}");
    }
}

#[test]
fn the_events_of_a_removed_session_are_gone() {
    let mut set = Set::new();
    let key = set.insert("office".into(), trader(1));
    run(&mut set, start(), 200, &token_until("one", minute(80)));
    set.remove(key);
    assert!(set.next_event().is_none());
}

const REFUSED: &str = r#"{"version":1,"owner":{"login":"https://live.tradovateapi.com/v1","app":"app"},
        "refusedRefreshTokens":{"0a":"2026-11-24T15:00:00Z","0b":"2026-11-24T16:00:00Z"}}"#;

#[test]
fn the_fingerprint_of_a_refused_refresh_token_is_forgotten_when_it_may_be_presented_again() {
    let app = Session::new(Environment::live(), Login::refresh_token(OAuthApp::new("app"), RefreshToken::new("rt")), 1);
    let mut driver = Driver::new(app);
    driver.adopt(stored(REFUSED));
    let refused = |driver: &Driver| -> Vec<String> {
        let stored = serde_json::to_value(driver.stored()).unwrap();
        let refused = stored["refusedRefreshTokens"].as_object().map(|refused| refused.keys().cloned().collect());
        refused.unwrap_or_default()
    };
    assert_eq!(refused(&driver), ["0a", "0b"]);
    driver.now = minute(60);
    assert_eq!(refused(&driver), ["0b"]);
    driver.now = minute(120);
    assert!(refused(&driver).is_empty());
    driver.adopt(stored(REFUSED));
    assert!(refused(&driver).is_empty(), "what has ended is not learnt again");
}

fn reminders(driver: &mut Driver) -> Vec<String> {
    let events = driver.events().into_iter().map(|event| event.to_string());
    events.filter(|text| text.contains("password")).collect()
}

#[test]
fn an_expired_password_is_reported_as_expired() {
    let mut driver = Driver::new(user(1));
    let body = r#"{"accessToken":"one","expirationTime":"2026-11-24T15:20:00Z",
        "passwordExpirationTime":"2026-11-24T13:00:00Z"}"#;
    driver.exchange("accesstokenrequest", plain(200, body));
    driver.send();
    assert_eq!(
        reminders(&mut driver),
        [
            "the password expired at 2026-11-24T13:00:00Z: the token stays valid, but the next login needs a new password; set one at the vendor, and give it to the program"
        ]
    );
    driver.now = minute(1);
    driver.send();
    assert!(reminders(&mut driver).is_empty(), "once");
}

//= R-TIME-3
#[test]
fn a_session_reminds_14_7_and_1_days_before_the_password_expires() {
    let mut driver = Driver::new(user(1));
    let body = r#"{"accessToken":"one","expirationTime":"2027-11-24T15:20:00Z",
        "passwordExpirationTime":"2026-12-04T14:00:00Z"}"#;
    driver.exchange("accesstokenrequest", plain(200, body));
    assert!(driver.send_by(start() + SignedDuration::from_hours(24 * 20)).is_none());
    assert_eq!(
        reminders(&mut driver),
        [
            "the password expires within 14 days, at 2026-12-04T14:00:00Z: set a new one at the vendor before then, and give it to the program",
            "the password expires within 7 days, at 2026-12-04T14:00:00Z: set a new one at the vendor before then, and give it to the program",
            "the password expires within 1 day, at 2026-12-04T14:00:00Z: set a new one at the vendor before then, and give it to the program",
            "the password expired at 2026-12-04T14:00:00Z: the token stays valid, but the next login needs a new password; set one at the vendor, and give it to the program",
        ]
    );
}
