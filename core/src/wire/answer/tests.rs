//! What a 200 holds instead of a result.

use super::*;
use crate::wire::endpoint::testing::*;
use crate::wire::endpoint::{AccessTokenRequest, Endpoint, OAuthToken};
use crate::wire::error::{Undecodable, UndecodableKind};
use alloc::format;
use alloc::string::ToString;
use alloc::vec;

//= R-LOGIN-9
//= R-LOGIN-12
//= R-LOGIN-14
//= R-LOGIN-15
//= R-ENV-7
//= R-ENV-11
//= R-OAUTH-7
//= R-OAUTH-8
//= R-OAUTH-9
//= R-STATUS-1
//= R-RENEW-3
#[test]
fn every_known_refusal_is_recognised() {
    let kind = |error: Error| match error {
        Error::Refused(refusal) => format!("{:?}", refusal.kind),
        Error::Unauthorized { reason } => format!("{reason:?}"),
        other => format!("{other:?}").split([' ', '(']).next().unwrap().to_string(),
    };
    for (text, by_login, by_renewal) in [
        ("Incorrect username or password. Please try again.", "IncorrectCredentials", "IncorrectCredentials"),
        ("The app is not registered", "AppNotRegistered", "AppNotRegistered"),
        ("Access is denied", "AccessDenied", "Forbidden"),
        ("invalid_grant", "InvalidGrant", "InvalidGrant"),
        ("invalid_token", "InvalidToken", "InvalidToken"),
        ("invalid_client", "ClientMismatch", "ClientMismatch"),
        ("client_id and client_secret do not match existing setup", "ClientMismatch", "ClientMismatch"),
        ("unauthorized_client", "UnauthorizedClient", "UnauthorizedClient"),
        ("Wrong client_id", "WrongClientId", "WrongClientId"),
        ("This endpoint should be called on live.tradovateapi.com", "WrongEnvironment", "WrongEnvironment"),
        ("Expired Access Token", "Other", "Expired"),
        ("Invalid access token", "Other", "Unknown"),
        ("Something new", "Other", "Other"),
    ] {
        let [login, renewal, ..] = all(&ok(&format!(r#"{{"errorText":"{text}"}}"#)));
        assert_eq!([kind(login), kind(renewal)], [by_login, by_renewal], "{text}");
    }
}

//= R-LOGIN-10
#[test]
fn an_error_text_that_says_nothing_is_none() {
    for text in [r#""""#, "null", r#""  ""#] {
        let body = format!(r#"{{"errorText":{text},"error":{text},"accessToken":"t","p-ticket":"","p-captcha":null}}"#);
        assert!(AccessTokenRequest::parse(ok(&body)).is_ok(), "{body}");
    }
}

//= R-PENALTY-1
//= R-PENALTY-2
//= R-STATUS-1
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
        (r#","p-time":1e300"#, 86_400),
        (r#","p-time":18446744073709551615"#, 86_400),
        (r#","p-time":"99999999999999999999999""#, 86_400),
        (r#","p-time":null"#, 60),
        ("", 60),
    ] {
        assert_eq!(wait(time), Ok(seconds), "{time}");
    }
    let Error::Penalty(ticket) = each(&ok(r#"{"p-ticket":"t","p-message":"Slow\ndown"}"#)) else { panic!("none") };
    assert_eq!(ticket.message(), Some("Slow down"));
    for time in ["-1", "-0.5", "\"\"", "\"-1\"", "\"soon\"", "\"NaN\"", "true", "[]", "{}"] {
        assert_eq!(wait(&format!(r#","p-time":{time}"#)), Err(Some("p-time")), "{time}");
    }
}

//= R-PENALTY-4
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
    assert!(matches!(each(&ok(include_str!("../../../tests/fixtures/penalty-captcha.json"))), Error::Captcha { .. }));
    assert!(matches!(each(&ok(include_str!("../../../tests/fixtures/penalty.json"))), Error::Penalty(_)));
}

//= R-LOGIN-11
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
                    let expected = matches!(error, Error::Contradiction(Contradiction::TokenBesideRefusal { .. }));
                    assert!(expected, "{body}: {error:?}");
                }
            }
        }
    }
}

//= R-STATUS-11
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

//= R-LOGIN-21
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

//= R-LOGIN-16
#[test]
fn an_answer_without_a_token_names_what_it_has() {
    let errors = of_tokens(r#"{"userId":1,"orgName":null,"x":{"y":1}}"#);
    for (error, missing) in errors.into_iter().zip(["accessToken", "accessToken", "access_token"]) {
        let Error::Incomplete { field, present } = error else { panic!("{error:?}") };
        assert_eq!((field, present), (missing, vec!["userId".to_string(), "x".into()]));
    }
}

//= R-TIME-5
#[test]
fn an_answer_of_the_server_is_an_object_with_a_field_of_the_endpoint() {
    for (body, of_login, of_oauth) in [
        (r#"{"errorText":""}"#, true, true),
        (r#"{"x":1,"p-time":3}"#, true, true),
        (r#"{"orgName":null}"#, true, false),
        (r#"{"tokenType":"bearer","x":1}"#, false, true),
        (r#"{"status":"ok"}"#, false, false),
        (r#"{"userId":"seven"}"#, false, false),
        ("<html>", false, false),
        ("", false, false),
    ] {
        let answers = [AccessTokenRequest::is_answer(body.as_bytes()), OAuthToken::is_answer(body.as_bytes())];
        assert_eq!(answers, [of_login, of_oauth], "{body}");
    }
}
