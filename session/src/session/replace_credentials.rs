//! Calls of the session's owner: replace the credentials, adopt an answer, forget.

use alloc::string::ToString;

use jiff::Timestamp;
use tradovate_auth_core::{AccessTokenResponse, Answer, CallError, Contradiction, Credentials, Error, Purpose};

use super::hosts::Via;
use super::login::Start;
use super::{Session, StopReason};
use crate::budget::Operation;
use crate::record::{LogIns, Owner, Tokens};

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

    /// Drops all tokens and stops. If processes share the store, the session saves this too: poll until it is saved.
    /// The other processes stop when they load it. The server has no log-out, so a copy of a token works until it
    /// expires.
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

    /// The owner of the stored data, derived from the settings.
    pub(super) fn owner(&self) -> Owner {
        let login = self.hosts.configured.base_url(Purpose::Login).map(ToString::to_string).unwrap_or_default();
        let app = self.login.app().map(|app| app.client_id().into());
        Owner {
            login,
            user: self.login.credentials().map(|credentials| credentials.name().into()),
            key: self.user_key.as_deref().filter(|_| app.is_some()).map(Into::into),
            app,
        }
    }
}
