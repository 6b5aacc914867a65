//! Answers that a test has written itself, each for one request to come.

use std::collections::VecDeque;

use http::Response;

use crate::endpoint::Endpoint;

/// An answer for the next request to an endpoint, or to anything.
pub(crate) struct Scripted {
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) response: Response<Vec<u8>>,
    /// Whether the request takes effect before its true answer is thrown away.
    pub(crate) handle: bool,
}

/// The answers to come, in the order they were written.
#[derive(Default)]
pub(crate) struct Script(VecDeque<Scripted>);

impl Script {
    pub(crate) fn add(&mut self, scripted: Scripted) {
        self.0.push_back(scripted);
    }

    pub(crate) fn take(&mut self, endpoint: Option<Endpoint>) -> Option<Scripted> {
        let next = self.0.iter().position(|scripted| scripted.endpoint.is_none() || scripted.endpoint == endpoint)?;
        self.0.remove(next)
    }
}
