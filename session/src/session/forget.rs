//! [`Session::forget`]: drops all tokens and stops. The server has no log-out.

use jiff::Timestamp;

use super::{Session, StopReason};
use crate::record::Tokens;

impl Session {
    /// Drops all tokens and stops. The server has no log-out, so a copy of a token works until it expires.
    ///
    /// A session with a shared store saves this: poll until it is saved. The other processes stop when they load it. If
    /// the program itself stores snapshots, it has to remove the last one.
    //= R-SESSION-5
    pub fn forget(&mut self, now: Timestamp) {
        let now = self.advance(now);
        self.withdraw_announcement();
        let forgotten = self.record.tokens.forgotten(self.clock.server_time(now));
        self.drop_tokens();
        self.record.tokens = forgotten;
        self.persistence.forget();
        self.record.postponed.clear();
        self.exchanges.redirect = None;
        self.stop(now, StopReason::Forgotten);
    }

    pub(super) fn drop_tokens(&mut self) {
        self.exchanges.disown(|_| true);
        self.persistence.abandon();
        self.leave_followed_hosts(self.now);
        if self.record.tokens.access.is_some() {
            self.token.generation = self.token.generation.saturating_add(1);
        }
        self.record.tokens = Tokens::default();
        self.record.user_id = None;
        self.code = None;
        self.token.settle();
    }
}
