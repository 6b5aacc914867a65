//! Tests of the exit codes, on which scripts and services depend.

use std::time::{Duration, Instant};

use tradovate_auth_simulator::{LockOut, Simulator};

use crate::support::{User, run, user, user_of};

fn status(user: &User) -> (i32, String) {
    let status = run(&mut user.program(&["status", "--json"]));
    let state = status.stdout.split_once(r#""state":""#).and_then(|(_, rest)| rest.split_once('"'));
    (status.code, state.map_or(status.stderr, |(state, _)| state.into()))
}

pub(crate) fn the_exit_code_of_status_tells_the_state() {
    let user = user_of(Simulator::builder().lifetime(Duration::from_secs(2)));
    assert_eq!(status(&user), (5, "nothing-stored".into()));
    user.token();
    assert_eq!(status(&user), (0, "good".into()));
    let begun = Instant::now();
    while status(&user).0 == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    assert_eq!(status(&user), (3, "expired".into()));
    user.server.lock_out(LockOut::too_many_requests());
    assert_eq!(run(&mut user.program(&["token"])).code, 1);
    assert_eq!(status(&user), (4, "locked".into()));
    let text = run(&mut user.program(&["status"])).stdout;
    assert!(text.contains("\nlocked until:      20") && text.contains("\nnext change at:    20"), "{text}");
    assert!(!text.contains("null") && !text.contains("purposes"), "only what is known is shown: {text}");
}

pub(crate) fn the_status_command_reports_that_the_session_has_stopped() {
    let user = user();
    assert_eq!(run(user.program(&["token"]).env("TRADOVATE_PASSWORD", "mistyped")).code, 2);
    assert_eq!(status(&user), (2, "stopped".into()));
    let text = run(&mut user.program(&["status"])).stdout;
    assert!(text.contains("\nstopped:           the server refused these credentials at "), "{text}");
}

pub(crate) fn the_status_command_reports_a_postponed_login_and_sends_nothing() {
    let user = user();
    user.server.penalize_next(Duration::from_secs(60));
    let token = run(&mut user.program(&["token", "--timeout", "3"]));
    assert_eq!(token.code, 1);
    assert!(token.stderr.starts_with("no token for another "), "{}", token.stderr);
    let text = run(&mut user.program(&["status"])).stdout;
    assert!(text.contains("\npostponed:         login until "), "{text}");
    assert_eq!(user.logins(), 1);
}

pub(crate) fn wrong_arguments_exit_with_one_and_help_with_zero() {
    let user = user();
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["completions", "bash"], 0),
        (&["forget"], 0),
        (&["token", "--store", "nowhere"], 1),
        (&["token", "--store", "file:/does/not/exist"], 1),
        (&["token", "--key-file", "/does/not/exist"], 1),
        (&["token", "--password", "x"], 1),
        (&["token", "--header", "--json"], 1),
        (&["rejected", "--status", "9999"], 1),
        (&["rejected"], 1),
        (&["frobnicate"], 1),
        (&[], 1),
    ] {
        let ran = run(&mut user.program(arguments));
        assert_eq!((ran.code, ran.stderr.is_empty()), (code, code == 0 && arguments != ["forget"]), "{arguments:?}");
    }
    for arguments in [["token"], ["keep"]] {
        let ran = run(&mut user.without_variables(&arguments));
        assert_eq!(ran.code, 1);
        assert!(ran.stderr.starts_with("no login is stored"), "{}", ran.stderr);
    }
    let login = run(user.program(&["login"]).env_remove("TRADOVATE_PASSWORD"));
    assert_eq!(login.code, 1);
    assert!(login.stderr.starts_with("not set: TRADOVATE_PASSWORD; "), "{}", login.stderr);
    let twice = run(user.program(&["token"]).env("TRADOVATE_PASSWORD_FILE", "/does/not/exist"));
    assert_eq!(twice.stderr, "TRADOVATE_PASSWORD and TRADOVATE_PASSWORD_FILE are both set: unset one of them\n");
    assert_eq!(user.logins(), 0);
}
