//! Tests of the examples as a user runs them: their output and their exit codes.

mod oauth_login;
mod quickstart;
mod shared;
mod shared_by_hand;
mod socket;
mod sources;
mod web_server;

use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;

use tradovate_auth_simulator::{LockOut, Server, Side, Simulator};

use crate::support::site::example;
use crate::support::{LOGGED_IN, Peer, response};

const QUICKSTARTS: [&str; 2] = ["quickstart", "quickstart-async"];
const PROXY: &str = "http://127.0.0.1:1";

/// Runs an example with these arguments, and with no environment variables except these.
fn run_with<'v>(name: &str, arguments: &[&str], variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Output {
    Command::new(example(name)).args(arguments).env_clear().envs(variables).output().unwrap()
}

fn run<'v>(name: &str, variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Output {
    run_with(name, &[], variables)
}

/// Runs an example that must succeed without output on stderr, and returns its stdout.
fn stdout_of<'v>(name: &str, arguments: &[&str], variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> String {
    let output = run_with(name, arguments, variables);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The variables for a server at this base URL. Each secret is a canary.
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

fn server(side: Side) -> Server {
    let user = tradovate_auth_simulator::User::new("trader", "canary-password");
    let app = tradovate_auth_simulator::App::new("Sample App", "8", "canary-api-secret");
    Simulator::builder().user(user).app(app).side(side).serve().unwrap()
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

/// The sentence on stderr of an example that failed with exit code 1.
fn failure(output: &Output) -> &str {
    failure_with(1, output)
}

fn failure_with(code: i32, output: &Output) -> &str {
    let stderr = str::from_utf8(&output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(code), 1), "{output:?}");
    stderr.trim_end()
}

/// The stdout of an example that fails, and its sentence on stderr.
fn failures(name: &str, arguments: &[&str], server: &Server) -> [String; 2] {
    let output = run_with(name, arguments, variables(&server.base_url()));
    [stdout(&output).to_owned(), failure(&output).to_owned()]
}

#[test]
fn without_credentials_the_quickstarts_use_a_simulator_and_say_so() {
    for name in QUICKSTARTS {
        // The simulator is used without the proxy of the environment.
        let said = stdout_of(name, &[], [("HTTP_PROXY", PROXY), ("http_proxy", PROXY)]);
        assert!(said.starts_with("TRADOVATE_USERNAME is not set, so the server is a simulator at http"), "{said}");
        assert!(said.contains("the token expires at 2"), "{said}");
    }
}

#[test]
fn with_credentials_the_quickstarts_log_in_once_even_if_me_is_refused() {
    let in_demo = QUICKSTARTS.map(|name| (name, Side::Demo, "only Live says"));
    for (name, side, text) in
        QUICKSTARTS.map(|name| (name, Side::Live, "logged in as trader")).into_iter().chain(in_demo)
    {
        let server = server(side);
        let said = stdout_of(name, &[], variables(&server.base_url()));
        assert!(said.contains(text) && said.contains("the token expires at 2"), "{said}");
        // A token source renews only when a renewal is due.
        assert_eq!((server.statistics().logins, server.statistics().renewals), (1, 0));
    }
}

#[test]
fn a_refused_login_is_printed_with_the_servers_text_and_advice() {
    for (name, code) in QUICKSTARTS.map(|name| (name, 1)).into_iter().chain(KEPT.map(|name| (name, 2))) {
        let server = server(Side::Live);
        server.with(|simulator| simulator.user_mut("trader").unwrap().password = "another".into());
        let output = run_with(name, if code == 2 { &["--for", "60"] } else { &[] }, variables(&server.base_url()));
        let sentence = failure_with(code, &output);
        assert!(sentence.starts_with("refused by the server with \"Incorrect username or password."), "{sentence}");
        assert!(code == 2 || sentence.contains("check name, password, cid, sec and the environment"), "{sentence}");
    }
}

#[test]
fn wrong_arguments_and_variables_are_explained_in_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let taken_port = format!("TRADOVATE_REDIRECT_PORT={port}");
    let is_taken = format!("can't listen at 127.0.0.1 port {port}: free the port, or");
    // One of the two addresses of localhost is in use by another program. Without IPv6, there is no second address.
    let half = TcpListener::bind("[::1]:0");
    let port = half.as_ref().unwrap_or(&taken).local_addr().unwrap().port();
    let half_port = format!("TRADOVATE_REDIRECT_HOST=localhost TRADOVATE_REDIRECT_PORT={port}");
    let is_half = format!(" port {port}: free the port, or");
    for (name, arguments, more, sentence) in [
        ("oauth-login", "--wait", "", "--wait needs a number of seconds; usage: oauth-login"),
        ("oauth-login", "--wait -1", "", "seconds; usage: oauth-login [--open] [--form] [--wait SECONDS]"),
        ("oauth-login", "--form please", "", "unknown option \"please\"; usage: oauth-login"),
        ("oauth-login", "", &taken_port, &is_taken),
        ("oauth-login", "", &half_port, &is_half),
        ("oauth-login", "", "TRADOVATE_REDIRECT_HOST=0.0.0.0", "REDIRECT_HOST must be 127.0.0.1, localhost or [::1]"),
        (
            "oauth-login",
            "",
            "TRADOVATE_REDIRECT_PORT=65536",
            "TRADOVATE_REDIRECT_PORT must be a number from 0 to 65535",
        ),
        ("oauth-web-server", "", "TRADOVATE_REDIRECT_PORT=many", "TRADOVATE_REDIRECT_PORT must be a number"),
        ("oauth-web-server", "", "TRADOVATE_CLIENT_ID=app TRADOVATE_REDIRECT_PORT=0", "no authorize URL is known"),
        ("oauth-web-server", "--from", "", "unknown option \"--from\"; usage: oauth-web-server"),
        ("oauth-web-server", "--store", "", "--store needs a file; usage: oauth-web-server"),
        ("shared", "--store", "", "usage: "),
        ("shared", "--store postgres://x", "", "usage: "),
        ("shared", "--store file:", "", "usage: "),
        ("shared-async", "--for ever", "", "usage: "),
        ("shared-async", "", "TRADOVATE_STORE=postgres://x", "usage: "),
        ("socket", "--for", "", "usage: socket [--market-data]"),
        ("socket-async", "--for", "", "usage: socket-async [--market-data]"),
        ("stay-logged-in", "--for", "", "usage: stay-logged-in"),
        ("stay-logged-in", "--for soon", "", "usage: stay-logged-in"),
        ("stay-logged-in", "--forever 1", "", "usage: stay-logged-in"),
        ("stay-logged-in-async", "--for", "", "usage: stay-logged-in-async"),
        ("stay-logged-in-async", "--for soon", "", "usage: stay-logged-in-async"),
        ("stay-logged-in-async", "--forever 1", "", "usage: stay-logged-in-async"),
    ] {
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        let more = more.split_whitespace().filter_map(|variable| variable.split_once('='));
        let output = run_with(name, &arguments, variables("http://127.0.0.1:1/v1").into_iter().chain(more));
        assert!(failure(&output).contains(sentence), "{output:?}");
    }
}

#[test]
fn a_missing_variable_is_named() {
    let all = variables("http://127.0.0.1:1/v1");
    for name in QUICKSTARTS.into_iter().chain(["drive-ureq"]) {
        for needed in ["TRADOVATE_PASSWORD", "TRADOVATE_CID", "TRADOVATE_SEC"] {
            let output = run(name, all.into_iter().filter(|(variable, _)| *variable != needed));
            assert!(failure(&output).starts_with(&format!("not set: {needed}; set ")), "{output:?}");
        }
    }
    for name in ["shared", "shared-async"] {
        assert!(failure(&run(name, [])).contains("TRADOVATE_"), "{name}");
    }
}

#[test]
fn a_lock_out_is_printed_with_its_reason_and_end() {
    for name in QUICKSTARTS.into_iter().chain(KEPT) {
        let server = server(Side::Live);
        server.lock_out(LockOut::too_many_requests());
        let arguments = if KEPT.contains(&name) { &["--for", "1"][..] } else { &[] };
        let [said, sentence] = failures(name, arguments, &server);
        let why = "the server locked out this network address: the session sends nothing before 2";
        assert!(sentence.starts_with("no token for another 36") && sentence.contains(why), "{sentence}");
        assert!(!KEPT.contains(&name) || said.contains(&format!("Z {why}")), "{said}");
    }
}

#[test]
fn the_quickstarts_print_no_secret_even_at_trace_level() {
    let peer = Peer::answering(response("200 OK", &[], LOGGED_IN));
    let base_url = peer.base_url();
    for name in QUICKSTARTS {
        let output = run(name, variables(&base_url).into_iter().chain([("RUST_LOG", "trace")]));
        assert!(output.status.success(), "{output:?}");
        let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!printed.contains("canary"), "{printed}");
        assert!(printed.contains("tradovate_auth{endpoint="), "{printed}");
    }
}

const KEPT: [&str; 2] = ["stay-logged-in", "stay-logged-in-async"];

#[test]
fn stay_logged_in_runs_for_the_requested_time() {
    for name in KEPT {
        let server = server(Side::Live);
        let said = stdout_of(name, &["--for", "1"], variables(&server.base_url()));
        assert!(said.contains("Z logged in: the token is valid until 2"), "{said}");
        assert_eq!(server.statistics().logins, 1);
    }
}

#[test]
fn the_drive_ureq_example_ends_with_its_first_token_or_a_refusal() {
    let server = server(Side::Live);
    let said = stdout_of("drive-ureq", &[], variables(&server.base_url()));
    assert!(said.contains("token 1 is good until"), "{said}");
    assert_eq!(server.statistics().logins, 1);
    server.with(|simulator| simulator.user_mut("trader").unwrap().password = "another".into());
    let [_, sentence] = failures("drive-ureq", &[], &server);
    assert!(sentence.starts_with("refused by the server with \"Incorrect username"), "{sentence}");
}

#[test]
fn the_examples_with_a_simulator_run_without_variables() {
    thread::scope(|scope| {
        for (name, said) in [
            ("day", "minutes without a token"),
            ("drive-ureq", "token 3 is good until"),
            ("many-users", "1000 of 1000 users have a token at the end of the day"),
        ] {
            scope.spawn(move || assert!(stdout_of(name, &[], []).contains(said), "{name}"));
        }
    });
}
