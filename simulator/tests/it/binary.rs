use std::{
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpListener},
    process::{Child, ChildStderr, Command, Stdio},
};

use crate::client::{Answer, get, login, send};

/// A running simulator and the lines that it printed at its start. It is killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    lines: Vec<String>,
    stderr: BufReader<ChildStderr>,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradovate-auth-simulator"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Program {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let last = if arguments.contains(&"--client-secret") { "_CLIENT_SECRET=" } else { "_CLIENT_ID=" };
        let mut child = command(arguments).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut lines = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap) {
            lines.push(line);
            if lines.last().unwrap().contains(last) {
                break;
            }
        }
        Self { child, lines, stderr }
    }

    /// The variables that the program prints.
    pub(crate) fn exports(&self) -> impl Iterator<Item = (&str, &str)> {
        let exports = self.lines.iter().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        exports.map(|(name, value)| (name, value.trim_matches('\'')))
    }

    fn export(&self, name: &str) -> &str {
        let export = |line: &'_ String| line.starts_with(&format!("export {name}="));
        self.lines.iter().find(|line| export(line)).unwrap().split_once('=').unwrap().1
    }

    fn address(&self) -> SocketAddr {
        let url = self.export("TRADOVATE_API_URL");
        url.strip_prefix("http://").unwrap().strip_suffix("/v1").unwrap().parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The response to a GET of the page; with a form, the response to a POST of the form.
fn page(program: &Program, client_id: &str, redirect_uri: &str, form: &str) -> Answer {
    let method = if form.is_empty() { "GET" } else { "POST" };
    let query = format!("response_type=code&client_id={client_id}&redirect_uri={redirect_uri}");
    send(program.address(), &format!("{method} /oauth?{query} HTTP/1.1"), form).unwrap()
}

#[test]
fn the_program_prints_variables_for_a_password_login_and_then_for_oauth() {
    let program = Program::start(&[]);
    let printed = program.lines.join("\n").replace(&program.address().to_string(), "HOST");
    let expected = "\
# The simulator is listening. Ctrl-C stops it, and http://HOST/simulator controls it. Log in with:
export TRADOVATE_API_URL=http://HOST/v1
export TRADOVATE_USERNAME=synthetic-user
export TRADOVATE_PASSWORD=synthetic-password
export TRADOVATE_APP_ID='Synthetic App'
export TRADOVATE_APP_VERSION=1.0
export TRADOVATE_CID=8
export TRADOVATE_SEC=synthetic-api-secret
export TRADOVATE_DEVICE_ID=synthetic-device
# Or log in with OAuth in a browser. The redirect URI is http://127.0.0.1:8765/callback or http://127.0.0.1:8080/callback:
export TRADOVATE_AUTHORIZE_URL=http://HOST/oauth
export TRADOVATE_TOKEN_URL=http://HOST/v1/auth/oauthtoken
export TRADOVATE_CLIENT_ID=synthetic-client";
    assert_eq!(printed, expected);
}

#[test]
fn the_options_of_the_program_set_the_oauth_client() {
    let uris = ["http://localhost:1/a", "com.example.app:/back"];
    let [client, secret] = [["--client-id", "charts"], ["--client-secret", "client secret"]];
    let redirects = uris.map(|uri| ["--redirect-uri", uri]);
    let program = Program::start(&[client, secret, redirects[0], redirects[1]].concat());
    assert_eq!(program.export("TRADOVATE_CLIENT_ID"), "charts");
    assert_eq!(program.export("TRADOVATE_CLIENT_SECRET"), "'client secret'");
    for (uri, status) in [(uris[0], 200), (uris[1], 200), ("http://localhost:8888/", 400)] {
        assert_eq!(page(&program, "charts", uri, "").status, status, "{uri}");
    }
}

#[test]
fn the_printed_variables_work_in_both_environments() {
    for (side, me) in [("live", "synthetic-user"), ("demo", "should be called on live.tradovateapi.com")] {
        let program = Program::start(&["--environment", side]);
        let token = login(program.address()).text("accessToken").to_owned();
        let answer = get(program.address(), "/v1/auth/me", &token);
        assert!(answer.body.contains(me), "{}", answer.body);

        let redirect_uri = "http://127.0.0.1:8765/callback";
        let shown = page(&program, "synthetic-client", redirect_uri, "");
        assert!(shown.body.contains("Allow <bdi>Synthetic App</bdi>"), "{}", shown.body);
        let form = "username=synthetic-user&password=synthetic-password&decision=allow";
        let answer = page(&program, "synthetic-client", redirect_uri, form);
        let (_, code) = answer.header("location").split_once("?code=").unwrap();
        let body = format!(
            r#"{{"grant_type":"authorization_code","code":"{code}","client_id":"synthetic-client",
                "redirect_uri":"{redirect_uri}"}}"#
        );
        let answer = send(program.address(), "POST /v1/auth/oauthtoken HTTP/1.1", &body).unwrap();
        assert!(!answer.text("access_token").is_empty(), "{side}");
    }
}

#[test]
fn the_program_accepts_the_user_from_its_options() {
    let program = Program::start(&["--user", "trader", "--password", "it's $HOME", "--lifetime", "90s"]);
    assert_eq!(program.export("TRADOVATE_PASSWORD"), r"'it'\''s $HOME'");
    let body = r#"{"name":"trader","password":"it's $HOME","cid":8,"sec":"synthetic-api-secret"}"#;
    let answer = send(program.address(), "POST /v1/auth/accesstokenrequest HTTP/1.1", body).unwrap();
    assert_eq!(answer.text("name"), "trader");
}

#[test]
fn the_program_answers_with_the_hosts_from_its_options() {
    for (argument, demo, market_data) in [
        ("demo=acme-demo.example,mdDemo=acme-md.example", "acme-demo.example", "acme-md.example"),
        ("", "acme-demo.eval.ninjatrader.com", "acme-md-demo.eval.ninjatrader.com"),
    ] {
        let arguments = ["--organization-hosts", argument];
        let program = Program::start(if argument.is_empty() { &arguments[..1] } else { &arguments });
        let answer = login(program.address());
        assert_eq!((answer.text("demo"), answer.text("mdDemo")), (demo, market_data));
        assert_eq!(answer.text("live"), "live.tradovateapi.com");
    }
}

#[test]
fn the_simulator_starts_with_the_problem_of_its_scenario() {
    for (scenario, status, body) in [
        ("penalty", 200, r#""p-time":3"#),
        ("captcha", 200, r#""p-captcha":true"#),
        ("lock-out", 429, ""),
        ("maintenance", 503, "<h1>503"),
    ] {
        let answer = login(Program::start(&["--scenario", scenario]).address());
        assert!(answer.status == status && answer.body.contains(body), "{scenario}: {}", answer.body);
    }
}

#[test]
fn the_program_logs_requests_without_secrets() {
    let mut program = Program::start(&[]);
    let token = login(program.address()).text("accessToken").to_owned();
    get(program.address(), "/v1/auth/me?x=secret", &token);
    let mut log = String::new();
    program.stderr.read_line(&mut log).unwrap();
    program.stderr.read_line(&mut log).unwrap();
    assert_eq!(log, "POST /v1/auth/accesstokenrequest 200\nGET /v1/auth/me 200\n");
}

#[test]
fn the_program_warns_if_other_machines_can_reach_it() {
    let mut program = Program::start(&["--listen", "0.0.0.0"]);
    assert!(program.address().ip().is_loopback());
    let mut warning = String::new();
    program.stderr.read_line(&mut warning).unwrap();
    let expected = "warning: the simulator listens at 0.0.0.0: everybody who can reach this machine can use and control it. \
                    Never enter a real password\n";
    assert_eq!(warning, expected);
    assert_eq!(login(program.address()).status, 200);
}

#[cfg(unix)]
#[test]
fn the_program_exits_with_success_on_a_stop_signal() {
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
fn a_used_port_and_a_wrong_option_are_explained() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let in_use = format!("error: port {port} is in use; --port 0 takes a free one\n");
    for (arguments, code, why) in [
        (["--port", &port], 1, in_use.as_str()),
        (["--lifetime", "soon"], 2, "expected a time such as 90s"),
        (["--listen", "198.51.100.1"], 1, "can't listen at 198.51.100.1: use 0.0.0.0, ::, or a loopback address"),
        (["--listen", "everywhere"], 2, "invalid"),
        (["--organization-hosts", "acme.example"], 2, "expected KEY=HOST"),
        (["--scenario", "earthquake"], 2, "lock-out"),
        (["--user", ""], 2, "must not be empty"),
        (["--client-secret", ""], 2, "a value is required"),
        (["--redirect-uri", "http://localhost/#a"], 2, "expected a URL without spaces and fragment"),
    ] {
        let output = command(&arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && stderr.contains(why), "{stderr}");
        assert!(output.stdout.is_empty());
    }
}
