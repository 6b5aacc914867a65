//! Disturbs answers on their way: truncated bodies, changed bytes, other statuses and other meanings.

use http::{Response, StatusCode, header};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use oorandom::Rand64;
use serde_json::Value;

use crate::names::Names;
use crate::scenario::{Absurd, Blame, Contradiction, Trouble};
use crate::wire::{Answer, Says};

/// A `userId` that no user has.
const NOBODY: i64 = 99;

/// A fault as a proxy answers it, without a `Date`.
pub(super) fn fault(status: u16, is_html: bool) -> Response<Vec<u8>> {
    let page = "<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>";
    let mut response = Response::new(if is_html { page.into() } else { Vec::new() });
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response
}

/// A gateway's page with a `Date` of its own.
pub(super) fn gateway(status: u16, date: Timestamp) -> Response<Vec<u8>> {
    let mut response = fault(status, true);
    if let Ok(text) = DateTimePrinter::new().timestamp_to_rfc9110_string(&date)
        && let Ok(value) = header::HeaderValue::try_from(text)
    {
        response.headers_mut().insert(header::DATE, value);
    }
    response
}

/// An absurd wait.
pub(super) fn absurd(absurd: Absurd, exchange: usize) -> Response<Vec<u8>> {
    match absurd {
        Absurd::RetryAfter(seconds) => {
            let mut response = fault(429, false);
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            response
        }
        Absurd::PenaltyTime(seconds) => {
            let body = serde_json::json!({ "p-ticket": format!("absurd-{exchange}"), "p-time": seconds });
            Response::new(body.to_string().into_bytes())
        }
    }
}

/// An answer that says that the app's settings are wrong.
pub(super) fn blame(blame: Blame) -> Response<Vec<u8>> {
    let mismatch = "client_id, redirect_uri and client_secret do not match existing setup";
    let body = match blame {
        Blame::InvalidClient => serde_json::json!({ "error": "invalid_client" }),
        Blame::UnauthorizedClient => serde_json::json!({ "error": "unauthorized_client" }),
        Blame::Mismatch => serde_json::json!({ "error": "invalid_client", "error_description": mismatch }),
    };
    Response::new(body.to_string().into_bytes())
}

/// A redirect to an untrusted host.
pub(super) fn untrusted_redirect() -> Response<Vec<u8>> {
    let mut response = fault(307, false);
    let location = header::HeaderValue::from_static("https://live.tradovateapi.com.evil.example/v1/auth");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// The answer as it arrives.
pub(super) fn spoilt(
    mut response: Response<Vec<u8>>,
    trouble: Option<Trouble>,
    server_now: Timestamp,
    knows_user: bool,
    random: &mut Rand64,
) -> Response<Vec<u8>> {
    let length = response.body().len();
    match trouble {
        Some(Trouble::Halved) => response.body_mut().truncate(length / 2),
        Some(Trouble::Corrupted) if length > 0 => {
            let index = usize::try_from(random.rand_range(0..length as u64)).unwrap_or_default();
            // Neither text nor JSON may contain this byte.
            response.body_mut()[index] = 0;
        }
        Some(Trouble::Contradiction(contradiction)) => {
            let body = serde_json::from_slice(response.body()).ok();
            if let Some(body) = body.and_then(|body| contradicting(body, contradiction, server_now, knows_user)) {
                *response.body_mut() = body.to_string().into_bytes();
            }
        }
        _ => {}
    }
    response
}

/// Puts a contradiction into the body if it has a token.
fn contradicting(
    mut body: Value,
    contradiction: Contradiction,
    server_now: Timestamp,
    knows_user: bool,
) -> Option<Value> {
    let fields = body.as_object_mut()?;
    let token = if fields.contains_key("accessToken") { "accessToken" } else { "access_token" };
    let text = fields.get(token)?.as_str()?.to_owned();
    let (name, value) = match contradiction {
        Contradiction::BesideError => {
            let name = if token == "accessToken" { "errorText" } else { "error" };
            (name, Value::from("Access is denied"))
        }
        // Only a session that knows its user can notice another one.
        Contradiction::OtherUser if knows_user => ("userId", Value::from(NOBODY)),
        Contradiction::OtherUser => return None,
        Contradiction::ExpiredAlready if token == "accessToken" => {
            ("expirationTime", Value::from((server_now - SignedDuration::from_secs(60)).to_string()))
        }
        Contradiction::ExpiredAlready => ("expires_in", Value::from(0)),
        Contradiction::MalformedToken => (token, Value::from(format!("{text} or not"))),
    };
    fields.insert(name.to_owned(), value);
    Some(body)
}

/// The facts of an answer as it arrives.
pub(super) fn read(response: &Response<Vec<u8>>, given: Timestamp, names: &mut Names) -> Answer {
    let mut answer = Answer::read(response, given, names);
    if let Says::Grant(grant) = &answer.says {
        answer.contradicts |= grant.user == Some(NOBODY);
    }
    answer
}

/// The name of a disturbance.
pub(super) fn name(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::ResetBefore => "connection reset before",
        Trouble::ResetAfter => "connection reset after",
        Trouble::Lost => "answer lost",
        Trouble::Delayed(_) => "answer delayed",
        Trouble::Duplicated(_) => "answer duplicated",
        Trouble::RequestDelayed(_) => "request delayed",
        Trouble::BrokenOff => "answer broken off",
        Trouble::Oversized => "answer oversized",
        Trouble::Halved => "body halved",
        Trouble::Corrupted => "byte corrupted",
        Trouble::StatusAfter(_) => "fault after",
        Trouble::Status(_) => "fault before",
        Trouble::Contradiction(_) => "contradiction",
        Trouble::UntrustedRedirect => "untrusted redirect",
        Trouble::Cancelled => "call cancelled",
        Trouble::Gateway(..) => "gateway page",
        Trouble::Absurd(_) => "absurd wait",
        Trouble::BlamesApp(_) => "app blamed",
    }
}
