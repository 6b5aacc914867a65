//! The fuzz target for snapshots of sessions and of logins in progress.

use jiff::Timestamp;
use tradovate_auth_core::{Credentials, Environment, OAuthApp, PendingAuthorization, StoredAuthorization};
use tradovate_auth_session::{Login, RateBudget, Session, StoredSession};

/// Reads the input as a JSON snapshot.
pub fn snapshots(input: &[u8]) {
    match serde_json::from_slice::<StoredSession>(input) {
        Ok(stored) => resume(&stored),
        Err(error) => drop(error.to_string()),
    }
    match serde_json::from_slice::<StoredAuthorization>(input) {
        Ok(stored) => {
            let written = serde_json::to_string(&stored).expect("what was read can be written");
            let again: StoredAuthorization = serde_json::from_str(&written).expect("what was written can be read");
            assert_eq!(serde_json::to_string(&again).expect("a snapshot"), written);
            let mut pending = PendingAuthorization::from(stored);
            assert!(pending.redirected_query("code=a&state=").is_err());
            assert!(pending.redirected_query("code=a").is_err());
        }
        Err(error) => drop(error.to_string()),
    }
}

fn resume(stored: &StoredSession) {
    let now: Timestamp = "2026-11-24T14:20:30Z".parse().expect("a time");
    let written = serde_json::to_string(stored).expect("what was read can be written");
    let again: StoredSession = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(serde_json::to_string(&again).expect("a snapshot"), written);
    for mut session in [
        Session::new(Environment::demo(), Credentials::new("trader", "password"), 7),
        Session::new(Environment::live(), Login::app(OAuthApp::new("app")), 7),
    ] {
        let mut budget = RateBudget::default();
        session.adopt(now, stored.clone(), &mut budget);
        if let Some(token) = session.token(now) {
            assert!(token.usable_until > now);
        }
        drop(session.poll(now, &mut budget));
        drop(serde_json::to_string(&session.snapshot(now, &budget)).expect("a snapshot"));
    }
}
