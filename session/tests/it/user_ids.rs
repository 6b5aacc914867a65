//! A session remembers the user id from the server's answers, even without a token.

use crate::driver::{Driver, minute, plain, token_until, user};

#[test]
fn a_login_for_another_user_is_refused_after_a_start_without_a_token_too() {
    let token_of = |id: u8| {
        let body = token_until("at", minute(80)).replace(r#""userId":1"#, &format!(r#""userId":{id}"#));
        plain(200, body)
    };
    let mut first = Driver::new(user(1));
    first.exchange("accesstokenrequest", token_of(7));
    let generation = first.session.token(first.now).unwrap().generation;
    let dead = br#"{"errorText":"Expired Access Token"}"#;
    first.session.rejected(first.now, generation, http::StatusCode::UNAUTHORIZED, dead, &mut first.budget);
    first.exchange("renewaccesstoken", plain(401, r#"{"errorText":"Expired Access Token"}"#));
    let mut without_token = first.stored();
    for seed in 2..4 {
        let mut next = Driver::new(user(seed));
        next.adopt(without_token);
        without_token = next.stored();
        next.exchange("accesstokenrequest", token_of(8));
        assert_eq!(next.token(), None);
    }
}
