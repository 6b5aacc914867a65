use super::super::testing::*;
use super::*;
use crate::credentials::{DeviceId, FieldValue};
use alloc::format;
use alloc::string::ToString;
use core::time::Duration;

fn build(credentials: &Credentials) -> Result<Request<RequestBody>, BuildError> {
    AccessTokenRequest::new(credentials).request(&Environment::demo())
}

fn minimal() -> Credentials {
    Credentials::new("trader", "password")
}

fn full() -> Credentials {
    minimal()
        .with_app("Sample App", "1.0")
        .with_device_id(DeviceId::new("device"))
        .with_api_key(ClientId::Number(8), "api-secret")
        .with_hibp_check(true)
        .with_field("organization", "")
        .with_field("own", -7)
        .with_field("flag", false)
}

fn ticket(text: &str) -> PenaltyTicket {
    PenaltyTicket::new(text, Duration::from_secs(15))
}

//= R-LOGIN-1
//= R-LOGIN-2
#[test]
fn the_smallest_login_has_a_name_and_a_password() {
    insta::assert_snapshot!(show(build(&minimal())), @r#"
    POST https://demo.tradovateapi.com/v1/auth/accesstokenrequest
    accept: application/json
    content-type: application/json
    {"name":"trader","password":"password"}
    "#);
}

//= R-LOGIN-3
//= R-LOGIN-7
//= R-LOGIN-8
#[test]
fn the_largest_login_has_all_fields_of_the_specification_and_the_callers() {
    insta::assert_snapshot!(show(build(&full())), @r#"
    POST https://demo.tradovateapi.com/v1/auth/accesstokenrequest
    accept: application/json
    content-type: application/json
    {"name":"trader","password":"password","appId":"Sample App","appVersion":"1.0","deviceId":"device","cid":8,"sec":"api-secret","hibpCheck":true,"organization":"","own":-7,"flag":false}
    "#);
}

//= R-LOGIN-4
#[test]
fn a_client_id_is_sent_as_it_was_given() {
    let with = |id| body(build(&minimal().with_api_key(id, "s")));
    let expected = |cid: &str| format!(r#"{{"name":"trader","password":"password","cid":{cid},"sec":"s"}}"#);
    assert_eq!(with(ClientId::Number(u64::MAX)), expected("18446744073709551615"));
    assert_eq!(with(ClientId::Text("8".into())), expected(r#""8""#));
    assert_eq!(with(ClientId::parse("8")), expected("8"));
}

//= R-PENALTY-3
#[test]
fn a_ticket_is_added_behind_the_identical_body() {
    for credentials in [minimal(), full()] {
        let first = body(build(&credentials));
        let login = AccessTokenRequest::new(&credentials).with_ticket(ticket("dGlja2V0"));
        let second = body(login.request(&Environment::demo()));
        let prefix = first.strip_suffix('}').unwrap();
        assert_eq!(second, [prefix, r#","p-ticket":"dGlja2V0"}"#].concat());
    }
}

#[test]
fn a_ticket_is_repeated_to_the_letter() {
    let login = AccessTokenRequest::new(&minimal()).with_ticket(ticket("a\"\\\n\u{0}ü")).request(&Environment::demo());
    assert_eq!(body(login), r#"{"name":"trader","password":"password","p-ticket":"a\"\\\n\u0000ü"}"#);
}

#[test]
fn characters_that_json_escapes_arrive_as_they_are() {
    let credentials = Credentials::new("Jürgen \"J\"", r#"a\b"c/d&e=f+g%h😀 <'>"#);
    assert_eq!(body(build(&credentials)), r#"{"name":"Jürgen \"J\"","password":"a\\b\"c/d&e=f+g%h😀 <'>"}"#);
}

//= R-LOGIN-2
//= R-LOGIN-3
#[test]
fn limits_are_counted_in_characters() {
    for character in ["x", "ü", "😀"] {
        let short = |count| character.repeat(count);
        assert!(build(&Credentials::new(short(64), short(64)).with_app(short(64), short(64))).is_ok());
        assert!(build(&minimal().with_device_id(DeviceId::new(short(64)))).is_ok());
        assert!(build(&minimal().with_api_key(ClientId::Text(short(64)), short(8192))).is_ok());
        assert!(build(&minimal().with_field(short(64), short(8192))).is_ok());
    }
}

/// What becomes of each field with a text in it.
fn with_each(text: &str) -> String {
    let each = [
        Credentials::new(text, "password"),
        Credentials::new("trader", text),
        minimal().with_app(text, "1.0"),
        minimal().with_app("Sample App", text),
        minimal().with_device_id(DeviceId::new(text)),
        minimal().with_api_key(ClientId::Text(text.into()), "secret"),
        minimal().with_api_key(ClientId::Number(8), text),
        minimal().with_field("own", text),
        minimal().with_field(text, "value"),
    ];
    faults(each.map(|credentials| build(&credentials)))
}

//= R-LOGIN-2
//= R-LOGIN-3
#[test]
fn a_field_that_cannot_be_sent_is_named() {
    let own = "name of an extra field";
    let empty = "name empty, password empty, ok, ok, deviceId empty, cid empty, sec empty, ok";
    assert_eq!(with_each(""), format!("{empty}, {own} empty"));
    let short = "name > 64, password > 64, appId > 64, appVersion > 64, deviceId > 64, cid > 64";
    assert_eq!(with_each(&"ü".repeat(65)), format!("{short}, ok, ok, {own} > 64"));
    assert_eq!(with_each(&"ü".repeat(8193)), format!("{short}, sec > 8192, own > 8192, {own} > 64"));
    for character in ["\r", "\n", "\t", "\0", "\u{7f}", "\u{85}", "\u{1b}"] {
        let text = ["x", character, "y"].concat();
        assert_eq!(with_each(&text).matches(" control").count(), 9, "{character:?}");
    }
}

#[test]
fn an_extra_field_takes_no_name_twice() {
    for name in "name password appId appVersion deviceId cid sec hibpCheck p-ticket".split(' ') {
        let error = build(&minimal().with_field(name, "canary")).unwrap_err();
        assert_eq!(error, BuildError::ReservedField { field: name.into() });
    }
    let error = build(&minimal().with_field("own", 1).with_field("own", 1)).unwrap_err();
    assert_eq!(error.to_string(), "`own` can't be an extra field: the request has a field of that name already");
    assert!(build(&minimal().with_field("Name", FieldValue::Flag(true))).is_ok());
}

//= R-LOGIN-19
//= R-LOGIN-20
#[test]
fn documented_states_and_hints_are_known_and_others_survive() {
    let read = |status: &str, hint: &str| {
        let body = format!(r#"{{"accessToken":"t","userStatus":"{status}","hibpHint":"{hint}"}}"#);
        let login = AccessTokenRequest::parse(ok(&body)).unwrap().value;
        let (status, hint) = (login.user_status.unwrap(), login.hibp_hint.unwrap());
        assert_eq!((&UserStatus::from(format!("{status:?}")), &HibpHint::from(format!("{hint:?}"))), (&status, &hint));
        format!("{status:?} {hint:?}")
    };
    for status in ["Active", "Closed", "Initiated", "TemporaryLocked", "UnconfirmedEmail"] {
        for hint in ["EmailAndPasswordCompromised", "PasswordCompromised"] {
            assert_eq!(read(status, hint), format!("{status} {hint}"));
        }
    }
    let body = r#"{"accessToken":"t","userStatus":"Frozen","hibpHint":"New","apiHosts":{"new":"a.ninjatrader.com"}}"#;
    let login = AccessTokenRequest::parse(ok(body)).unwrap().value;
    assert_eq!(login.user_status, Some(UserStatus::Other("Frozen".into())));
    assert_eq!(login.hibp_hint, Some(HibpHint::Other("New".into())));
    assert_eq!(login.api_hosts.get("new"), Some("a.ninjatrader.com"));
}
