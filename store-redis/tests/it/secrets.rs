//! Passwords, the rights of Redis users, and what error messages show.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use tradovate_auth_session::StoreError;
use tradovate_auth_session::StoreErrorKind::Misconfigured;
use tradovate_auth_store_redis::RedisStore;

use crate::helpers::LONG;
use crate::party::{Form, Party, assert_says};
use crate::server::Server;

const CANARY: &str = "canary-password";

fn url(server: &Server, login: &str) -> String {
    format!("redis://{login}@127.0.0.1:{}/", server.port())
}

/// Sets the rights of the user `app`, whose password is `secret`.
fn set_rights(server: &Server, rights: &str) {
    let rights: Vec<_> = rights.split_ascii_whitespace().collect();
    redis::cmd("ACL")
        .arg("SETUSER")
        .arg("app")
        .arg("reset")
        .arg("on")
        .arg(">secret")
        .arg(&rights)
        .exec(&mut server.raw())
        .unwrap();
}

/// The debug output of the store, and the errors of all operations.
fn said(party: &Party) -> String {
    let mut said = format!("{:?} {:#?}", party.store, party.store);
    let errors =
        [party.load().err(), party.lease(LONG).err(), party.changed(None, Duration::ZERO).err()].into_iter().flatten();
    for error in errors {
        let _ = write!(said, "{error} {error:?} {error:#?}");
    }
    said
}

pub(crate) fn a_password_is_used_and_never_shown(form: Form) {
    let mut server = Server::start_with(|_| ["--requirepass", CANARY].map(str::to_owned).to_vec());
    let party = form.party(&url(&server, &format!(":{CANARY}")));
    party.saved(1, None);
    let wrong = form.party(&url(&server, &format!(":wrong-{CANARY}")));
    assert!(said(&wrong).contains("refused the login"));
    assert!(!said(&wrong).contains("canary"), "{}", said(&wrong));
    server.stop();
    assert!(said(&party).contains("can't be reached"));
    assert!(!said(&party).contains("canary"), "{}", said(&party));
}

pub(crate) fn a_wrong_or_missing_password_is_an_error(form: Form) {
    let server = Server::start_with(|_| ["--requirepass", CANARY].map(str::to_owned).to_vec());
    for url in [server.url(), url(&server, ":wrong"), url(&server, "nobody:wrong")] {
        let party = form.party(&url);
        for error in party.errors() {
            assert_says(&error, Misconfigured, "refused the login");
        }
    }
}

/// The rights of the command in `docs/sharing.md`.
fn documented_rights() -> &'static str {
    let page = include_str!("../../../docs/sharing.md");
    let (_, command) = page.split_once("ACL SETUSER app on >secret ").expect("the page has the command");
    command.lines().next().unwrap()
}

/// A server that only the user `app` can use.
pub(crate) fn server_with_least_rights() -> Server {
    let server = Server::start();
    set_rights(&server, documented_rights());
    redis::cmd("ACL").arg("SETUSER").arg("default").arg("off").exec(&mut server.raw()).unwrap();
    server
}

/// The URL for the user `app`, whose rights [`set_rights`] sets.
pub(crate) fn url_of_app(server: &Server) -> String {
    url(server, "app:secret")
}

/// Rights whose lack causes no error: a connection that is no longer needed is closed without them too. Redis then logs
/// a denied command.
const NOT_MISSED: [&str; 2] = ["+unsubscribe", "+punsubscribe"];

pub(crate) fn a_user_that_lacks_a_right_gets_an_error_that_lists_the_rights(form: Form) {
    let server = Server::start();
    let rights: Vec<_> = documented_rights().split_ascii_whitespace().collect();
    assert!(rights.len() > 10);
    for &right in rights.iter().filter(|right| !NOT_MISSED.contains(right)) {
        // To the blocking form, a refused `PING` shows that the connection works.
        let (database, quiet) = match (right, form) {
            ("+ping", Form::Blocking) => continue,
            ("+ping", Form::Async) => ("", Duration::from_millis(1500)),
            ("+select", _) => ("1", Duration::ZERO),
            _ => ("", Duration::ZERO),
        };
        let others: Vec<_> = rights.iter().copied().filter(|other| *other != right).collect();
        set_rights(&server, &others.join(" "));
        server.flush();
        redis::cmd("SCRIPT").arg("FLUSH").exec(&mut server.raw()).unwrap();
        let party = form.party(&format!("{}{database}", url_of_app(&server)));
        let error = use_all(&party, quiet).expect_err(right);
        assert_says(&error, Misconfigured, &format!("`ACL SETUSER name {}`", documented_rights()));
        set_rights(&server, documented_rights());
        server.flush();
        use_all(&party, quiet).expect(right);
    }
}

/// Calls all operations. Waits for a change for the time `quiet`.
fn use_all(party: &Party, quiet: Duration) -> Result<(), StoreError> {
    let lease = party.lease(LONG)?.expect("nobody else has it");
    let saved = party.save(1, None, lease)?;
    party.load()?;
    party.release(lease)?;
    party.changed(saved, quiet)
}

pub(crate) fn a_user_without_rights_gets_an_error(form: Form) {
    let server = Server::start();
    set_rights(&server, "~* resetchannels +@all");
    let party = form.party(&url(&server, "app:secret"));
    let error = party.changed(None, LONG).unwrap_err();
    assert_says(&error, Misconfigured, "does not allow its user");
    set_rights(&server, "~* allchannels +@all -evalsha");
    let error = party.load().unwrap_err();
    assert_says(&error, Misconfigured, "does not allow its user");
}

/// The server refuses each command, and repeats it in the error as Redis does.
pub(crate) fn a_command_that_a_server_repeats_is_not_printed(form: Form) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut received = [0; 4096];
                while stream.read(&mut received).is_ok_and(|length| length > 0) {
                    let refusal = format!("-ERR unknown command 'X', with args beginning with: '{CANARY}' \r\n");
                    if stream.write_all(refusal.repeat(8).as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    let party = form.party_of(RedisStore::new(&format!("redis://:{CANARY}@127.0.0.1:{port}/")).unwrap());
    let said = said(&party);
    assert!(!said.contains("canary"), "{said}");
}
