//! The fuzz target for `apiHosts`: its value, and where requests go after it was followed.

use tradovate_auth_core::{AccessTokenRequest, ApiHosts, Endpoint, Environment, Purpose, is_trusted_host};

use crate::response;

/// Reads the input as the value of `apiHosts` in the answer to a login, and also as a single host.
pub fn api_hosts(input: &[u8]) {
    let body = [br#"{"accessToken":"t","expirationTime":"2099-01-01T00:00:00Z","apiHosts":"#, input, b"}"].concat();
    if let Ok(reply) = AccessTokenRequest::parse(response(http::StatusCode::OK, &[], &body)) {
        follow(&reply.value.api_hosts);
    }
    let host = String::from_utf8_lossy(input);
    let (mut known, newer) = (named(&host), named("acme-live.ninjatrader.com"));
    follow(&known);
    known.update(&newer);
    assert_eq!(known.get("live"), Some("acme-live.ninjatrader.com"));
}

fn named(host: &str) -> ApiHosts {
    [("live", host), ("mdDemo", host)].into_iter().collect()
}

fn follow(hosts: &ApiHosts) {
    for start in [Environment::live(), Environment::demo(), Environment::evaluation(), Environment::staging_demo()] {
        let mut environment = start.clone();
        let not_followed = environment.follow(hosts);
        assert!(not_followed.len() >= hosts.refused().len());
        for purpose in Purpose::ALL {
            let Some(base) = environment.base_url(purpose) else { continue };
            assert!(is_trusted_host(base.host()) && !base.is_plain_http(), "{base}");
            assert_eq!(base.as_uri().path(), "/v1", "{base}");
            assert!(base.as_uri().port().is_none() && base.as_uri().query().is_none(), "{base}");
        }
        // An answer that names no host removes no known host.
        assert!(start.base_url(Purpose::Login).is_none() || environment.base_url(Purpose::Login).is_some());
    }
}
