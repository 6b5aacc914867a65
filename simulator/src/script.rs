//! Scripted answers: responses that a test has written for later requests.

use std::collections::VecDeque;

use http::Response;

use crate::endpoint::Endpoint;

/// A scripted answer for the next request to an endpoint; `None` means any request.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) response: Response<Vec<u8>>,
    /// Whether the request is handled before the scripted answer replaces the real one.
    pub(crate) handle: bool,
}

/// The scripted answers that were not yet used, in order.
#[derive(Clone, Default)]
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
