use super::*;
use crate::endpoint::testing::*;
use crate::endpoint::{AccessTokenRequest, Endpoint, Me, OAuthToken, RenewAccessToken};
use crate::error::{Undecodable, UndecodableKind};
use alloc::format;
use alloc::string::ToString;
use alloc::vec;

/// What all endpoints make of a response: log-in, renewal, `me`, OAuth.
fn all(response: &Response<&[u8]>) -> [Error; 4] {
    [
        refused(AccessTokenRequest::parse(response.clone())),
        refused(RenewAccessToken::parse(response.clone())),
        refused(Me::parse(response.clone())),
        refused(OAuthToken::parse(response.clone())),
    ]
}

/// What the endpoints that bring tokens make of a 200: log-in, renewal, OAuth.
fn of_tokens(body: &str) -> [Error; 3] {
    [
        refused(AccessTokenRequest::parse(ok(body))),
        refused(RenewAccessToken::parse(ok(body))),
        refused(OAuthToken::parse(ok(body))),
    ]
}

/// The same where all endpoints must agree.
fn each(response: &Response<&[u8]>) -> Error {
    let errors = all(response);
    let shown = errors.each_ref().map(|error| format!("{error:?}"));
    assert!(shown.iter().all(|one| *one == shown[0]), "{shown:#?}");
    errors.into_iter().next().unwrap()
}

fn text_of(error: Error) -> String {
    match error {
        Error::Status { excerpt, .. } => excerpt,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_move_names_its_target() {
    for code in [307, 308, 421] {
        let Error::Moved(moved) = each(&with(status(code, "x"), "location", "https://acme.ninjatrader.com/v1")) else {
            panic!("not moved")
        };
        assert_eq!((moved.status().as_u16(), moved.host()), (code, Some("acme.ninjatrader.com")));
        let Error::Moved(moved) = each(&status(code, "")) else { panic!("not moved") };
        assert_eq!(moved.host(), None);
    }
}

#[test]
fn a_token_at_another_status_than_200_is_none() {
    let body = include_str!("../../tests/fixtures/login-2026.json");
    for code in [201, 202, 204, 206, 301, 302, 303, 307, 400, 401, 403, 404, 408, 421, 423, 429, 500, 502, 503, 504] {
        for error in all(&status(code, body)) {
            assert!(!format!("{error} {error:?}").contains("ag_YXZ0"), "{code}");
        }
    }
}

#[test]
fn nothing_is_sent_for_an_hour_after_a_lock_out() {
    let wait = |code, after: Option<&str>, date: Option<&str>| {
        let mut response = status(code, "");
        if let Some(after) = after {
            response = with(response, "retry-after", after);
        }
        if let Some(date) = date {
            response = with(response, "date", date);
        }
        match each(&response) {
            Error::LockedOut { status, wait, until } => {
                assert_eq!(status.as_u16(), code);
                (wait.as_secs(), until)
            }
            other => panic!("{other:?}"),
        }
    };
    let (date, later) = ("Tue, 24 Nov 2026 14:20:30 GMT", "Tue, 24 Nov 2026 16:20:30 GMT");
    for code in [423, 429] {
        assert_eq!(wait(code, None, None), (3600, None));
        assert_eq!(wait(code, Some("5"), None), (3600, None));
        assert_eq!(wait(code, Some("7200"), None), (7200, None));
        assert_eq!(wait(code, Some(later), Some(date)), (7200, None));
        assert_eq!(wait(code, Some(date), Some(later)), (3600, None));
        assert_eq!(wait(code, Some(later), None), (3600, Some(at("2026-11-24T16:20:30Z"))));
        assert_eq!(wait(code, Some("soon"), Some(date)), (3600, None));
        assert_eq!(wait(code, Some("99999999999999999999999999"), None), (u64::MAX, None));
    }
}

#[test]
fn a_lock_out_is_one_whatever_its_body_says() {
    for body in ["", "<html>", r#"{"errorText":"Expired Access Token"}"#, r#"{"p-ticket":"t","p-time":3}"#, "\u{0}"] {
        assert!(matches!(each(&status(429, body)), Error::LockedOut { .. }), "{body}");
    }
}

#[test]
fn only_two_texts_say_that_a_token_is_dead() {
    for (text, dead) in [("Expired Access Token", DeadToken::Expired), ("Invalid access token", DeadToken::Unknown)] {
        for body in [
            text.to_string(),
            format!("{text}.\r\n"),
            format!("\u{feff}{text}"),
            text.to_uppercase(),
            format!("\"{text}\""),
            format!(" \" {text} \" "),
            format!(r#"{{"errorText":"{text}"}}"#),
            format!(r#"{{"errorText":"{text}","unknown":{{}}}}"#),
            format!(r#"{{"error":"invalid_token","error_description":"{text}"}}"#),
        ] {
            for code in [400, 401, 403] {
                let [login, renewal, me, oauth] = all(&status(code, &body));
                for error in [renewal, me] {
                    assert!(matches!(error, Error::Unauthorized { reason } if reason == dead), "{body}: {error:?}");
                }
                for error in [login, oauth] {
                    let known = matches!(error, Error::Refused(_) | Error::Status { .. });
                    assert!(known, "{body}: {error:?}");
                }
            }
        }
    }
}

#[test]
fn any_other_401_forbids_a_call_and_refuses_a_login() {
    for (body, said) in [
        ("", None),
        (" \r\n", None),
        ("\"\"", None),
        ("Access is denied", Some("Access is denied")),
        ("\"Access is denied\"", Some("Access is denied")),
        (r#"{"errorText":"Access is denied"}"#, Some("Access is denied")),
        (r#"{"errorText":"Not an Expired Access Token"}"#, Some("Not an Expired Access Token")),
        ("Your Expired Access Token", Some("Your Expired Access Token")),
        ("<h1>401 Authorization Required</h1>", Some("<h1>401 Authorization Required</h1>")),
        (r#"{"error":"invalid_token"}"#, Some("invalid_token")),
        (r#"{"error":{"code":5}}"#, Some(r#"{"error":{"code":5}}"#)),
        ("{}", Some("{}")),
    ] {
        let [login, renewal, me, oauth] = all(&status(401, body));
        for error in [renewal, me] {
            assert!(matches!(&error, Error::Forbidden { text } if text.as_deref() == said), "{body}: {error:?}");
        }
        for error in [login, oauth] {
            let text = said.unwrap_or_default();
            assert!(matches!(&error, Error::Refused(refusal) if refusal.text == text), "{body}: {error:?}");
        }
    }
}

#[test]
fn a_401_to_a_login_knows_the_known_refusals() {
    for body in ["Incorrect username or password.", r#"{"errorText":"Incorrect username or password."}"#] {
        let [login, ..] = all(&status(401, body));
        assert!(matches!(login, Error::Refused(refusal) if refusal.kind == RefusalKind::IncorrectCredentials));
    }
}

#[test]
fn every_known_refusal_is_recognised() {
    let table = [
        "Incorrect username or password. Please try again, noting that passwords are case-sensitive.",
        "The app is not registered",
        "Access is denied",
        "invalid_grant",
        "invalid_token",
        "client_id, redirect_uri and client_secret do not match existing setup",
        "Wrong client_id",
        "This endpoint should be called on live.tradovateapi.com",
        "Something new",
    ]
    .map(|text| {
        let [login, renewal, ..] = all(&ok(&format!(r#"{{"errorText":"{text}"}}"#)));
        let kind = |error| match error {
            Error::Refused(refusal) => format!("{:?}", refusal.kind),
            Error::Forbidden { .. } => "Forbidden".into(),
            Error::WrongEnvironment { .. } => "WrongEnvironment".into(),
            other => panic!("{other:?}"),
        };
        (text, format!("{}, {}", kind(login), kind(renewal)))
    });
    insta::assert_snapshot!(lines(table), @r"
    Incorrect username or password. Please try again, noting that passwords are case-sensitive.: IncorrectCredentials, IncorrectCredentials
    The app is not registered: AppNotRegistered, AppNotRegistered
    Access is denied: AccessDenied, Forbidden
    invalid_grant: InvalidGrant, InvalidGrant
    invalid_token: InvalidToken, InvalidToken
    client_id, redirect_uri and client_secret do not match existing setup: ClientMismatch, ClientMismatch
    Wrong client_id: WrongClientId, WrongClientId
    This endpoint should be called on live.tradovateapi.com: WrongEnvironment, WrongEnvironment
    Something new: Other, Other
    ");
}

#[test]
fn a_refusal_keeps_its_code_and_shows_its_description() {
    let body = r#"{"error":"invalid_grant","error_description":"  expired \n code ","errorText":""}"#;
    match each(&ok(body)) {
        Error::Refused(refusal) => {
            assert_eq!((refusal.kind, refusal.text.as_str()), (RefusalKind::InvalidGrant, "expired code"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_error_text_that_says_nothing_is_none() {
    for text in [r#""""#, "null", r#""  ""#] {
        let body = format!(r#"{{"errorText":{text},"error":{text},"accessToken":"t","p-ticket":"","p-captcha":null}}"#);
        assert!(AccessTokenRequest::parse(ok(&body)).is_ok(), "{body}");
    }
}

#[test]
fn a_malformed_request_is_refused_with_what_was_said() {
    let Error::Refused(refusal) = each(&status(400, r#"{"error":"invalid_grant"}"#)) else { panic!("not refused") };
    assert_eq!(refusal.kind, RefusalKind::InvalidGrant);
    assert_eq!(text_of(each(&status(400, "Bad Request"))), "Bad Request");
    let [login, renewal, ..] = all(&status(403, "Access is denied"));
    assert!(matches!(login, Error::Refused(_)), "{login:?}");
    assert!(matches!(renewal, Error::Forbidden { .. }), "{renewal:?}");
}

#[test]
fn any_other_status_is_reported_with_what_was_said() {
    for code in
        [100, 103, 201, 204, 206, 300, 301, 302, 303, 304, 305, 404, 405, 408, 410, 418, 500, 502, 503, 599, 999]
    {
        for (body, said) in [
            ("", ""),
            ("Internal Server Error", "Internal Server Error"),
            (r#"{"errorText":"Not today"}"#, "Not today"),
            (r#"{"error":"a","error_description":"b"}"#, "b"),
            (r#"{"message":"canary"}"#, r#"{"message":[…]}"#),
        ] {
            assert_eq!(text_of(each(&status(code, body))), said, "{code}");
        }
    }
}

#[test]
fn a_fault_keeps_what_retry_after_asks_for() {
    let after = |value| each(&with(status(503, ""), "retry-after", value)).retry_after();
    assert_eq!(after("120"), Some(Duration::from_secs(120)));
    assert_eq!(after("soon"), None);
}

#[test]
fn a_penalty_is_a_ticket_and_a_wait() {
    let wait = |time: &str| match each(&ok(&format!(r#"{{"p-ticket":"t"{time}}}"#))) {
        Error::Penalty(ticket) => Ok(ticket.wait().as_secs()),
        Error::Undecodable(undecodable) => Err(undecodable.field),
        other => panic!("{other:?}"),
    };
    for (time, seconds) in [
        (r#","p-time":15"#, 15),
        (r#","p-time":0"#, 0),
        (r#","p-time":-0.0"#, 0),
        (r#","p-time":2.000001"#, 3),
        (r#","p-time":2.0"#, 2),
        (r#","p-time":"15""#, 15),
        (r#","p-time":"15.2""#, 16),
        (r#","p-time":" 3 ""#, 3),
        (r#","p-time":1e3"#, 1000),
        (r#","p-time":1e300"#, u64::MAX),
        (r#","p-time":18446744073709551615"#, u64::MAX),
        (r#","p-time":"99999999999999999999999""#, u64::MAX),
        (r#","p-time":null"#, 60),
        ("", 60),
    ] {
        assert_eq!(wait(time), Ok(seconds), "{time}");
    }
    for time in ["-1", "-0.5", "\"\"", "\"-1\"", "\"soon\"", "\"NaN\"", "true", "[]", "{}"] {
        assert_eq!(wait(&format!(r#","p-time":{time}"#)), Err(Some("p-time")), "{time}");
    }
}

#[test]
fn a_captcha_is_asked_for_in_many_ways() {
    let captcha = |value: &str| match each(&ok(&format!(r#"{{"p-ticket":"t","p-time":3,"p-captcha":{value}}}"#))) {
        Error::Captcha { message: None } => true,
        Error::Penalty(_) => false,
        other => panic!("{other:?}"),
    };
    for value in ["true", "\"true\"", "\"TRUE\"", "\"yes\"", "1", "\"1\"", "\"recaptcha-key\"", "{}", "[]", "0.5"] {
        assert!(captcha(value), "{value}");
    }
    for value in ["false", "\"false\"", "\"False \"", "null", "\"\"", "0", "\"0\"", "\"no\""] {
        assert!(!captcha(value), "{value}");
    }
    assert!(matches!(each(&ok(r#"{"p-captcha":true}"#)), Error::Captcha { .. }));
    assert!(matches!(each(&ok(include_str!("../../tests/fixtures/penalty-captcha.json"))), Error::Captcha { .. }));
    assert!(matches!(each(&ok(include_str!("../../tests/fixtures/penalty.json"))), Error::Penalty(_)));
}

#[test]
fn the_message_of_a_penalty_is_kept() {
    let Error::Penalty(ticket) = each(&ok(r#"{"p-ticket":"t","p-message":"Slow\ndown"}"#)) else { panic!("none") };
    assert_eq!(ticket.message(), Some("Slow down"));
    let error = each(&ok(r#"{"p-captcha":true,"p-message":"Prove it"}"#));
    assert!(matches!(error, Error::Captcha { message: Some(message) } if message == "Prove it"));
}

#[test]
fn a_token_beside_anything_that_refuses_is_a_contradiction() {
    for token in ["accessToken", "mdAccessToken"] {
        for beside in [
            r#""errorText":"x""#,
            r#""error":"x""#,
            r#""error_description":"x""#,
            r#""p-ticket":"t""#,
            r#""p-captcha":true"#,
            r#""p-captcha":"why not""#,
        ] {
            for body in [format!(r#"{{"{token}":"t",{beside}}}"#), format!(r#"{{{beside},"{token}":"t"}}"#)] {
                for error in of_tokens(&body) {
                    let expected = matches!(error, Error::Contradiction(Contradiction::TokenBesideRefusal));
                    assert!(expected, "{body}: {error:?}");
                }
            }
        }
    }
}

#[test]
fn a_body_that_is_no_object_is_described_and_not_quoted() {
    for (body, kind) in [
        ("", UndecodableKind::Empty),
        (" \n", UndecodableKind::Empty),
        ("\u{feff}", UndecodableKind::Empty),
        ("<html></html>", UndecodableKind::Html),
        ("\u{feff} <html></html>", UndecodableKind::Html),
        ("Internal Server Error", UndecodableKind::Syntax),
        ("{} x", UndecodableKind::Syntax),
        ("{", UndecodableKind::Truncated),
        (r#"{"x":"canary"#, UndecodableKind::Truncated),
        ("null", UndecodableKind::Mismatch),
        ("[]", UndecodableKind::Mismatch),
        ("\"x\"", UndecodableKind::Mismatch),
        ("7", UndecodableKind::Mismatch),
        ("{\"a\":1,\"a\":1}", UndecodableKind::Mismatch),
    ] {
        match each(&ok(body)) {
            Error::Undecodable(undecodable) => assert_eq!(undecodable.kind, kind, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn a_token_that_could_not_be_a_header_is_a_mismatch_in_its_field() {
    let too_long = "x".repeat(8193);
    for token in ["a b", "a\\nb", "a\\r\\nx: y", "ü", "\\u0000", too_long.as_str()] {
        for field in ["accessToken", "mdAccessToken"] {
            for error in of_tokens(&format!(r#"{{"{field}":"{token}"}}"#)) {
                let Error::Undecodable(Undecodable { kind, field: named, .. }) = error else { panic!("{error:?}") };
                assert_eq!((kind, named), (UndecodableKind::Mismatch, Some(field)));
            }
        }
    }
}

#[test]
fn a_token_of_the_full_length_is_taken() {
    let body = format!(r#"{{"accessToken":"{}"}}"#, "x".repeat(8192));
    assert!(AccessTokenRequest::parse(ok(&body)).is_ok());
}

#[test]
fn an_answer_without_a_token_names_what_it_has() {
    let errors = of_tokens(r#"{"userId":1,"orgName":null,"x":{"y":1}}"#);
    for (error, missing) in errors.into_iter().zip(["accessToken", "accessToken", "access_token"]) {
        let Error::Incomplete { field, present } = error else { panic!("{error:?}") };
        assert_eq!((field, present), (missing, vec!["userId".to_string(), "x".into()]));
    }
}
