use super::super::testing::*;
use super::*;
use crate::wire::headers;
use alloc::format;

//= R-ME-1
//= R-ENV-6
//= R-SOCKET-1
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
fn the_servers_time_comes_with_the_answer() {
    let response = with(ok("{}"), "date", "Tue, 24 Nov 2026 14:20:30 GMT");
    assert_eq!(headers::date(response.headers()), Some(at("2026-11-24T14:20:30Z")));
    assert_eq!(Me::parse(response).unwrap().server_time, Some(at("2026-11-24T14:20:30Z")));
}

//= R-ME-2
//= R-ME-3
#[test]
fn what_is_missing_or_not_readable_is_left_out() {
    let read = |body: &str| Me::parse(ok(body)).unwrap().value;
    let unreadable = r#"{"userId":"7","name":1,"fullName":[],"email":{},"emailVerified":"yes","isTrial":0,
        "currentMDSubs":"x","currentBalance":"abc","activePlugins":{"a":1}}"#;
    for (body, user_id) in [
        ("{}", None),
        (r#"{"userId":null,"name":null,"currentMDSubs":null,"unknown":{"a":[1]}}"#, None),
        (unreadable, Some(7)),
    ] {
        assert_eq!(read(body), MeResponse { user_id, ..MeResponse::default() }, "{body}");
    }
    assert_eq!(read(r#"{"currentMDSubs":["a",1,null,["b"],"c"]}"#).current_md_subs, ["a", "c"]);
    assert_eq!(read(r#"{"emailVerified":"TRUE"}"#).email_verified, Some(true));
    for (balance, number) in [("\" -1.5e2 \"", -150.0), ("100", 100.0), ("-100", -100.0)] {
        assert_eq!(read(&format!(r#"{{"currentBalance":{balance}}}"#)).current_balance, Some(number), "{balance}");
    }
}

//= R-ENV-11
#[test]
fn demo_sends_the_caller_to_live() {
    let text = "This endpoint should be called on live.tradovateapi.com";
    let json = format!(r#"{{"errorText":"{text}"}}"#);
    let string = format!("\"{text}\"");
    let as_json = [200, 400, 401, 403, 404].map(|code| (code, &*json));
    for (code, body) in as_json.into_iter().chain([(401, text), (404, text), (400, &string)]) {
        match refused(Me::parse(status(code, body))) {
            Error::WrongEnvironment { text: said } => assert_eq!(said, text),
            other => panic!("{code} {body}: {other:?}"),
        }
    }
}
