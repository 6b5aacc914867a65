//! Helpers for the tests: peers that answer as configured, credentials, and both transports.

pub(crate) mod browser;
pub(crate) mod clock;
pub(crate) mod consent;
pub(crate) mod gate;
pub(crate) mod memory_store;
pub(crate) mod peer;
pub(crate) mod site;
pub(crate) mod source;
pub(crate) mod tls;
pub(crate) mod transport;

use tradovate_auth::{AccessToken, BaseUrl, ClientId, Credentials, DeviceId, Environment};

pub(crate) use clock::SimulatedClock;
pub(crate) use consent::{app, consent};
pub(crate) use gate::Gate;
pub(crate) use memory_store::MemoryStore;
pub(crate) use peer::{Peer, response, silent_after};
pub(crate) use source::{Builder, Kind, RUNTIME, Source, await_one, await_that};
pub(crate) use transport::Transport;

/// The credentials of the tests. Every secret is a canary.
pub(crate) fn credentials() -> Credentials {
    Credentials::new("trader", "canary-password")
        .with_app("Sample App", "1.0")
        .with_api_key(ClientId::Number(8), "canary-api-secret")
        .with_device_id(DeviceId::new("device"))
}

pub(crate) fn token() -> AccessToken {
    AccessToken::parse("canary-access-token").unwrap()
}

/// An environment with this base URL.
pub(crate) fn at(base: &str) -> Environment {
    Environment::custom(BaseUrl::parse(base).unwrap())
}

/// A response to a login with a token that expires at the end of the century.
pub(crate) const LOGGED_IN: &str =
    r#"{"accessToken":"canary-issued-token","expirationTime":"2099-12-31T00:00:00Z","userId":15460}"#;
