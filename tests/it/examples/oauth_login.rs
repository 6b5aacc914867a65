//! Tests of the example `oauth-login` as a user runs it. The tests play the browser.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use reqwest::Url;
use tradovate_auth_simulator::{Endpoint, OAuthClient, Server, Side, Simulator, SimulatorBuilder};

use super::{failure, stdout};
use crate::support::browser::{Browser, Page};
use crate::support::site::{Program, example};
use crate::support::{Peer, await_one, response};

const SECRET: &str = "canary-client-secret";

fn get(url: &str) -> Page {
    send("GET", url)
}

fn send(method: &str, url: &str) -> Page {
    Browser::at("").send(method, url, &[])
}

fn start<'v>(arguments: &[&str], variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Program {
    Program::start(Command::new(example("oauth-login")), arguments, variables)
}

/// The URL at which the program asks the user to log in.
fn url_of(program: &Program) -> String {
    program.await_line(|line| line.starts_with("log in at ")).trim_start_matches("log in at ").to_owned()
}

/// A server that knows the app, the waiting program, and the URL at which it asks the user to log in.
struct Login {
    server: Server,
    program: Program,
    url: String,
}

impl Login {
    fn new() -> Self {
        Self::at(Simulator::builder())
    }

    fn at(builder: SimulatorBuilder) -> Self {
        Self::with(builder, None, SECRET, &[])
    }

    /// A login whose code is exchanged at a peer.
    fn exchanged_at(peer: &Peer, arguments: &[&str]) -> Self {
        Self::with(Simulator::builder(), Some(peer.base_url()), SECRET, arguments)
    }

    fn with(builder: SimulatorBuilder, api: Option<String>, secret: &str, arguments: &[&str]) -> Self {
        let client = OAuthClient::confidential("desktop", SECRET, "http://127.0.0.1/");
        let server = builder.oauth_client(client).serve().unwrap();
        let variables = [
            ("TRADOVATE_API_URL", &*api.unwrap_or_else(|| server.base_url())),
            ("TRADOVATE_AUTHORIZE_URL", &server.authorize_url()),
            ("TRADOVATE_CLIENT_ID", "desktop"),
            ("TRADOVATE_CLIENT_SECRET", secret),
            ("TRADOVATE_REDIRECT_PORT", "0"),
            ("RUST_LOG", "trace"),
        ];
        let program = start(arguments, variables);
        let url = url_of(&program);
        let uri = redirect_uri(&url);
        server.with(|simulator| {
            let side = simulator.options().default_side;
            let client = simulator.oauth_client_mut("desktop").unwrap();
            client.redirect_uris.push(uri);
            client.side = side;
        });
        Self { server, program, url }
    }

    fn back(&self) -> String {
        redirect_uri(&self.url)
    }

    /// The URL to which the page redirects the browser if the user allows.
    fn allowed(&self) -> String {
        self.server.consent("synthetic-user", &self.url).unwrap()
    }

    fn denied(&self) -> String {
        self.server.deny(&self.url).unwrap()
    }

    /// Waits for the program to succeed, and returns its stdout.
    fn end(self) -> String {
        let output = self.program.end();
        assert!(output.status.success(), "{output:?}");
        stdout(&output).to_owned()
    }
}

fn parameter(url: &str, name: &str) -> String {
    let url = Url::parse(url).unwrap();
    url.query_pairs().find(|(own, _)| own == name).unwrap().1.into_owned()
}

fn redirect_uri(url: &str) -> String {
    parameter(url, "redirect_uri")
}

#[test]
fn the_page_and_the_program_say_who_logged_in() {
    let late = Simulator::builder().options(|options| options.user_id_delay = Duration::from_secs(300));
    for (builder, shown, said) in [
        (Simulator::builder(), "logged in as Synthetic User. You may close this page.", "Synthetic User (id 15460)"),
        (late, "logged in as Synthetic User. You may close this page.", "Synthetic User (id not known yet)"),
        (
            Simulator::builder().side(Side::Demo),
            "logged in. You may close",
            "did not say who the user is: continuing without it (",
        ),
    ] {
        let Login { server, program, url } = Login::at(builder);
        let page = get(&server.consent("synthetic-user", &url).unwrap());
        page.says(200, [shown]);
        let output = program.end();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        for text in [said, "logged in: the token is valid until 2", "the refresh token expires at 2"] {
            assert!(stdout(&output).contains(text), "{output:?}");
        }
        assert_eq!((server.statistics().code_exchanges, server.statistics().requests(Endpoint::OauthToken)), (1, 1));
    }
}

#[test]
fn the_page_and_the_program_say_why_a_login_failed() {
    for (secret, status, exchanges, told) in [
        (SECRET, 400, 0, "the login was not authorized (\"access_denied: "),
        ("another", 502, 1, "do not match existing setup"),
    ] {
        let login = Login::with(Simulator::builder(), None, secret, &[]);
        let page = get(&if status == 400 { login.denied() } else { login.allowed() });
        let output = login.program.end();
        // In HTML the quotes are escaped.
        page.says(status, [told.split('(').next().unwrap()]);
        assert!(failure(&output).contains(told), "{output:?}");
        assert!(!stdout(&output).contains(told), "it is printed once: {output:?}");
        assert_eq!(login.server.statistics().requests(Endpoint::OauthToken), exchanges);
    }
}

#[test]
fn forged_redirects_are_refused_and_the_real_one_is_still_accepted() {
    let login = Login::new();
    let (back, answer) = (login.back(), login.allowed());
    for forged in [&back, &format!("{back}?code=theirs&state=guessed"), &format!("{answer}&code=ours")] {
        get(forged).says(400, ["It was ignored: the redirect"]);
    }
    for elsewhere in ["/", "/favicon.ico", "/callback/", "/Callback", "/%63allback", "//callback"] {
        assert_eq!(get(&answer.replace("/callback", elsewhere)).status(), 404, "{elsewhere}");
    }
    for method in ["POST", "HEAD", "PUT"] {
        let page = send(method, &answer);
        assert_eq!((page.status(), page.header("allow")), (405, "GET"), "{method}");
    }

    get(&answer).says(200, ["You are logged in as"]);
    assert_eq!(login.server.statistics().code_exchanges, 1);
    let said = login.end();
    assert!(said.contains("\nthe redirect has no `state`, so it may be forged and was ignored"), "{said}");
}

#[test]
fn a_long_penalty_does_not_end_the_login() {
    let Login { server, mut program, url } = Login::new();
    let answer = server.consent("synthetic-user", &url).unwrap();
    server.penalize_next(Duration::from_secs(90));
    let page = thread::spawn(move || Browser::at("").agent.get(&answer).call().is_ok());
    program.await_line(|line| line.contains("postponed by the server: "));
    thread::sleep(Duration::from_secs(1));
    assert!(!page.is_finished() && program.is_running(), "the program and the browser wait");
    drop(program);
    assert!(!page.join().unwrap());
}

#[test]
fn huge_and_silent_connections_do_not_block_the_redirect() {
    let login = Login::new();
    let port = Url::parse(&login.back()).unwrap().port().unwrap();
    let connect = || TcpStream::connect(("127.0.0.1", port));

    let mut long = connect().unwrap();
    let query = format!("state={}&code={}", parameter(&login.url, "state"), "x".repeat(1 << 20));
    // The program may close the connection before all is written.
    drop(write!(long, "GET /callback?{query} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"));
    let mut answer = [0; 12];
    if long.read_exact(&mut answer).is_ok() {
        assert!(answer.starts_with(b"HTTP/1.1 4"), "{}", answer.escape_ascii());
    }

    let silent = connect().unwrap();
    let mut unfinished = connect().unwrap();
    unfinished.write_all(b"GET /callback?").unwrap();
    assert!(get(&login.allowed()).text().contains("You are logged in as"));
    login.end();
    drop((silent, unfinished));
}

#[test]
fn only_the_first_redirect_is_accepted() {
    let (exchange_started, started) = mpsc::channel();
    let (go_on, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let peer = Peer::acting(move |connection, request| {
        if request.starts_with("POST") {
            exchange_started.send(()).unwrap();
            // Returns an error if the test failed and dropped the sender.
            let _ = held.lock().unwrap().recv();
        }
        connection.write_all(&response("200 OK", &[], TOKENS)).unwrap();
    });
    let login = Login::exchanged_at(&peer, &[]);
    let answer = login.allowed();
    let same = answer.clone();
    let first = thread::spawn(move || get(&same));
    await_one(&started);
    for later in [answer, login.denied(), format!("{}?code=theirs&state=guessed", login.back())] {
        get(&later).says(409, ["This login was already answered."]);
    }
    drop(go_on);
    assert_eq!(first.join().unwrap().status(), 200);
    login.end();
    assert_eq!(peer.requests().iter().filter(|request| request.starts_with("POST")).count(), 1);
}

/// A response to the exchange. It also parses as a response of `me` without a name.
const TOKENS: &str = r#"{"access_token":"canary-access-token","token_type":"Bearer","expires_in":4800,
    "refresh_token":"canary-refresh-token","refresh_token_expires_in":93600,"mdAccessToken":"canary-market-data-token"}"#;

#[test]
fn the_exchange_can_be_a_form() {
    let peer = Peer::answering(response("200 OK", &[], TOKENS));
    let login = Login::exchanged_at(&peer, &["--form"]);
    get(&login.allowed());
    login.end();
    let exchange = peer.requests()[0].clone();
    let (head, sent) = exchange.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
    assert!(sent.starts_with("grant_type=authorization_code&code="), "{sent}");
}

#[test]
fn without_a_client_id_oauth_login_uses_a_simulator() {
    let program = start(&[], [("TRADOVATE_CLIENT_ID", "")]);
    let url = url_of(&program);
    let said = program.await_line(|_| true);
    assert!(said.starts_with("TRADOVATE_CLIENT_ID is not set, so the server is a simulator at http://127"), "{said}");
    assert!(said.ends_with("/v1; sign in there as synthetic-user with synthetic-password"), "{said}");
    assert!(get(&url).text().contains("Allow <bdi>Synthetic Desktop App</bdi> to use your account?"));

    let form = [("username", "synthetic-user"), ("password", "synthetic-password"), ("decision", "allow")];
    let sent = Browser::at("").agent.post(&url).send_form(form).unwrap();
    assert_eq!(sent.status(), 303);
    let back = sent.headers()["location"].to_str().unwrap().to_owned();
    assert!(back.starts_with(&redirect_uri(&url)), "{back}");
    assert!(get(&back).text().contains("You are logged in as Synthetic User."));
    let output = program.end();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn no_secret_is_printed_or_shown() {
    let refusal = r#"{"error":"invalid_grant","error_description":"canary-of-more-than-twenty-characters"}"#;
    for answer in [TOKENS, refusal] {
        let peer = Peer::answering(response("200 OK", &[], answer));
        let login = Login::exchanged_at(&peer, &[]);
        let (url, answer) = (login.url.clone(), login.allowed());
        let page = get(&answer);
        let output = login.program.end();

        let exchange = peer.requests()[0].clone();
        let (_, sent) = exchange.split_once("\r\n\r\n").unwrap();
        let sent: serde_json::Value = serde_json::from_str(sent).unwrap();
        assert_eq!(sent["client_secret"], SECRET);
        let (code, verifier) = (parameter(&answer, "code"), sent["code_verifier"].as_str().unwrap());
        let printed = [&*output.stdout, &*output.stderr, format!("{page:?}").as_bytes()].concat();
        // The user needs the URL with the `state`. It must not be printed anywhere else.
        let printed = String::from_utf8(printed).unwrap().replacen(&url, "", 1);
        for secret in ["canary", &code, verifier, &parameter(&url, "state")] {
            assert!(!printed.contains(secret), "{secret}: {printed}");
        }
    }
}

#[test]
fn each_page_is_complete_escaped_and_not_cached() {
    let login = Login::new();
    login.server.with(|simulator| simulator.user_mut("synthetic-user").unwrap().full_name = "<b>&amp".into());
    let post = send("POST", &login.back());
    let missing = get(&format!("{}/", login.back()));
    let last = get(&login.allowed());
    assert!(last.text().contains("You are logged in as &lt;b&gt;&amp;amp. "), "{}", last.text());
    let denied = get(&Login::new().denied());
    for page in [post, last, missing, denied] {
        let headers = ["content-type", "cache-control", "referrer-policy"].map(|name| page.header(name));
        assert_eq!(headers, ["text/html; charset=utf-8", "no-store", "no-referrer"]);
        let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
        assert_eq!(page.header("content-security-policy"), policy);
        assert!(page.text().starts_with("<!DOCTYPE html>") && page.text().ends_with("</html>\n"), "{}", page.text());
        assert!(!page.text().contains("<script") && !page.text().contains("<b>"), "{}", page.text());
    }
}

#[test]
fn the_listener_has_the_address_of_its_redirect_uri() {
    let has_v6 = TcpListener::bind("[::1]:0").is_ok();
    for (host, addresses) in
        [("127.0.0.1", &["127.0.0.1"][..]), ("localhost", &["127.0.0.1", "[::1]"]), ("[::1]", &["[::1]"])]
    {
        if host == "[::1]" && !has_v6 {
            continue;
        }
        let program = start(&[], [("TRADOVATE_REDIRECT_HOST", host)]);
        let back = redirect_uri(&url_of(&program));
        let port = Url::parse(&back).unwrap().port().unwrap();
        assert_eq!(back, format!("http://{host}:{port}/callback"));
        for address in ["127.0.0.1", "[::1]"].into_iter().filter(|address| has_v6 || *address == "127.0.0.1") {
            let reached = TcpStream::connect(format!("{address}:{port}")).is_ok();
            assert_eq!(reached, addresses.contains(&address), "{host} at {address}");
        }
    }
}

#[test]
#[cfg(unix)]
fn oauth_login_opens_a_browser_and_ends_after_the_wait() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let (launcher, opened) = (folder.path().join("xdg-open"), folder.path().join("opened"));
    for has_browser in [false, true] {
        if has_browser {
            std::fs::write(&launcher, format!("#!/bin/sh\necho \"$1\" >'{}'\n", opened.display())).unwrap();
            std::fs::set_permissions(&launcher, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let program = start(&["--open", "--wait", "1"], [("PATH", folder.path().to_str().unwrap())]);
        let url = url_of(&program);
        let output = program.end();
        assert_eq!(failure(&output), "nobody logged in within 1 s: start the program again");
        let by_hand = stdout(&output).ends_with("\ncan't open a browser: open the URL above yourself\n");
        assert_ne!(by_hand, has_browser, "{output:?}");
        assert!(!has_browser || std::fs::read_to_string(&opened).unwrap().trim_end() == url);
    }
}
