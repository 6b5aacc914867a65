//! Lock-outs with 423 and 429: a network, or everybody, must send nothing for an hour. Every request during the hour
//! restarts it.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use crate::{
    network::Network,
    reply::Reply,
    time::{HOUR, later},
};

/// A lock-out: every request is refused. It begins with the next request, and ends when no request came for `duration`.
///
/// ```
/// use tradovate_auth_simulator::{LockOut, Network};
///
/// let mut lock_out = LockOut::too_many_requests();
/// lock_out.network = Some(Network("198.51.100.0/24".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockOut {
    /// The status of the refusals: 429, 423, or any other.
    pub status: StatusCode,
    /// The network that is locked out; `None` locks out everybody.
    pub network: Option<Network>,
    /// The value of the `Retry-After` header in whole seconds; `None` leaves the header out.
    pub retry_after: Option<Duration>,
    /// How long no request may come until the lock-out ends, unless `retry_after` is longer. Default: one hour.
    pub duration: Duration,
}

impl LockOut {
    /// A lock-out with 429, which the server uses if the client is locked out.
    #[must_use]
    pub fn too_many_requests() -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, network: None, retry_after: None, duration: HOUR }
    }

    /// A lock-out with 423, which the server uses if the client is about to be locked out.
    #[must_use]
    pub fn locked() -> Self {
        Self { status: StatusCode::LOCKED, ..Self::too_many_requests() }
    }

    /// Adds a `Retry-After` header. A wait longer than `duration` also makes the lock-out longer.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

#[derive(Clone)]
struct InForce {
    lock_out: LockOut,
    /// When the lock-out ends; `None` until the first request came.
    until: Option<Timestamp>,
}

/// The lock-outs that are in force.
#[derive(Clone, Default)]
pub(crate) struct LockOuts(Vec<InForce>);

impl LockOuts {
    pub(crate) fn add(&mut self, lock_out: LockOut) {
        self.0.push(InForce { lock_out, until: None });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn answer(&mut self, now: Timestamp, network: &Network) -> Option<Reply> {
        self.0.retain(|in_force| in_force.until.is_none_or(|until| now < until));
        let mut reply = None;
        for InForce { lock_out, until } in &mut self.0 {
            if lock_out.network.as_ref().is_none_or(|only| only == network) {
                *until = Some(later(now, lock_out.duration.max(lock_out.retry_after.unwrap_or_default())));
                reply.get_or_insert_with(|| Reply::empty(lock_out.status).with_retry_after(lock_out.retry_after));
            }
        }
        reply
    }
}
