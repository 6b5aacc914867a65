//! From the snapshot of another owner, a session takes over only the limits of the network address.

use tradovate_auth_core::{BaseUrl, ClientSecret};
use tradovate_auth_session::{MayLogIn, OwnerMismatch, Revision, StoredRecord};

use super::*;
use crate::store::load;

fn user(environment: Environment, name: &str) -> Session {
    Session::new(environment, Credentials::new(name, "password"), 7)
}

fn of_app(client: &str, key: Option<&str>) -> Session {
    let session = Session::new(Environment::live(), Login::app(OAuthApp::new(client)), 7);
    match key {
        Some(key) => session.with_user_key(key),
        None => session,
    }
}

fn custom(base: &str) -> Environment {
    Environment::custom(BaseUrl::parse(base).unwrap())
}

/// A snapshot of a session with a token, hosts and everything else that a login brings.
fn snapshot(session: Session) -> Value {
    let mut program = Program::new(session);
    let fields = r#","mdAccessToken":"market","passwordExpirationTime":"2026-11-29T00:00:00Z","apiHosts":{"demo":"acme.ninjatrader.com"}"#;
    program.run(minutes(1), |sent| {
        if sent.is_login() { token_with("theirs", 200, fields) } else { refreshed("theirs", "theirs-too") }
    });
    assert_eq!(program.token().as_deref(), Some("theirs"));
    program.snapshot()
}

fn snapshot_of_app(client: &str, key: Option<&str>) -> Value {
    let session =
        Session::new(Environment::live(), Login::refresh_token(OAuthApp::new(client), RefreshToken::new("rt-0")), 7);
    snapshot(match key {
        Some(key) => session.with_user_key(key),
        None => session,
    })
}

/// The program at minute 2, with this snapshot.
fn with(session: Session, snapshot: &Value) -> Program {
    let mut program = Program::starting_at(start() + minutes(2), session);
    program.adopt(snapshot);
    program
}

fn mismatch(program: &Program) -> Option<OwnerMismatch> {
    program.events.iter().find_map(|event| match event {
        EventKind::SnapshotNotUsed { mismatch } => Some(*mismatch),
        _ => None,
    })
}

#[test]
fn a_snapshot_of_another_user_host_or_app_is_not_used() {
    let demo = || snapshot(trader());
    let cases = vec![
        (demo(), user(Environment::demo(), "somebody"), OwnerMismatch::LoginName),
        (demo(), user(Environment::live(), "trader"), OwnerMismatch::LoginHost),
        (demo(), user(custom("http://127.0.0.1:8080/v1"), "trader"), OwnerMismatch::LoginHost),
        (snapshot(user(Environment::live(), "client")), of_app("client", None), OwnerMismatch::LoginName),
        (snapshot_of_app("client", None), user(Environment::live(), "client"), OwnerMismatch::LoginName),
        (snapshot_of_app("client", None), of_app("another", None), OwnerMismatch::ClientId),
        (snapshot_of_app("client", Some("7")), of_app("client", Some("8")), OwnerMismatch::UserKey),
        (snapshot_of_app("client", Some("7")), of_app("client", None), OwnerMismatch::UserKey),
        (snapshot_of_app("client", None), of_app("client", Some("7")), OwnerMismatch::UserKey),
    ];
    for (snapshot, session, expected) in cases {
        let mut program = with(session, &snapshot);
        assert_eq!(mismatch(&program), Some(expected), "{snapshot}");
        assert_eq!(program.token(), None, "{snapshot}");
        let sent = program.run(seconds(1), |sent| {
            assert!(sent.is_login(), "{sent:?}");
            assert_ne!(sent.host, "acme.ninjatrader.com");
            token("own", 200)
        });
        match program.stop_reason() {
            // An app without a refresh token of its own.
            Some(StopReason::ConsentRequired) => assert!(sent.is_empty()),
            None => assert_eq!(program.token().as_deref(), Some("own")),
            other => panic!("{other:?}"),
        }
        let own = program.snapshot().to_string();
        assert!(!own.contains("theirs"), "{own}");
    }
}

#[test]
fn a_snapshot_of_the_same_owner_is_used() {
    let hosts_differ = Environment::evaluation();
    for (snapshot, session) in [
        (snapshot(trader()), trader()),
        (snapshot(trader()), Session::new(Environment::demo(), Credentials::new("trader", "another password"), 9)),
        (snapshot(user(Environment::live(), "trader")), user(hosts_differ, "trader")),
        (snapshot_of_app("client", Some("7")), of_app("client", Some("7"))),
        (snapshot_of_app("client", None), {
            let app = OAuthApp::new("client").with_client_secret(ClientSecret::new("corrected"));
            Session::new(Environment::live(), Login::app(app), 7)
        }),
    ] {
        let program = with(session, &snapshot);
        assert_eq!((mismatch(&program), program.token().as_deref()), (None, Some("theirs")), "{snapshot}");
    }
}

#[test]
fn a_snapshot_without_an_owner_is_not_used() {
    let mut snapshot = snapshot(trader());
    assert_eq!(snapshot["owner"], serde_json::json!({"login": "https://demo.tradovateapi.com/v1", "user": "trader"}));
    snapshot.as_object_mut().unwrap().remove("owner");
    let program = with(trader(), &snapshot);
    assert_eq!((mismatch(&program), program.token()), (Some(OwnerMismatch::Unknown), None));
    assert!(
        program.log().contains("the session uses no token of the stored session: the snapshot names no owner"),
        "{}",
        program.log()
    );
}

#[test]
fn the_owner_in_a_snapshot_contains_no_secret() {
    let app = OAuthApp::new("client").with_client_secret(ClientSecret::new("canary"));
    let app = Session::new(Environment::live(), Login::app(app), 7).with_user_key("7");
    let owner = Program::new(app).snapshot()["owner"].clone();
    assert_eq!(owner, serde_json::json!({"login": "https://live.tradovateapi.com/v1", "app": "client", "key": "7"}));
    let user = Session::new(Environment::demo(), Credentials::new("trader", "canary"), 7);
    assert!(!Program::new(user).snapshot().to_string().contains("canary"));
}

#[test]
fn a_lock_out_is_taken_over_from_every_owners_snapshot() {
    for body in [status(429, ""), ok(r#"{"p-captcha":true}"#)] {
        let mut answers = vec![body];
        let mut program = Program::user();
        program.run(minutes(1), |_| answers.pop().unwrap());
        let mut program = with(user(Environment::live(), "somebody"), &program.snapshot());
        assert_eq!(mismatch(&program), Some(OwnerMismatch::LoginHost));
        assert!(program.run_to(start() + minutes(60), |_| panic!("too soon")).is_empty());
        program.run(minutes(2), |_| token("own", 200));
        assert_eq!(program.token().as_deref(), Some("own"));
    }
}

#[test]
fn working_credentials_of_another_owner_give_refused_credentials_no_further_try() {
    let mut program = with(user(Environment::demo(), "somebody"), &snapshot(trader()));
    let sent = program.run(minutes(300), |_| ok(WRONG_PASSWORD));
    assert_eq!(sent.len(), 1, "they never worked, so there is no second try");
}

#[test]
fn reminders_pauses_and_kicks_of_another_owner_are_not_taken_over() {
    let theirs = snapshot(trader());
    assert!(theirs.get("passwordExpiresAt").is_some());
    let mut program = with(user(Environment::demo(), "somebody"), &theirs);
    program.run(minutes(1), |_| token("own", 200));
    assert!(!program.log().contains("password"), "{}", program.log());
    // Logins of unknown outcome delay only logins of the same user.
    let mut unlucky = Program::user();
    unlucky.run(minutes(5), |_| status(500, ""));
    let mut program = Program::starting_at(unlucky.now, user(Environment::demo(), "somebody"));
    program.adopt(&unlucky.snapshot());
    assert_eq!(program.run(seconds(1), |_| token("own", 200)).len(), 1);
}

#[test]
fn a_running_session_does_not_adopt_a_snapshot_of_another_owner() {
    let mut program = Program::user();
    program.run(minutes(1), |_| token("own", 90));
    let mut other = Program::starting_at(start() + minutes(1), user(Environment::live(), "trader"));
    other.run(minutes(1), |_| token("theirs", 300));
    program.run(minutes(2), |_| panic!("nothing is sent"));
    program.adopt(&other.snapshot());
    assert_eq!(program.token().as_deref(), Some("own"));
    let stored: StoredSession = serde_json::from_value(other.snapshot()).unwrap();
    let record = StoredRecord { revision: Revision(1), age: None, place: String::new(), session: Ok(stored) };
    program.session = program.session.with_shared_store(MayLogIn::WhenNeeded);
    load(&mut program.session, program.now, &mut program.budget, record);
    assert_eq!(program.token().as_deref(), Some("own"));
}

#[test]
fn other_credentials_change_the_owner() {
    let mut program = Program::user();
    program.run(minutes(1), |_| token("own", 200));
    program.session.replace_credentials(Credentials::new("somebody", "password"));
    assert_eq!(program.snapshot()["owner"]["user"], "somebody");
    let program = with(trader(), &program.snapshot());
    assert_eq!(mismatch(&program), Some(OwnerMismatch::LoginName));
}
