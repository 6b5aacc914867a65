//! The fuzz target for the simulator's sockets: arbitrary frames, and arbitrary changes between them.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tradovate_auth_simulator::{ExpiredSocket, Simulator, SocketId, SocketNext, SocketOutput};

use crate::SIMULATED_LOGIN;

const USER: &str = "synthetic-user";

const HOSTS: [&str; 6] = [
    "127.0.0.1",
    "demo.tradovateapi.com",
    "live.tradovateapi.com",
    "md-demo.tradovateapi.com",
    "acme-demo.eval.ninjatrader.com",
    "x.example",
];

#[derive(Arbitrary, Debug)]
enum Event<'a> {
    LogIn,
    Connect { host: u8 },
    Frame { socket: u8, text: &'a str },
    Request { socket: u8, endpoint: u8, id: u64, body: &'a str },
    Authorize { socket: u8, token: u8 },
    Poll { socket: u8 },
    HangUp { socket: u8 },
    Wait { millis: u32 },
    Kick,
    Expire,
    Revoke,
    Cut,
    Silence,
    ExpiredSockets { kind: u8 },
    Timeout { seconds: u8 },
}

/// Reads the input as a list of events.
pub fn sockets(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let mut world = World {
        simulator: Simulator::builder().build(),
        now: Timestamp::constant(1_795_530_030, 0),
        tokens: vec![Token { text: "unknown".into(), is_market_data: false, is_good: false, is_revoked: false }],
        sockets: Vec::new(),
        log_ins: 0,
    };
    for _ in 0..24 {
        let Ok(event) = Event::arbitrary(&mut input) else { break };
        world.run(&event);
    }
    for number in 0..world.sockets.len() {
        world.poll(number);
    }
}

struct World {
    simulator: Simulator,
    now: Timestamp,
    tokens: Vec<Token>,
    sockets: Vec<Socket>,
    log_ins: u8,
}

struct Token {
    text: String,
    is_market_data: bool,
    /// Whether the server has issued the token and has not ended it since.
    is_good: bool,
    is_revoked: bool,
}

struct Socket {
    id: SocketId,
    /// The number of the token that the server has accepted last.
    token: Option<usize>,
    has_ended: bool,
}

impl World {
    fn run(&mut self, event: &Event<'_>) {
        match *event {
            Event::LogIn => self.log_in(),
            Event::Connect { host } => self.connect(HOSTS[usize::from(host) % HOSTS.len()]),
            Event::Frame { socket, text } => {
                let mut lines = text.splitn(4, '\n');
                let (endpoint, id) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
                self.receive(socket, text, id.parse().ok(), endpoint, lines.nth(1).unwrap_or_default());
            }
            Event::Request { socket, endpoint, id, body } => {
                let endpoints = ["user/syncrequest", "account/list", "User/List", "md/subscribeQuote", "", "authorize"];
                let endpoint = endpoints[usize::from(endpoint) % endpoints.len()];
                self.receive(socket, &format!("{endpoint}\n{id}\n\n{body}"), Some(id), endpoint, body);
            }
            Event::Authorize { socket, token } => {
                let token = self.tokens[usize::from(token) % self.tokens.len()].text.clone();
                self.receive(socket, &format!("authorize\n1\n\n{token}"), Some(1), "authorize", &token);
            }
            Event::Poll { socket } => {
                if let Some(number) = self.number(socket) {
                    self.poll(number);
                }
            }
            Event::HangUp { socket } => {
                if let Some(number) = self.number(socket) {
                    self.simulator.socket_hung_up(self.sockets[number].id);
                    self.sockets[number].has_ended = true;
                }
            }
            Event::Wait { millis } => {
                let by = SignedDuration::from_millis(i64::from(millis % (24 * 3_600_000)));
                self.now = self.now.saturating_add(by).expect("a time");
            }
            Event::Kick => self.simulator.close_oldest_session(USER),
            Event::Expire => {
                self.simulator.expire_sessions(USER);
                self.end_tokens();
            }
            Event::Revoke => {
                self.simulator.revoke(USER);
                self.end_tokens();
                self.tokens.iter_mut().for_each(|token| token.is_revoked = true);
            }
            Event::Cut => self.simulator.cut_sockets(),
            Event::Silence => self.simulator.silence_sockets(),
            Event::ExpiredSockets { kind } => {
                let kinds = [ExpiredSocket::StaysOpen, ExpiredSocket::FallsSilent, ExpiredSocket::Closes];
                self.simulator.options_mut().expired_socket = kinds[usize::from(kind) % kinds.len()];
            }
            Event::Timeout { seconds } => {
                self.simulator.options_mut().socket_timeout = Duration::from_secs(seconds.into());
            }
        }
    }

    /// Logs in, at most three times: the third login closes the first session.
    fn log_in(&mut self) {
        if self.log_ins == 3 {
            return;
        }
        self.log_ins += 1;
        let request = Request::post("https://demo.tradovateapi.com/v1/auth/accesstokenrequest")
            .header("content-type", "application/json")
            .body(SIMULATED_LOGIN)
            .expect("a request");
        let response = self.simulator.handle(self.now, request);
        let body = str::from_utf8(response.body()).expect("an answer is text");
        for (start, is_market_data) in [("\"accessToken\":\"", false), ("\"mdAccessToken\":\"", true)] {
            let text = body.split_once(start).and_then(|(_, rest)| rest.split('"').next()).map(Into::into);
            self.tokens.extend(text.map(|text| Token { text, is_market_data, is_good: true, is_revoked: false }));
        }
    }

    fn end_tokens(&mut self) {
        self.tokens.iter_mut().for_each(|token| token.is_good = false);
    }

    fn connect(&mut self, host: &str) {
        let url = format!("wss://{host}/v1/websocket");
        let request = Request::get(url).body("").expect("a request");
        match self.simulator.connect(self.now, request) {
            Ok(id) => {
                assert!(self.sockets.iter().all(|socket| socket.id != id), "an id is used once");
                self.sockets.push(Socket { id, token: None, has_ended: false });
            }
            Err(refusal) => assert_ne!(refusal.status(), http::StatusCode::SWITCHING_PROTOCOLS),
        }
    }

    /// The number of a socket, if there is any.
    fn number(&self, socket: u8) -> Option<usize> {
        usize::from(socket).checked_rem(self.sockets.len())
    }

    /// Sends a frame. All frames but the heartbeat are requests.
    fn receive(&mut self, socket: u8, text: &str, id: Option<u64>, endpoint: &str, body: &str) {
        let Some(number) = self.number(socket) else { return };
        let output = self.simulator.socket_receive(self.now, self.sockets[number].id, text);
        let answers: Vec<_> = output.frames.iter().filter_map(|frame| frame.strip_prefix('a')).collect();
        assert!(answers.len() <= 1, "one request has {} answers", answers.len());
        for answer in answers {
            let answer: Value = serde_json::from_str(answer).expect("an answer is JSON");
            let [answer] = answer.as_array().expect("an answer is a list").as_slice() else {
                panic!("an answer has one element: {answer}");
            };
            assert_eq!(answer["i"].as_u64(), Some(id.unwrap_or_default()), "{answer}");
            let status = answer["s"].as_u64().expect("an answer has a status");
            assert!([200, 400, 401, 404, 421].contains(&status), "{answer}");
            assert_eq!(status == 400, id.is_none(), "{answer}");
            assert!(status == 200 || answer["d"].is_string(), "a refusal has a text: {answer}");
            if status == 200 {
                self.check_accepted(number, endpoint, body.trim(), answer);
            }
        }
        self.check(number, &output);
    }

    /// Checks that the server accepts only tokens that it has issued, and answers with data only on a socket that has
    /// one for trading.
    fn check_accepted(&mut self, number: usize, endpoint: &str, body: &str, answer: &Value) {
        if endpoint == "authorize" {
            let token = self.tokens.iter().position(|token| token.text == body && token.is_good);
            assert!(token.is_some() && answer.get("d").is_none(), "{answer}");
            self.sockets[number].token = token;
        } else {
            let token = self.sockets[number].token.map(|token| &self.tokens[token]);
            let is_for_data = |token: &Token| !token.is_market_data && !token.is_revoked;
            assert!(token.is_some_and(is_for_data), "nobody has authorized it: {answer}");
            assert!(answer["d"].is_array() || answer["d"].is_object(), "{answer}");
        }
    }

    fn poll(&mut self, number: usize) {
        let output = self.simulator.socket_poll(self.now, self.sockets[number].id);
        assert!(output.frames.iter().all(|frame| !frame.starts_with('a')), "an answer without a request: {output:?}");
        self.check(number, &output);
    }

    fn check(&mut self, number: usize, output: &SocketOutput) {
        for frame in &output.frames {
            let is_known =
                matches!(frame.as_str(), "o" | "h") || frame.starts_with("a[") || frame.starts_with("c[3000,");
            assert!(is_known, "{frame}");
            assert!(self.tokens.iter().skip(1).all(|token| !frame.contains(&token.text)), "{frame}");
        }
        let socket = &mut self.sockets[number];
        if socket.has_ended {
            assert_eq!(*output, SocketOutput { frames: Vec::new(), next: SocketNext::Closed }, "it has ended");
        }
        match output.next {
            SocketNext::Open(Some(at)) => assert!(at > self.now, "{at} is not after {}", self.now),
            SocketNext::Open(None) => {}
            SocketNext::Closed | SocketNext::Cut => socket.has_ended = true,
        }
    }
}
