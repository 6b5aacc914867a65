use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn token() -> AccessToken {
    AccessToken::parse("t").unwrap()
}

#[test]
fn no_time_of_an_exchange_causes_a_panic() {
    let edges = [Timestamp::MIN, Timestamp::UNIX_EPOCH, at("2026-11-24T14:20:30Z"), Timestamp::MAX];
    for (sent, received) in edges.into_iter().flat_map(|sent| edges.map(|received| (sent, received))) {
        for server_time in [None].into_iter().chain(edges.map(Some)) {
            for expiry in edges {
                let mut value = AccessTokenResponse { access_token: Some(token()), ..AccessTokenResponse::default() };
                value.expiration_time = Some(expiry);
                let grant = Grant::from_access_token(Reply { value, server_time }, sent, received, None);
                let _ = grant.map(|grant| edges.map(|now| grant.remaining(now)));
            }
            for lifetime in [0, 1, u64::MAX] {
                let mut value = OAuthTokenResponse { access_token: Some(token()), ..OAuthTokenResponse::default() };
                value.expires_in = Some(lifetime);
                let _ = Grant::from_oauth(Reply { value, server_time }, sent, received, None);
            }
        }
    }
}

#[test]
fn the_remaining_lifetime_is_never_negative_and_counts_in_server_time() {
    let sent = at("2026-11-24T14:20:30Z");
    let exchange = Exchange { sent, received: sent, server_time: None };
    let grant = Grant::new(token(), at("2026-11-24T15:40:30Z"), exchange);
    assert_eq!(grant.remaining(at("2026-11-24T15:40:29.5Z")), Duration::from_millis(500));
    assert_eq!(grant.remaining(at("2026-11-24T15:40:30Z")), Duration::ZERO);
    assert_eq!(grant.remaining(Timestamp::MAX), Duration::ZERO);
    let ahead = Exchange { server_time: Some(at("2026-11-24T14:30:30Z")), ..exchange };
    assert_eq!(Grant { exchange: ahead, ..grant }.remaining(sent), Duration::from_millis(4_199_500));
}
