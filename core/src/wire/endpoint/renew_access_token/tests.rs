use super::super::testing::*;
use super::*;

//= R-RENEW-1
//= R-ENV-9
#[test]
fn the_request_is_a_get_with_a_bearer_and_nothing_else() {
    let renewal = RenewAccessToken::new(AccessToken::parse("ag_token").unwrap());
    insta::assert_snapshot!(show(renewal.request(&Environment::demo())), @r"
    GET https://demo.tradovateapi.com/v1/auth/renewaccesstoken
    accept: application/json
    authorization: Bearer ag_token (sensitive)
    ");
}
