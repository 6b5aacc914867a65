//! The control interface of a running simulator: `POST /simulator/…` for commands and `GET /simulator/log`. Requests
//! and responses are JSON. Programs in any language can use it. Web pages of other origins can't.

use std::time::Duration;

use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, Uri, header};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{call, reply::Reply, side::hostname, simulator::Simulator, statistics::LogEntry, time::later};

mod arguments;
mod commands;

use arguments::Arguments;
use commands::COMMANDS;

const PATH: &str = "/simulator";

/// A command of the control interface.
struct Command {
    name: &'static str,
    /// A JSON body with all its fields and typical values.
    example: &'static str,
    does: &'static str,
    /// Runs after the time of the simulator is set.
    run: fn(&Arguments, &mut ControlledSimulator) -> Result<(), Mistake>,
}

/// Why a command was not executed.
struct Mistake(String);

/// A simulator with its control interface and with a clock that can be moved forward. It has no clock of its own, as
/// [`Simulator`] has none: each method takes the time of the caller's clock. The HTTP server of the feature `serve` uses
/// it. Use it if you serve the simulator with another HTTP server.
///
/// ```
/// use http::Request;
/// use tradovate_auth_simulator::{ControlledSimulator, Simulator};
///
/// let mut simulator = ControlledSimulator::new(Simulator::builder().build());
/// let clock = "2026-11-24T14:20:30Z".parse()?;
/// let command = Request::post("/simulator/advance").header("Host", "127.0.0.1").body(r#"{"seconds":60}"#)?;
/// let response = simulator.handle(clock, command);
/// assert_eq!(response.body(), br#"{"now":"2026-11-24T14:21:30Z"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ControlledSimulator {
    simulator: Simulator,
    /// How far the simulated clock is ahead of the caller's.
    advanced_by: Duration,
    allows_any_host: bool,
}

impl ControlledSimulator {
    /// A simulator whose clock shows the same time as the caller's.
    #[must_use]
    pub fn new(simulator: Simulator) -> Self {
        Self { simulator, advanced_by: Duration::ZERO, allows_any_host: false }
    }

    /// Executes commands under any host name. Without this, the host has to be a loopback address or `localhost`, so
    /// that no web page can send commands under a name that it made to resolve to this machine.
    #[must_use]
    pub fn allow_any_host(mut self) -> Self {
        self.allows_any_host = true;
        self
    }

    /// The time of the simulated clock.
    #[must_use]
    pub fn now(&self, clock: Timestamp) -> Timestamp {
        later(clock, self.advanced_by)
    }

    /// Moves the simulated clock forward.
    pub fn advance(&mut self, by: Duration) {
        self.advanced_by = self.advanced_by.saturating_add(by);
    }

    /// The simulator, with its time set to that of the simulated clock.
    pub fn at(&mut self, clock: Timestamp) -> &mut Simulator {
        self.simulator.set_time(self.now(clock));
        &mut self.simulator
    }

    /// Answers a request. The paths `/simulator` and below belong to the control interface, whose requests are not
    /// logged. [`Simulator::handle`] answers all others.
    pub fn handle<B: AsRef<[u8]>>(&mut self, clock: Timestamp, request: Request<B>) -> Response<Vec<u8>> {
        let is_control = |rest: &str| rest.is_empty() || rest.starts_with('/');
        if !request.uri().path().strip_prefix(PATH).is_some_and(is_control) {
            let now = self.now(clock);
            return self.simulator.handle(now, request);
        }
        let reply = match refusal(self.allows_any_host, request.uri(), request.headers()) {
            Some(why) => error(StatusCode::FORBIDDEN, why),
            None => self.route(clock, request.method(), request.uri().path(), request.body().as_ref()),
        };
        *reply.response
    }

    fn route(&mut self, clock: Timestamp, method: &Method, path: &str, body: &[u8]) -> Reply {
        let name = path.strip_prefix(PATH).unwrap_or_default().trim_matches('/');
        let command = COMMANDS.iter().find(|command| command.name == name);
        match (method.as_str(), command) {
            ("GET", None) if name.is_empty() => Reply::ok(&overview()),
            ("GET", None) if name == "log" => Reply::ok(&self.simulator.statistics().log().map(logged).collect()),
            ("POST", Some(command)) => match self.run(clock, command, body) {
                Ok(()) => Reply::ok(&json!({ "now": self.now(clock).to_string() })),
                Err(Mistake(why)) => error(StatusCode::BAD_REQUEST, &why),
            },
            (_, Some(_)) => Reply::method_not_allowed(&Method::POST),
            _ if name.is_empty() || name == "log" => Reply::method_not_allowed(&Method::GET),
            _ => error(StatusCode::NOT_FOUND, "no such command; GET /simulator lists them"),
        }
    }

    fn run(&mut self, clock: Timestamp, command: &Command, body: &[u8]) -> Result<(), Mistake> {
        let arguments = Arguments::read(body, command.example)?;
        self.at(clock);
        (command.run)(&arguments, self)
    }
}

/// Why a request is refused, if it is. `Origin` or `Sec-Fetch-Site` shows that a browser sent it for a page of another
/// origin. `Host` shows the name of a page whose host name was made to resolve to this machine (DNS rebinding).
fn refusal(allows_any_host: bool, uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    let authority = call::text(headers, &header::HOST);
    let is_same_origin = |origin: &str| origin.strip_prefix("http://") == Some(authority);
    if headers.contains_key(header::ORIGIN) && !is_same_origin(call::text(headers, &header::ORIGIN)) {
        return Some("pages of other origins may not control the simulator");
    }
    let site = call::text(headers, &HeaderName::from_static("sec-fetch-site"));
    if !["", "none", "same-origin"].contains(&site) {
        return Some("pages of other sites may not control the simulator");
    }
    let is_loopback = is_loopback(&hostname(authority)) && is_loopback(&call::host(uri, headers));
    (!is_loopback && !allows_any_host).then_some("the host must be 127.0.0.1, [::1] or localhost")
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn error(status: StatusCode, why: &str) -> Reply {
    Reply::json(status, &json!({ "error": why }))
}

fn overview() -> Value {
    let commands = COMMANDS.iter().map(|command| {
        let body: Value = serde_json::from_str(command.example).unwrap_or_default();
        json!({ "method": "POST", "path": format!("{PATH}/{}", command.name), "body": body, "does": command.does })
    });
    let log = json!({ "method": "GET", "path": format!("{PATH}/log"), "does": "lists the requests, oldest first" });
    Value::Array(commands.chain([log]).collect())
}

fn logged(entry: &LogEntry) -> Value {
    let fields: Map<_, _> =
        entry.fields.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    json!({
        "at": entry.at.to_string(),
        "method": entry.method.as_str(),
        "host": entry.host,
        "path": entry.path,
        "hasToken": entry.has_token,
        "fields": fields,
        "status": entry.status.as_u16(),
    })
}
