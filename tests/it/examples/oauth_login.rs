//! `oauth-login` as a user runs it, with the browser's part played by the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{LazyLock, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use reqwest::Url;
use tradovate_auth_simulator::{Endpoint, OAuthClient, Server, Side, Simulator, SimulatorBuilder};
use ureq::Agent;

use super::{failure, stdout};
use crate::support::site::example;
use crate::support::{Peer, await_one, response};

const SECRET: &str = "canary-client-secret";

/// Without limits a mistake in the program would hang the test.
static BROWSER: LazyLock<Agent> = LazyLock::new(|| {
    let config = Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None);
    config.timeout_global(Some(Duration::from_secs(60))).build().into()
});

/// What a browser shows.
#[derive(Debug)]
struct Page {
    status: u16,
    head: String,
    text: String,
}

impl Page {
    fn of(mut response: http::Response<ureq::Body>) -> Self {
        let text = response.body_mut().read_to_string().unwrap();
        Self { status: response.status().as_u16(), head: format!("{:?}", response.headers()), text }
    }
}

fn get(url: &str) -> Page {
    Page::of(BROWSER.get(url).call().unwrap())
}

/// The running example, killed when the test is over.
struct Program {
    child: Child,
    lines: Receiver<String>,
    errors: JoinHandle<String>,
    said: Vec<String>,
}

impl Program {
    fn start<'v>(arguments: &[&str], variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        let mut command = Command::new(example("oauth-login"));
        command.args(arguments).env_clear().envs(variables);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || BufReader::new(stdout).lines().try_for_each(|line| sender.send(line.unwrap())));
        let errors = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        Self { child, lines, errors, said: Vec::new() }
    }

    /// Reads until the program prints its URL.
    fn url(&mut self) -> String {
        loop {
            self.said.push(await_one(&self.lines));
            if let Some(url) = self.said.last().unwrap().strip_prefix("log in at ") {
                return url.to_owned();
            }
        }
    }

    /// Waits for its end, and gives all that it has printed.
    fn end(mut self) -> Output {
        loop {
            match self.lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => self.said.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end: {:?}", self.said),
            }
        }
        let status = self.child.wait().unwrap();
        let stderr = std::mem::replace(&mut self.errors, thread::spawn(String::new)).join().unwrap();
        Output { status, stdout: self.said.join("\n").into(), stderr: stderr.into() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A server that knows the app; where it is sent back to is registered once the program has chosen a port.
fn server(builder: SimulatorBuilder) -> Server {
    builder.oauth_client(OAuthClient::confidential("desktop", SECRET, "http://127.0.0.1/")).serve().unwrap()
}

/// Starts the program at an API and a page, with a secret.
fn start(api: &str, page: &str, secret: &str, arguments: &[&str]) -> Program {
    let variables = [
        ("TRADOVATE_API_URL", api),
        ("TRADOVATE_AUTHORIZE_URL", page),
        ("TRADOVATE_CLIENT_ID", "desktop"),
        ("TRADOVATE_CLIENT_SECRET", secret),
        ("TRADOVATE_REDIRECT_PORT", "0"),
        ("RUST_LOG", "trace"),
    ];
    Program::start(arguments, variables)
}

/// The program that waits for a user, and where it sent them.
fn waiting(server: &Server) -> (Program, String) {
    let mut program = start(&server.base_url(), &server.authorize_url(), SECRET, &[]);
    let url = program.url();
    register(server, &url);
    (program, url)
}

fn register(server: &Server, url: &str) {
    let uri = redirect_uri(url);
    server.with(|simulator| simulator.oauth_client_mut("desktop").unwrap().redirect_uris.push(uri));
}

fn parameter(url: &str, name: &str) -> String {
    let url = Url::parse(url).unwrap();
    url.query_pairs().find(|(own, _)| own == name).unwrap().1.into_owned()
}

fn redirect_uri(url: &str) -> String {
    parameter(url, "redirect_uri")
}

/// Where the page sends the browser when the user allows.
fn allowed(server: &Server, url: &str) -> String {
    server.consent("synthetic-user", url).unwrap()
}

#[test]
fn a_user_logs_in_and_both_the_page_and_the_program_say_so() {
    let server = server(Simulator::builder());
    let (program, url) = waiting(&server);
    let page = get(&allowed(&server, &url));
    assert_eq!(page.status, 200);
    assert!(page.text.contains("You are logged in as Synthetic User. You may close this page."), "{}", page.text);
    let output = program.end();
    assert!(output.status.success(), "{output:?}");
    assert!(stdout(&output).contains("logged in, good until 2"), "{output:?}");
    assert!(stdout(&output).contains("without a refresh, a new consent is due by 2"), "{output:?}");
    assert!(stdout(&output).contains("the server knows the user as Synthetic User (id 15460)"), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    assert_eq!((server.statistics().code_exchanges, server.statistics().requests(Endpoint::OauthToken)), (1, 1));
}

#[test]
fn a_denial_ends_it_and_both_the_page_and_the_program_say_so() {
    let server = server(Simulator::builder());
    let (program, url) = waiting(&server);
    let page = get(&server.deny(&url).unwrap());
    assert_eq!(page.status, 400);
    assert!(page.text.contains("The program has ended: the login was not authorized"), "{}", page.text);
    let output = program.end();
    assert!(failure(&output).starts_with("the login was not authorized (\"access_denied: "), "{output:?}");
    assert_eq!(server.statistics().requests(Endpoint::OauthToken), 0);
}

#[test]
fn what_is_not_the_answer_is_refused_and_the_answer_is_still_taken() {
    let server = server(Simulator::builder());
    let (program, url) = waiting(&server);
    let (back, state) = (redirect_uri(&url), parameter(&url, "state"));

    for forged in [
        String::new(),
        "?code=theirs".into(),
        "?code=theirs&state=".into(),
        "?code=theirs&state=guessed".into(),
        "?error=access_denied&state=guessed".into(),
        format!("?code=theirs&code=ours&state={state}"),
        format!("?code=%4&state={state}"),
    ] {
        let page = get(&format!("{back}{forged}"));
        assert_eq!(page.status, 400, "{forged}");
        assert!(page.text.contains("It was not used: the redirect"), "{forged}: {}", page.text);
    }

    let answer = allowed(&server, &url);
    for elsewhere in ["/", "/favicon.ico", "/callback/", "/Callback", "/%63allback", "//callback"] {
        assert_eq!(get(&answer.replace("/callback", elsewhere)).status, 404, "{elsewhere}");
    }
    for page in [BROWSER.post(&answer).send_empty(), BROWSER.head(&answer).call(), BROWSER.put(&answer).send_empty()] {
        let page = Page::of(page.unwrap());
        assert_eq!(page.status, 405);
        assert!(page.head.contains(r#""allow": "GET""#), "{}", page.head);
    }

    assert!(get(&answer).text.contains("You are logged in as"));
    let output = program.end();
    assert!(output.status.success(), "{output:?}");
    assert!(
        stdout(&output).contains("\nthe redirect has no `state`, so it may be forged and was ignored"),
        "{output:?}"
    );
    assert_eq!(server.statistics().code_exchanges, 1);
}

#[test]
fn a_long_wait_that_the_server_asks_for_costs_no_consent() {
    let server = server(Simulator::builder());
    let (mut program, url) = waiting(&server);
    let answer = allowed(&server, &url);
    server.penalize_next(Duration::from_secs(90));
    let page = thread::spawn(move || BROWSER.get(&answer).call().is_ok());
    let said = await_one(&program.lines);
    assert!(said.contains("postponed by the server until"), "{said}");
    let more = program.lines.recv_timeout(Duration::from_secs(1));
    assert_eq!(more, Err(mpsc::RecvTimeoutError::Timeout), "it waits, and the browser with it");
    assert!(!page.is_finished() && program.child.try_wait().unwrap().is_none());
    drop(program);
    assert!(!page.join().unwrap());
}

#[test]
fn neither_a_megabyte_nor_a_silent_connection_holds_it_up() {
    let server = server(Simulator::builder());
    let (program, url) = waiting(&server);
    let port = Url::parse(&redirect_uri(&url)).unwrap().port().unwrap();
    let connect = || TcpStream::connect(("127.0.0.1", port));

    let mut long = connect().unwrap();
    let query = format!("state={}&code={}", parameter(&url, "state"), "x".repeat(1 << 20));
    // The program may hang up in the middle of it.
    drop(write!(long, "GET /callback?{query} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"));
    let mut answer = [0; 12];
    if long.read_exact(&mut answer).is_ok() {
        assert!(answer.starts_with(b"HTTP/1.1 4"), "{}", answer.escape_ascii());
    }

    let silent = connect().unwrap();
    let mut unfinished = connect().unwrap();
    unfinished.write_all(b"GET /callback?").unwrap();
    assert!(get(&allowed(&server, &url)).text.contains("You are logged in as"));
    let output = program.end();
    assert!(output.status.success(), "{output:?}");
    drop((silent, unfinished));
}

#[test]
fn one_redirect_is_taken_and_a_later_one_changes_nothing() {
    let server = server(Simulator::builder());
    let (tell, asked) = mpsc::channel();
    let (go_on, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let peer = Peer::acting(move |connection, request| {
        if request.starts_with("POST") {
            tell.send(()).unwrap();
            // Also where the test has failed, and nobody says to go on.
            let _ = held.lock().unwrap().recv();
        }
        connection.write_all(&response("200 OK", &[], TOKENS)).unwrap();
    });
    let mut program = start(&peer.base_url(), &server.authorize_url(), SECRET, &[]);
    let url = program.url();
    register(&server, &url);
    let answer = allowed(&server, &url);

    let first = {
        let answer = answer.clone();
        thread::spawn(move || get(&answer))
    };
    await_one(&asked);
    for later in [&answer, &server.deny(&url).unwrap(), &format!("{}?code=theirs&state=guessed", redirect_uri(&url))] {
        let page = get(later);
        assert_eq!(page.status, 409);
        assert!(page.text.contains("This login has been answered already."), "{}", page.text);
    }
    drop(go_on);
    assert_eq!(first.join().unwrap().status, 200);
    let output = program.end();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(peer.requests().iter().filter(|request| request.starts_with("POST")).count(), 1);
}

/// An answer to the exchange; also one to the question who it is, that says little.
const TOKENS: &str = r#"{"access_token":"canary-access-token","token_type":"Bearer","expires_in":4800,
    "refresh_token":"canary-refresh-token","refresh_token_expires_in":93600,"mdAccessToken":"canary-market-data-token"}"#;

#[test]
fn a_wrong_secret_is_told_to_both() {
    let server = server(Simulator::builder());
    let mut program = start(&server.base_url(), &server.authorize_url(), "another", &[]);
    let url = program.url();
    register(&server, &url);
    let page = get(&allowed(&server, &url));
    assert_eq!(page.status, 502);
    assert!(page.text.contains("It failed: "), "{}", page.text);
    let output = program.end();
    for told in [failure(&output), &page.text] {
        assert!(told.contains("do not match existing setup"), "{told}");
    }
    assert!(!stdout(&output).contains("do not match"), "it is said once: {output:?}");
    assert_eq!(server.statistics().code_exchanges, 0);
}

#[test]
fn the_exchange_is_json_or_a_form() {
    for (arguments, content_type, body) in [
        (&[][..], "application/json", r#"{"grant_type":"authorization_code","code":""#),
        (&["--form"], "application/x-www-form-urlencoded", "grant_type=authorization_code&code="),
    ] {
        let server = server(Simulator::builder());
        let peer = Peer::answering(response("200 OK", &[], TOKENS));
        let mut program = start(&peer.base_url(), &server.authorize_url(), SECRET, arguments);
        let url = program.url();
        register(&server, &url);
        get(&allowed(&server, &url));
        assert!(program.end().status.success());
        let exchange = &peer.requests()[0];
        let (head, sent) = exchange.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-type: {content_type}")), "{head}");
        assert!(sent.starts_with(body), "{sent}");
    }
}

#[test]
fn the_wait_has_an_end() {
    let server = server(Simulator::builder());
    let mut program = start(&server.base_url(), &server.authorize_url(), SECRET, &["--wait", "1"]);
    program.url();
    assert_eq!(failure(&program.end()), "nobody has logged in within 1 seconds: start it again");
}

#[test]
fn arguments_that_it_does_not_know_are_explained() {
    for (arguments, wrong) in [
        (&["--wait"][..], "--wait needs a number of seconds"),
        (&["--wait", "soon"], "--wait needs a number of seconds"),
        (&["--wait", "-1"], "--wait needs a number of seconds"),
        (&["--close"], r#""--close" is no option"#),
        (&["--form", "please"], r#""please" is no option"#),
    ] {
        let output = Program::start(arguments, []).end();
        let sentence = format!("{wrong}; usage: oauth-login [--open] [--form] [--wait SECONDS]");
        assert_eq!(failure(&output), sentence, "{arguments:?}");
    }
}

#[test]
fn without_a_client_it_has_a_simulator_whose_page_is_filled_in() {
    let mut program = Program::start(&[], [("TRADOVATE_CLIENT_ID", "")]);
    let url = program.url();
    let said = &program.said[0];
    assert!(said.starts_with("TRADOVATE_CLIENT_ID is not set, so the server is a simulator at http://127"), "{said}");
    assert!(said.ends_with("/v1; sign in there as synthetic-user with synthetic-password"), "{said}");
    assert!(get(&url).text.contains("Allow <bdi>Synthetic Desktop App</bdi> to use your account?"));

    let form = [("username", "synthetic-user"), ("password", "synthetic-password"), ("decision", "allow")];
    let sent = BROWSER.post(&url).send_form(form).unwrap();
    assert_eq!(sent.status(), 303);
    let back = sent.headers()["location"].to_str().unwrap().to_owned();
    assert!(back.starts_with(&redirect_uri(&url)), "{back}");
    assert!(get(&back).text.contains("You are logged in as Synthetic User."));
    let output = program.end();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn no_secret_is_printed_or_shown() {
    let refusal = r#"{"error":"invalid_grant","error_description":"canary-of-more-than-twenty-characters"}"#;
    for answer in [TOKENS, refusal] {
        let server = server(Simulator::builder());
        let peer = Peer::answering(response("200 OK", &[], answer));
        let mut program = start(&peer.base_url(), &server.authorize_url(), SECRET, &[]);
        let url = program.url();
        register(&server, &url);
        let answer = allowed(&server, &url);
        let page = get(&answer);
        let output = program.end();

        let exchange = peer.requests()[0].clone();
        let (_, sent) = exchange.split_once("\r\n\r\n").unwrap();
        let sent: serde_json::Value = serde_json::from_str(sent).unwrap();
        assert_eq!(sent["client_secret"], SECRET);
        let (code, verifier) = (parameter(&answer, "code"), sent["code_verifier"].as_str().unwrap());
        let printed = [&*output.stdout, &*output.stderr, page.text.as_bytes(), page.head.as_bytes()].concat();
        // The state is in the URL that the user needs, and nowhere else.
        let printed = String::from_utf8(printed).unwrap().replacen(&url, "", 1);
        for secret in ["canary", &code, verifier, &parameter(&url, "state")] {
            assert!(!printed.contains(secret), "{secret}: {printed}");
        }
    }
}

#[test]
fn each_page_is_whole_and_kept_by_nobody() {
    let server = server(Simulator::builder());
    server.with(|simulator| simulator.user_mut("synthetic-user").unwrap().full_name = "<b>&amp".into());
    let (program, url) = waiting(&server);
    let back = redirect_uri(&url);
    let post = Page::of(BROWSER.post(&back).send_empty().unwrap());
    let last = get(&allowed(&server, &url));
    assert!(last.text.contains("You are logged in as &lt;b&gt;&amp;amp. "), "{}", last.text);
    assert!(program.end().status.success());

    let (program, url) = waiting(&server);
    let missing = get(&format!("{}/", redirect_uri(&url)));
    let denied = get(&server.deny(&url).unwrap());
    failure(&program.end());
    for page in [post, last, missing, denied] {
        for header in [
            r#""content-type": "text/html; charset=utf-8""#,
            r#""cache-control": "no-store""#,
            r#""referrer-policy": "no-referrer""#,
            r#""default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'""#,
        ] {
            assert!(page.head.contains(header), "{header}: {}", page.head);
        }
        assert!(page.text.starts_with("<!DOCTYPE html>") && page.text.ends_with("</html>\n"), "{}", page.text);
        assert!(!page.text.contains("<script") && !page.text.contains("<b>"), "{}", page.text);
    }
}

#[test]
fn a_server_that_does_not_tell_who_it_is_ends_nothing() {
    let late = Simulator::builder().options(|options| options.user_id_delay = Duration::from_secs(300));
    let demo = Simulator::builder().side(Side::Demo);
    for (builder, said, shown) in [
        (
            late,
            "the server knows the user as Synthetic User (id not known yet)",
            "You are logged in as Synthetic User.",
        ),
        (demo, "the server does not tell who it is; going on (", "You are logged in. You may close this page."),
    ] {
        let server = server(builder);
        server.with(|simulator| {
            let side = simulator.options().default_side;
            simulator.oauth_client_mut("desktop").unwrap().side = side;
        });
        let (program, url) = waiting(&server);
        let page = get(&allowed(&server, &url));
        assert!(page.text.contains(shown), "{}", page.text);
        let output = program.end();
        assert!(output.status.success(), "{output:?}");
        assert!(stdout(&output).contains(said), "{output:?}");
    }
}

/// Starts it with a host and a port for the redirect.
fn at(host: &str, port: &str) -> Program {
    Program::start(&[], [("TRADOVATE_REDIRECT_HOST", host), ("TRADOVATE_REDIRECT_PORT", port)])
}

#[test]
fn it_listens_where_its_redirect_uri_leads() {
    let has_v6 = TcpListener::bind("[::1]:0").is_ok();
    for (host, addresses) in
        [("127.0.0.1", &["127.0.0.1"][..]), ("localhost", &["127.0.0.1", "[::1]"]), ("[::1]", &["[::1]"])]
    {
        if host == "[::1]" && !has_v6 {
            continue;
        }
        let mut program = at(host, "");
        let back = redirect_uri(&program.url());
        let port = Url::parse(&back).unwrap().port().unwrap();
        assert_eq!(back, format!("http://{host}:{port}/callback"));
        for address in ["127.0.0.1", "[::1]"].into_iter().filter(|address| has_v6 || *address == "127.0.0.1") {
            let reached = TcpStream::connect(format!("{address}:{port}")).is_ok();
            assert_eq!(reached, addresses.contains(&address), "{host} at {address}");
        }
    }
}

#[test]
fn a_port_in_use_is_named() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let output = at("", &port).end();
    let sentence = failure(&output);
    assert!(sentence.starts_with(&format!("can't listen at port {port} of 127.0.0.1, free it, or")), "{sentence}");
}

#[test]
fn an_address_that_is_half_another_programs_is_not_listened_at() {
    // Without IPv6 there is no other half.
    let Ok(other) = TcpListener::bind("[::1]:0") else { return };
    let port = other.local_addr().unwrap().port().to_string();
    let output = at("localhost", &port).end();
    assert!(failure(&output).starts_with(&format!("can't listen at port {port} of ")), "{output:?}");
}

#[test]
fn a_host_or_port_that_it_can_not_use_is_explained() {
    for (host, port, sentence) in [
        ("0.0.0.0", "0", "TRADOVATE_REDIRECT_HOST must be 127.0.0.1, localhost or [::1]"),
        ("127.0.0.1", "65536", "TRADOVATE_REDIRECT_PORT must be a number up to 65535"),
    ] {
        assert_eq!(failure(&at(host, port).end()), sentence);
    }
}

/// An empty folder of the test's own, as the only place where programs are looked for.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oauth_login-{}-{name}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
#[cfg(unix)]
fn the_browser_is_opened_where_there_is_one() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder("browser");
    let (launcher, opened) = (folder.join("xdg-open"), folder.join("opened"));
    std::fs::write(&launcher, format!("#!/bin/sh\necho \"$1\" >'{}'\n", opened.display())).unwrap();
    std::fs::set_permissions(&launcher, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut program = Program::start(&["--open", "--wait", "1"], [("PATH", folder.to_str().unwrap())]);
    let url = program.url();
    failure(&program.end());
    assert_eq!(std::fs::read_to_string(opened).unwrap().trim_end(), url);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn without_a_browser_it_goes_on() {
    let folder = folder("nothing");
    let mut program = Program::start(&["--open", "--wait", "1"], [("PATH", folder.to_str().unwrap())]);
    program.url();
    let output = program.end();
    assert!(stdout(&output).ends_with("\nno browser could be opened: open the URL by hand"), "{output:?}");
    assert!(failure(&output).starts_with("nobody has logged in"), "{output:?}");
    std::fs::remove_dir_all(folder).unwrap();
}
