//! When a session leaves a followed host that is wrong.
//!
//! A sign that the host is wrong leads to one try at the configured host, which names the right hosts or answers by itself.
//! Until it has answered, the session keeps the followed host, since an outage proves nothing.

use core::time::Duration;

use http::uri::Authority;
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tradovate_auth_core::internal::{later, moved};
use tradovate_auth_core::{ApiHosts, Environment, Error, Purpose, Refusal, RequestBody};

use super::refusal::LAST_RESORT_PAUSE;
use super::{EventKind, Exchange, Session, Trouble};
use crate::budget::Operation;
use crate::stored_session::is_default;

/// One try at the configured host in this time.
const ONE_TRY_IN: Duration = Duration::from_secs(15 * 60);

/// After this many failed connections in a row, a followed host may be gone.
const GONE_AFTER: u32 = 3;

/// What host a request was first sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// The configured one, and no other is followed.
    Configured,
    /// One that the server has named.
    Followed,
    /// The configured one, while another is followed.
    Home,
}

/// What is known of the followed login host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct FollowedHost {
    /// It has given a sign that it is wrong, and no good answer since.
    #[serde(skip_serializing_if = "is_default")]
    seems_wrong: bool,
    #[serde(skip)]
    failed_connections: u32,
    /// The last try at the configured host.
    #[serde(skip_serializing_if = "is_default")]
    home_tried_at: Option<Timestamp>,
}

impl FollowedHost {
    /// It, or the configured host, has given a good answer. The next try at the configured host waits all the same.
    pub(super) fn settle(&mut self) {
        *self = Self { home_tried_at: self.home_tried_at, ..Self::default() };
    }

    /// Takes over what another process knows, `anew` if this one knows nothing yet.
    pub(super) fn learn(&mut self, now: Timestamp, other: &Self, anew: bool) {
        self.seems_wrong |= other.seems_wrong && anew;
        self.home_tried_at = self.home_tried_at.max(other.home_tried_at.map(|at| at.min(now)));
    }

    /// The same by a clock that is ahead by so much.
    pub(crate) fn shift(&mut self, by: SignedDuration) {
        self.home_tried_at = self.home_tried_at.map(|at| moved(at, by));
    }

    fn next_try(&self, now: Timestamp) -> Timestamp {
        self.home_tried_at.map_or(now, |tried_at| later(tried_at, ONE_TRY_IN).max(now))
    }
}

impl Session {
    /// The environment that an operation's next request is built for.
    pub(super) fn environment_for(&self, now: Timestamp, operation: Operation) -> &Environment {
        let is_second_try = operation == Operation::LogIn && self.log_ins.is_second_try();
        let is_due = self.followed.seems_wrong && self.followed.next_try(now) <= now;
        if is_second_try || is_due { &self.home } else { &self.environment }
    }

    /// What host a request goes to that was not sent on.
    pub(super) fn via(&self, operation: Operation, request: &Request<RequestBody>) -> Via {
        let home = authority(&self.home, operation);
        if request.uri().authority() != home.as_ref() {
            Via::Followed
        } else if authority(&self.environment, operation) == home {
            Via::Configured
        } else {
            Via::Home
        }
    }

    /// A request leaves for the configured host while another is followed.
    pub(super) fn tries_home(&mut self, now: Timestamp) {
        self.followed.home_tried_at = Some(now);
        self.unsaved = true;
    }

    /// The request was answered, whatever the answer is.
    pub(super) fn host_is_there(&mut self, exchange: &Exchange) {
        if exchange.via == Via::Followed {
            self.followed.failed_connections = 0;
        }
    }

    /// No connection to the host came about.
    pub(super) fn host_not_reached(&mut self, exchange: &Exchange) {
        if exchange.via == Via::Followed {
            self.followed.failed_connections = self.followed.failed_connections.saturating_add(1);
            self.followed.seems_wrong |= self.followed.failed_connections >= GONE_AFTER;
        }
    }

    /// The answer says that the host is wrong. The next try goes to the configured host, now or when it is due.
    pub(super) fn host_is_wrong(&mut self, now: Timestamp, operation: Operation, error: Error) {
        self.followed.seems_wrong = true;
        let until_try = Duration::try_from(self.followed.next_try(now).duration_since(now)).unwrap_or_default();
        let at_least = match operation {
            // The hour's few logins are for the configured host.
            Operation::LogIn => until_try,
            _ => until_try.min(LAST_RESORT_PAUSE),
        };
        self.try_again_after(now, operation, Trouble::Server(error), at_least);
    }

    /// The configured host has answered the request by itself, so the followed ones are given up.
    pub(super) fn home_has_answered(&mut self, now: Timestamp, exchange: &Exchange, error: &Error) {
        let has_answered = matches!(
            error,
            Error::Refused(_)
                | Error::Unauthorized { .. }
                | Error::Forbidden { .. }
                | Error::WrongEnvironment { .. }
                | Error::Incomplete { .. }
                | Error::Contradiction(_)
        );
        if exchange.via == Via::Home && has_answered {
            self.leave_followed_hosts(now);
        }
    }

    pub(super) fn leave_followed_hosts(&mut self, now: Timestamp) {
        self.followed.settle();
        if let Some(held) = &mut self.held {
            held.grant.hosts = ApiHosts::default();
            self.unsaved = true;
        }
        let home = self.home.clone();
        self.change_environment(now, home);
    }

    pub(super) fn change_environment(&mut self, now: Timestamp, environment: Environment) {
        let before = core::mem::replace(&mut self.environment, environment);
        if has_changed(&before, &self.environment) {
            self.tell(now, EventKind::HostsChanged);
        }
    }
}

/// Whether an address that was known is another one now.
fn has_changed(before: &Environment, after: &Environment) -> bool {
    Purpose::ALL.into_iter().any(|purpose| {
        let base = before.base_url(purpose);
        base.is_some() && base != after.base_url(purpose)
    })
}

fn authority(environment: &Environment, operation: Operation) -> Option<Authority> {
    let url = match operation {
        Operation::Refresh => environment.token_url().ok()?.into(),
        _ => environment.base_url(Purpose::Login)?.as_uri().clone(),
    };
    url.authority().cloned()
}

/// Whether an answer says that it comes from the wrong host.
pub(super) fn says_wrong_host(status: StatusCode, is_empty: bool, error: &Error) -> bool {
    match error {
        Error::Moved(_) | Error::WrongEnvironment { .. } => true,
        Error::Status { .. } => status == StatusCode::NOT_FOUND && is_empty,
        error => blames_app(error),
    }
}

/// Whether a refusal is for the app and its settings, and says nothing about the token.
pub(super) fn blames_app(error: &Error) -> bool {
    matches!(error, Error::Refused(Refusal { kind, .. }) if kind.blames_app())
}
