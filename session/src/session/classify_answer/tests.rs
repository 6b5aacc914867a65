//! Tables of the meaning of each answer to each request.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use http::header;
use tradovate_auth_core::{
    AuthorizationRequest, AuthorizedCode, Entropy, Environment, OAuthApp, OAuthGrant, RefreshToken, RequestBody,
};

use super::super::ExchangeId;
use super::*;
use crate::time_arithmetic::later;

fn now() -> Timestamp {
    "2026-11-24T14:00:00Z".parse().unwrap()
}

/// The kinds of requests. A code exchange is treated like a refresh.
#[derive(Clone, Copy)]
enum Request {
    LogIn,
    Renewal,
    Refresh,
    Code,
}

const REQUESTS: [Request; 4] = [Request::LogIn, Request::Renewal, Request::Refresh, Request::Code];

fn code() -> AuthorizedCode {
    let request = AuthorizationRequest::new(&OAuthApp::new("client"), "http://localhost/");
    let entropy = Entropy::from([7; Entropy::LENGTH]);
    let (url, mut pending) = request.begin(&Environment::live(), entropy).unwrap();
    let state = url.as_str().split(['?', '&']).find(|pair| pair.starts_with("state=")).unwrap();
    pending.redirected_query(&format!("code=c&{state}")).unwrap()
}

/// The host to which the request was sent.
#[derive(Clone, Copy)]
struct To {
    via: Via,
    is_redirected: bool,
}

const CONFIGURED: To = To { via: Via::Configured, is_redirected: false };

fn exchange(request: Request, to: To) -> Exchange {
    let (operation, presented) = match request {
        Request::LogIn => (Operation::LogIn, None),
        Request::Renewal => (Operation::Renew, None),
        Request::Refresh => (Operation::Refresh, Some(OAuthGrant::from(RefreshToken::new("rt")))),
        Request::Code => (Operation::Refresh, Some(code().into())),
    };
    Exchange {
        id: ExchangeId::default(),
        operation,
        sent: now(),
        deadline: later(now(), Duration::from_secs(45)),
        request: http::Request::new(RequestBody::default()),
        presented,
        ticket: None,
        attempt: None,
        via: to.via,
        is_redirected: to.is_redirected,
        generation: 1,
        is_disowned: false,
    }
}

/// Status, a header, and body. There is one body for the access token endpoints, and one for `oauthtoken` if it
/// differs.
struct Answer {
    name: &'static str,
    status: u16,
    location: Option<&'static str>,
    bodies: [&'static str; 2],
}

const fn answer(name: &'static str, status: u16, body: &'static str) -> Answer {
    Answer { name, status, location: None, bodies: [body, body] }
}

const fn result(name: &'static str, access_token: &'static str, oauth: &'static str) -> Answer {
    Answer { name, status: 200, location: None, bodies: [access_token, oauth] }
}

const fn redirect(name: &'static str, status: u16, to: &'static str) -> Answer {
    Answer { name, status, location: Some(to), bodies: ["", ""] }
}

const PAGE: &str = "<html>Bad gateway</html>";
const FAULT: &str = "Internal Server Error, error id: 7";

const ANSWERS: [Answer; 39] = [
    result(
        "200, a token",
        r#"{"accessToken":"at","expirationTime":"2026-11-24T15:20:00Z","userId":1}"#,
        r#"{"access_token":"at","expires_in":4800}"#,
    ),
    result(
        "200, a token of another user",
        r#"{"accessToken":"at","expirationTime":"2026-11-24T15:20:00Z","userId":2}"#,
        r#"{"access_token":"at","expires_in":4800,"userId":2}"#,
    ),
    result(
        "200, a token that has expired",
        r#"{"accessToken":"at","expirationTime":"2026-11-24T13:00:00Z"}"#,
        r#"{"access_token":"at","expires_in":0}"#,
    ),
    result("200, a token without an expiry", r#"{"accessToken":"at"}"#, r#"{"access_token":"at"}"#),
    result(
        "200, a malformed token",
        r#"{"accessToken":"a t","expirationTime":"2026-11-24T15:20:00Z"}"#,
        r#"{"access_token":"a t","expires_in":4800}"#,
    ),
    result(
        "200, a token beside a refusal",
        r#"{"accessToken":"at","expirationTime":"2026-11-24T15:20:00Z","errorText":"no"}"#,
        r#"{"access_token":"at","expires_in":4800,"error":"invalid_grant"}"#,
    ),
    result("200, a refusal", r#"{"errorText":"Incorrect username or password."}"#, r#"{"error":"invalid_grant"}"#),
    result(
        "200, a refusal of the app",
        r#"{"errorText":"The app is not registered"}"#,
        r#"{"error":"invalid_client"}"#,
    ),
    result("200, the token is dead", r#"{"errorText":"Expired Access Token"}"#, r#"{"error":"invalid_token"}"#),
    answer(
        "200, another environment",
        200,
        r#"{"errorText":"This endpoint should be called on live.tradovateapi.com"}"#,
    ),
    answer("200, a penalty", 200, r#"{"p-ticket":"t","p-time":15}"#),
    answer("200, a captcha", 200, r#"{"p-captcha":true}"#),
    answer("200, no token", 200, r#"{"userStatus":"Active"}"#),
    answer("200, empty", 200, ""),
    answer("200, a page", 200, PAGE),
    answer("200, broken off", 200, r#"{"accessToken":"at","acc"#),
    redirect("307 to a trusted host", 307, "https://acme.ninjatrader.com/v1/auth"),
    redirect("307 to another host", 307, "https://evil.example/"),
    redirect("307 to nowhere", 307, ""),
    redirect("302", 302, "https://acme.ninjatrader.com/v1/auth"),
    answer("421", 421, ""),
    answer("400", 400, ""),
    answer("400, a refusal", 400, r#"{"error":"invalid_grant","errorText":"no"}"#),
    answer("401", 401, ""),
    answer("401, the token is dead", 401, "Invalid access token"),
    answer("401, Access is denied", 401, "Access is denied"),
    answer("401, a refusal", 401, r#"{"error":"invalid_grant","errorText":"Incorrect username or password."}"#),
    answer("401, a refusal of the app", 401, r#"{"error":"invalid_client"}"#),
    answer("403", 403, ""),
    answer("404", 404, ""),
    answer("404, a page", 404, PAGE),
    answer("408", 408, ""),
    answer("418", 418, ""),
    answer("423", 423, ""),
    answer("429", 429, ""),
    answer("500", 500, FAULT),
    answer("502", 502, PAGE),
    answer("503", 503, ""),
    answer("504", 504, ""),
];

fn brief(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Granted(_) => "token",
        Outcome::LockedOut { .. } => "locked out",
        Outcome::CaptchaAsked => "captcha",
        Outcome::Postponed(_) => "postponed",
        Outcome::Redirected { .. } => "redirected",
        Outcome::Failed(failed) => match failed.meaning {
            Meaning::WrongHost => "wrong host",
            Meaning::WrongTarget => "wrong target",
            Meaning::NotHandled => "not handled",
            Meaning::Unknown => "unknown",
            Meaning::Refused => "refused",
            Meaning::Malformed => "malformed",
            Meaning::AppRefused => "app refused",
            Meaning::OtherUser => "other user",
            Meaning::Dead => "dead",
            Meaning::Fault => "fault",
        },
    }
}

fn outcome(request: Request, to: To, answer: &Answer) -> Outcome {
    let exchange = exchange(request, to);
    let body = answer.bodies[usize::from(exchange.operation == Operation::Refresh)];
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
    if let Some(location) = answer.location {
        response.headers_mut().insert(header::LOCATION, location.parse().unwrap());
    }
    let clock = ServerClock::default();
    let times = Times::new(exchange.sent, now(), response.headers());
    Outcome::of(&Known { exchange: &exchange, times, clock: &clock, user_id: Some(1) }, &response).0
}

/// One row for each answer, one column for each request.
fn table(rows: impl IntoIterator<Item = (&'static str, [&'static str; 4])>) -> String {
    let line =
        |name: &str, [a, b, c, d]: [&str; 4]| format!("{name:32} {a:13} {b:13} {c:13} {d}").trim_end().to_owned();
    let header = line("", ["login", "renewal", "refresh", "code"]);
    let lines = core::iter::once(header).chain(rows.into_iter().map(|(name, cells)| line(name, cells)));
    lines.collect::<Vec<_>>().join("\n")
}

fn row(answer: &Answer, to: To) -> [&'static str; 4] {
    REQUESTS.map(|request| brief(&outcome(request, to, answer)))
}

/// The rows that differ from those of the configured host. Cells that do not differ are empty.
fn differences(to: To) -> String {
    table(ANSWERS.iter().filter_map(|answer| {
        let usual = row(answer, CONFIGURED);
        let mut cells = row(answer, to);
        for (cell, usual) in cells.iter_mut().zip(usual) {
            if *cell == usual {
                *cell = "";
            }
        }
        cells.iter().any(|cell| !cell.is_empty()).then_some((answer.name, cells))
    }))
}

#[test]
fn each_answer_of_the_configured_host_means_what_the_table_says() {
    insta::assert_snapshot!(table(ANSWERS.iter().map(|answer| (answer.name, row(answer, CONFIGURED)))), @"
                                     login         renewal       refresh       code
    200, a token                     token         token         token         token
    200, a token of another user     other user    fault         unknown       refused
    200, a token that has expired    unknown       fault         unknown       refused
    200, a token without an expiry   unknown       fault         unknown       refused
    200, a malformed token           unknown       fault         unknown       refused
    200, a token beside a refusal    unknown       fault         unknown       refused
    200, a refusal                   refused       fault         refused       refused
    200, a refusal of the app        refused       fault         app refused   refused
    200, the token is dead           refused       dead          refused       refused
    200, another environment         refused       fault         fault         refused
    200, a penalty                   postponed     postponed     postponed     postponed
    200, a captcha                   captcha       captcha       captcha       captcha
    200, no token                    refused       fault         unknown       refused
    200, empty                       unknown       fault         unknown       refused
    200, a page                      unknown       fault         unknown       refused
    200, broken off                  unknown       fault         unknown       refused
    307 to a trusted host            redirected    redirected    redirected    redirected
    307 to another host              redirected    redirected    redirected    redirected
    307 to nowhere                   redirected    redirected    redirected    redirected
    302                              refused       fault         fault         refused
    421                              redirected    redirected    redirected    redirected
    400                              malformed     fault         malformed     refused
    400, a refusal                   refused       fault         refused       refused
    401                              refused       dead          refused       refused
    401, the token is dead           refused       dead          refused       refused
    401, Access is denied            refused       dead          refused       refused
    401, a refusal                   refused       dead          refused       refused
    401, a refusal of the app        refused       dead          app refused   refused
    403                              refused       fault         fault         refused
    404                              refused       fault         fault         refused
    404, a page                      refused       fault         fault         refused
    408                              unknown       fault         unknown       refused
    418                              refused       fault         fault         refused
    423                              locked out    locked out    locked out    locked out
    429                              locked out    locked out    locked out    locked out
    500                              unknown       fault         fault         refused
    502                              not handled   not handled   not handled   not handled
    503                              not handled   not handled   not handled   not handled
    504                              unknown       fault         unknown       refused
    ");
}

#[test]
fn a_404_or_a_refusal_of_the_app_shows_a_wrong_followed_host() {
    insta::assert_snapshot!(differences(To { via: Via::Followed, is_redirected: false }), @"
                                     login         renewal       refresh       code
    200, a refusal of the app        wrong host    wrong host    wrong host    wrong host
    200, another environment         wrong host    wrong host    wrong host    wrong host
    401, a refusal of the app        wrong host                  wrong host    wrong host
    404                              wrong host    wrong host    wrong host    wrong host
    ");
}

#[test]
fn an_answer_of_the_configured_host_means_the_same_while_another_is_followed() {
    assert_eq!(differences(To { via: Via::Home, is_redirected: false }).lines().count(), 1);
}

#[test]
fn a_404_or_another_redirect_after_a_redirect_means_a_wrong_target() {
    insta::assert_snapshot!(differences(To { via: Via::Configured, is_redirected: true }), @"
                                     login         renewal       refresh       code
    307 to a trusted host            wrong target  wrong target  wrong target  refused
    307 to another host              wrong target  wrong target  wrong target  refused
    307 to nowhere                   wrong target  wrong target  wrong target  refused
    421                              wrong target  wrong target  wrong target  refused
    404                              wrong target  wrong target  wrong target  wrong target
    ");
}

#[test]
fn a_wrong_redirect_target_of_a_followed_host_means_a_wrong_followed_host() {
    insta::assert_snapshot!(differences(To { via: Via::Followed, is_redirected: true }), @"
                                     login         renewal       refresh       code
    200, a refusal of the app        wrong host    wrong host    wrong host    wrong host
    200, another environment         wrong host    wrong host    wrong host    wrong host
    307 to a trusted host            wrong host    wrong host    wrong host    wrong host
    307 to another host              wrong host    wrong host    wrong host    wrong host
    307 to nowhere                   wrong host    wrong host    wrong host    wrong host
    421                              wrong host    wrong host    wrong host    wrong host
    401, a refusal of the app        wrong host                  wrong host    wrong host
    404                              wrong host    wrong host    wrong host    wrong host
    ");
}

#[test]
fn a_failed_login_counts_as_not_handled_only_if_it_was_not_sent() {
    let failures = [Failure::NotSent, Failure::MaybeSent, Failure::Truncated, Failure::Oversized];
    let meanings = failures.map(|failure| {
        let outcome = Outcome::of_failure(&exchange(Request::LogIn, CONFIGURED), failure, None);
        format!("{failure:?}: {}", brief(&outcome))
    });
    assert_eq!(meanings.join(", "), "NotSent: not handled, MaybeSent: unknown, Truncated: unknown, Oversized: unknown");
}

#[test]
fn an_outcome_contains_the_redirect_target_wait_or_ticket_of_its_answer() {
    let find = |name: &str| ANSWERS.iter().find(|answer| answer.name == name).unwrap();
    let Outcome::Redirected { to, otherwise } = outcome(Request::LogIn, CONFIGURED, find("307 to a trusted host"))
    else {
        panic!("it is redirected")
    };
    assert_eq!(otherwise.status, Some(StatusCode::TEMPORARY_REDIRECT));
    assert!(format!("{to:?}").contains("acme.ninjatrader.com"));
    assert!(matches!(otherwise.trouble, Trouble::Server(Error::Moved(_))));
    let Outcome::LockedOut { wait, until } = outcome(Request::Renewal, CONFIGURED, find("429")) else {
        panic!("it is")
    };
    assert_eq!((wait, until), (Duration::from_secs(3600), None));
    let Outcome::Postponed(ticket) = outcome(Request::Code, CONFIGURED, find("200, a penalty")) else {
        panic!("it is")
    };
    assert_eq!((ticket.expose().to_string().as_str(), ticket.wait()), ("t", Duration::from_secs(15)));
}

/// The verdict on a login whose answer has this `date`, by a clock that has learnt from earlier dates.
fn login_dated(taught: &[&str], date: &str, expires_at: &str) -> &'static str {
    let times = |date: &str| {
        let mut headers = http::HeaderMap::new();
        headers.insert(header::DATE, date.parse().unwrap());
        Times::new(now(), now(), &headers)
    };
    let mut clock = ServerClock::default();
    for date in taught {
        clock.learn(&times(date));
    }
    let exchange = exchange(Request::LogIn, CONFIGURED);
    let response = Response::new(format!(r#"{{"accessToken":"at","expirationTime":"{expires_at}"}}"#));
    brief(&Outcome::of(&Known { exchange: &exchange, times: times(date), clock: &clock, user_id: None }, &response).0)
}

#[test]
fn a_token_valid_by_an_unconfirmed_date_or_the_local_clock_is_kept() {
    let (right, past) = ("Tue, 24 Nov 2026 14:00:00 GMT", "Sat, 01 Jan 2000 00:00:00 GMT");
    let (in_an_hour, then) = ("2026-11-24T15:00:00Z", "2000-01-01T01:00:00Z");
    assert_eq!(login_dated(&[past], past, then), "token", "by the far date");
    assert_eq!(login_dated(&[past], past, in_an_hour), "token", "by the local clock");
    assert_eq!(login_dated(&[past], "Fri, 01 Jan 2100 00:00:00 GMT", in_an_hour), "token", "a later date ends none");
    assert_eq!(login_dated(&[right], past, then), "unknown", "the server's time is known");
    assert_eq!(login_dated(&[right], past, in_an_hour), "token");
}

#[test]
fn a_far_date_keeps_no_token_if_another_date_contradicts_it() {
    let (right, past) = ("Tue, 24 Nov 2026 14:00:00 GMT", "Sat, 01 Jan 2000 00:00:00 GMT");
    for other in [right, "Fri, 01 Jan 2100 00:00:00 GMT"] {
        assert_eq!(login_dated(&[other, past], past, "2000-01-01T01:00:00Z"), "unknown", "{other}");
        assert_eq!(login_dated(&[other, past], past, "2026-11-24T15:00:00Z"), "token", "{other}");
    }
}
