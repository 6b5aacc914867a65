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

//= R-HOST-9
//= R-HOST-10
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

//= R-STATUS-8
//= R-STATUS-9
#[test]
fn nothing_is_sent_for_an_hour_after_a_lock_out() {
    let wait = |code, body, headers: &[(&'static str, &str)]| {
        let response = headers.iter().fold(status(code, body), |response, (name, value)| with(response, name, value));
        match each(&response) {
            Error::LockedOut { status, wait, until } if status.as_u16() == code => (wait.as_secs(), until),
            other => panic!("{other:?}"),
        }
    };
    let (date, later) = ("Tue, 24 Nov 2026 14:20:30 GMT", "Tue, 24 Nov 2026 16:20:30 GMT");
    let after = |value| ("retry-after", value);
    for code in [423, 429] {
        for body in ["", "<html>", r#"{"errorText":"Expired Access Token"}"#, r#"{"p-ticket":"t","p-time":3}"#, "\0"] {
            assert_eq!(wait(code, body, &[]), (3600, None), "{body}");
        }
        assert_eq!(wait(code, "", &[after("5")]), (3600, None));
        assert_eq!(wait(code, "", &[after("7200")]), (7200, None));
        assert_eq!(wait(code, "", &[after(later), ("date", date)]), (7200, None));
        assert_eq!(wait(code, "", &[after(date), ("date", later)]), (3600, None));
        assert_eq!(wait(code, "", &[after(later)]), (3600, Some(at("2026-11-24T16:20:30Z"))));
        assert_eq!(wait(code, "", &[after("soon"), ("date", date)]), (3600, None));
        assert_eq!(wait(code, "", &[after("99999999999999999999999999")]), (86_400, None));
    }
    let after = |value| each(&with(status(503, ""), "retry-after", value)).retry_after();
    assert_eq!(
        (after("120"), after("soon")),
        (Some(Duration::from_secs(120)), None),
        "a fault keeps what is asked for"
    );
}

//= R-STATUS-3
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

//= R-LOGIN-9
//= R-STATUS-4
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

//= R-STATUS-13
#[test]
fn a_malformed_request_is_refused_with_what_was_said() {
    for body in ["Incorrect username or password.", r#"{"errorText":"Incorrect username or password."}"#] {
        let [login, ..] = all(&status(401, body));
        assert!(matches!(login, Error::Refused(refusal) if refusal.kind == RefusalKind::IncorrectCredentials));
    }
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
