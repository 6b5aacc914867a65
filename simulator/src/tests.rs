//! Tests of the whole server in simulated time, one module per subject.

use std::time::Duration;

use http::{HeaderMap, Method, Request};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    builder::SimulatorBuilder, network::Network, options::Limits, options::Options, simulator::Simulator, time::HOUR,
    time::later, user::User,
};

mod consent;
mod control;
mod cors;
mod decisions;
mod devices;
mod faults;
mod hosts;
mod limits;
mod lock_outs;
mod login;
mod oauth;
mod page;
mod penalties;
mod privacy;
mod redirects;
mod refresh;
mod robustness;
mod routing;
mod sessions;
mod sides;
mod sockets;

const LOGIN: &str = "/v1/auth/accesstokenrequest";
const ME: &str = "/v1/auth/me";
const OAUTH: &str = "/v1/auth/oauthtoken";
const RENEW: &str = "/v1/auth/renewaccesstoken";
const ACCOUNTS: &str = "/v1/account/list";

const LIVE: &str = "live.tradovateapi.com";
const DEMO: &str = "demo.tradovateapi.com";

const USER: &str = "synthetic-user";
const FORM: &str = "application/x-www-form-urlencoded";
const WRONG_PASSWORD: &str =
    "Incorrect username or password. Please try again, noting that passwords are case-sensitive.";

/// A simulator, the current time, and the host and network from which requests come.
struct World {
    simulator: Simulator,
    now: Timestamp,
    host: String,
    network: Option<Network>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn get(&self, field: &str) -> Value {
        self.json().get(field).cloned().unwrap_or(Value::Null)
    }

    fn text(&self, field: &str) -> String {
        self.get(field).as_str().unwrap_or_else(|| panic!("no text {field} in {}", self.body)).to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn status_and_body(&self) -> (u16, &str) {
        (self.status, &self.body)
    }

    fn status_and_location(&self) -> (u16, &str) {
        (self.status, self.header("location"))
    }

    fn is_penalty(&self) -> bool {
        self.json().get("p-ticket").is_some()
    }
}

/// The default credentials.
fn credentials() -> Value {
    json!({
        "name": USER,
        "password": "synthetic-password",
        "appId": "Synthetic App",
        "appVersion": "1.0",
        "deviceId": "a-device",
        "cid": 8,
        "sec": "synthetic-api-secret",
    })
}

/// A body with one field set; `null` removes the field.
fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    let fields = body.as_object_mut().unwrap();
    match value.into() {
        Value::Null => fields.remove(field),
        value => fields.insert(field.to_owned(), value),
    };
    body
}

impl World {
    fn new() -> Self {
        Self::of(Simulator::builder())
    }

    fn with_user(user: User) -> Self {
        Self::of(Simulator::builder().user(user))
    }

    fn with_options(set: impl FnOnce(&mut Options)) -> Self {
        Self::of(Simulator::builder().options(set))
    }

    fn without_limits() -> Self {
        Self::with_options(|options| options.limits = Limits::none())
    }

    fn of(builder: SimulatorBuilder) -> Self {
        Self {
            simulator: builder.build(),
            now: "2026-11-24T12:00:00.5Z".parse().unwrap(),
            host: "127.0.0.1:8080".to_owned(),
            network: None,
        }
    }

    fn at(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    fn wait(&mut self, seconds: u64) {
        self.now = later(self.now, Duration::from_secs(seconds));
    }

    fn send(&mut self, mut request: Request<Vec<u8>>) -> Answer {
        if let Some(network) = &self.network {
            request.extensions_mut().insert(network.clone());
        }
        request.headers_mut().insert("host", self.host.parse().unwrap());
        let response = self.simulator.handle(self.now, request);
        let (parts, body) = response.into_parts();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body: String::from_utf8(body).unwrap() }
    }

    fn bytes(&mut self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send(Request::post(path).header("content-type", content_type).body(body.into()).unwrap())
    }

    fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.bytes(path, "application/json", body.to_string())
    }

    fn get(&mut self, path: &str, token: &str) -> Answer {
        self.send(Request::get(path).header("authorization", format!("Bearer {token}")).body(Vec::new()).unwrap())
    }

    fn method(&mut self, method: &Method, path: &str) -> Answer {
        self.send(Request::builder().method(method).uri(path).body(Vec::new()).unwrap())
    }

    fn login(&mut self) -> Answer {
        self.login_with("name", USER)
    }

    /// Logs in with one field of the credentials changed.
    fn login_with(&mut self, field: &str, value: impl Into<Value>) -> Answer {
        self.post(LOGIN, &with(credentials(), field, value))
    }

    fn failing_login(&mut self) -> Answer {
        self.login_with("password", "wrong")
    }

    fn fail(&mut self, times: u32) {
        (0..times).for_each(|_| drop(self.failing_login()));
    }

    /// The statuses of logins that are each sent after a wait in seconds.
    fn logins_after<const N: usize>(&mut self, waits: [u64; N]) -> [u16; N] {
        waits.map(|wait| {
            self.wait(wait);
            self.login().status
        })
    }

    /// Logs in and returns the token.
    fn token(&mut self) -> String {
        self.login().text("accessToken")
    }

    fn accounts(&mut self, token: &str) -> Answer {
        self.get(ACCOUNTS, token)
    }
}
