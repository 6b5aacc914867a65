//! Replaces the credentials or the tokens of a session: new credentials, or the answer to a change of the password.

use jiff::Timestamp;
use tradovate_auth_core::{AccessTokenResponse, Answer, CallError, Contradiction, Credentials, Error};

use super::Session;
use super::hosts::Via;
use super::login_method::Start;
use crate::network_budget::Operation;
use crate::record::LogIns;

impl Session {
    /// Replaces the credentials. Pass the same credentials to try them again. A session that stopped because of a
    /// refusal continues. With the credentials of another user, the session drops all tokens of the previous user.
    pub fn replace_credentials(&mut self, credentials: Credentials) {
        self.withdraw_announcement();
        let is_same_user = self.login.credentials().is_some_and(|before| before.name() == credentials.name());
        if is_same_user {
            self.exchanges.disown(|exchange| exchange.operation == Operation::LogIn);
        } else {
            self.drop_tokens();
            self.record.log_ins = LogIns::default();
        }
        self.record.log_ins.credentials_replaced();
        self.has_another_try = true;
        self.login = Start::Password(credentials);
        self.record.postponed.clear();
        self.record.password_expires_at.clear();
        self.reminded_within_days = None;
        self.exchanges.redirect = None;
        // After a crash, a ticket or a refusal of the earlier credentials must not come back.
        self.persistence.changed();
        self.resume_work();
    }

    /// Adopts the answer to a password change, to a change of credentials, or to a social login. These answers have
    /// the form of a login answer.
    ///
    /// # Errors
    /// The same as [`Grant::from_access_token`](tradovate_auth_core::Grant::from_access_token).
    //= R-LOGIN-23
    pub fn adopt_answer(&mut self, now: Timestamp, answer: Answer<AccessTokenResponse>) -> Result<(), CallError> {
        let now = self.advance(now);
        self.clock.learn(&answer.exchange);
        let response = answer.value.clone();
        let grant = answer.grant()?;
        if self.user_id().zip(grant.user_id).is_some_and(|(known, new)| known != new) {
            return Err(Error::Contradiction(Contradiction::OtherUser).into());
        }
        self.learn_of_account(now, response);
        self.record.postponed.clear();
        self.resume_work();
        self.accept(now, Via::Configured, grant, None, true);
        Ok(())
    }
}
