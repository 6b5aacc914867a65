//! Tests of the program.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

use tradovate_auth_simulator::Server;

use super::*;

/// Starts the program with these arguments, and with no `TRADOVATE_` variables except these.
fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradovate-auth-doctor"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TRADOVATE_") {
            command.env_remove(name);
        }
    }
    let command = command.args(arguments).envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Types these lines, and waits for the program's end.
fn end(mut program: Child, typed: &str) -> (Output, String) {
    // The program may already have ended.
    drop(program.stdin.take().unwrap().write_all(typed.as_bytes()));
    let output = program.wait_with_output().unwrap();
    let printed = String::from_utf8([output.stdout.clone(), output.stderr.clone()].concat()).unwrap();
    (output, printed)
}

fn variables(url: &str) -> Vec<(&str, &str)> {
    vec![
        ("TRADOVATE_API_URL", url),
        ("TRADOVATE_USERNAME", USER),
        ("TRADOVATE_PASSWORD", "canary-password"),
        ("TRADOVATE_APP_ID", "canary-app"),
        ("TRADOVATE_APP_VERSION", "1.0"),
        ("TRADOVATE_CID", "88001234"),
        ("TRADOVATE_SEC", "canary-sec"),
        ("TRADOVATE_DEVICE_ID", "canary-device"),
    ]
}

fn server() -> Server {
    let client = OAuthClient::public("canary-client", REDIRECT);
    let builder = Simulator::builder().user(User::new(USER, "canary-password")).oauth_client(client);
    builder.app(App::new("canary-app", "88001234", "canary-sec")).serve().unwrap()
}

#[test]
fn the_doctor_sends_nothing_before_the_user_agrees() {
    let server = server();
    for (typed, logins) in [("", 0), ("no\n", 0), ("y\n", 0), ("yes\n", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.json");
        let program = start(&["--output", file.to_str().unwrap()], &variables(&server.base_url()));
        let (output, printed) = end(program, typed);
        assert!(printed.contains("- log in once with your password. This opens a session"), "{printed}");
        assert_eq!((output.status.success(), file.exists()), (logins == 1, logins == 1), "{printed}");
        assert_eq!(server.statistics().logins, logins, "{typed:?}");
        assert!(!printed.contains("canary"), "{printed}");
    }
}

#[test]
fn without_a_user_name_the_doctor_examines_a_simulator() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let (output, printed) = end(start(&["--yes", "--output", file.to_str().unwrap()], &[]), "");
    assert!(
        output.status.success() && printed.starts_with("TRADOVATE_USERNAME and TRADOVATE_CLIENT_ID are not set"),
        "{printed}"
    );
    assert!(printed.contains("\nrefuted: none\n"), "{printed}");
    let report: Report = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(report.server, ServerKind::Simulator);
    assert_eq!(brief(&report), "login: 200 object, me: 200 object, renewal: 200 object");
}

#[test]
fn the_redirect_url_can_be_pasted_from_the_browser() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let (api, page) = (server.base_url(), server.authorize_url());
    let app =
        [("TRADOVATE_API_URL", &*api), ("TRADOVATE_AUTHORIZE_URL", &*page), ("TRADOVATE_CLIENT_ID", "canary-client")];
    let mut program = start(&["--yes", "--output", file.to_str().unwrap()], &app);
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.find_map(|line| line.strip_prefix("log in at ").map(str::to_owned)).unwrap();
    let back = server.consent(USER, &url).unwrap();
    let (output, _) = end(program, &format!("http://127.0.0.1:8765/callback?code=theirs&state=guessed\n{back}\n"));
    assert!(output.status.success(), "{output:?}");
    let text = std::fs::read_to_string(file).unwrap();
    let report: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(brief(&report), "exchange: 200 object, renewal: 200 object");
    assert!(rules(&report, Verdict::Confirmed).contains(&"R-RENEW-12") && !text.contains("canary"));
}

#[test]
fn wrong_arguments_are_explained_in_one_sentence() {
    for arguments in [&["--output"][..], &["--no"], &["report.json"]] {
        let (output, printed) = end(start(arguments, &[]), "");
        assert!(
            !output.status.success() && printed == "usage: tradovate-auth-doctor [--yes] [--output FILE]\n",
            "{printed}"
        );
    }
    let (_, printed) = end(start(&["--yes"], &[("TRADOVATE_USERNAME", USER)]), "");
    assert!(printed.starts_with("not set: TRADOVATE_PASSWORD; set what the user logs in with"), "{printed}");
}
