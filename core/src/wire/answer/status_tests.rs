//! Statuses other than 200.

use super::*;
use crate::wire::endpoint::testing::*;
use alloc::format;
use alloc::string::ToString;

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
    let body = include_str!("../../../tests/fixtures/login-2026.json");
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
        assert_eq!(wait(code, Some("99999999999999999999999999"), None), (86_400, None));
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
        ("<h1>401 Authorization Required</h1>", Some("401 Authorization Required")),
        (r#"{"error":"invalid_token"}"#, Some("invalid_token")),
        (r#"{"error":{"code":5}}"#, None),
        ("{}", None),
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
            (r#"{"message":"canary"}"#, ""),
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
