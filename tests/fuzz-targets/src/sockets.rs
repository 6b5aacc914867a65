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
        now: "2026-11-24T14:20:30Z".parse().expect("a time"),
        tokens: vec!["unknown".into()],
        sockets: Vec::new(),
    };
    for _ in 0..64 {
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
    tokens: Vec<String>,
    sockets: Vec<Socket>,
}

struct Socket {
    id: SocketId,
    /// Whether a request with a token may have been accepted.
    may_be_authorized: bool,
    has_ended: bool,
}

impl World {
    fn run(&mut self, event: &Event<'_>) {
        match *event {
            Event::LogIn => self.log_in(),
            Event::Connect { host } => self.connect(HOSTS[usize::from(host) % HOSTS.len()]),
            Event::Frame { socket, text } => {
                let id = text.split('\n').nth(1).and_then(|id| id.parse().ok());
                self.receive(socket, text, id.unwrap_or_default(), text.starts_with("authorize\n"));
            }
            Event::Request { socket, endpoint, id, body } => {
                let endpoints = ["user/syncrequest", "account/list", "User/List", "md/subscribeQuote", "", "authorize"];
                let endpoint = endpoints[usize::from(endpoint) % endpoints.len()];
                self.receive(socket, &format!("{endpoint}\n{id}\n\n{body}"), id, endpoint == "authorize");
            }
            Event::Authorize { socket, token } => {
                let token = &self.tokens[usize::from(token) % self.tokens.len()];
                self.receive(socket, &format!("authorize\n1\n\n{token}"), 1, true);
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
            Event::Expire => self.simulator.expire_sessions(USER),
            Event::Revoke => self.simulator.revoke(USER),
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

    fn log_in(&mut self) {
        let request = Request::post("https://demo.tradovateapi.com/v1/auth/accesstokenrequest")
            .header("content-type", "application/json")
            .body(SIMULATED_LOGIN)
            .expect("a request");
        let response = self.simulator.handle(self.now, request);
        let answer: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        for name in ["accessToken", "mdAccessToken"] {
            self.tokens.extend(answer[name].as_str().map(Into::into));
        }
    }

    fn connect(&mut self, host: &str) {
        let url = format!("wss://{host}/v1/websocket");
        let request = Request::get(url).body("").expect("a request");
        match self.simulator.connect(self.now, request) {
            Ok(id) => {
                assert!(self.sockets.iter().all(|socket| socket.id != id), "an id is used once");
                self.sockets.push(Socket { id, may_be_authorized: false, has_ended: false });
            }
            Err(refusal) => assert_ne!(refusal.status(), http::StatusCode::SWITCHING_PROTOCOLS),
        }
    }

    /// The number of a socket, if there is any.
    fn number(&self, socket: u8) -> Option<usize> {
        usize::from(socket).checked_rem(self.sockets.len())
    }

    /// Sends a frame, which may contain a request with this id.
    fn receive(&mut self, socket: u8, text: &str, id: u64, is_authorize: bool) {
        let Some(number) = self.number(socket) else { return };
        self.sockets[number].may_be_authorized |= is_authorize;
        let output = self.simulator.socket_receive(self.now, self.sockets[number].id, text);
        let answers: Vec<_> = output.frames.iter().filter_map(|frame| frame.strip_prefix('a')).collect();
        assert!(answers.len() <= 1, "one request has {} answers", answers.len());
        for answer in answers {
            let answer: Value = serde_json::from_str(answer).expect("an answer is JSON");
            let [answer] = answer.as_array().expect("an answer is a list").as_slice() else {
                panic!("an answer has one element: {answer}");
            };
            assert_eq!(answer["i"].as_u64(), Some(id), "{answer}");
            let status = answer["s"].as_u64().expect("an answer has a status");
            assert!([200, 400, 401, 404, 421].contains(&status), "{answer}");
            assert!(status != 200 || self.sockets[number].may_be_authorized, "nobody has authorized it: {answer}");
        }
        self.check(number, &output);
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
            assert!(self.tokens.iter().skip(1).all(|token| !frame.contains(token)), "{frame}");
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
