use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpListener},
    process::{Child, ChildStderr, Command, Output, Stdio},
};

use crate::client::{Answer, get, login, send};

/// The last line of the lines without a client secret.
const LAST: &str = "TRADOVATE_CLIENT_ID";

/// The program, killed when the test is over.
struct Program {
    child: Child,
    comments: Vec<String>,
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
        Self::start_until(LAST, arguments)
    }

    /// Starts the program and reads what it prints up to the export of `last`.
    fn start_until(last: &str, arguments: &[&str]) -> Self {
        let mut child = command(arguments).spawn().unwrap();
        let mut comments = Vec::new();
        let mut exports = BTreeMap::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        while !exports.contains_key(last) {
            let line = lines.next().unwrap();
            match line.strip_prefix("export ").and_then(|export| export.split_once('=')) {
                Some((name, value)) => drop(exports.insert(name.to_owned(), value.to_owned())),
                None => comments.push(line),
            }
        }
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, comments, exports, stderr }
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
    let program = Program::start_until("TRADOVATE_DEVICE_ID", &[]);
    assert!(program.comments.len() == 1 && program.comments[0].starts_with("# "), "{:?}", program.comments);
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
fn it_prints_apart_what_oauth_needs() {
    let program = Program::start(&[]);
    let base = format!("http://{}", program.address());
    assert_eq!(program.exports["TRADOVATE_AUTHORIZE_URL"], format!("{base}/oauth"));
    assert_eq!(program.exports["TRADOVATE_TOKEN_URL"], format!("{base}/v1/auth/oauthtoken"));
    assert_eq!(program.exports["TRADOVATE_CLIENT_ID"], "synthetic-client");
    assert_eq!(
        program.comments[1],
        "# Or with OAuth in a browser, which is sent back to http://127.0.0.1:8765/callback or http://127.0.0.1:8080/callback:"
    );
}

#[test]
fn it_has_the_client_it_was_told() {
    let program = Program::start_until(
        "TRADOVATE_CLIENT_SECRET",
        &["--client-id", "charts", "--client-secret", "client secret", "--redirect-uri", "http://localhost:1/a"],
    );
    assert_eq!(program.exports["TRADOVATE_CLIENT_ID"], "charts");
    assert_eq!(program.exports["TRADOVATE_CLIENT_SECRET"], "'client secret'");
    let status = |redirect_uri| page(&program, "charts", redirect_uri, "").status;
    assert_eq!((status("http://localhost:1/a"), status("http://localhost:8888/")), (200, 400));
}

#[test]
fn its_client_has_a_name_for_people() {
    let answer = page(&Program::start(&[]), "synthetic-client", "http://127.0.0.1:8080/callback", "");
    assert!(answer.body.contains("Allow <bdi>Synthetic App</bdi>"), "{}", answer.body);
}

#[test]
fn several_redirect_uris_can_be_registered() {
    let uris = ["http://localhost:1/a", "com.example.app:/back"];
    let program = Program::start(&["--redirect-uri", uris[0], "--redirect-uri", uris[1]]);
    for uri in uris {
        assert_eq!(page(&program, "synthetic-client", uri, "").status, 200, "{uri}");
    }
}

/// The page; with a form, what it answers to that.
fn page(program: &Program, client_id: &str, redirect_uri: &str, form: &str) -> Answer {
    let method = if form.is_empty() { "GET" } else { "POST" };
    let query = format!("response_type=code&client_id={client_id}&redirect_uri={redirect_uri}");
    send(program.address(), &format!("{method} /oauth?{query} HTTP/1.1"), form).unwrap()
}

#[test]
fn what_it_prints_for_oauth_works_on_either_side() {
    for side in ["live", "demo"] {
        let program = Program::start(&["--environment", side]);
        let redirect_uri = "http://127.0.0.1:8765/callback";
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
        (["--client-secret", ""], "a value is required"),
        (["--redirect-uri", "http://localhost/#a"], "expected a URL without spaces and fragment"),
    ] {
        let output = fail(&arguments);
        assert!(!output.status.success());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(why), "{stderr}");
    }
}
