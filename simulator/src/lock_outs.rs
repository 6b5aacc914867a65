//! 423 and 429: a network, or everybody, that is to send nothing for an hour.
//! Every request meanwhile starts the hour anew.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use crate::{
    network::Network,
    reply::Reply,
    time::{HOUR, later},
};

/// A lock-out. It begins with the next request it meets and ends when none has come for its whole duration.
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
    /// 429, 423, or whatever else a test wants.
    pub status: StatusCode,
    /// Whom it meets; `None`: everybody.
    pub network: Option<Network>,
    /// What the `Retry-After` header says, if there is to be one.
    pub retry_after: Option<Duration>,
    /// How long nothing may be sent: an hour.
    pub duration: Duration,
}

impl LockOut {
    /// 429: locked out.
    #[must_use]
    pub fn too_many_requests() -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, network: None, retry_after: None, duration: HOUR }
    }

    /// 423: about to be locked out.
    #[must_use]
    pub fn locked() -> Self {
        Self { status: StatusCode::LOCKED, ..Self::too_many_requests() }
    }

    /// The same lock-out, announcing when to come back.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

struct InForce {
    lock_out: LockOut,
    /// `None` until the first request has come.
    until: Option<Timestamp>,
}

/// The lock-outs in force.
#[derive(Default)]
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
