use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpListener},
    process::{Child, ChildStderr, Command, Output, Stdio},
};

use crate::client::{get, login, send};

/// The program, killed when the test is over.
struct Program {
    child: Child,
    comment: String,
    exports: BTreeMap<String, String>,
    stderr: BufReader<ChildStderr>,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradovate-auth-simulator"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn fail(arguments: &[&str]) -> Output {
    let output = command(arguments).output().unwrap();
    assert!(output.stdout.is_empty());
    output
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let comment = lines.next().unwrap();
        let exports = lines
            .by_ref()
            .take(8)
            .map(|line| {
                let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
                (name.to_owned(), value.to_owned())
            })
            .collect();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, comment, exports, stderr }
    }

    fn address(&self) -> SocketAddr {
        let url = &self.exports["TRADOVATE_API_URL"];
        url.strip_prefix("http://").unwrap().strip_suffix("/v1").unwrap().parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_prints_where_and_how_to_log_in() {
    let program = Program::start(&[]);
    assert!(program.comment.starts_with("# "), "{}", program.comment);
    let expected = [
        ("TRADOVATE_APP_ID", "'Synthetic App'"),
        ("TRADOVATE_APP_VERSION", "1.0"),
        ("TRADOVATE_CID", "8"),
        ("TRADOVATE_DEVICE_ID", "synthetic-device"),
        ("TRADOVATE_PASSWORD", "synthetic-password"),
        ("TRADOVATE_SEC", "synthetic-api-secret"),
        ("TRADOVATE_USERNAME", "synthetic-user"),
    ];
    let mut exports = program.exports.clone();
    assert!(exports.remove("TRADOVATE_API_URL").unwrap().starts_with("http://127.0.0.1:"));
    assert_eq!(exports, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[test]
fn what_it_prints_works() {
    let program = Program::start(&[]);
    let token = login(program.address()).text("accessToken").to_owned();
    assert_eq!(get(program.address(), "/v1/auth/me", &token).text("name"), "synthetic-user");
}

#[test]
fn it_accepts_the_user_it_was_told() {
    let program = Program::start(&["--user", "trader", "--password", "it's me", "--lifetime", "90s"]);
    assert_eq!(program.exports["TRADOVATE_PASSWORD"], r"'it'\''s me'");
    let body = r#"{"name":"trader","password":"it's me","cid":8,"sec":"synthetic-api-secret"}"#;
    let answer = send(program.address(), "POST /v1/auth/accesstokenrequest HTTP/1.1", body).unwrap();
    assert_eq!(answer.text("name"), "trader");
}

#[test]
fn it_can_play_demo() {
    let program = Program::start(&["--environment", "demo"]);
    let answer = get(program.address(), "/v1/auth/me", "any");
    assert!(answer.body.contains("live.tradovateapi.com"), "{}", answer.body);
}

#[test]
fn it_names_the_hosts_of_an_organization() {
    let program = Program::start(&["--organization-hosts", "demo=acme-demo.example,mdDemo=acme-md.example"]);
    let answer = login(program.address());
    assert_eq!((answer.text("demo"), answer.text("mdDemo")), ("acme-demo.example", "acme-md.example"));
    assert_eq!(answer.text("live"), "live.tradovateapi.com");
}

#[test]
fn it_has_an_organization_to_show() {
    let program = Program::start(&["--organization-hosts", "--port", "0"]);
    let answer = login(program.address());
    assert_eq!(answer.text("demo"), "acme-demo.eval.ninjatrader.com");
    assert_eq!(answer.text("mdDemo"), "acme-md-demo.eval.ninjatrader.com");
}

#[test]
fn each_scenario_brings_its_trouble() {
    for (scenario, status, body) in [
        ("penalty", 200, r#""p-time":3"#),
        ("captcha", 200, r#""p-captcha":true"#),
        ("lock-out", 429, ""),
        ("maintenance", 503, "<h1>503"),
    ] {
        let program = Program::start(&["--scenario", scenario]);
        let answer = login(program.address());
        assert_eq!(answer.status, status, "{scenario}");
        assert!(answer.body.contains(body), "{scenario}: {}", answer.body);
    }
}

#[test]
fn it_logs_requests_without_secrets() {
    let mut program = Program::start(&[]);
    let token = login(program.address()).text("accessToken").to_owned();
    get(program.address(), "/v1/auth/me?x=secret", &token);
    let mut log = String::new();
    program.stderr.read_line(&mut log).unwrap();
    program.stderr.read_line(&mut log).unwrap();
    assert_eq!(log, "POST /v1/auth/accesstokenrequest 200\nGET /v1/auth/me 200\n");
}

#[cfg(unix)]
#[test]
fn it_ends_well_when_told_to_stop() {
    for signal in ["INT", "TERM"] {
        let mut program = Program::start(&[]);
        let id = program.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        assert_eq!(program.child.wait().unwrap().code(), Some(0), "{signal}");
        let mut rest = String::new();
        program.stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

#[test]
fn a_taken_port_is_explained() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = fail(&["--port", &port]);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("error: port {port} is in use; --port 0 takes a free one\n");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
}

#[test]
fn a_wrong_option_is_explained() {
    for (arguments, why) in [
        (["--lifetime", "soon"], "expected a time such as 90s"),
        (["--organization-hosts", "acme.example"], "expected KEY=HOST"),
        (["--scenario", "earthquake"], "lock-out"),
        (["--user", ""], "must not be empty"),
    ] {
        let output = fail(&arguments);
        assert!(!output.status.success());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(why), "{stderr}");
    }
}
