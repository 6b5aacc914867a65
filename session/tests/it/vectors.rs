//! The cases of `vectors/` that need a session: the request that follows an answer, and the effect of callers' reports.

use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tradovate_auth_core::{BodyFormat, Environment, OAuthApp, RefreshToken};
use tradovate_auth_session::{Login, Session};

use crate::driver::{Driver, Sent, minute, plain, start, token_until, user};
use crate::file::{self, Fields, Outcome, snake};

const HOUR: i64 = 3600;

#[test]
fn every_test_vector_has_its_expected_outcome() {
    let mut failed = Vec::new();
    for case in file::cases() {
        let mut input = match case.kind.as_str() {
            "steps" | "reports" => Fields::of(case.input),
            _ => continue,
        };
        let outcome: Outcome = match case.expected.get("requests").and_then(Value::as_array) {
            Some(wanted) => steps(&mut input, wanted).into(),
            None => reports(&mut input).into(),
        };
        failed.extend(file::faults(&case.expected, &outcome).iter().map(|fault| format!("{}: {fault}", case.id)));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A session and its first request of this operation.
fn begin(operation: &str) -> (Driver, Sent) {
    let app = |format| {
        Session::new(
            Environment::live(),
            Login::refresh_token(OAuthApp::new("client").with_body_format(format), RefreshToken::new("r")),
            0,
        )
    };
    let mut driver = Driver::new(match operation {
        "refresh" => app(BodyFormat::Json),
        "refresh_form" => app(BodyFormat::Form),
        _ => user(0),
    });
    let mut sent = driver.send().unwrap();
    if operation == "renewal" {
        driver.answer(&sent, plain(200, token_until("one", minute(80))));
        sent = driver.send_by(minute(80)).unwrap();
        assert_eq!(sent.endpoint(), "renewaccesstoken");
    }
    (driver, sent)
}

/// The requests that follow the answers. A request that meets the expectation is shown as the expected text.
fn steps(input: &mut Fields, wanted: &[Value]) -> Value {
    let (mut driver, first) = begin(&input.text("operation").unwrap());
    let mut sent = Sent { at: first.at, id: first.id, request: first.request.clone() };
    let mut requests = Vec::new();
    for answer in input.list("answers") {
        let answered_at = driver.now;
        driver.answer(&sent, Fields::of(answer).response().map(|body| String::from_utf8(body).unwrap()));
        let Some(next) = driver.send_by(answered_at + SignedDuration::from_secs(26 * HOUR)) else { break };
        let delay = next.at.duration_since(answered_at).as_secs();
        let is_wanted = |wanted: &&Value| {
            // A client may be later than required, but only by a little.
            let earliest = wanted["not_before"].as_i64().unwrap();
            let is_in_time = (earliest..=earliest + earliest / 10 + 60).contains(&delay);
            let operation = match next.endpoint() {
                "accesstokenrequest" => "login",
                "renewaccesstoken" => "renewal",
                _ => "refresh",
            };
            is_in_time
                && wanted.get("operation").is_none_or(|wanted| wanted == operation)
                && wanted.get("ticket").is_none_or(|ticket| is_with_ticket(&first, &next, ticket.as_str()))
        };
        let as_wanted = wanted.get(requests.len()).filter(is_wanted);
        requests.push(as_wanted.cloned().unwrap_or_else(|| json!({"after": delay, "body": body(&next)})));
        sent = next;
    }
    json!({"requests": requests})
}

fn body(sent: &Sent) -> &str {
    std::str::from_utf8(sent.request.body().as_ref()).unwrap()
}

/// Whether a request is the first one with this ticket in its body, or an exact copy if there is no ticket.
fn is_with_ticket(first: &Sent, next: &Sent, ticket: Option<&str>) -> bool {
    let is_form = first.request.headers().get("content-type").is_some_and(|kind| kind != "application/json");
    let expected = match ticket {
        None => body(first).to_owned(),
        Some(ticket) if is_form => {
            let escaped: String = form_urlencoded::byte_serialize(ticket.as_bytes()).collect();
            format!("{}&p-ticket={escaped}", body(first))
        }
        Some(ticket) => format!(r#"{},"p-ticket":{}}}"#, body(first).trim_end_matches('}'), json!(ticket)),
    };
    let head =
        |sent: &Sent| (sent.request.method().clone(), sent.request.uri().clone(), sent.request.headers().clone());
    body(next) == expected && head(first) == head(next)
}

/// The verdicts on callers' reports. All renewals succeed meanwhile, and nothing else is sent.
fn reports(input: &mut Fields) -> Value {
    let (mut driver, login) = begin("login");
    driver.answer(&login, plain(200, token_until("one", minute(80))));
    let verdicts = input.list("reports").into_iter().map(|report| {
        let mut report = Fields::of(report);
        driver.now = start() + SignedDuration::from_secs(report.take("at").unwrap().as_i64().unwrap());
        let generation = driver.session.token(driver.now).unwrap().generation;
        let (status, body) = report.response().into_parts();
        let status: StatusCode = status.status;
        let verdict = snake(&driver.session.rejected(driver.now, generation, status, &body, &mut driver.budget));
        assert_eq!(driver.token().is_none(), verdict == "dead", "a dead token, and no other, is withheld");
        if let Some(renewal) = driver.send() {
            assert_eq!(renewal.endpoint(), "renewaccesstoken");
            driver.answer(&renewal, plain(200, token_until("renewed", driver.now + SignedDuration::from_mins(80))));
        }
        verdict
    });
    json!({"verdicts": verdicts.collect::<Vec<_>>()})
}
