use super::*;
use crate::wire::endpoint::testing::{at, ok, refused};
use crate::wire::endpoint::{AccessTokenRequest, AccessTokenResponse, Endpoint, OAuthToken};
use crate::wire::error::Error;
use alloc::format;

fn read_login(body: &str) -> AccessTokenResponse {
    AccessTokenRequest::parse(ok(body)).unwrap().value
}

/// What is wrong with a body: the kind of trouble, and the field that was being read.
fn trouble(body: &str) -> (UndecodableKind, Option<&'static str>) {
    match refused(AccessTokenRequest::parse(ok(body))) {
        Error::Undecodable(Undecodable { kind, field, .. }) => (kind, field),
        other => panic!("{body}: {other:?}"),
    }
}

//= R-STATUS-14
#[test]
fn a_key_that_comes_twice_is_refused_in_any_spelling() {
    for (body, field) in [
        (r#"{"accessToken":"t","accessToken":"t"}"#, Some("accessToken")),
        (r#"{"accessToken":"t","access\u0054oken":"t"}"#, Some("accessToken")),
        (r#"{"accessToken":null,"accessToken":"t"}"#, Some("accessToken")),
        (r#"{"accessToken":"t","errorText":"","errorText":""}"#, Some("errorText")),
        (r#"{"accessToken":"t","p-captcha":false,"p-captcha":true}"#, Some("p-captcha")),
        (r#"{"accessToken":"t","x":1,"x":1}"#, None),
        (r#"{"accessToken":"t","x":{},"\u0078":[]}"#, None),
        (r#"{"accessToken":"t","apiHosts":{"demo":"a.com","demo":"a.com"}}"#, Some("apiHosts")),
        (r#"{"accessToken":"t","apiHosts":{"demo":"a.com","d\u0065mo":"a.com"}}"#, Some("apiHosts")),
        (r#"{"accessToken":"t","apiHosts":{},"apiHosts":{}}"#, Some("apiHosts")),
    ] {
        assert_eq!(trouble(body), (UndecodableKind::Mismatch, field), "{body}");
    }
}

#[test]
fn a_deciding_field_must_have_its_type() {
    for (field, values) in [
        ("accessToken", &["1", "true", "[]", "{}", "[\"t\"]"][..]),
        ("mdAccessToken", &["1", "false", "[]", "{}"]),
        ("expirationTime", &["1", "true", "[]", "{}", "\"soon\"", "\"2026-11-24\"", "\"2026-11-24T15:40:30\""]),
        ("userId", &["1.5", "true", "\"x\"", "[]", "9223372036854775808", "\"9223372036854775808\"", "1e3"]),
        ("errorText", &["1", "true", "[]", "{}"]),
        ("error", &["1", "{}"]),
        ("p-ticket", &["1", "{}"]),
        ("apiHosts", &["1", "\"a.com\"", "[]", "true"]),
    ] {
        for value in values {
            let body = format!(r#"{{"{field}":{value}}}"#);
            assert_eq!(trouble(&body), (UndecodableKind::Mismatch, Some(field)), "{body}");
        }
    }
}

#[test]
fn an_informing_field_is_dropped_where_it_has_not_its_type() {
    for value in ["1", "true", "[]", "{}", "[[1]]", "1.5", "-1"] {
        let body = format!(
            r#"{{"accessToken":"t","name":{value},"orgName":{value},"userStatus":{value},"hibpHint":{value},
                "passwordExpirationTime":{value},"p-message":{value}}}"#
        );
        let login = read_login(&body);
        assert_eq!((login.name, login.org_name, login.user_status, login.hibp_hint), (None, None, None, None));
        assert_eq!(login.password_expiration_time, None);
    }
}

#[test]
fn values_may_be_text_and_keys_may_not_be_others() {
    let read = |field: &str, value: &str| read_login(&format!(r#"{{"accessToken":"t","{field}":{value}}}"#));
    for (value, flag) in [("true", Some(true)), ("\"true\"", Some(true)), ("\"False\"", Some(false)), ("null", None)] {
        assert_eq!(read("hasLive", value).has_live, flag, "{value}");
    }
    for value in ["\"\"", "\"yes\"", "1", "[]"] {
        assert_eq!(read("hasLive", value).has_live, None, "{value}");
    }
    for (value, id) in [("15460", 15460), ("\"15460\"", 15460), ("-1", -1), ("9223372036854775807", i64::MAX)] {
        assert_eq!(read("userId", value).user_id, Some(id), "{value}");
    }
    assert_eq!(read("userId", "\"-9223372036854775808\"").user_id, Some(i64::MIN));
    assert_eq!(read("userId", "null").user_id, None);
    assert_eq!(read("AccessToken", "\"x\"").access_token.unwrap().expose(), "t");
    assert_eq!(read_login("\u{feff} {\"accessToken\":\"t\"} \r\n").access_token.unwrap().expose(), "t");
    let empty = AccessTokenRequest::parse(ok(r#"{"errorText":"no","accessToken":"","mdAccessToken":""}"#));
    assert!(matches!(refused(empty), Error::Refused(_)), "an empty token is none");
}

//= R-TIME-2
#[test]
fn a_time_may_have_a_fraction_and_an_offset() {
    for (value, time) in [
        ("2026-11-24T15:40:30Z", Some("2026-11-24T15:40:30Z")),
        ("2026-11-24T15:40:30.056Z", Some("2026-11-24T15:40:30.056Z")),
        ("2026-11-24T15:40:30.123456789Z", Some("2026-11-24T15:40:30.123456789Z")),
        ("2026-11-24T15:40:30+00:00", Some("2026-11-24T15:40:30Z")),
        ("2026-11-24T10:40:30.5-05:00", Some("2026-11-24T15:40:30.5Z")),
        ("2026-11-24t15:40:30z", Some("2026-11-24T15:40:30Z")),
        ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z")),
        ("9999-12-30T22:00:00Z", Some("9999-12-30T22:00:00Z")),
        ("", None),
    ] {
        let login = read_login(&format!(r#"{{"accessToken":"t","expirationTime":"{value}"}}"#));
        assert_eq!(login.expiration_time, time.map(at), "{value}");
    }
    assert_eq!(read_login(r#"{"accessToken":"t","expirationTime":null}"#).expiration_time, None);
    for value in [
        "9999-12-31T23:59:59Z",
        "-009999-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-24T25:00:00Z",
        "2026-11-24T15:40:30+99:00",
        "24 Nov 2026",
        "1795534830",
    ] {
        let body = format!(r#"{{"accessToken":"t","expirationTime":"{value}"}}"#);
        assert_eq!(trouble(&body), (UndecodableKind::Mismatch, Some("expirationTime")), "{value}");
        let body = format!(r#"{{"accessToken":"t","passwordExpirationTime":"{value}"}}"#);
        assert_eq!(read_login(&body).password_expiration_time, None, "{value}");
    }
}

#[test]
fn a_lifetime_is_whole_seconds() {
    let lifetime = |value: &str| {
        OAuthToken::parse(ok(&format!(r#"{{"access_token":"t","expires_in":{value}}}"#)))
            .map(|reply| reply.value.expires_in)
    };
    for (value, seconds) in [
        ("4800", Some(4800)),
        ("\"4800\"", Some(4800)),
        ("\"9007199254740993\"", Some(9_007_199_254_740_993)),
        ("4800.9", Some(4800)),
        ("\"4800.9\"", Some(4800)),
        ("4.8e3", Some(4800)),
        ("0", Some(0)),
        ("0.5", Some(0)),
        ("null", None),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", Some(u64::MAX)),
        ("\"inf\"", Some(u64::MAX)),
    ] {
        assert_eq!(lifetime(value).unwrap(), seconds, "{value}");
    }
    for value in ["-1", "-0.5", "\"-1\"", "\"\"", "\"soon\"", "\"nan\"", "true", "[4800]", "{}"] {
        assert!(lifetime(value).is_err(), "{value}");
    }
}

#[test]
fn deep_nesting_is_skipped_or_refused() {
    let deep = |depth| ["[".repeat(depth), "]".repeat(depth)].concat();
    assert!(read_login(&format!(r#"{{"accessToken":"t","x":{}}}"#, deep(100_000))).access_token.is_some());
    assert_eq!(trouble(&format!(r#"{{"name":{}}}"#, deep(100_000))), (UndecodableKind::Syntax, Some("name")));
    assert_eq!(trouble(&"[".repeat(200_000)), (UndecodableKind::Mismatch, None));
    assert_eq!(trouble(&"{\"a\":".repeat(50_000)), (UndecodableKind::Truncated, None));
}

#[test]
fn the_names_of_very_many_fields_are_not_all_kept() {
    let body = (0..1000).map(|number| format!("\"k{number}\":0")).collect::<Vec<_>>().join(",");
    match refused(AccessTokenRequest::parse(ok(&format!("{{{body}}}")))) {
        Error::Incomplete { present, .. } => {
            assert_eq!((present.len(), present[31].as_str()), (NAMES_SHOWN, "k31"));
        }
        other => panic!("{other:?}"),
    }
}
