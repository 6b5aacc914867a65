//! The methods that the blocking and the async `TokenSource`, and their builders, have in common.
//!
//! A macro defines the methods on each of these types, so the documentation of each type lists all of its methods.

/// Defines methods of a `TokenSource`. Its field `inner` needs a field `shared`, a [`Shared`](crate::Shared), and a
/// method `verify`.
#[doc(hidden)]
#[macro_export]
macro_rules! token_source_methods {
    () => {
        /// The URL of a trading path, such as `/account/list`, on the current host.
        ///
        /// # Errors
        /// [`BuildError::InvalidUrl`](tradovate_auth_core::BuildError::InvalidUrl) if the path can't be part of a URL.
        pub fn url(&self, path: &str) -> Result<tradovate_auth_core::SecureUrl, tradovate_auth_core::BuildError> {
            self.environment().url(tradovate_auth_core::Purpose::Trading, path)
        }

        /// The base URL of a purpose on the current host. `None` if no host is known for the purpose.
        #[must_use]
        pub fn base_url(&self, purpose: tradovate_auth_core::Purpose) -> Option<tradovate_auth_core::BaseUrl> {
            self.environment().base_url(purpose).cloned()
        }

        /// The WebSocket URL of a purpose on the current host. `None` if no host is known for the purpose.
        #[must_use]
        pub fn websocket_url(&self, purpose: tradovate_auth_core::Purpose) -> Option<String> {
            self.environment().websocket_url(purpose)
        }

        /// The environment with the current hosts.
        #[must_use]
        pub fn environment(&self) -> std::sync::Arc<tradovate_auth_core::Environment> {
            self.inner.shared.environment()
        }

        /// Reports the server's answer to an API call with this token, and returns a verdict. The verdict says what to
        /// do with the call. This method does not send the call again. For an HTTP response, give its status and body.
        /// For a refusal by a socket, give 401 and the text, or 421 if that was the status of the handshake. You may
        /// also report a 200: a [penalty](tradovate_auth_core::Penalty) in its body means that the call was not
        /// handled.
        ///
        /// After a 401, 408, 500, 307, 308 or 421, the source verifies the token by a renewal in the background, at most
        /// once per 15 minutes (law 12 in `docs/laws.md`). Without a keeper, later calls of `token` continue the
        /// renewal.
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

        /// Returns a snapshot of the session. Store it, so that a later process can continue the session: see
        /// [`TokenSourceBuilder::resume`].
        #[must_use]
        pub fn snapshot(&self) -> tradovate_auth_session::StoredSession {
            self.inner.shared.snapshot()
        }

        /// Adopts a snapshot that another process has stored. The source uses the tokens of the snapshot only if they
        /// are newer than its own.
        pub fn adopt(&self, stored: tradovate_auth_session::StoredSession) {
            self.inner.shared.adopt(stored);
        }

        /// The user's id. `None` until an answer or a snapshot contains it. OAuth answers often don't.
        #[must_use]
        pub fn user_id(&self) -> Option<i64> {
            self.inner.shared.user_id()
        }

        /// Adopts the answer to your own call if it contains a token: a change of the password or the credentials, or a
        /// social login. Make such calls with [`Client::call`](crate::Client::call). The new token replaces the current
        /// one.
        ///
        /// # Errors
        /// [`CallError::Server`](tradovate_auth_core::CallError::Server) if the answer has no usable token or is for
        /// another user. The source is then unchanged.
        pub fn adopt_answer(
            &self,
            answer: tradovate_auth_core::Answer<tradovate_auth_core::AccessTokenResponse>,
        ) -> Result<(), tradovate_auth_core::CallError> {
            self.inner.shared.adopt_answer(answer)
        }

        /// Replaces the credentials. A source that stopped because of the old credentials continues.
        pub fn replace_credentials(&self, credentials: tradovate_auth_core::Credentials) {
            self.inner.shared.replace_credentials(credentials);
        }
    };
}

/// Defines methods of a `TokenSourceBuilder`. It needs the fields `settings`, a [`Settings`](crate::Settings), and
/// `may_log_in`.
#[doc(hidden)]
#[macro_export]
macro_rules! builder_methods {
    () => {
        /// Sets the policy: when to renew, how long to wait, and how often to try.
        pub fn policy(mut self, policy: tradovate_auth_session::Policy) -> Self {
            self.settings.policy = policy;
            self
        }

        /// Sets the budget of the network address. Default: all sources of the process share one budget for each
        /// server. Give a source another budget if its requests are sent from another address.
        pub fn budget(mut self, budget: $crate::SharedBudget) -> Self {
            self.settings.budget = budget;
            self
        }

        /// Sets how long a caller waits for a token before it gets an error. Default: 60 seconds.
        pub fn token_timeout(mut self, token_timeout: std::time::Duration) -> Self {
            self.settings.token_timeout = token_timeout;
            self
        }

        /// Adopts the snapshot of an earlier process, to continue its session. From a snapshot of another owner, the
        /// source uses only the budget: see [`StoredSession`].
        pub fn resume(mut self, stored: tradovate_auth_session::StoredSession) -> Self {
            self.settings.resume = Some(stored);
            self
        }

        /// Sets your own key of the user who has authorized the app: see [`Session::with_user_key`]. Default: a source
        /// that [shares](Self::shared) its session uses the session's name, other sources have no key. The tokens of a
        /// snapshot given to [`resume`](Self::resume) are used only if the snapshot has the same key.
        pub fn user_key(mut self, key: impl Into<String>) -> Self {
            self.settings.user_key = Some(key.into());
            self
        }

        /// Sends the credentials once more, although the snapshot says that the server refused them: see
        /// [`Session::with_another_try`]. Use it after
        /// [`StopReason::RefusedBefore`](tradovate_auth_session::StopReason::RefusedBefore), when the cause is
        /// corrected.
        pub fn another_try(mut self) -> Self {
            self.settings.another_try = true;
            self
        }

        /// Sets whether a source that shares its session may log in. Default: it may, if the store has no usable
        /// session.
        pub fn may_log_in(mut self, may_log_in: tradovate_auth_session::MayLogIn) -> Self {
            self.may_log_in = may_log_in;
            self
        }

        /// Sets a simulated clock, for tests. Default: the clock of the process.
        #[doc(hidden)]
        pub fn clock(mut self, clock: $crate::Clock) -> Self {
            self.settings.clock = clock;
            self
        }
    };
}
