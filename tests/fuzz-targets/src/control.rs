//! The fuzz target for the control interface of the simulator.

use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use tradovate_auth_simulator::{ControlledSimulator, Simulator};

use crate::SIMULATED_LOGIN;

const CLOCK: Timestamp = Timestamp::constant(1_795_530_030, 0);
const LOGIN: &str = "/v1/auth/accesstokenrequest";

/// Reads each line of the input as a request: a method in capital letters (default `POST`), the name of a command, and
/// the body. A line that begins with `@` sets the `Host` of the later requests. A login follows each command that is
/// executed, so that ordered answers, lock-outs and options take effect. At the end, `reset` must bring the simulator
/// back to its start.
pub fn control(input: &[u8]) {
    let mut client =
        Client { simulator: ControlledSimulator::new(Simulator::builder().build()), host: "127.0.0.1".to_owned() };
    for line in input.split(|&byte| byte == b'\n').take(8) {
        client.run(line);
    }
    "localhost".clone_into(&mut client.host);
    let log = client.send("GET", "/simulator/log", b"").expect("a request").into_body();
    let log: Vec<Value> = serde_json::from_slice(&log).expect("the log is a list");
    assert!(log.iter().all(|entry| entry["path"] == LOGIN && entry["status"].is_number()), "{log:?}");
    assert_eq!(client.command("POST", "reset", b""), Some(StatusCode::OK));
    assert_eq!(client.simulator.now(CLOCK), CLOCK);
    let login = client.send("POST", LOGIN, SIMULATED_LOGIN.as_bytes()).expect("a request");
    let body: Value = serde_json::from_slice(login.body()).expect("the answer to a login is JSON");
    assert!(login.status() == StatusCode::OK && body["accessToken"].is_string(), "{} {body}", login.status());
    let simulator = client.simulator.at(CLOCK);
    assert_eq!((simulator.statistics().log().len(), simulator.open_sessions("synthetic-user")), (1, 1));
}

struct Client {
    simulator: ControlledSimulator,
    host: String,
}

impl Client {
    fn run(&mut self, line: &[u8]) {
        if let Some(host) = line.strip_prefix(b"@") {
            self.host = String::from_utf8_lossy(host).into_owned();
            return;
        }
        let (mut word, mut rest) = split(line);
        let mut method = "POST";
        if let Ok(stated) = str::from_utf8(word)
            && !stated.is_empty()
            && stated.bytes().all(|byte| byte.is_ascii_uppercase())
        {
            method = stated;
            (word, rest) = split(rest);
        }
        if let Ok(name) = str::from_utf8(word)
            && self.command(method, name, rest) == Some(StatusCode::OK)
        {
            let login = self.send("POST", LOGIN, SIMULATED_LOGIN.as_bytes()).expect("a request");
            assert!(login.status().as_u16() >= 200, "{}", login.status());
        }
    }

    /// Sends a command, and checks the form of the answer. A request that is not executed changes nothing. `None` if
    /// there is no such request in HTTP.
    fn command(&mut self, method: &str, name: &str, body: &[u8]) -> Option<StatusCode> {
        let now = self.simulator.now(CLOCK);
        let log = self.simulator.at(CLOCK).statistics().log().len();
        let response = self.send(method, &format!("/simulator/{name}"), body)?;
        let (status, after) = (response.status(), self.simulator.now(CLOCK));
        let answer = || serde_json::from_slice::<Value>(response.body()).expect("an answer is JSON");
        let is_command = method == "POST";
        match status.as_u16() {
            200 if is_command => {
                let shown = answer()["now"].as_str().and_then(|now| now.parse().ok());
                assert_eq!(shown, Some(after), "{}", answer());
                let command = name.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
                assert!(after >= now || command == "reset", "the clock goes back to {after}");
            }
            200 => assert!(method == "GET" && answer().is_array(), "{method} {name}"),
            400 | 403 | 404 => assert!(answer()["error"].as_str().is_some_and(|why| !why.is_empty()), "{}", answer()),
            405 => assert!(response.headers().contains_key(http::header::ALLOW) && response.body().is_empty()),
            _ => panic!("{method} {name}: {status}"),
        }
        // Every loopback address has a 1.
        let may_be_local = self.host.contains('1') || self.host.to_ascii_lowercase().contains("localhost");
        assert!(may_be_local || status == StatusCode::FORBIDDEN, "a command for {:?} is executed", self.host);
        if !is_command || status != StatusCode::OK {
            let log_after = self.simulator.at(CLOCK).statistics().log().len();
            assert_eq!((after, log_after), (now, log), "{method} {name} is not executed");
        }
        Some(status)
    }

    fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Option<Response<Vec<u8>>> {
        let request = Request::builder().method(method).uri(path).header("host", &self.host);
        let request = request.header("content-type", "application/json").body(body).ok()?;
        Some(self.simulator.handle(CLOCK, request))
    }
}

/// The first word, and what follows the space after it.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    (&line[..end], line.get(end + 1..).unwrap_or_default())
}
