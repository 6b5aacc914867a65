//! Grants: how a new one is accepted, installed and held.

use core::time::Duration;

use jiff::Timestamp;
use tradovate_auth_core::Grant;
use tradovate_auth_core::internal::later;

use super::snapshot::issued_at;
use super::{EventKind, ExchangeId, Session, State, Storing};
use crate::budget::Operation;
use crate::moments::earlier;

#[derive(Debug)]
pub(super) struct Held {
    pub(super) grant: Grant,
    pub(super) generation: u64,
    /// In server time, as all that follows from the token's expiry.
    pub(super) renew_at: Timestamp,
    pub(super) usable_until: Timestamp,
    /// A renewal has said that the token is dead.
    pub(super) lost: bool,
    pub(super) failed_renewals: FailedRenewals,
    /// Those that may have reached the server after the token seemed to have expired.
    pub(super) failed_after_end: FailedRenewals,
}

/// Renewals of one token that have failed in a row: a penalty is none, since it is answered with another try.
#[derive(Debug, Default)]
pub(super) struct FailedRenewals {
    count: u32,
    first: Option<Timestamp>,
    last: Option<ExchangeId>,
}

impl FailedRenewals {
    /// One that was given up and is refused later is one.
    pub(super) fn add(&mut self, now: Timestamp, id: ExchangeId) {
        if self.last.replace(id) != Some(id) {
            self.count = self.count.saturating_add(1);
            self.first.get_or_insert(now);
        }
    }

    /// Whether there were at least this many over at least this time.
    pub(super) fn have_lasted(&self, now: Timestamp, count: u32, time: Duration) -> bool {
        self.will_have_lasted(count, time).is_some_and(|then| then <= now)
    }

    /// When there will have been at least this many over at least this time, if there are as many.
    pub(super) fn will_have_lasted(&self, count: u32, time: Duration) -> Option<Timestamp> {
        self.first.filter(|_| self.count >= count).map(|first| later(first, time))
    }
}

impl Session {
    /// What a new grant is checked against and completed from. The refresh token is kept apart from it: a renewal that was
    /// under way while it was replaced must not bring the old one back.
    pub(super) fn known(&self) -> Option<Grant> {
        self.held.as_ref().map(|held| held.grant.clone())
    }

    /// A new grant: used at once, or, with a store, once it is stored.
    pub(super) fn accept(&mut self, now: Timestamp, grant: Grant, operation: Option<Operation>) {
        let grant = match core::mem::replace(&mut self.state, State::Resting) {
            // The exchange that was to bring what has come is given up.
            State::Exchanging(current) => {
                self.keep_late(*current);
                grant
            }
            // Two answers before the first was stored: the longer token, and the newest refresh token.
            State::Storing(Storing { grant: Some(waiting), .. }) => {
                let (waiting, _) = *waiting;
                let refresh = grant.refresh.clone().or(waiting.refresh.clone());
                let mut longer = if waiting.expires_at > grant.expires_at { waiting } else { grant };
                longer.refresh = refresh;
                longer
            }
            _ => grant,
        };
        if self.has_store {
            self.store(now, Some((grant, operation)));
        } else {
            self.install(now, grant, operation);
        }
    }

    pub(super) fn install(&mut self, now: Timestamp, mut grant: Grant, operation: Option<Operation>) {
        let expires_at = grant.expires_at;
        self.follow(now, &grant);
        self.tell(
            now,
            match operation {
                Some(Operation::LogIn) => EventKind::LoggedIn { expires_at },
                // The exchange of a code.
                Some(Operation::Refresh) if self.refresh.is_none() => EventKind::LoggedIn { expires_at },
                Some(Operation::Refresh) => EventKind::Refreshed { expires_at },
                Some(Operation::Renew | Operation::Identify) => EventKind::Renewed { expires_at },
                None => EventKind::Adopted { expires_at },
            },
        );
        // It outlives the access token, and there is one copy of it.
        self.refresh = grant.refresh.take().or(self.refresh.take());
        if operation == Some(Operation::Refresh)
            && let Some(at) = self.refresh.as_ref().and_then(|refresh| refresh.expires_at)
        {
            self.tell(now, EventKind::ConsentDueBy { at });
        }
        self.hold(grant);
    }

    /// Holds a grant as the newest of the session.
    pub(super) fn hold(&mut self, grant: Grant) {
        let life = Duration::try_from(grant.expires_at.duration_since(issued_at(&grant))).unwrap_or_default();
        let lead = self.policy.renew_before().min(life.checked_div(2).unwrap_or_default());
        let spread = self.jitter.up_to(lead.checked_div(10).unwrap_or_default());
        let margin = self.policy.margin().min(life.checked_div(10).unwrap_or_default());
        self.generation = self.generation.saturating_add(1);
        self.doubt.settle();
        // A request that holds an older token.
        self.redirected = None;
        self.code = None;
        self.held = Some(Held {
            renew_at: earlier(grant.expires_at, lead.saturating_add(spread)),
            usable_until: earlier(grant.expires_at, margin),
            generation: self.generation,
            lost: false,
            failed_renewals: FailedRenewals::default(),
            failed_after_end: FailedRenewals::default(),
            grant,
        });
    }

    pub(super) fn follow(&mut self, now: Timestamp, grant: &Grant) {
        // A grant has all hosts that are in force.
        let mut environment = self.home.clone();
        for key in environment.follow(&grant.hosts) {
            self.tell(now, EventKind::HostNotFollowed { key });
        }
        self.change_environment(now, environment);
    }
}
