//! [`Session::replace_credentials`]: the session continues with new credentials.

use tradovate_auth_core::Credentials;

use super::Session;
use super::login_method::Start;
use crate::network_budget::Operation;
use crate::record::LogIns;

impl Session {
    /// Replaces the credentials, and ends all pauses after faults. A session that has stopped continues. To try refused
    /// credentials again, pass them again. With the credentials of another user, the session drops all tokens of the
    /// previous user.
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
}
