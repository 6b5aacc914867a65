//! The store of the user, in the directory that the environment names. Each test runs it in a process of its own, with
//! its own variables.

use std::env;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::*;

const MARK: &str = "TRADOVATE_AUTH_STORE_TEST_CHILD";

/// The directory of the user's store, or the error, in a process with these variables.
fn user_store(variables: &[(&str, &str)]) -> String {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "user::in_a_process_of_its_own", "--nocapture"])
        .env_remove("XDG_STATE_HOME")
        .env(MARK, "")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn in_a_process_of_its_own() {
    if env::var_os(MARK).is_some() {
        println!("{:?}", FileStore::user());
    }
}

#[test]
fn the_users_store_is_in_the_state_directory_and_closed_to_others() {
    let home = tempfile::tempdir().unwrap();
    let home_text = home.path().to_str().unwrap();
    let state = home.path().join("elsewhere");
    let cases = [
        (vec![("HOME", home_text)], home.path().join(".local/state/tradovate-auth")),
        (vec![("HOME", home_text), ("XDG_STATE_HOME", state.to_str().unwrap())], state.join("tradovate-auth")),
    ];
    for (variables, directory) in cases {
        for _ in 0..2 {
            let shown = user_store(&variables);
            assert!(shown.contains(&format!("Ok(FileStore {{ directory: {directory:?}")), "{shown}");
            assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o7777, 0o700);
        }
    }
}

#[test]
fn the_users_store_is_never_in_the_working_directory() {
    let shown = user_store(&[("HOME", "")]);
    assert!(shown.contains("there is no home directory") || shown.contains("directory: \"/"), "{shown}");
    let shown = user_store(&[("HOME", "relative")]);
    assert!(shown.contains("there is no home directory"), "{shown}");
}
