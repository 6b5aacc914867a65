//! Tests of the example `shared-by-hand` as a user runs it: two programs share one login.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use tradovate_auth_simulator::Side;

use super::{failure, run, run_with, server, stdout, variables};
use crate::support::site::{Program, example};

#[test]
fn two_programs_that_drive_their_sessions_by_hand_log_in_once() {
    let server = server(Side::Live);
    let directory = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
    let (base_url, directory) = (server.base_url(), directory.path().to_str().unwrap());
    let start = |()| Program::start(Command::new(example("shared-by-hand")), &[directory], variables(&base_url));
    let outputs = [(), ()].map(start).map(Program::end);
    for output in &outputs {
        assert!(output.status.success() && stdout(output).contains("the token is good until"), "{output:?}");
    }
    assert_eq!(outputs.iter().filter(|output| stdout(output).contains("logged in")).count(), 1, "{outputs:?}");
    assert_eq!(server.statistics().logins, 1);
}

#[test]
fn wrong_arguments_of_shared_by_hand_are_explained_in_one_sentence() {
    assert!(failure(&run("shared-by-hand", variables("http://127.0.0.1:1/v1"))).starts_with("usage: "));
    let gone = run_with("shared-by-hand", &["/nowhere/at all"], variables("http://127.0.0.1:1/v1"));
    assert!(failure(&gone).starts_with("the directory of the store does not exist"), "{gone:?}");
}
