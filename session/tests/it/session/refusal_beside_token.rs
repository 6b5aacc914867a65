//! If an answer has both a token and a refusal, the token is not used, and the error shows the text of the refusal.

use super::*;

fn log_after(body: &str) -> String {
    let mut program = Program::user();
    program.run(seconds(5), |_| ok(body));
    assert_eq!(program.token(), None);
    program.log()
}

#[test]
fn the_text_of_a_refusal_is_shown_if_the_answer_contains_a_token() {
    let log =
        log_after(r#"{"errorText":"You are not allowed","accessToken":"tok","expirationTime":"2026-11-24T18:00:00Z"}"#);
    assert!(log.contains(r#"a token beside a refusal (it says "You are not allowed")"#), "{log}");
}

#[test]
fn the_text_of_a_refusal_is_shown_without_the_tokens_of_its_answer() {
    for field in ["accessToken", "mdAccessToken", "p-ticket"] {
        let body = format!(r#"{{"errorText":"You may not use Tok-7 here","{field}":"Tok-7","accessToken":"other"}}"#);
        // The answer would otherwise contain this field twice.
        let body = if field == "accessToken" { body.replace(r#","accessToken":"other""#, "") } else { body };
        let log = log_after(&body);
        assert!(log.contains(r#"(it says "You may not use […]")"#), "{field}: {log}");
        assert!(!log.contains("Tok-7"), "{field}: {log}");
    }
    let log = log_after(r#"{"errorText":"Tok-7","accessToken":"Tok-7"}"#);
    assert!(log.contains("login failed: the answer has a token beside a refusal; the session"), "{log}");
}

#[test]
fn the_text_of_a_refused_refresh_is_shown_without_tokens() {
    for field in ["access_token", "refresh_token", "id_token", "refreshToken"] {
        let body = format!(r#"{{"error":"invalid_grant","error_description":"Not for Tok-7","{field}":"Tok-7"}}"#);
        let mut program = Program::app();
        program.run(seconds(1), |_| ok(&body));
        let log = program.log();
        assert!(log.contains(r#"(it says "Not for […]")"#) && !log.contains("Tok-7"), "{field}: {log}");
    }
}
