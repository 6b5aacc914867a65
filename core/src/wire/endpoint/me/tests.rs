use super::super::testing::*;
use super::*;
use crate::wire::headers;
use alloc::format;
use alloc::vec;

#[test]
fn the_request_is_a_get_with_a_bearer_and_nothing_else() {
    let me = Me::new(AccessToken::parse("ag_token-~+/=").unwrap());
    insta::assert_snapshot!(show(me.request(&Environment::demo())), @r"
    GET https://live.tradovateapi.com/v1/auth/me
    accept: application/json
    authorization: Bearer ag_token-~+/= (sensitive)
    ");
}

#[test]
fn the_fixture_is_read_whole() {
    let reply = Me::parse(ok(include_str!("../../../../tests/fixtures/me.json"))).unwrap();
    let expected = MeResponse {
        user_id: Some(15460),
        name: Some("synthetic-user".into()),
        full_name: Some("Synthetic User".into()),
        email: Some("user@example.com".into()),
        email_verified: Some(true),
        is_trial: Some(false),
        organization_name: Some("Example Evaluation".into()),
        current_account_plan: Some("Pro Plus".into()),
        current_md_subs: vec!["marketDataPremium".into(), "newsFeed".into()],
        current_balance: Some(50_125.5),
        active_plugins: vec!["replay".into()],
    };
    assert_eq!(reply.value, expected);
    assert_eq!(reply.server_time, None);
}

#[test]
fn the_servers_time_comes_with_the_answer() {
    let response = with(ok("{}"), "date", "Tue, 24 Nov 2026 14:20:30 GMT");
    assert_eq!(headers::date(response.headers()), Some(at("2026-11-24T14:20:30Z")));
    assert_eq!(Me::parse(response).unwrap().server_time, Some(at("2026-11-24T14:20:30Z")));
}

#[test]
fn everything_may_be_missing_even_the_user() {
    for body in ["{}", r#"{"userId":null,"name":null,"currentMDSubs":null,"unknown":{"a":[1]}}"#] {
        assert_eq!(Me::parse(ok(body)).unwrap().value, MeResponse::default(), "{body}");
    }
}

#[test]
fn a_field_that_only_informs_is_dropped_where_it_is_not_readable() {
    let body = r#"{"userId":"7","name":1,"fullName":[],"email":{},"emailVerified":"yes","isTrial":0,
        "currentMDSubs":"x","currentBalance":"abc","activePlugins":{"a":1}}"#;
    let expected = MeResponse { user_id: Some(7), ..MeResponse::default() };
    assert_eq!(Me::parse(ok(body)).unwrap().value, expected);
}

#[test]
fn lists_keep_their_strings_and_a_balance_may_be_text() {
    let body = r#"{"currentMDSubs":["a",1,null,["b"],"c"],"currentBalance":" -1.5e2 ","emailVerified":"TRUE"}"#;
    let me = Me::parse(ok(body)).unwrap().value;
    assert_eq!(me.current_md_subs, ["a", "c"]);
    assert_eq!((me.current_balance, me.email_verified), (Some(-150.0), Some(true)));
}

#[test]
fn demo_sends_the_caller_to_live() {
    let text = "This endpoint should be called on live.tradovateapi.com";
    let json = format!(r#"{{"errorText":"{text}"}}"#);
    let string = format!("\"{text}\"");
    for (code, body) in [
        (200, &*json),
        (400, &json),
        (401, &json),
        (403, &json),
        (404, &json),
        (401, text),
        (404, text),
        (400, &string),
    ] {
        match refused(Me::parse(status(code, body))) {
            Error::WrongEnvironment { text: said } => assert_eq!(said, text),
            other => panic!("{code} {body}: {other:?}"),
        }
    }
}

#[test]
fn a_balance_may_be_a_whole_number() {
    let me = Me::parse(Response::new(r#"{"currentBalance":100}"#)).unwrap().value;
    assert_eq!(me.current_balance, Some(100.0));
    let me = Me::parse(Response::new(r#"{"currentBalance":-100}"#)).unwrap().value;
    assert_eq!(me.current_balance, Some(-100.0));
}
