use super::*;
use crate::wire::endpoint::testing::{at, ok, with};
use crate::wire::endpoint::{AccessTokenRequest, Endpoint, OAuthToken, RenewAccessToken};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

const SENT: &str = "2026-11-24T14:20:30Z";
const RECEIVED: &str = "2026-11-24T14:20:32Z";

fn login(body: &str) -> Result<Grant, Error> {
    renewal(body, None)
}

fn renewal(body: &str, held: Option<&Grant>) -> Result<Grant, Error> {
    Grant::from_access_token(RenewAccessToken::parse(ok(body))?, at(SENT), at(RECEIVED), held)
}

fn oauth(body: &str, held: Option<&Grant>) -> Result<Grant, Error> {
    Grant::from_oauth(OAuthToken::parse(ok(body))?, at(SENT), at(RECEIVED), held)
}

/// A login whose token expires at this time, answered with this `Date`.
fn expiring(expiry: &str, date: Option<&str>) -> Result<Grant, Error> {
    let body = format!(r#"{{"accessToken":"t","expirationTime":"{expiry}"}}"#);
    let response = date.into_iter().fold(ok(&body), |response, date| with(response, "date", date));
    Grant::from_access_token(AccessTokenRequest::parse(response)?, at(SENT), at(RECEIVED), None)
}

fn contradiction(result: Result<Grant, Error>) -> Contradiction {
    match result {
        Err(Error::Contradiction(contradiction)) => contradiction,
        other => panic!("{other:?}"),
    }
}

/// A grant with everything an answer can bring.
fn held() -> Grant {
    let body = r#"{"access_token":"old","expires_in":4800,"refresh_token":"old-refresh","refresh_token_expires_in":93600,
        "mdAccessToken":"old-md","userId":7,"apiHosts":{"live":"a.ninjatrader.com","demo":"b.ninjatrader.com"}}"#;
    let grant = oauth(body, None).unwrap();
    Grant { user_name: Some("trader".into()), ..grant }
}

//= R-TIME-1
#[test]
fn a_login_becomes_a_grant_with_all_it_brought() {
    let grant = login(include_str!("../../tests/fixtures/login-2026.json")).unwrap();
    assert!(grant.access_token.expose().starts_with("ag_YXZ0"));
    assert_eq!(grant.expires_at, at("2026-11-24T15:40:30Z"));
    let market_data = grant.market_data.unwrap();
    assert!(market_data.token.expose().starts_with("md_ih0f"));
    assert_eq!(market_data.expires_at, grant.expires_at);
    assert!(grant.refresh.is_none());
    assert_eq!((grant.user_id, grant.user_name.as_deref()), (Some(15460), Some("synthetic-user")));
    assert_eq!(grant.hosts.iter().count(), 10);
    assert_eq!(grant.exchange, Exchange { sent: at(SENT), received: at(RECEIVED), server_time: None });
}

//= R-OAUTH-5
//= R-TIME-4
//= R-TIME-6
#[test]
fn lifetimes_are_in_the_servers_time_where_it_is_known() {
    let response = ok(include_str!("../../tests/fixtures/oauth-token.json"));
    let response = with(response, "date", "Tue, 24 Nov 2026 14:30:31 GMT");
    let grant = Grant::from_oauth(OAuthToken::parse(response).unwrap(), at(SENT), at(RECEIVED), None).unwrap();
    assert_eq!(grant.expires_at, at("2026-11-24T15:50:30.5Z"));
    assert_eq!(grant.remaining(at(SENT)), Duration::from_secs(4800));
    let by_local_clock = oauth(include_str!("../../tests/fixtures/oauth-token.json"), None).unwrap();
    assert_eq!(by_local_clock.expires_at, at("2026-11-24T15:40:30Z"));
    assert_eq!(by_local_clock.refresh.unwrap().expires_at, Some(at("2026-11-25T16:20:30Z")));
    assert!(by_local_clock.market_data.is_none() && by_local_clock.user_id.is_none());
}

//= R-TIME-1
#[test]
fn without_a_token_or_an_expiry_there_is_no_grant() {
    for (result, missing) in [
        (login(r#"{"accessToken":"t"}"#), "expirationTime"),
        (login(r#"{"accessToken":"t","expirationTime":""}"#), "expirationTime"),
        (oauth(r#"{"access_token":"t"}"#, None), "expires_in"),
        (oauth(r#"{"access_token":"t","expires_in":null,"refresh_token_expires_in":5}"#, None), "expires_in"),
    ] {
        assert!(matches!(&result, Err(Error::Incomplete { field, .. }) if *field == missing), "{result:?}");
    }
    let empty = Reply { value: AccessTokenResponse::default(), server_time: None };
    let error = Grant::from_access_token(empty, at(SENT), at(RECEIVED), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the answer has no `expirationTime`: nothing of it is used; if it happens again, report it"
    );
}

//= R-TIME-7
#[test]
fn an_expiry_must_be_in_the_future_by_the_clock_of_the_server() {
    let (ahead, behind) = (Some("Tue, 24 Nov 2026 14:30:31 GMT"), Some("Tue, 24 Nov 2026 14:10:31 GMT"));
    let no_clock = [Some("Thu, 01 Jan 1970 00:00:00 GMT"), Some("Fri, 24 Nov 2028 14:20:31 GMT")];
    for (expiry, date, is_good) in [
        ("2026-11-24T14:20:32Z", None, false),
        ("2026-11-24T14:20:31Z", None, false),
        ("0001-01-01T00:00:00Z", None, false),
        ("2026-11-24T14:20:32.000000001Z", None, true),
        ("9999-12-30T22:00:00Z", None, true),
        ("2026-11-24T14:25:00Z", ahead, false),
        ("2026-11-24T14:30:40Z", ahead, true),
        ("2026-11-24T14:15:00Z", behind, true),
        ("2026-11-24T14:10:00Z", behind, false),
        ("2020-01-01T00:00:00Z", no_clock[0], false),
        ("2026-11-24T15:40:30Z", no_clock[1], true),
        // The `Date` is read to the second: the last one in which the token may have died counts.
        ("2026-11-24T14:20:31.999Z", Some("Tue, 24 Nov 2026 14:20:30 GMT"), false),
        ("2026-11-24T14:20:33Z", Some("Tue, 24 Nov 2026 14:20:30 GMT"), true),
    ] {
        let grant = expiring(expiry, date);
        assert_eq!(grant.is_ok(), is_good, "{expiry} {date:?}");
        assert!(is_good || contradiction(grant) == Contradiction::ExpiredAlready, "{expiry} {date:?}");
    }
}

//= R-HOST-8
//= R-RENEW-8
//= R-RENEW-9
//= R-REFRESH-2
#[test]
fn what_an_answer_leaves_out_is_kept_and_what_it_has_replaces_it() {
    let brief = |grant: Grant| {
        let market_data = grant.market_data.map(|kept| format!("{} {}", kept.token.expose(), kept.expires_at));
        let ends = |refresh: &RefreshGrant| refresh.expires_at.map_or("open".into(), |end| end.to_string());
        let refresh = grant.refresh.map(|kept| format!("{} {}", kept.token.expose(), ends(&kept)));
        let user = format!("{:?} {:?}", grant.user_id, grant.user_name);
        [market_data.unwrap_or_default(), refresh.unwrap_or_default(), user].join(", ")
    };
    let renew = |held: &Grant, now: &str, more: &str| {
        let body = format!(r#"{{"accessToken":"new","expirationTime":"2026-11-24T17:00:30Z"{more}}}"#);
        let grant = Grant::from_access_token(RenewAccessToken::parse(ok(&body)).unwrap(), at(now), at(now), Some(held));
        grant.unwrap()
    };
    let (user, refresh) = (r#"Some(7) Some("trader")"#, "old-refresh 2026-11-25T16:20:30Z");
    let kept = renew(&held(), SENT, "");
    assert_eq!((kept.access_token.expose(), kept.expires_at), ("new", at("2026-11-24T17:00:30Z")));
    assert_eq!(kept.hosts, held().hosts);
    let gone = renew(&kept, "2026-11-24T15:40:30Z", "");
    assert_eq!(brief(gone), format!(", {refresh}, {user}"), "it dies with the grant it came with");
    assert_eq!(brief(kept), format!("old-md 2026-11-24T15:40:30Z, {refresh}, {user}"));
    let replaced = renew(&held(), SENT, r#","mdAccessToken":"new-md","name":"other""#);
    assert_eq!(brief(replaced), format!(r#"new-md 2026-11-24T17:00:30Z, {refresh}, Some(7) Some("other")"#));
    for (field, refresh) in
        [(r#","refresh_token":"new""#, "new open"), ("", refresh), (r#","refresh_token":"""#, refresh)]
    {
        let body = format!(r#"{{"access_token":"t","expires_in":60{field}}}"#);
        let market_data = "old-md 2026-11-24T15:40:30Z";
        assert_eq!(brief(oauth(&body, Some(&held())).unwrap()), format!("{market_data}, {refresh}, {user}"));
    }
}

#[test]
fn a_lifetime_must_not_be_zero_nor_beyond_all_calendars() {
    let lifetime = |seconds: &str| oauth(&format!(r#"{{"access_token":"t","expires_in":{seconds}}}"#), None);
    for seconds in ["0", "0.9", "2"] {
        assert_eq!(contradiction(lifetime(seconds)), Contradiction::ExpiredAlready, "{seconds}");
    }
    for seconds in ["18446744073709551615", "9223372036854775807", "1e300", "\"99999999999999999999\"", "999999999999"]
    {
        assert_eq!(contradiction(lifetime(seconds)), Contradiction::LifetimeOutOfRange, "{seconds}");
    }
    assert!(lifetime("3").is_ok() && lifetime("250000000000").is_ok());
}

#[test]
fn no_time_of_an_exchange_makes_it_panic() {
    let edges = [Timestamp::MIN, Timestamp::UNIX_EPOCH, at(SENT), Timestamp::MAX];
    for (sent, received) in edges.into_iter().flat_map(|sent| edges.map(|received| (sent, received))) {
        for date in [None, Some(Timestamp::MIN), Some(at(SENT)), Some(Timestamp::MAX)] {
            for expiry in edges {
                let value = AccessTokenResponse {
                    access_token: AccessToken::parse("t").ok(),
                    expiration_time: Some(expiry),
                    ..AccessTokenResponse::default()
                };
                let grant = Grant::from_access_token(Reply { value, server_time: date }, sent, received, None);
                if let Ok(grant) = grant {
                    let _ = edges.map(|now| grant.remaining(now));
                }
            }
            for lifetime in [0, 1, u64::MAX] {
                let value = OAuthTokenResponse {
                    access_token: AccessToken::parse("t").ok(),
                    expires_in: Some(lifetime),
                    ..OAuthTokenResponse::default()
                };
                let _ = Grant::from_oauth(Reply { value, server_time: date }, sent, received, None);
            }
        }
    }
}

//= R-RENEW-7
//= R-OAUTH-10
#[test]
fn an_answer_for_another_user_is_not_installed() {
    let answer = |user: &str| {
        renewal(&format!(r#"{{"accessToken":"t","expirationTime":"2026-11-24T15:40:30Z"{user}}}"#), Some(&held()))
    };
    assert_eq!(contradiction(answer(r#","userId":8"#)), Contradiction::OtherUser);
    assert_eq!(contradiction(answer(r#","userId":"8""#)), Contradiction::OtherUser);
    assert_eq!(answer(r#","userId":"7""#).unwrap().user_id, Some(7));
    assert_eq!(answer("").unwrap().user_id, Some(7));
    assert_eq!(
        contradiction(oauth(r#"{"access_token":"t","expires_in":60,"userId":8}"#, Some(&held()))),
        Contradiction::OtherUser
    );
    let anonymous = Grant { user_id: None, ..held() };
    let named = renewal(r#"{"accessToken":"t","expirationTime":"2026-11-24T15:40:30Z","userId":8}"#, Some(&anonymous));
    assert_eq!(named.unwrap().user_id, Some(8));
}

//= R-HOST-4
#[test]
fn hosts_merge_key_by_key_and_refused_ones_are_reported() {
    let body = r#"{"accessToken":"t","expirationTime":"2026-11-24T17:00:30Z",
        "apiHosts":{"demo":"c.ninjatrader.com","live":"https://evil.com/","mdDemo":"d.ninjatrader.com"}}"#;
    let grant = renewal(body, Some(&held())).unwrap();
    let hosts: Vec<_> = grant.hosts.iter().collect();
    assert_eq!(hosts, [("demo", "c.ninjatrader.com"), ("live", "a.ninjatrader.com"), ("mdDemo", "d.ninjatrader.com")]);
    assert_eq!(grant.hosts.refused(), ["live"]);
}

#[test]
fn what_remains_of_a_token_is_never_negative() {
    let grant = held();
    assert_eq!(grant.remaining(at("2026-11-24T15:40:29.5Z")), Duration::from_millis(500));
    assert_eq!(grant.remaining(at("2026-11-24T15:40:30Z")), Duration::ZERO);
    assert_eq!(grant.remaining(Timestamp::MAX), Duration::ZERO);
}
