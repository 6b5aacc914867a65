//! Properties of all answers: no input causes a panic, and only an answer that clearly contains a grant gives one.

use crate::support::{FIXTURES, Read, now, ok, read, response};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value};
use tradovate_auth_core::{Error, Grant};

/// Checks a grant against the body of its answer, which another parser reads.
fn assert_earned(grant: &Grant, by_oauth: bool, status: u16, body: &[u8]) {
    assert_eq!(status, 200);
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    // The other parser also reads unknown fields, and refuses values in them that can't be represented.
    let body = String::from_utf8_lossy(body).replace("\\ud800", "x").replace("1e999", "1");
    let answer: Map<String, Value> = serde_json::from_str(&body).unwrap();
    let text = |key| answer.get(key).and_then(Value::as_str);
    let tokens = [text("accessToken"), text("access_token")];
    assert!(tokens.contains(&Some(grant.access_token.expose())), "{answer:?}");
    assert!(grant.expires_at > now(), "{answer:?}");
    for refusal in ["errorText", "error", "error_description"] {
        assert!(text(refusal).is_none_or(|said| said.trim().is_empty()), "{answer:?}");
    }
    assert!(text("p-ticket").is_none_or(str::is_empty), "{answer:?}");
    let captcha = answer.get("p-captcha");
    assert!(captcha.is_none_or(|value| [Value::Bool(false), Value::Null].contains(value) || !value.is_boolean()));
    let kind = text("token_type").or_else(|| text("tokenType")).filter(|_| by_oauth);
    assert!(kind.is_none_or(|kind| kind.eq_ignore_ascii_case("bearer")), "{answer:?}");
    let announced = text("expirationTime").and_then(|time| time.parse::<Timestamp>().ok());
    let seconds = |key| {
        let value = answer.get(key)?;
        value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
    };
    let lifetime = seconds("expires_in").or_else(|| seconds("expiresIn")).filter(|lifetime| *lifetime > 0.0);
    assert!(announced == Some(grant.expires_at) || lifetime.is_some(), "{answer:?}");
}

/// Reads a response with every endpoint and checks what must hold for all of them.
fn check(status: u16, headers: &[(&'static str, &[u8])], body: &[u8]) {
    let read = read(&response(status, headers, body));
    let [login, renewal, oauth] = &read.grants;
    for (grant, by_oauth) in [(login, false), (renewal, false), (oauth, true)] {
        if let Ok(grant) = grant {
            assert_earned(grant, by_oauth, status, body);
        }
    }
    assert!(status == 200 || read.me.is_err());
    for error in read.errors() {
        let message = error.to_string();
        assert!(!message.is_empty() && !message.chars().any(char::is_control), "{message:?}");
        let limit = if matches!(error, Error::Incomplete { .. }) { 7000 } else { 800 };
        assert!(message.chars().count() <= limit, "{message}");
        let _ = (error.is_retryable(), error.retry_after());
    }
}

fn any_status() -> impl Strategy<Value = u16> {
    let known = vec![200, 200, 200, 204, 301, 302, 307, 308, 400, 401, 401, 403, 404, 408, 421, 423, 429, 500, 502];
    prop_oneof![9 => select(known), 1 => 100_u16..1000]
}

/// Values as servers, proxies and attackers send them.
const VALUES: &str = r#"null true false 0 1 -1 15 4800 4800.5 1e300 1e999 18446744073709551616 "" "\t" "t" "ag_token-~"
    "a\u0020b" "a\nb" "\u00fc" "true" "4800" "-1" "NaN" "bearer" "mac" "2026-11-24T15:40:30Z" "2026-11-24T15:40:30.056Z"
    "2026-11-24T10:40:30-05:00" "2020-01-01T00:00:00Z" "9999-12-31T23:59:59Z" "-009999-01-01T00:00:00Z" "Denied"
    "Access\u0020is\u0020denied" "Expired\u0020Access\u0020Token" "\ud800" [] {} [[[]]] {"demo":"a.ninjatrader.com"}
    {"demo":1,"live":"https://x"} {"demo":"a","demo":"a"} 1. tru"#;

/// Keys. Those of tokens and expiry are more frequent.
const KEYS: &str = r"accessToken accessToken access_token expirationTime expirationTime expires_in expiresIn
    mdAccessToken refresh_token refreshToken refresh_token_expires_in token_type tokenType id_token userId name userStatus
    apiHosts errorText error error_description p-ticket p-time p-captcha p-message access\u0054oken currentBalance
    passwordExpirationTime currentMDSubs";

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(VALUES.split_whitespace().collect::<Vec<_>>()).prop_map(str::to_string),
        1 => any::<f64>().prop_map(|number| number.to_string()),
        1 => ".{0,40}".prop_map(|text| Value::from(text).to_string()),
    ]
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => select(KEYS.split_whitespace().collect::<Vec<_>>()).prop_map(str::to_string),
        1 => "[a-zA-Z_]{0,30}",
    ]
}

/// Answers that would be valid without the other fields.
const GOOD: [&str; 3] = [
    r#""accessToken":"t","expirationTime":"2026-11-24T15:40:30Z","#,
    r#""access_token":"t","expires_in":4800,"token_type":"bearer","#,
    "",
];

/// An object with known keys and unusual values. A key may occur twice, and a value may not be JSON.
fn any_object() -> impl Strategy<Value = String> {
    let fields = proptest::collection::vec((any_key(), any_value()), 1..5);
    (select(&GOOD[..]), fields).prop_map(|(good, fields)| {
        let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{good}{}}}", fields.join(","))
    })
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        ".{0,100}".prop_map(String::into_bytes),
        any_object().prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_response_is_read_without_a_panic_and_without_an_invented_grant(
        status in any_status(),
        body in any_bytes(),
        location in proptest::option::of(prop_oneof![any_bytes(), "https://.{0,20}".prop_map(String::into_bytes)]),
        retry in proptest::option::of(prop_oneof![any_bytes(), "[0-9]{0,30}".prop_map(String::into_bytes)]),
        date in proptest::option::of(any_bytes()),
    ) {
        let headers = [("location", location), ("retry-after", retry), ("date", date)];
        let headers: Vec<_> = headers.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        check(status, &headers, &body);
    }

    #[test]
    fn an_odd_object_brings_no_grant_that_it_does_not_contain(body in any_object()) {
        check(200, &[], body.as_bytes());
    }

    #[test]
    fn a_damaged_answer_brings_no_grant_that_it_does_not_contain(
        (_, body) in select(&FIXTURES[..]),
        at in any::<Index>(),
        damage in 0_u8..5,
        byte in any::<u8>(),
    ) {
        let mut body = body.as_bytes().to_vec();
        let at = at.index(body.len());
        match damage {
            0 => body[at] ^= 1 << (byte % 8),
            1 => body[at] = byte,
            2 => body.insert(at, byte),
            3 => body.truncate(at),
            _ => { body.remove(at); }
        }
        check(200, &[], &body);
    }

    //= R-LOGIN-17
    #[test]
    fn the_order_of_fields_and_unknown_fields_do_not_change_an_answer(
        (_, body) in select(&FIXTURES[..]),
        seed in proptest::collection::vec(any::<u32>(), 40),
        value in select(&["null", "-1.5e300", "\"\\u00fc\"", "{\"a\":[null,{\"accessToken\":\"x\"}]}", "[[],{}]"][..]),
    ) {
        let value: Value = serde_json::from_str(value).unwrap();
        let fields: Map<String, Value> = serde_json::from_str(body).unwrap();
        let fields = fields.iter().map(|(key, value)| (key.as_str(), value));
        let mut fields: Vec<_> = fields.chain([("somethingNew", &value)]).zip(seed).collect();
        fields.sort_by_key(|(_, seed)| *seed);
        let fields: Vec<_> = fields.iter().map(|((key, value), _)| format!("\"{key}\":{value}")).collect();
        let shuffled = format!("{{{}}}", fields.join(", "));
        prop_assert_eq!(outcome(&read(&ok(&shuffled))), outcome(&read(&ok(body))));
    }

    #[test]
    fn every_error_text_becomes_one_short_line(text in "\\PC{0,300}|[\\x00-\\x1f\\u{202e}\\u{2066} a]{0,300}") {
        let body = serde_json::json!({ "errorText": text, "p-message": text }).to_string();
        check(200, &[], body.as_bytes());
        check(401, &[], body.as_bytes());
        check(500, &[], text.as_bytes());
    }
}

/// The result of an answer, including tokens, but without the names of the fields of an incomplete answer.
fn outcome(read: &Read) -> Vec<String> {
    let error = |error: &Error| match error {
        Error::Incomplete { field, .. } => format!("no {field}"),
        other => format!("{other:?}"),
    };
    let grant = |grant: &Grant| {
        let market_data = grant.market_data.as_ref().map(|market_data| market_data.token.expose());
        let refresh = grant.refresh.as_ref().map(|refresh| refresh.token.expose());
        format!("{grant:?} {} {market_data:?} {refresh:?}", grant.access_token.expose())
    };
    let grants = read.grants.iter().map(|result| result.as_ref().map_or_else(error, grant));
    grants.chain(read.me.as_ref().err().map(error)).collect()
}

#[test]
fn a_null_counts_as_an_absent_field_or_host() {
    for (name, body) in FIXTURES {
        let fields: Value = serde_json::from_str(body).unwrap();
        for place in ["", "/apiHosts"] {
            let Some(Value::Object(object)) = fields.pointer(place) else { continue };
            for key in object.keys() {
                let (mut nulled, mut removed) = (fields.clone(), fields.clone());
                nulled.pointer_mut(place).unwrap()[key] = Value::Null;
                removed.pointer_mut(place).unwrap().as_object_mut().unwrap().remove(key);
                let [nulled, removed] = [nulled, removed].map(|fields| outcome(&read(&ok(&fields.to_string()))));
                assert_eq!(nulled, removed, "{place} {key} of {name}");
            }
        }
    }
}

//= R-STATUS-14
#[test]
fn an_answer_with_a_duplicate_key_is_refused() {
    for (name, body) in FIXTURES {
        let fields: Map<String, Value> = serde_json::from_str(body).unwrap();
        for (key, value) in &fields {
            let escaped = key.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect::<Vec<_>>().concat();
            for twin in [key, &escaped] {
                let twice = format!("{{\"{twin}\":{value},{}", body.trim_start().trim_start_matches('{'));
                let read = read(&ok(&twice));
                let useless = read.errors().filter(|error| matches!(error, Error::Undecodable(_))).count();
                assert_eq!(useless, 4, "{twin} of {name}");
            }
        }
    }
}

#[test]
fn a_large_body_is_read_like_any_other() {
    let size = 256 * 1024;
    let keys = (0..).map(|number| format!("\"k{number}\":0,")).scan(0, |length, key| {
        *length += key.len();
        (*length < size).then_some(key)
    });
    let keys: String = keys.collect();
    let bodies = [
        format!("{{{keys}\"accessToken\":null}}"),
        format!("{{{keys}{keys}\"x\":0}}"),
        format!("{{\"errorText\":\"{}\"}}", "=x ".repeat(size / 3)),
        format!("{{\"apiHosts\":{{{}}}}}", keys.trim_end_matches(',')),
        format!("{{\"{}\":1}}", "k".repeat(size)),
        format!("{{\"name\":[{}]}}", "\"x\",".repeat(size / 4) + "1"),
        "[".repeat(size),
        "{\"a\":".repeat(size / 5),
        "<".repeat(size),
        "=\"".repeat(size / 2),
        "\\".repeat(size),
        "token ".repeat(size / 6),
        "password,\"".repeat(size / 10),
    ];
    for body in &bodies {
        for status in [200, 401, 500] {
            check(status, &[], body.as_bytes());
        }
    }
}
