//! [`Session::snapshot`]: the session's record, with the limits of the network address from the budget.

use alloc::boxed::Box;

use jiff::Timestamp;

use super::Session;
use crate::network_budget::RateBudget;
use crate::record::Fact;
use crate::stored_session::{Stored, StoredSession};
use crate::time_arithmetic::later;

impl Session {
    /// Returns a snapshot: everything that the session needs to continue after a restart, such as tokens, hosts and
    /// lock-outs. It contains tokens, so protect it like a password. It contains no password, no API secret and no
    /// client secret.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp, budget: &RateBudget) -> StoredSession {
        let now = now.max(self.now);
        let mut record = self.record.clone();
        let mut assumed_offset = self.token.assumed_offset;
        if let Some(waiting) = &self.persistence.waiting {
            assumed_offset = waiting.assumed_offset;
            record.tokens.merge(waiting.tokens.clone());
            record.user_id.merge(waiting.user_id);
        }
        // A login of another session may be in flight. If it succeeds, the server does not count it.
        let (mut own, deadline) = (self.record.log_ins.without_session(), self.policy.deadline());
        let counts = |sent: Timestamp| {
            let own = own.iter().position(|own| *own == sent).map(|index| own.swap_remove(index));
            own.is_some() || later(sent, deadline) <= now
        };
        record.correct(now);
        StoredSession(Box::new(Stored {
            owner: Some(self.owner()),
            written_at: Some(now),
            clock_offset: self.clock.is_known().then(|| self.clock.offset()),
            assumed_offset,
            record,
            limits: budget.stored_limits(now, &self.gates.closed_at(now, budget), counts),
        }))
    }
}
