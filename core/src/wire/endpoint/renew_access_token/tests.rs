use super::super::testing::*;
use super::super::{HibpHint, UserStatus};
use super::*;

#[test]
fn the_request_is_a_get_with_a_bearer_and_nothing_else() {
    let renewal = RenewAccessToken::new(AccessToken::parse("ag_token").unwrap());
    insta::assert_snapshot!(show(renewal.request(&Environment::demo())), @r"
    GET https://demo.tradovateapi.com/v1/auth/renewaccesstoken
    accept: application/json
    authorization: Bearer ag_token (sensitive)
    ");
}

#[test]
fn the_fixture_has_a_token_and_no_market_data_token() {
    let renewed = RenewAccessToken::parse(ok(include_str!("../../../../tests/fixtures/renew.json"))).unwrap().value;
    assert!(renewed.access_token.unwrap().expose().starts_with("ag_Fh25SJF0"));
    assert!(renewed.md_access_token.is_none());
    assert_eq!(renewed.expiration_time, Some(at("2026-11-24T17:00:30.056Z")));
    assert_eq!(renewed.password_expiration_time, None);
    assert_eq!(renewed.user_status, Some(UserStatus::Active));
    assert_eq!((renewed.user_id, renewed.name.as_deref()), (Some(15460), Some("synthetic-user")));
    assert_eq!((renewed.has_live, renewed.has_sim_plus, renewed.show_kids), (Some(true), Some(false), Some(false)));
    assert_eq!(renewed.hibp_hint, None::<HibpHint>);
    assert_eq!(renewed.api_hosts.iter().count(), 10);
}
