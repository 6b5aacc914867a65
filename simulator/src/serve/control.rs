//! The control of a simulator while it runs: `POST /simulator/…`, and `GET /simulator/log`. Requests and answers are
//! JSON. Programs in any language can use it; pages of other origins can't.

use http::{HeaderMap, HeaderName, Method, Response, StatusCode, Uri, header};
use serde_json::{Map, Value, json};

use super::{Front, lock};
use crate::{call, reply::Reply, side::hostname, statistics::LogEntry};

mod arguments;
mod commands;

use arguments::Arguments;
use commands::COMMANDS;

const PATH: &str = "/simulator";

/// Something that can be done to a simulator.
struct Command {
    name: &'static str,
    /// All its fields as JSON, with what they may hold.
    example: &'static str,
    does: &'static str,
    run: fn(&Arguments, &Front) -> Result<(), Mistake>,
}

/// Why a command was not carried out.
struct Mistake(String);

/// Whether a path is one of the control.
pub(super) fn is_control(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request to a path of the control.
pub(super) fn answer(front: &Front, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response<Vec<u8>> {
    let reply = match refusal(front.is_open, uri, headers) {
        Some(why) => error(StatusCode::FORBIDDEN, why),
        None => route(front, method, uri.path(), body),
    };
    *reply.response
}

/// Why a request is refused. A page that a browser has loaded from elsewhere says so in `Origin` or `Sec-Fetch-Site`. A
/// page whose host was made to resolve to this machine names that host in `Host`.
fn refusal(is_open: bool, uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
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
    (!is_loopback && !is_open).then_some("the host must be 127.0.0.1, [::1] or localhost")
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn route(front: &Front, method: &Method, path: &str, body: &[u8]) -> Reply {
    let name = path.strip_prefix(PATH).unwrap_or_default().trim_matches('/');
    let command = COMMANDS.iter().find(|command| command.name == name);
    match (method.as_str(), command) {
        ("GET", None) if name.is_empty() => Reply::ok(&overview()),
        ("GET", None) if name == "log" => Reply::ok(&front.simulator().statistics().log().map(logged).collect()),
        ("POST", Some(command)) => match run(command, front, body) {
            Ok(()) => Reply::ok(&json!({ "now": front.now().to_string() })),
            Err(Mistake(why)) => error(StatusCode::BAD_REQUEST, &why),
        },
        (_, Some(_)) => Reply::method_not_allowed(&Method::POST),
        _ if name.is_empty() || name == "log" => Reply::method_not_allowed(&Method::GET),
        _ => error(StatusCode::NOT_FOUND, "no such command; GET /simulator lists them"),
    }
}

fn run(command: &Command, front: &Front, body: &[u8]) -> Result<(), Mistake> {
    let arguments = Arguments::read(body, command.example)?;
    (command.run)(&arguments, front)?;
    front.changes.send_replace(());
    Ok(())
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
