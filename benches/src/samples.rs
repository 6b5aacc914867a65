//! The samples of all measurements: the answers from the core's tests, compact as the server sends them, and
//! credentials. Every secret is synthetic.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tradovate_auth::{ClientId, Credentials, DeviceId};

pub(crate) const NAME: &str = "synthetic-user";
pub(crate) const PASSWORD: &str = "synthetic-password";
pub(crate) const APP_ID: &str = "Sample App";
pub(crate) const APP_VERSION: &str = "1.0";
pub(crate) const DEVICE_ID: &str = "3f6c2a90-0c7e-4f0e-9a51-6f2f0d9b7c11";
pub(crate) const CID: u64 = 8;
pub(crate) const SEC: &str = "00000000-1111-2222-3333-444444444444";

pub(crate) const CLIENT_ID: &str = "synthetic-client";
pub(crate) const CLIENT_SECRET: &str = "synthetic-client-secret";
pub(crate) const CODE: &str = "synthetic-code-5JpoWV7XRYzUM02LPNeuWWkR8uvNNLe3VwI7b7aU";
pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1:8765/callback";

pub(crate) const DATE: &str = "Tue, 24 Nov 2026 14:20:31 GMT";

/// The credentials of the logins.
pub(crate) fn credentials() -> Credentials {
    Credentials::new(NAME, PASSWORD)
        .with_app(APP_ID, APP_VERSION)
        .with_device_id(DeviceId::new(DEVICE_ID))
        .with_api_key(ClientId::Number(CID), SEC)
        .with_hibp_check(true)
}

/// The response of a login without hosts: about 600 bytes.
pub(crate) fn login() -> String {
    without_hosts(LOGIN)
}

/// The response of a login with ten hosts: about 1,000 bytes.
pub(crate) fn login_with_hosts() -> String {
    compact(LOGIN)
}

/// The response of an OAuth exchange without hosts.
pub(crate) fn oauth_token() -> String {
    without_hosts(include_str!("../../core/tests/fixtures/oauth-token.json"))
}

/// The access token in the response of the login.
pub(crate) fn access_token() -> String {
    let login: Value = serde_json::from_str(LOGIN).expect("the sample is JSON");
    login["accessToken"].as_str().expect("a login brings a token").to_owned()
}

/// The times at which a request was sent and its answer came. At both, the samples' tokens are valid.
pub(crate) fn times() -> [Timestamp; 2] {
    let sent: Timestamp = "2026-11-24T14:20:30Z".parse().expect("a time");
    [sent, sent + SignedDuration::from_secs(1)]
}

const LOGIN: &str = include_str!("../../core/tests/fixtures/login-2026.json");

/// Removes all white space. No string in the samples has any.
fn compact(sample: &str) -> String {
    sample.split_whitespace().collect()
}

fn without_hosts(sample: &str) -> String {
    let sample = compact(sample);
    let (before, _) = sample.split_once(",\"apiHosts\"").expect("the hosts come last");
    [before, "}"].concat()
}
