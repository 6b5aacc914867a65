//! Both transports behind one interface, so that each test runs with both.

use std::time::Duration;

use tradovate_auth::{
    AccessTokenRequest, AccessTokenResponse, Answer, CallError, Endpoint, Environment, Me, RenewAccessToken,
};

use super::{credentials, token};

#[derive(Debug)]
pub(crate) enum Transport {
    Ureq(tradovate_auth::ureq::Client),
    Reqwest(tradovate_auth::reqwest::Client),
}

impl Transport {
    /// Both transports with their default settings.
    pub(crate) fn both(environment: &Environment) -> [Self; 2] {
        [
            Self::Ureq(tradovate_auth::ureq::Client::new(environment.clone())),
            Self::Reqwest(tradovate_auth::reqwest::Client::new(environment.clone()).unwrap()),
        ]
    }

    pub(crate) fn with_timeout(self, timeout: Duration) -> Self {
        match self {
            Self::Ureq(client) => Self::Ureq(client.with_timeout(timeout)),
            Self::Reqwest(client) => Self::Reqwest(client.with_timeout(timeout)),
        }
    }

    pub(crate) fn with_max_response_bytes(self, limit: usize) -> Self {
        match self {
            Self::Ureq(client) => Self::Ureq(client.with_max_response_bytes(limit)),
            Self::Reqwest(client) => Self::Reqwest(client.with_max_response_bytes(limit)),
        }
    }

    pub(crate) fn call<E: Endpoint>(&self, endpoint: &E) -> Result<Answer<E::Response>, CallError> {
        match self {
            Self::Ureq(client) => client.call(endpoint),
            Self::Reqwest(client) => block_on(client.call(endpoint)),
        }
    }

    pub(crate) fn log_in(&self) -> Result<Answer<AccessTokenResponse>, CallError> {
        self.call(&AccessTokenRequest::new(&credentials()))
    }

    pub(crate) fn renew(&self) -> Result<Answer<AccessTokenResponse>, CallError> {
        self.call(&RenewAccessToken::new(token()))
    }

    pub(crate) fn me(&self) -> Result<Answer<tradovate_auth::MeResponse>, CallError> {
        self.call(&Me::new(token()))
    }
}

/// Runs a future to completion on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
