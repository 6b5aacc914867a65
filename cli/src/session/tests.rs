use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;
use tradovate_auth::jiff::SignedDuration;
use tradovate_auth::store::FileStore;
use tradovate_auth_simulator::{Server, Simulator};

use super::*;

const END: Timestamp = Timestamp::UNIX_EPOCH;

/// The session of a user of the simulator, in a new directory.
pub(crate) fn shared(server: &Server) -> (SharedSession, TempDir) {
    in_new_directory(false, [("TRADOVATE_API_URL", server.base_url()), (USERNAME, "synthetic-user".into())])
}

/// The session of an app, in a new directory. No server answers it.
pub(crate) fn shared_app() -> (SharedSession, TempDir) {
    in_new_directory(true, [("TRADOVATE_API_URL", "http://127.0.0.1:9/v1".into()), (CLIENT_ID, "an-app".into())])
}

fn in_new_directory<const N: usize>(is_app: bool, values: [(&'static str, String); N]) -> (SharedSession, TempDir) {
    let directory = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
    let mut variables = Variables::default();
    for (name, value) in values {
        variables.set(name, value);
    }
    let store = SelectedStore::File(FileStore::in_directory(&directory).unwrap());
    (SharedSession::of(store, is_app, &variables).unwrap(), directory)
}

/// A session whose token expires in so many minutes.
pub(crate) fn expiring_in(minutes: i64) -> StoredSession {
    let time = |minutes| (now() + SignedDuration::from_mins(minutes)).to_string();
    let access = json!({"token": "canary", "issuedAt": time(minutes - 80), "expiresAt": time(minutes)});
    let stored = json!({"version": 1, "writtenAt": time(minutes - 80), "userId": 1, "access": access});
    serde_json::from_value(stored).unwrap()
}

/// A session whose access token the server no longer knows, and whose refresh token is still stored.
pub(crate) fn only_refresh_token() -> StoredSession {
    let issued = now().to_string();
    let refresh = json!({"token": "canary", "issuedAt": issued});
    serde_json::from_value(json!({"version": 1, "writtenAt": issued, "refresh": refresh})).unwrap()
}

/// Stores a session as another process would.
pub(crate) fn store(session: &SharedSession, stored: &StoredSession) {
    let store = session.store.boxed();
    let lease = store.lease(&session.name, Duration::from_secs(60)).unwrap().unwrap();
    let known = store.load(&session.name).unwrap().map(|record| record.revision);
    store.save(&session.name, stored, known, lease).unwrap().unwrap();
    store.release(&session.name, lease).unwrap();
}

fn not_yet() -> TokenError {
    TokenError::NotYet { retry_after: Duration::from_secs(7), reason: None }
}

#[test]
fn only_a_session_that_ended_long_ago_can_surely_not_be_renewed() {
    let server = Simulator::builder().serve().unwrap();
    let (session, _directory) = shared(&server);
    let failure = || session.check_renewable().err().map(|error| error.to_string());
    assert_eq!(failure().unwrap(), "no session is stored: log in with `tradovate-auth login`");
    for minutes in [60, -14] {
        store(&session, &expiring_in(minutes));
        assert_eq!(failure(), None, "{minutes}");
    }
    store(&session, &expiring_in(-16));
    let failure = failure().unwrap();
    assert!(failure.starts_with("the token expired at 20") && failure.ends_with(LOGIN_ADVICE), "{failure}");
}

#[test]
fn the_wait_for_a_token_ends_early_if_no_token_can_come() {
    let (before, after) = (END - SignedDuration::from_secs(1), END + SignedDuration::from_secs(1));
    for (only_renews, is_lost, locked_until, expected) in [
        (false, false, None, false),
        (true, false, None, false),
        (false, true, None, false),
        (true, true, None, true),
        (false, false, Some(before), false),
        (false, false, Some(after), true),
    ] {
        assert_eq!(
            gives_up(only_renews, is_lost, locked_until, END),
            expected,
            "{only_renews} {is_lost} {locked_until:?}"
        );
    }
}

#[test]
fn a_user_without_a_token_learns_what_to_do() {
    let text = |only_renews, locked_until| explain(not_yet(), only_renews, locked_until).to_string();
    assert_eq!(text(false, None), "no token for another 7 s");
    assert_eq!(
        text(true, None),
        "no token for another 7 s; this process can only renew, because no variable has the password or `--no-login` is \
         given: log in with `tradovate-auth login`"
    );
    let locked = "the server locked out this network address: nothing is sent before 1970-01-01T00:00:00Z";
    assert_eq!((text(false, Some(END)), text(true, Some(END))), (locked.into(), locked.into()));
    let stopped = explain(TokenError::Stopped(tradovate_auth::StopReason::Forgotten), true, Some(END));
    assert!(stopped.is::<TokenError>(), "it decides the exit code: {stopped}");
}
