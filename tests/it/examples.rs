//! The examples as a user runs them: what they print, and how they exit.

mod manual_loop;
mod oauth_login;
mod quickstart;
mod shared;
mod sources;
mod web_server;

use std::process::{Command, Output};

use tradovate_auth_simulator::{Endpoint, LockOut, Server, Side, Simulator};

use crate::support::site::example;
use crate::support::{LOGGED_IN, Peer, response};

const QUICKSTARTS: [&str; 2] = ["quickstart", "quickstart-async"];
const ALL: [&str; 3] = ["quickstart", "quickstart-async", "bring-your-own-client"];

/// Runs an example with nothing in its environment but these variables.
fn run<'v>(name: &str, variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Output {
    Command::new(example(name)).env_clear().envs(variables).output().unwrap()
}

/// The variables of a server at this base URL, with a canary in each secret.
fn variables(base_url: &str) -> [(&'static str, &str); 8] {
    [
        ("TRADOVATE_API_URL", base_url),
        ("TRADOVATE_USERNAME", "trader"),
        ("TRADOVATE_PASSWORD", "canary-password"),
        ("TRADOVATE_APP_ID", "Sample App"),
        ("TRADOVATE_APP_VERSION", "1.0"),
        ("TRADOVATE_CID", "8"),
        ("TRADOVATE_SEC", "canary-api-secret"),
        ("TRADOVATE_DEVICE_ID", "device"),
    ]
}

/// Runs an example against a simulator that accepts these variables.
fn run_at(server: &Server, name: &str) -> Output {
    run(name, variables(&server.base_url()))
}

fn server(side: Side) -> Server {
    let user = tradovate_auth_simulator::User::new("trader", "canary-password");
    let app = tradovate_auth_simulator::App::new("Sample App", "8", "canary-api-secret");
    Simulator::builder().user(user).app(app).side(side).serve().unwrap()
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

/// The one sentence of a failed example.
fn failure(output: &Output) -> &str {
    let stderr = str::from_utf8(&output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr.trim_end()
}

#[test]
fn without_credentials_they_run_on_a_simulator_and_say_so() {
    for name in ALL {
        let output = run(name, []);
        assert!(output.status.success(), "{output:?}");
        assert!(stdout(&output).starts_with("TRADOVATE_USERNAME is not set, so the server is a simulator at http"));
        assert!(stdout(&output).contains("the token expires at 2"), "{output:?}");
        assert_eq!(stdout(&output).contains("renewed: "), name == "bring-your-own-client", "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn with_credentials_they_log_in_once() {
    for name in ALL {
        let server = server(Side::Live);
        let output = run_at(&server, name);
        assert!(output.status.success(), "{output:?}");
        assert!(stdout(&output).contains("logged in as trader"), "{output:?}");
        // A token source renews when it has to, and only then.
        let renewals = u64::from(name == "bring-your-own-client");
        assert_eq!((server.statistics().logins, server.statistics().renewals), (1, renewals));
    }
}

#[test]
fn a_server_that_tells_on_live_only_who_it_is_does_not_stop_them() {
    for name in QUICKSTARTS {
        let output = run_at(&server(Side::Demo), name);
        assert!(output.status.success(), "{output:?}");
        assert!(stdout(&output).contains("only Live tells"), "{output:?}");
        assert!(stdout(&output).contains("the token expires at 2"), "{output:?}");
    }
}

#[test]
fn a_missing_variable_is_named() {
    for name in ALL {
        let all = variables("http://127.0.0.1:1/v1");
        for missing in &all[2..] {
            let output = run(name, all.into_iter().filter(|variable| variable != missing));
            assert!(failure(&output).starts_with(&format!("not set: {}; set ", missing.0)), "{output:?}");
        }
    }
}

#[test]
fn a_refusal_says_what_the_server_said_and_what_to_do() {
    for name in ALL {
        let server = server(Side::Live);
        let wrong = variables("").map(|(name, value)| (name, if name.ends_with("SEC") { "wrong" } else { value }));
        let base_url = server.base_url();
        let output = run(name, wrong.into_iter().skip(1).chain([("TRADOVATE_API_URL", base_url.as_str())]));
        let sentence = failure(&output);
        assert!(sentence.starts_with("refused by the server with \"Incorrect username or password."), "{sentence}");
        assert!(sentence.contains("check name, password, cid and sec"), "{sentence}");
    }
}

#[test]
fn a_lock_out_and_a_captcha_say_that_an_hour_must_pass() {
    for name in ALL {
        let (locked, captcha) = (server(Side::Live), server(Side::Live));
        locked.lock_out(LockOut::too_many_requests());
        captcha.captcha_next(Endpoint::AccessTokenRequest);
        for (server, what) in [(locked, "locked out: nothing is sent"), (captcha, "the server asks for a captcha: no ")]
        {
            let output = run_at(&server, name);
            if QUICKSTARTS.contains(&name) {
                assert!(failure(&output).starts_with("no token for another 36"), "{output:?}");
                assert!(failure(&output).contains(what), "{output:?}");
            } else {
                assert!(failure(&output).contains("one hour must pass without"), "{output:?}");
            }
        }
    }
}

#[test]
fn they_print_no_secret_even_at_trace_level() {
    let peer = Peer::answering(response("200 OK", &[], LOGGED_IN));
    let base_url = peer.base_url();
    for name in ALL {
        let output = run(name, variables(&base_url).into_iter().chain([("RUST_LOG", "trace")]));
        assert!(output.status.success(), "{output:?}");
        let printed = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&printed).contains("canary"), "{}", String::from_utf8_lossy(&printed));
    }
    let log = run("quickstart", variables(&base_url).into_iter().chain([("RUST_LOG", "trace")])).stderr;
    assert!(String::from_utf8_lossy(&log).contains("tradovate_auth{endpoint="), "there is a log to look at");
}

const KEPT: [&str; 2] = ["stay-logged-in", "stay-logged-in-async"];

/// Runs an example with arguments against a server.
fn run_with(server: &Server, name: &str, arguments: &[&str]) -> Output {
    let base_url = server.base_url();
    Command::new(example(name)).args(arguments).env_clear().envs(variables(&base_url)).output().unwrap()
}

#[test]
fn a_login_is_kept_for_as_long_as_it_is_asked_for() {
    for name in KEPT {
        let server = server(Side::Live);
        let output = run_with(&server, name, &["--for", "1"]);
        assert!(output.status.success(), "{output:?}");
        assert!(stdout(&output).contains("Z logged in, good until 2"), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        assert_eq!(server.statistics().logins, 1);
    }
}

#[test]
fn a_wait_is_announced_with_its_end_and_no_token_at_the_end_is_a_failure() {
    for name in KEPT {
        let server = server(Side::Live);
        server.lock_out(LockOut::too_many_requests());
        let output = run_with(&server, name, &["--for", "1"]);
        assert!(failure(&output).starts_with("no token for another 36"), "{output:?}");
        assert!(failure(&output).contains("locked out: nothing is sent before 2"), "{output:?}");
        assert!(stdout(&output).contains("Z locked out: nothing is sent before 2"), "{output:?}");
    }
}

#[test]
fn a_session_that_has_stopped_for_good_ends_them_with_the_reason() {
    for name in KEPT {
        let server = server(Side::Live);
        server.with(|simulator| simulator.user_mut("trader").unwrap().password = "another".into());
        let output = run_with(&server, name, &["--for", "60"]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let stderr = str::from_utf8(&output.stderr).unwrap();
        assert!(stderr.starts_with("refused by the server with \"Incorrect username"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn arguments_they_don_t_know_are_explained() {
    for name in KEPT {
        for arguments in [&["--for"][..], &["--for", "soon"], &["--forever", "1"]] {
            let output = run_with(&server(Side::Live), name, arguments);
            assert!(failure(&output).starts_with("usage: stay-logged-in"), "{output:?}");
        }
    }
}

#[test]
fn the_others_run_by_themselves() {
    for (name, said) in [
        ("day", "minutes without a token"),
        ("manual-loop", "token 3 is good until"),
        ("many-users", "1000 of 1000 users have a token at the end of the day"),
    ] {
        let output = run(name, []);
        assert!(output.status.success(), "{output:?}");
        assert!(stdout(&output).contains(said), "{output:?}");
    }
}
