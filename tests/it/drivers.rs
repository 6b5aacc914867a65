//! Tests of five drivers of the same session, each with another client or runtime: the examples `drive-…`. All run the
//! same scenarios against the simulator, over real connections. The clocks of the session and of the simulator are
//! moved forward, so that no test waits for long.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use drive::{Program, time_until};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use jiff::Timestamp;
use tradovate_auth::{
    Action, Credentials, Environment, Event, EventKind, RateBudget, RequestBody, Session, StopReason,
};
use tradovate_auth_simulator::{ApiHosts, LockOut, Server, Simulator};

use crate::support::{Peer, RUNTIME, credentials, response};

type Driver = fn(&mut Session, &mut dyn Program) -> Option<StopReason>;

const DRIVERS: [(&str, Driver); 5] = [
    ("ureq", drive_ureq::drive),
    ("reqwest", |session, program| RUNTIME.block_on(drive_reqwest::drive(session, program))),
    ("hyper", |session, program| RUNTIME.block_on(drive_hyper::drive(session, program))),
    ("smol", |session, program| drive_smol::smol::block_on(drive_smol::drive(session, program))),
    ("std", drive_std::drive),
];

/// What a scenario does after an event.
enum Next {
    Continue,
    /// Moves both clocks to shortly before the session acts again.
    Jump,
    End,
}

type OnEvent = fn(&Event, &World, &mut Session, &mut RateBudget) -> Next;

/// The program around a driver. It sends the requests to all hosts of the vendor to one address on loopback.
struct World {
    address: SocketAddr,
    server: Option<Server>,
    ahead: Duration,
    on_event: OnEvent,
    events: Vec<String>,
}

impl World {
    fn at(address: SocketAddr, server: Option<Server>, on_event: OnEvent) -> Self {
        Self { address, server, ahead: Duration::ZERO, on_event, events: Vec::new() }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }
}

impl Program for World {
    fn now(&self) -> Timestamp {
        Timestamp::now() + self.ahead
    }

    fn prepare(&self, mut request: Request<RequestBody>) -> Request<RequestBody> {
        let uri = request.uri();
        assert_eq!(uri.scheme_str(), Some("https"));
        let host = HeaderValue::from_str(uri.host().unwrap()).unwrap();
        let path = uri.path_and_query().unwrap().as_str();
        *request.uri_mut() =
            Uri::builder().scheme("http").authority(self.address.to_string()).path_and_query(path).build().unwrap();
        request.headers_mut().insert(header::HOST, host);
        request
    }

    fn on_event(&mut self, event: &Event, session: &mut Session, budget: &mut RateBudget) -> ControlFlow<()> {
        self.events.push(event.to_string());
        // No scenario expects a failure, and the session would retry forever.
        if matches!(event.kind, EventKind::Failed { .. }) {
            return ControlFlow::Break(());
        }
        match (self.on_event)(event, self, session, budget) {
            Next::Continue => {}
            Next::Jump => {
                let Action::Wait { until } = session.poll(self.now(), budget) else {
                    panic!("the session does not wait")
                };
                let jump = time_until(until, self.now()).saturating_sub(Duration::from_millis(100));
                self.ahead += jump;
                self.server().advance(jump);
            }
            Next::End => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }
}

struct Scenario {
    name: &'static str,
    prepare: fn(&mut Simulator),
    on_event: OnEvent,
    /// The host, path and status of each expected request.
    requests: &'static [&'static str],
}

const LOGIN: &str = "demo.tradovateapi.com /v1/auth/accesstokenrequest 200";
const RENEWAL: &str = "demo.tradovateapi.com /v1/auth/renewaccesstoken 200";

const SCENARIOS: [Scenario; 6] = [
    Scenario { name: "login", prepare: |_| {}, on_event: |_, _, _, _| Next::End, requests: &[LOGIN] },
    Scenario {
        name: "penalty",
        prepare: |simulator| simulator.penalize_next(None, Duration::from_secs(15)),
        on_event: |event, _, _, _| match event.kind {
            EventKind::Postponed { .. } => Next::Jump,
            _ => Next::End,
        },
        requests: &[LOGIN, "demo.tradovateapi.com /v1/auth/accesstokenrequest with a ticket 200"],
    },
    Scenario {
        name: "renewal",
        prepare: |_| {},
        on_event: |event, _, _, _| match event.kind {
            EventKind::LoggedIn { .. } => Next::Jump,
            _ => Next::End,
        },
        requests: &[LOGIN, RENEWAL],
    },
    Scenario {
        name: "401",
        prepare: |_| {},
        on_event: |event, world, session, budget| match event.kind {
            EventKind::LoggedIn { .. } if world.events.len() == 1 => {
                world.server().with(|simulator| simulator.revoke("trader"));
                let (now, text) = (world.now(), b"Expired Access Token");
                session.rejected(now, 1, StatusCode::UNAUTHORIZED, text, budget);
                Next::Continue
            }
            EventKind::LoggedIn { .. } => Next::End,
            _ => Next::Continue,
        },
        requests: &[LOGIN, "demo.tradovateapi.com /v1/auth/renewaccesstoken 401", LOGIN],
    },
    Scenario {
        name: "host move",
        prepare: |_| {},
        on_event: |event, world, _, _| match event.kind {
            EventKind::LoggedIn { .. } => {
                let hosts = ApiHosts::standard().with("demo", "acme-demo.eval.ninjatrader.com");
                world.server().with(|simulator| simulator.move_hosts("trader", hosts));
                Next::Jump
            }
            EventKind::Renewed { .. } => Next::End,
            _ => Next::Continue,
        },
        requests: &[
            LOGIN,
            "demo.tradovateapi.com /v1/auth/renewaccesstoken 307",
            "acme-demo.eval.ninjatrader.com /v1/auth/renewaccesstoken 200",
        ],
    },
    Scenario {
        name: "lock-out",
        prepare: |simulator| simulator.lock_out(LockOut::too_many_requests()),
        on_event: |event, _, _, _| match event.kind {
            EventKind::LockedOut { .. } => Next::Jump,
            _ => Next::End,
        },
        requests: &["demo.tradovateapi.com /v1/auth/accesstokenrequest 429", LOGIN],
    },
];

fn session() -> Session {
    Session::new(Environment::demo(), credentials(), 1)
}

/// The host, path and status of each request that the server received.
fn requests(server: &Server) -> Vec<String> {
    let describe = |entry: &tradovate_auth_simulator::LogEntry| {
        let ticket = if entry.fields.contains_key("p-ticket") { " with a ticket" } else { "" };
        format!("{} {}{ticket} {}", entry.host, entry.path, entry.status.as_u16())
    };
    server.statistics().log().map(describe).collect()
}

#[test]
fn every_driver_passes_every_scenario() {
    thread::scope(|scope| {
        for (name, drive) in DRIVERS {
            scope.spawn(move || {
                for scenario in SCENARIOS {
                    let user = tradovate_auth_simulator::User::new("trader", "canary-password");
                    let app = tradovate_auth_simulator::App::new("Sample App", "8", "canary-api-secret");
                    let server = Simulator::builder().user(user).app(app).serve().unwrap();
                    server.with(scenario.prepare);
                    let mut world = World::at(server.address(), Some(server), scenario.on_event);
                    let stopped = drive(&mut session(), &mut world);

                    let context = format!("{name}, {}: {:?}", scenario.name, world.events);
                    assert!(stopped.is_none(), "{context}");
                    assert_eq!(requests(world.server()), scenario.requests, "{context}");
                }
            });
        }
    });
}

/// The first event of each driver if the server at this address is called.
fn first_event(address: SocketAddr) -> Vec<String> {
    let first = |(name, drive): (&str, Driver)| {
        let mut world = World::at(address, None, |_, _, _, _| Next::End);
        drive(&mut session(), &mut world);
        format!("{name}: {}", world.events.concat())
    };
    DRIVERS.into_iter().map(first).collect()
}

#[test]
fn every_driver_reports_why_a_request_failed() {
    let cut = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{");
    for (answer, expected) in [
        (Vec::new(), "failed: no answer came"),
        (response("200 OK", &[], vec![b' '; 300_000]), "failed: the answer from demo.tradovateapi.com was too long"),
        (cut("200 OK").into(), "failed: the answer from demo.tradovateapi.com was incomplete"),
        (cut("429 Too Many Requests").into(), "the session sends nothing before"),
    ] {
        for event in first_event(Peer::answering(answer.clone()).address()) {
            assert!(event.contains(expected), "{event}");
        }
    }
    for event in first_event("127.0.0.1:1".parse().unwrap()) {
        assert!(event.contains("failed: nothing was sent"), "{event}");
    }
}

#[test]
fn no_driver_follows_a_redirect_or_sends_a_request_twice() {
    let untrusted = Peer::answering(response("200 OK", &[], ""));
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("location: {}/auth/accesstokenrequest", untrusted.base_url());
        let peer = Peer::answering(response(status, &[&location], ""));
        assert_eq!(first_event(peer.address()).len(), peer.requests().len());
    }
    assert!(untrusted.requests().is_empty());
}

#[test]
fn a_wrong_password_stops_every_driver() {
    for (name, drive) in DRIVERS {
        let server = Simulator::builder().serve().unwrap();
        let mut session = Session::new(Environment::demo(), Credentials::new("synthetic-user", "another"), 1);
        let mut world = World::at(server.address(), Some(server), |_, _, _, _| Next::Continue);
        assert!(matches!(drive(&mut session, &mut world), Some(StopReason::Refused(_))), "{name}");
        assert_eq!(requests(world.server()).len(), 1, "{name}");
    }
}

/// Keeps the drivers short enough to be read at once.
#[test]
fn no_driver_has_more_than_eighty_lines_of_code() {
    for (name, text) in [
        ("ureq", include_str!("../../examples/drive-ureq/src/lib.rs")),
        ("reqwest", include_str!("../../examples/drive-reqwest/src/lib.rs")),
        ("hyper", include_str!("../../examples/drive-hyper/src/lib.rs")),
        ("smol", include_str!("../../examples/drive-smol/src/lib.rs")),
        ("std", include_str!("../../examples/drive-std/src/lib.rs")),
    ] {
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
        let lines = text.lines().filter(is_code).count();
        assert!(lines <= 80, "{name}: {lines}");
    }
}
