//! `shared` and `shared-async` as a user runs them: two programs, one login.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use super::{failure, run, server, stdout, variables};
use crate::support::site::example;
use tradovate_auth_simulator::{Endpoint, Side};

const SHARED: [&str; 2] = ["shared", "shared-async"];

fn run_with(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(example(name)).args(arguments).env_clear().envs(variables.iter().copied()).output().unwrap()
}

/// A directory that only its user can enter.
fn closed_directory() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

#[test]
fn programs_with_the_same_store_log_in_once() {
    let server = server(Side::Live);
    let (base_url, directory) = (server.base_url(), closed_directory());
    let store = format!("file:{}", directory.path().display());
    let start = |name| {
        let mut command = Command::new(example(name));
        command.args(["--store", &store, "--for", "4"]).env_clear().envs(variables(&base_url));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let outputs = SHARED.map(start).map(|process| process.wait_with_output().unwrap());
    let mut said: Vec<_> = outputs.iter().map(|output| stdout(output).split_once(' ').unwrap().1).collect();
    said.sort_unstable();
    assert!(said[0].starts_with("adopted a token") && said[1].starts_with("logged in"), "{said:?}");
    assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn the_session_is_kept_in_the_users_own_directory_and_sealed_with_a_key() {
    let server = server(Side::Live);
    let (base_url, home) = (server.base_url(), tempfile::tempdir().unwrap());
    let home = home.path().to_str().unwrap();
    let key = "0123456789abcdef".repeat(4);
    let mut with_key: Vec<_> = variables(&base_url).into();
    with_key.push(("HOME", home));
    let without_key = with_key.clone();
    with_key.push(("TRADOVATE_SEALING_KEY", &key));
    let output = run_with("shared", &["--for", "3"], &with_key);
    assert!(stdout(&output).contains("logged in"), "{output:?}");
    let output = run_with("shared-async", &["--store", "file", "--for", "1"], &with_key);
    assert!(stdout(&output).contains("adopted a token"), "{output:?}");
    let output = run_with("shared", &["--for", "1"], &without_key);
    assert!(stdout(&output).contains("the stored session is sealed"), "{output:?}");
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn refused_credentials_end_them_with_2_and_a_wrong_command_line_with_1() {
    let server = server(Side::Live);
    let (base_url, directory) = (server.base_url(), closed_directory());
    let store = format!("file:{}", directory.path().display());
    let mut wrong: Vec<_> = variables(&base_url).into();
    wrong.push(("TRADOVATE_PASSWORD", "wrong"));
    for name in SHARED {
        let output = run_with(name, &["--store", &store, "--for", "30"], &wrong);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        for arguments in [&["--store"][..], &["--store", "postgres://x"], &["--for", "ever"], &["--store", "file:"]] {
            let output = run_with(name, arguments, &wrong);
            assert!(failure(&output).starts_with("usage: "), "{output:?}");
        }
        assert!(failure(&run(name, [])).contains("TRADOVATE_"), "the variables are named");
    }
}

#[test]
fn refused_credentials_are_sent_once_however_often_the_program_starts_until_another_try_is_asked_for() {
    let server = server(Side::Live);
    let (base_url, directory) = (server.base_url(), closed_directory());
    let store = format!("file:{}", directory.path().display());
    let good: Vec<_> = variables(&base_url).into();
    let mut wrong = good.clone();
    wrong.push(("TRADOVATE_PASSWORD", "wrong"));
    for name in SHARED.into_iter().cycle().take(4) {
        let output = run_with(name, &["--store", &store, "--for", "30"], &wrong);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("Incorrect username or password"), "{stderr}");
    }
    assert_eq!(server.statistics().requests(Endpoint::AccessTokenRequest), 1);
    let corrected = run_with("shared", &["--store", &store, "--for", "3", "--another-try"], &good);
    assert!(corrected.status.success(), "{corrected:?}");
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn a_url_with_a_password_comes_from_a_variable_and_not_from_an_argument() {
    let server = server(Side::Live);
    let (base_url, directory) = (server.base_url(), closed_directory());
    let url = "redis://:canary-redis-password@127.0.0.1:1/";
    let store = format!("file:{}", directory.path().display());
    let at = |store| variables(&base_url).into_iter().chain([("TRADOVATE_STORE", store)]).collect::<Vec<_>>();
    for name in SHARED {
        let refused = run_with(name, &["--store", url, "--for", "1"], &variables(&base_url));
        assert!(failure(&refused).contains("set TRADOVATE_STORE to it instead"), "{refused:?}");

        // Nobody listens there, so there is no token.
        let accepted = run_with(name, &["--for", "1"], &at(url));
        assert!(stdout(&accepted).contains("the shared store can't be used: "), "{accepted:?}");
        assert!(failure(&accepted).starts_with("no token for another "), "{accepted:?}");
        for output in [refused, accepted] {
            assert!(!String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).contains("canary"));
        }

        let output = run_with(name, &["--for", "2"], &at(&store));
        assert!(output.status.success(), "{output:?}");
        assert!(failure(&run_with(name, &[], &at("postgres://x"))).starts_with("usage: "));
    }
    assert_eq!(server.statistics().logins, 1);
}
