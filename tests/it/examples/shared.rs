//! Tests of the examples `shared` and `shared-async` as a user runs them: two programs share one login.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::{failure, run_with, server, stdout, stdout_of, variables};
use crate::support::site::{Program, example};
use tradovate_auth_simulator::{Endpoint, Server, Side};

const SHARED: [&str; 2] = ["shared", "shared-async"];

/// A server, a directory that only its user can access, and the argument that selects a store in it.
fn world() -> (Server, tempfile::TempDir, String) {
    let directory = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
    let store = format!("file:{}", directory.path().display());
    (server(Side::Live), directory, store)
}

#[test]
fn two_programs_with_the_same_store_log_in_once() {
    let (server, _directory, store) = world();
    let base_url = server.base_url();
    let arguments = ["--store", &store, "--for", "4"];
    let start = |name| Program::start(Command::new(example(name)), &arguments, variables(&base_url));
    let outputs = SHARED.map(start).map(Program::end);
    let mut printed: Vec<_> = outputs.iter().map(|output| stdout(output).split_once(' ').unwrap().1).collect();
    printed.sort_unstable();
    assert!(printed[0].starts_with("adopted a token") && printed[1].starts_with("logged in"), "{printed:?}");
    assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn the_session_is_stored_in_the_users_directory_and_sealed_with_a_key() {
    let (server, home, _) = world();
    let (base_url, home) = (server.base_url(), home.path().to_str().unwrap());
    let key = "0123456789abcdef".repeat(4);
    let without_key = || variables(&base_url).into_iter().chain([("HOME", home)]);
    let with_key = || without_key().chain([("TRADOVATE_SEALING_KEY", key.as_str())]);
    let printed = stdout_of("shared", &["--for", "3"], with_key());
    assert!(printed.contains("logged in"), "{printed}");
    let printed = stdout_of("shared-async", &["--store", "file", "--for", "1"], with_key());
    assert!(printed.contains("adopted a token"), "{printed}");
    let output = run_with("shared", &["--for", "1"], without_key());
    assert!(stdout(&output).contains("the stored session is sealed"), "{output:?}");
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn refused_credentials_are_not_sent_again_until_another_try() {
    let (server, _directory, store) = world();
    let base_url = server.base_url();
    for name in SHARED.into_iter().cycle().take(4) {
        let wrong = variables(&base_url).into_iter().chain([("TRADOVATE_PASSWORD", "wrong")]);
        let output = run_with(name, &["--store", &store, "--for", "30"], wrong);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("Incorrect username or password"), "{stderr}");
    }
    assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1);
    stdout_of("shared", &["--store", &store, "--for", "3", "--another-try"], variables(&base_url));
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn a_url_with_a_password_is_accepted_from_a_variable_and_refused_as_an_argument() {
    let (server, _directory, store) = world();
    let base_url = server.base_url();
    let url = "redis://:canary-redis-password@127.0.0.1:1/";
    let at = |store| variables(&base_url).into_iter().chain([("TRADOVATE_STORE", store)]);
    for name in SHARED {
        let refused = run_with(name, &["--store", url, "--for", "1"], variables(&base_url));
        assert!(failure(&refused).contains("set TRADOVATE_STORE to the URL instead"), "{refused:?}");
        // No Redis listens there, so there is no token.
        let accepted = run_with(name, &["--for", "1"], at(url));
        assert!(stdout(&accepted).contains("the store can't be reached: "), "{accepted:?}");
        assert!(failure(&accepted).starts_with("no token for another "), "{accepted:?}");
        for output in [refused, accepted] {
            assert!(!String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).contains("canary"));
        }
        stdout_of(name, &["--for", "2"], at(&store));
    }
    assert_eq!(server.statistics().logins, 1);
}
