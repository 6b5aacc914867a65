//! [`Hosts`]: the configured hosts, the hosts that the server named, and when the session leaves a followed host.
//!
//! An answer that shows that a followed host is wrong leads to one try at the configured host. The configured host
//! names the right hosts or answers by itself. The session keeps the followed host until the configured host has
//! answered, because an outage proves nothing.

use core::time::Duration;

use http::Request;
use http::uri::Authority;
use jiff::Timestamp;
use tradovate_auth_core::{ApiHosts, Environment, Purpose, RequestBody};

use super::{EventKind, Session};
use crate::network_budget::Operation;
use crate::time_arithmetic::{after, later};

/// The session tries the configured host at most once in this time.
const TRY_CONFIGURED_EVERY: Duration = Duration::from_secs(15 * 60);

/// After this many failed connections in a row, a followed host counts as wrong.
const GONE_AFTER: u32 = 3;

/// The host that a request was first sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// The configured host. No other host is followed.
    Configured,
    /// A host that the server named.
    Followed,
    /// The configured host, while another host is followed.
    Home,
}

#[derive(Debug, Clone)]
pub(super) struct Hosts {
    /// The hosts that the program configured.
    pub(super) configured: Environment,
    pub(super) in_force: Environment,
    failed_connections: u32,
}

impl Hosts {
    pub(super) fn new(configured: Environment) -> Self {
        Self { in_force: configured.clone(), configured, failed_connections: 0 }
    }

    /// The host that a request goes to, before any redirect.
    pub(super) fn via(&self, operation: Operation, request: &Request<RequestBody>) -> Via {
        let configured = authority(&self.configured, operation);
        if request.uri().authority() != configured.as_ref() {
            Via::Followed
        } else if authority(&self.in_force, operation) == configured {
            Via::Configured
        } else {
            Via::Home
        }
    }
}

impl Session {
    /// The environment for the next request of this kind: the configured one, or the same with the hosts that the
    /// server has named.
    pub(super) fn environment_for(&self, now: Timestamp, operation: Operation) -> &Environment {
        let is_second_try = operation == Operation::LogIn && self.record.log_ins.is_second_try();
        let is_due = self.record.followed_host_is_wrong.is_set() && self.next_try_of_configured(now) <= now;
        if is_second_try || is_due { &self.hosts.configured } else { &self.hosts.in_force }
    }

    fn next_try_of_configured(&self, now: Timestamp) -> Timestamp {
        self.record.configured_host_tried_at.map_or(now, |at| later(at, TRY_CONFIGURED_EVERY).max(now))
    }

    /// Marks the followed host as wrong. Returns how long to wait for the next try at the configured host.
    pub(super) fn followed_host_is_wrong(&mut self, now: Timestamp) -> Duration {
        self.record.followed_host_is_wrong.set();
        after(self.next_try_of_configured(now), now)
    }

    /// A request goes to the configured host while another host is followed.
    pub(super) fn tries_configured_host(&mut self, now: Timestamp) {
        self.record.configured_host_tried_at = Some(now);
        self.persistence.dirty = true;
    }

    /// The host answered, or it could not be reached.
    pub(super) fn host_is_reached(&mut self, via: Via, is_reached: bool) {
        if via != Via::Followed {
            return;
        }
        self.hosts.failed_connections = if is_reached { 0 } else { self.hosts.failed_connections.saturating_add(1) };
        //= R-HOST-12
        if self.hosts.failed_connections >= GONE_AFTER {
            self.record.followed_host_is_wrong.set();
        }
    }

    /// The host gave a good answer. The next try at the configured host is still at most once per 15 minutes.
    pub(super) fn host_is_good(&mut self) {
        self.record.followed_host_is_wrong.clear();
        self.hosts.failed_connections = 0;
    }

    pub(super) fn leave_followed_hosts(&mut self, now: Timestamp) {
        self.host_is_good();
        if !self.record.tokens.hosts.is_empty() {
            self.record.tokens.name_hosts(self.clock.server_time(now), ApiHosts::default());
            self.persistence.dirty = true;
        }
        self.follow_hosts(now);
    }

    /// Uses the hosts of the record.
    //= R-HOST-7
    pub(super) fn follow_hosts(&mut self, now: Timestamp) {
        let mut environment = self.hosts.configured.clone();
        for key in environment.follow(&self.record.tokens.hosts) {
            self.report(now, EventKind::HostNotFollowed { key });
        }
        let before = core::mem::replace(&mut self.hosts.in_force, environment);
        let has_changed = Purpose::ALL.into_iter().any(|purpose| {
            let base = before.base_url(purpose);
            base.is_some() && base != self.hosts.in_force.base_url(purpose)
        });
        if has_changed {
            self.report(now, EventKind::HostsChanged);
        }
    }
}

fn authority(environment: &Environment, operation: Operation) -> Option<Authority> {
    let url = match operation {
        Operation::Refresh => environment.token_url().ok()?.into(),
        _ => environment.base_url(Purpose::Login)?.as_uri().clone(),
    };
    url.authority().cloned()
}
