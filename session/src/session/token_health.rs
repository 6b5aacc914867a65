//! [`TokenHealth`]: facts about the held token that only this process knows: its generation, what callers reported, and
//! failed renewals.

use core::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::ExchangeId;
use crate::time_arithmetic::later;

/// All processes together verify a token at most once in this time.
//= R-STATUS-4
const VERIFY_EVERY: Duration = Duration::from_secs(15 * 60);

#[derive(Debug, Clone, Default)]
pub(super) struct TokenHealth {
    /// The number of the token in this session. 0 before the first token.
    pub(super) generation: u64,
    /// Since when the token is held, by the local clock. For an adopted token, when it was issued.
    pub(super) since: Timestamp,
    /// When a refresh has last brought tokens to this process, by the local clock.
    pub(super) refreshed_at: Option<Timestamp>,
    /// When to renew, by the server's clock.
    pub(super) renew_at: Timestamp,
    pub(super) failed_renewals: FailedRenewals,
    /// The earliest time of a renewal that is sent only to get a market data token, by the local clock.
    pub(super) market_data_at: Timestamp,
    /// Failed renewals that may have reached the server after the token seemed to have expired.
    pub(super) failed_after_expiry: FailedRenewals,
    /// A renewal is due that verifies the token or reads the hosts again.
    pub(super) is_verifying: bool,
    /// A caller reported an answer that calls the token dead. A renewal verifies this.
    pub(super) is_reported_dead: bool,
    /// Callers reported faults that the server also sends after it closed the server session. A renewal verifies this.
    pub(super) is_faulty: bool,
    /// How far the server's clock was assumed to be ahead when the expiry was derived from a lifetime. `None` if an
    /// answer had confirmed the offset.
    pub(super) assumed_offset: Option<SignedDuration>,
    /// When a caller first reported an answer that calls the token dead.
    reported_dead_at: Option<Timestamp>,
    /// The time from which a renewal has to confirm the token, because it came from a snapshot and no answer has named
    /// the server's time yet.
    confirm_at: Option<Timestamp>,
}

impl TokenHealth {
    /// A new token is held.
    pub(super) fn hold_new(&mut self, since: Timestamp, renew_at: Timestamp) {
        let (generation, refreshed_at) = (self.generation.saturating_add(1), self.refreshed_at);
        *self = Self { generation, since, refreshed_at, renew_at, ..Self::default() };
    }

    /// The token is lost, so the reports about it no longer count.
    pub(super) fn settle(&mut self) {
        *self = Self {
            generation: self.generation,
            since: self.since,
            refreshed_at: self.refreshed_at,
            renew_at: self.renew_at,
            failed_renewals: self.failed_renewals,
            failed_after_expiry: self.failed_after_expiry,
            assumed_offset: self.assumed_offset,
            ..Self::default()
        };
    }

    /// Asks for a verifying renewal. Returns whether one follows, because the last one was 15 minutes ago or one is due
    /// anyway.
    pub(super) fn verify(&mut self, now: Timestamp, verified_at: &mut Option<Timestamp>) -> bool {
        if !self.is_verifying && verified_at.is_none_or(|last| later(last, VERIFY_EVERY) <= now) {
            *verified_at = Some(now);
            self.is_verifying = true;
        }
        self.is_verifying
    }

    /// A renewal is sent. If it verifies or confirms the token, the pause before the next verification starts now.
    pub(super) fn renewing(&self, now: Timestamp, verified_at: &mut Option<Timestamp>) {
        if self.is_verifying || self.confirm_at.is_some() {
            *verified_at = Some(now);
        }
    }

    /// One renewal has to confirm the token, from this time on.
    pub(super) fn confirm(&mut self, at: Timestamp) {
        self.confirm_at = Some(at);
    }

    /// When a renewal has to confirm the token or has to read the server's time. `server_time_at` is the time at which
    /// the clock wants an answer with the server's time.
    pub(super) fn confirmation_due(
        &self,
        server_time_at: Option<Timestamp>,
        verified_at: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let wanted = self.confirm_at.into_iter().chain(server_time_at).min().filter(|_| !self.is_verifying)?;
        Some(verified_at.map_or(wanted, |last| later(last, VERIFY_EVERY).max(wanted)))
    }

    /// A caller reported an answer that calls the token dead. Returns whether a renewal verifies this now. Otherwise
    /// one does so later.
    pub(super) fn reported_dead(&mut self, now: Timestamp, verified_at: &mut Option<Timestamp>) -> bool {
        self.reported_dead_at.get_or_insert(now);
        self.is_reported_dead = self.verify(now, verified_at);
        self.is_reported_dead
    }

    /// Callers reported a fault that the server also sends after it closed the server session. Renewals that failed
    /// before do not count as evidence.
    pub(super) fn reported_faulty(&mut self, now: Timestamp, verified_at: &mut Option<Timestamp>) {
        if !self.is_faulty && self.verify(now, verified_at) {
            self.is_faulty = true;
            self.failed_renewals = FailedRenewals::default();
        }
    }

    /// When a postponed report has to be verified.
    pub(super) fn verification_due(&self, verified_at: Option<Timestamp>) -> Option<Timestamp> {
        let last = verified_at.filter(|_| self.reported_dead_at.is_some() && !self.is_verifying)?;
        Some(later(last, VERIFY_EVERY))
    }

    pub(super) fn reported_dead_at(&self) -> Option<Timestamp> {
        self.reported_dead_at
    }

    /// Whether callers reported that the server rejects the token, and a renewal verifies it.
    pub(super) fn is_rejected(&self) -> bool {
        self.is_reported_dead || self.is_faulty
    }

    /// Whether a report waits for a renewal.
    pub(super) fn is_in_question(&self) -> bool {
        self.is_verifying || self.reported_dead_at.is_some()
    }
}

/// Failed renewals of one token in a row. A penalty is not a failure, because the session answers it with another try.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FailedRenewals {
    count: u32,
    last: ExchangeId,
    /// When the first one failed. Meaningless if the count is zero.
    first: Timestamp,
}

impl FailedRenewals {
    /// Counts an exchange once, even if it was given up first and refused later.
    pub(super) fn add(&mut self, now: Timestamp, id: ExchangeId) {
        if core::mem::replace(&mut self.last, id) == id {
            return;
        }
        if self.count == 0 {
            self.first = now;
        }
        self.count = self.count.saturating_add(1);
    }

    /// The time at which the failures have lasted for `time`. `None` if there are fewer than `count` of them.
    pub(super) fn lasted_at(&self, count: u32, time: Duration) -> Option<Timestamp> {
        (self.count >= count.max(1)).then(|| later(self.first, time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u64) -> Timestamp {
        later("2026-11-24T14:00:00Z".parse().unwrap(), Duration::from_secs(minute * 60))
    }

    #[test]
    fn a_token_is_verified_once_in_a_quarter_of_an_hour() {
        let (mut health, mut verified) = (TokenHealth::default(), None);
        assert!(health.verify(at(0), &mut verified));
        assert!(health.verify(at(1), &mut verified), "that renewal is on its way");
        health.renewing(at(10), &mut verified);
        health.settle();
        assert!(!health.is_in_question());
        assert!(!health.verify(at(24), &mut verified), "the time counts from the renewal");
        assert!(health.verify(at(25), &mut verified));
    }

    #[test]
    fn a_renewal_that_confirms_a_token_from_a_snapshot_counts_as_its_verification() {
        // An earlier run has planned the verification, and crashed before it.
        let (mut health, mut verified) = (TokenHealth::default(), Some(at(0)));
        health.confirm(at(10));
        health.renewing(at(10), &mut verified);
        assert!(!health.verify(at(24), &mut verified) && health.verify(at(25), &mut verified));
    }

    #[test]
    fn a_report_is_verified_15_minutes_after_the_previous_verification() {
        let (mut health, mut verified) = (TokenHealth::default(), Some(at(0)));
        assert!(!health.reported_dead(at(3), &mut verified));
        assert!(health.is_in_question() && !health.is_verifying && !health.is_reported_dead);
        assert_eq!(health.verification_due(verified), Some(at(15)));
        assert!(health.reported_dead(at(15), &mut verified));
        assert_eq!((health.verification_due(verified), health.reported_dead_at()), (None, Some(at(3))));
    }

    #[test]
    fn an_answered_report_keeps_the_token_and_its_failed_renewals() {
        let mut health = TokenHealth::default();
        health.hold_new(at(0), at(60));
        health.hold_new(at(1), at(65));
        health.assumed_offset = Some(SignedDuration::ZERO);
        health.refreshed_at = Some(at(1));
        (1..=3).for_each(|id| health.failed_renewals.add(at(u64::from(id)), ExchangeId(id)));
        health.failed_after_expiry.add(at(4), ExchangeId(4));
        health.reported_dead(at(5), &mut None);
        health.settle();
        assert_eq!((health.generation, health.since, health.renew_at), (2, at(1), at(65)));
        assert!(!health.is_in_question() && health.assumed_offset.is_some());
        assert_eq!((health.reported_dead_at(), health.refreshed_at), (None, Some(at(1))));
        assert_eq!(health.failed_renewals.lasted_at(3, VERIFY_EVERY), Some(at(16)));
        assert_eq!(health.failed_after_expiry.lasted_at(1, VERIFY_EVERY), Some(at(19)));
        health.hold_new(at(65), at(100));
        assert_eq!((health.generation, health.failed_renewals.lasted_at(0, VERIFY_EVERY)), (3, None));
    }

    #[test]
    fn two_failures_of_the_same_renewal_count_once() {
        let mut failed = FailedRenewals::default();
        for (minute, id) in [(0, 1), (1, 1), (2, 2)] {
            failed.add(at(minute), ExchangeId(id));
        }
        assert_eq!(failed.lasted_at(2, Duration::from_secs(120)), Some(at(2)));
        assert_eq!(failed.lasted_at(3, Duration::from_secs(120)), None);
    }

    #[test]
    fn renewals_that_failed_before_a_report_are_no_evidence_of_a_kick() {
        let (mut health, mut verified) = (TokenHealth::default(), Some(at(0)));
        health.failed_renewals.add(at(0), ExchangeId(1));
        health.reported_faulty(at(14), &mut verified);
        assert!(
            !health.is_faulty && health.failed_renewals.lasted_at(1, VERIFY_EVERY).is_some(),
            "it can't be verified yet"
        );
        health.reported_faulty(at(15), &mut verified);
        assert!(health.is_faulty && health.is_verifying && health.failed_renewals.lasted_at(1, VERIFY_EVERY).is_none());
        health.failed_renewals.add(at(16), ExchangeId(2));
        health.reported_faulty(at(17), &mut verified);
        assert!(health.failed_renewals.lasted_at(1, VERIFY_EVERY).is_some(), "it is the same report");
    }

    #[test]
    fn a_confirmation_is_due_when_the_token_may_be_verified() {
        let mut health = TokenHealth::default();
        assert_eq!(health.confirmation_due(None, None), None);
        assert_eq!(health.confirmation_due(Some(at(9)), None), Some(at(9)), "the server's time is asked for");
        health.confirm(at(5));
        assert_eq!(health.confirmation_due(Some(at(9)), None), Some(at(5)));
        assert_eq!(health.confirmation_due(Some(at(2)), None), Some(at(2)));
        assert_eq!(health.confirmation_due(None, Some(at(0))), Some(at(15)));
        health.verify(at(5), &mut None);
        assert_eq!(health.confirmation_due(None, None), None, "it is on its way");
        let mut verified = Some(at(0));
        TokenHealth::default().renewing(at(7), &mut verified);
        assert_eq!(verified, Some(at(0)), "that renewal verifies nothing");
    }
}
