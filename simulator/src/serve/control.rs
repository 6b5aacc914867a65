//! The control interface of a running simulator: `POST /simulator/…` for commands and `GET /simulator/log`. Requests
//! and responses are JSON. Programs in any language can use it. Web pages of other origins can't.

use http::{HeaderMap, HeaderName, Method, Response, StatusCode, Uri, header};
use serde_json::{Map, Value, json};

use super::{Shared, lock};
use crate::{call, reply::Reply, side::hostname, statistics::LogEntry};

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
    run: fn(&Arguments, &Shared) -> Result<(), Mistake>,
}

/// Why a command was not executed.
struct Mistake(String);

/// Whether a path belongs to the control interface.
pub(super) fn is_control(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request to the control interface.
pub(super) fn answer(
    shared: &Shared,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Response<Vec<u8>> {
    let reply = match refusal(shared.allows_any_host, uri, headers) {
        Some(why) => error(StatusCode::FORBIDDEN, why),
        None => route(shared, method, uri.path(), body),
    };
    *reply.response
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

fn route(shared: &Shared, method: &Method, path: &str, body: &[u8]) -> Reply {
    let name = path.strip_prefix(PATH).unwrap_or_default().trim_matches('/');
    let command = COMMANDS.iter().find(|command| command.name == name);
    match (method.as_str(), command) {
        ("GET", None) if name.is_empty() => Reply::ok(&overview()),
        ("GET", None) if name == "log" => Reply::ok(&shared.simulator().statistics().log().map(logged).collect()),
        ("POST", Some(command)) => match run(command, shared, body) {
            Ok(()) => Reply::ok(&json!({ "now": shared.now().to_string() })),
            Err(Mistake(why)) => error(StatusCode::BAD_REQUEST, &why),
        },
        (_, Some(_)) => Reply::method_not_allowed(&Method::POST),
        _ if name.is_empty() || name == "log" => Reply::method_not_allowed(&Method::GET),
        _ => error(StatusCode::NOT_FOUND, "no such command; GET /simulator lists them"),
    }
}

fn run(command: &Command, shared: &Shared, body: &[u8]) -> Result<(), Mistake> {
    let arguments = Arguments::read(body, command.example)?;
    (command.run)(&arguments, shared)?;
    shared.changes.send_replace(());
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
