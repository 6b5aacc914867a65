//! What only the owner of a session can do: give it other credentials, hand it a token from elsewhere, have it forget.

use jiff::Timestamp;
use tradovate_auth_core::{AccessTokenResponse, Answer, CallError, Credentials};

use super::{Identity, LogIns, Pause, Session, State, StopReason};
use crate::budget::Operation;

impl Session {
    /// Takes other credentials, or the same ones for another try: a session that has stopped because of a refusal goes on.
    /// Those of another user end the session of the one before.
    pub fn replace_credentials(&mut self, credentials: Credentials) {
        let is_same_user = matches!(&self.identity, Identity::User(before) if before.name() == credentials.name());
        if is_same_user {
            self.disown(|exchange| exchange.operation == Operation::LogIn);
            self.log_ins.replace_credentials();
        } else {
            self.drop_tokens();
            self.log_ins = LogIns::default();
            self.log_ins.begin_anew();
        }
        self.identity = Identity::User(credentials);
        self.ticket = None;
        self.redirected = None;
        self.password_expires_at = None;
        self.reminded_within_days = None;
        self.resume_work();
    }

    /// Takes over the answer to a change of password, to a change of credentials, or to a social login, which is that
    /// of a login.
    ///
    /// # Errors
    /// As [`Grant::from_access_token`](tradovate_auth_core::Grant::from_access_token).
    pub fn adopt_answer(&mut self, now: Timestamp, answer: Answer<AccessTokenResponse>) -> Result<(), CallError> {
        let now = self.advance(now);
        self.clock.learn(&answer.exchange);
        let response = answer.value.clone();
        let grant = match self.known() {
            Some(known) => answer.grant_after(&known)?,
            None => answer.grant()?,
        };
        self.notice(now, &response);
        self.ticket = None;
        self.resume_work();
        self.accept(now, grant, None);
        Ok(())
    }

    /// Forgets all tokens and stops. The server knows no log-out: its token lives to its expiry.
    pub fn forget(&mut self, now: Timestamp) {
        let now = self.advance(now);
        self.drop_tokens();
        self.ticket = None;
        self.redirected = None;
        self.stop(now, StopReason::Forgotten);
    }

    fn drop_tokens(&mut self) {
        self.disown(|_| true);
        if matches!(self.state, State::Storing(_)) {
            self.state = State::Resting;
        }
        self.leave_followed_hosts(self.now);
        if self.held.take().is_some() {
            self.generation = self.generation.saturating_add(1);
        }
        self.code = None;
        self.refresh = None;
        self.user_id = None;
        self.doubt.settle();
    }

    pub(super) fn resume_work(&mut self) {
        self.stops_with = None;
        self.pause = Pause::default();
        if matches!(self.state, State::Stopped(_)) {
            self.state = State::Resting;
        }
    }
}
