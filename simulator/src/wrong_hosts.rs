//! Wrong hosts: hosts that no longer serve their organization, but whose names still resolve and which still answer.
//! Their answers say nothing about the request.

use std::collections::BTreeMap;

use http::StatusCode;

use crate::{
    endpoint::Endpoint,
    reply::{Reply, texts},
    simulator::Simulator,
};

/// How a wrong host answers. A wrong host no longer serves its organization.
///
/// The simulator has no kind for a host that refuses connections. To simulate one, don't pass the request on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongHost {
    /// Every request gets 404 without a body.
    NotFound,
    /// Every exchange and refresh gets `Wrong client_id`, as if the app were not registered. Other requests are served.
    WrongClient,
}

/// The hosts that are wrong.
#[derive(Clone, Default)]
pub(crate) struct WrongHosts(BTreeMap<String, WrongHost>);

impl WrongHosts {
    /// The answer of a wrong host; `None` if the host serves the request.
    pub(crate) fn answer(&self, host: &str, endpoint: Endpoint) -> Option<Reply> {
        match (self.0.get(host)?, endpoint) {
            (WrongHost::NotFound, _) => Some(Reply::empty(StatusCode::NOT_FOUND)),
            (WrongHost::WrongClient, Endpoint::OauthToken) => {
                Some(Reply::oauth_error("invalid_client", Some(texts::WRONG_CLIENT_ID)))
            }
            (WrongHost::WrongClient, _) => None,
        }
    }
}

impl Simulator {
    /// Makes a host a wrong host, which no longer serves its organization. `None` makes it serve again.
    ///
    /// ```
    /// use http::Request;
    /// use tradovate_auth_simulator::{Simulator, WrongHost};
    ///
    /// let mut simulator = Simulator::builder().build();
    /// simulator.set_wrong_host("acme.ninjatrader.com", Some(WrongHost::NotFound));
    /// let request = Request::get("https://acme.ninjatrader.com/v1/auth/renewaccesstoken").body("")?;
    /// assert_eq!(simulator.handle("2026-11-24T14:20:30Z".parse()?, request).status(), 404);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_wrong_host(&mut self, host: &str, wrong: Option<WrongHost>) {
        let host = host.to_ascii_lowercase();
        match wrong {
            Some(wrong) => self.wrong_hosts.0.insert(host, wrong),
            None => self.wrong_hosts.0.remove(&host),
        };
    }
}
