//! The methods that the blocking and the async `TokenSource`, and their builders, have in common.
//!
//! A macro writes them into each of these types, so that users find all methods, with their documentation, in one place.

/// Methods of a `TokenSource`. Its field `inner` has the field `shared`, a [`Shared`](crate::Shared), and the method `verify`.
#[doc(hidden)]
#[macro_export]
macro_rules! token_source_methods {
    () => {
        /// The URL of a trading path, such as `/account/list`, at the host in force.
        ///
        /// # Errors
        /// [`BuildError::InvalidUrl`](tradovate_auth_core::BuildError::InvalidUrl) when the path can't be part of a URL.
        pub fn url(&self, path: &str) -> Result<tradovate_auth_core::SecureUrl, tradovate_auth_core::BuildError> {
            self.environment().url(tradovate_auth_core::Purpose::Trading, path)
        }

        /// The base of a purpose at the host in force; `None` where no host is known for it.
        #[must_use]
        pub fn base_url(&self, purpose: tradovate_auth_core::Purpose) -> Option<tradovate_auth_core::BaseUrl> {
            self.environment().base_url(purpose).cloned()
        }

        /// The URL of the socket of a purpose at the host in force; `None` where no host is known for it.
        #[must_use]
        pub fn websocket_url(&self, purpose: tradovate_auth_core::Purpose) -> Option<String> {
            self.environment().websocket_url(purpose)
        }

        /// The environment with the hosts in force.
        #[must_use]
        pub fn environment(&self) -> std::sync::Arc<tradovate_auth_core::Environment> {
            self.inner.shared.environment()
        }

        /// Tells what came of a call with a token: the status and body of a response, or 401 with the text of a socket's
        /// refusal, or 421. The verdict says what to do with the call; nothing is sent twice by this. A 200 may be reported
        /// too: a [penalty](tradovate_auth_core::Penalty) in its body means that the call was not handled.
        ///
        /// Where the verdict is not certain, a renewal verifies the token, at most one in 15 minutes. It begins at once in the
        /// background; callers who ask for a token continue it, with or without a keeper.
        #[must_use]
        pub fn rejected(
            &self,
            token: &$crate::Token,
            status: http::StatusCode,
            body: &[u8],
        ) -> tradovate_auth_session::Verdict {
            let verdict = self.inner.shared.rejected(token, status, body);
            self.inner.verify();
            verdict
        }

        /// What has to be kept to go on after a restart: give it to [`TokenSourceBuilder::resume`] then.
        #[must_use]
        pub fn snapshot(&self) -> tradovate_auth_session::StoredSession {
            self.inner.shared.snapshot()
        }

        /// Takes over what another process has stored, where it is newer.
        pub fn adopt(&self, stored: tradovate_auth_session::StoredSession) {
            self.inner.shared.adopt(stored);
        }

        /// Who the user is, if an answer or what was stored has said so. OAuth answers often don't.
        #[must_use]
        pub fn user_id(&self) -> Option<i64> {
            self.inner.shared.user_id()
        }

        /// Takes over the answer to a call of yours that brings a token: a change of the password or of the credentials, or a
        /// social login. [`Client::call`](crate::Client::call) makes such calls. The token replaces the one that is held.
        ///
        /// # Errors
        /// [`CallError::Server`](tradovate_auth_core::CallError::Server) if the answer has no token that can be used, or is for another
        /// user. Nothing has changed then.
        pub fn adopt_answer(
            &self,
            answer: tradovate_auth_core::Answer<tradovate_auth_core::AccessTokenResponse>,
        ) -> Result<(), tradovate_auth_core::CallError> {
            self.inner.shared.adopt_answer(answer)
        }

        /// Takes other credentials; a source that has stopped because of the old ones goes on.
        pub fn replace_credentials(&self, credentials: tradovate_auth_core::Credentials) {
            self.inner.shared.replace_credentials(credentials);
        }
    };
}

/// Methods of a `TokenSourceBuilder`. It has the fields `settings`, a [`Settings`](crate::Settings), and `may_log_in`.
#[doc(hidden)]
#[macro_export]
macro_rules! builder_methods {
    () => {
        /// When to renew, how long to wait, how often to try.
        pub fn policy(mut self, policy: tradovate_auth_session::Policy) -> Self {
            self.settings.policy = policy;
            self
        }

        /// The budget of the network address. Unless set, all sources of the process share one;
        /// give a source another where it leaves by another address.
        pub fn budget(mut self, budget: $crate::SharedBudget) -> Self {
            self.settings.budget = budget;
            self
        }

        /// How long a caller waits for a token before it gets an error: 60 seconds unless set.
        pub fn token_timeout(mut self, token_timeout: std::time::Duration) -> Self {
            self.settings.token_timeout = token_timeout;
            self
        }

        /// Goes on with what an earlier process has stored. Nothing of another owner's snapshot is used: see [`StoredSession`].
        pub fn resume(mut self, stored: tradovate_auth_session::StoredSession) -> Self {
            self.settings.resume = Some(stored);
            self
        }

        /// Your own key of the user who has authorized the app: see [`Session::with_user_key`]. A source that
        /// [shares](Self::shared) its session has the session's name for it, unless set. A snapshot to [resume](Self::resume)
        /// from is used if it was taken with the same key.
        pub fn user_key(mut self, key: impl Into<String>) -> Self {
            self.settings.user_key = Some(key.into());
            self
        }

        /// Tries credentials once more that were refused before, by what is stored: see [`Session::with_another_try`]. Ask for it
        /// after [`StopReason::RefusedBefore`](tradovate_auth_session::StopReason::RefusedBefore), once you have corrected what was
        /// wrong.
        pub fn another_try(mut self) -> Self {
            self.settings.another_try = true;
            self
        }

        /// When a source that shares its session may log in: when it is needed, unless set.
        pub fn may_log_in(mut self, may_log_in: tradovate_auth_session::MayLogIn) -> Self {
            self.may_log_in = may_log_in;
            self
        }

        /// Another clock than that of the process: for tests that simulate one.
        #[doc(hidden)]
        pub fn clock(mut self, clock: $crate::Clock) -> Self {
            self.settings.clock = clock;
            self
        }
    };
}
