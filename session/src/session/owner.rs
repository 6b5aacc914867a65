//! What only the owner of a session can do: give it other credentials, hand it a token from elsewhere, have it forget.

use alloc::string::ToString;

use jiff::Timestamp;
use tradovate_auth_core::{AccessTokenResponse, Answer, CallError, Contradiction, Credentials, Error, Purpose};

use super::hosts::Via;
use super::login::Start;
use super::{Session, StopReason};
use crate::budget::Operation;
use crate::record::{LogIns, Owner, Tokens};

impl Session {
    /// Takes other credentials, or the same ones for another try: a session that has stopped because of a refusal goes on.
    /// Those of another user end the session of the one before.
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
        self.resume_work();
    }

    /// Takes over the answer to a change of password, to a change of credentials, or to a social login, which is that
    /// of a login.
    ///
    /// # Errors
    /// As [`Grant::from_access_token`](tradovate_auth_core::Grant::from_access_token).
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

    /// Forgets all tokens and stops. If processes share the store, this is saved too, and those that are running stop as soon
    /// as they load it: poll until then. The server has no log-out, so a token that somebody has kept works until its expiry.
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

    /// Who owns what the session stores. It is derived from the settings, so that nothing else can say otherwise.
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
