//! The methods with which a test controls the server between requests. Users are identified by their login name. A call
//! for an unknown user has no effect.

use std::time::Duration;

use http::Response;
use jiff::Timestamp;

use super::Simulator;
use crate::{
    endpoint::Endpoint,
    grants::Code,
    hosts::ApiHosts,
    lock_outs::LockOut,
    maintenance::Maintenance,
    options::Options,
    penalties::{self, Sanction},
    registration::OAuthClient,
    script::Scripted,
    sessions::TokenStatus,
    statistics::Statistics,
    user::User,
};

/// Methods for tests.
impl Simulator {
    /// Sets the time without a request. Every request also sets it.
    pub fn set_time(&mut self, now: Timestamp) {
        self.time = Some(now);
        self.grants.set_time(self.server_time());
    }

    /// The current options.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the options, so that a test can change them at run time.
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Returns the user with this login name, so that a test can change it; `None` if there is none.
    pub fn user_mut(&mut self, name: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.name == name)
    }

    /// The counters and the request log since the start.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// How many open sessions the user has.
    #[must_use]
    pub fn open_sessions(&self, user: &str) -> usize {
        self.id(user).map_or(0, |id| self.sessions.open_of(self.server_time(), id).len())
    }

    /// Whether an access token is valid at the time that was set last: issued, not expired, and its session open. This
    /// sends no request, so nothing is counted and no lock-out restarts.
    ///
    /// ```
    /// use tradovate_auth_simulator::Simulator;
    ///
    /// assert!(!Simulator::builder().build().accepts("unknown"));
    /// ```
    #[must_use]
    pub fn accepts(&self, token: &str) -> bool {
        matches!(self.sessions.token_status(self.server_time(), token), TokenStatus::Good(_))
    }

    /// Answers the next request to an endpoint with a penalty ticket. `None` means any of the four authentication
    /// endpoints.
    pub fn penalize_next(&mut self, endpoint: impl Into<Option<Endpoint>>, wait: Duration) {
        self.penalties.order(endpoint.into(), Sanction::Wait(wait));
    }

    /// The answer that every captcha accepts. Send it as `p-captcha`.
    pub const CAPTCHA_ANSWER: &str = penalties::CAPTCHA_ANSWER;

    /// Answers the next request to an endpoint with a captcha. `None` means any of the four authentication endpoints.
    /// The endpoint is then closed for one hour to the network of the request. A request with the same body, the ticket
    /// and [`CAPTCHA_ANSWER`](Self::CAPTCHA_ANSWER) opens it earlier, at least 19 seconds after the captcha.
    pub fn captcha_next(&mut self, endpoint: impl Into<Option<Endpoint>>) {
        self.penalties.order(endpoint.into(), Sanction::Captcha);
    }

    /// Locks out a network or everybody, from the next request on.
    pub fn lock_out(&mut self, lock_out: LockOut) {
        self.lock_outs.add(lock_out);
    }

    /// Ends all lock-outs, penalties and captchas, and resets the counts of the limits.
    pub fn release(&mut self) {
        self.lock_outs.clear();
        self.penalties.clear();
        self.rates.clear();
        self.callers.clear();
    }

    /// Begins maintenance now; `None` ends it.
    pub fn set_maintenance(&mut self, maintenance: Option<Maintenance>) {
        self.maintenance.switch = maintenance;
    }

    /// Plans maintenance between two times of the server's clock: `from` is inclusive, `to` is exclusive.
    pub fn plan_maintenance(&mut self, from: Timestamp, to: Timestamp, maintenance: Maintenance) {
        self.maintenance.windows.push((from, to, maintenance));
    }

    /// Answers the next request to an endpoint with this response, and does not handle the request. `None` means any
    /// request. Several such answers are used in order. They take precedence over everything else, such as lock-outs.
    pub fn answer_next(&mut self, endpoint: impl Into<Option<Endpoint>>, response: Response<Vec<u8>>) {
        self.script.add(Scripted { endpoint: endpoint.into(), response, handle: false });
    }

    /// Handles the next request to an endpoint, but returns this response instead of the answer, as if the answer was
    /// lost. `None` means any request.
    pub fn lose_next_answer(&mut self, endpoint: impl Into<Option<Endpoint>>, response: Response<Vec<u8>>) {
        self.script.add(Scripted { endpoint: endpoint.into(), response, handle: true });
    }

    /// Assigns other hosts to a user.
    pub fn move_hosts(&mut self, user: &str, hosts: ApiHosts) {
        self.dedicated.add(&hosts);
        if let Some(user) = self.user_mut(user) {
            user.hosts = Some(hosts);
        }
    }

    /// Issues an authorization code without a request. ([`consent`](Self::consent) takes a request and checks it as the
    /// page does.) `code_challenge` is the S256 challenge of PKCE; without it, the exchange must send no verifier. A
    /// code for an unknown user can't be exchanged.
    pub fn issue_code(
        &mut self,
        user: &str,
        client_id: &str,
        redirect_uri: &str,
        code_challenge: Option<&str>,
    ) -> String {
        match self.id(user) {
            Some(user) => self.issue_code_to(user, client_id, redirect_uri, code_challenge),
            None => self.mint.code(),
        }
    }

    /// Does what the page at `/oauth` does if the user logs in and allows the client: issues a code, and returns the
    /// URL to which the browser is redirected. The authorize URL may be absolute or a path. No password is needed.
    /// Maintenance and scripted answers don't apply.
    ///
    /// If the page would redirect with an error, this returns the URL of that redirect. It returns `None` if the page
    /// would show an error, or if the user does not exist on the client's side.
    ///
    /// ```
    /// use tradovate_auth_simulator::Simulator;
    ///
    /// let mut simulator = Simulator::builder().build();
    /// let url = "/oauth?response_type=code&client_id=synthetic-client&redirect_uri=http://localhost:8888/&state=a1";
    /// let back = simulator.consent("synthetic-user", url).unwrap_or_default();
    /// assert!(back.starts_with("http://localhost:8888/?code=") && back.ends_with("&state=a1"));
    /// ```
    pub fn consent(&mut self, user: &str, authorize_url: &str) -> Option<String> {
        self.allow_at(authorize_url, user)
    }

    /// Does what the page at `/oauth` does if the user denies, and returns the URL to which the browser is redirected.
    /// `None` if the page would show an error. See [`consent`](Self::consent).
    pub fn deny(&mut self, authorize_url: &str) -> Option<String> {
        self.deny_at(authorize_url)
    }

    /// Returns the OAuth client with this `client_id`, so that a test can change it, for example to register another
    /// redirect URI. If both sides have the client, the one registered first is returned. `None` if neither has it.
    pub fn oauth_client_mut(&mut self, client_id: &str) -> Option<&mut OAuthClient> {
        self.clients.iter_mut().find(|client| client.client_id == client_id)
    }

    /// Refuses the next `times` refreshes with `invalid_token`, although their refresh tokens are valid.
    pub fn refuse_next_refresh(&mut self, times: u32) {
        self.grants.refusals = times;
    }

    /// Closes the user's oldest session, as the server does if there are too many devices or sockets.
    pub fn close_oldest_session(&mut self, user: &str) {
        self.close(user, 1);
    }

    /// Closes all sessions of the user.
    pub fn close_sessions(&mut self, user: &str) {
        self.close(user, usize::MAX);
    }

    /// Makes the user's access tokens expire now.
    pub fn expire_sessions(&mut self, user: &str) {
        if let Some(id) = self.id(user) {
            self.sessions.expire(self.server_time(), id);
        }
    }

    /// Forgets the user's tokens, including the refresh token, as if they had never been issued.
    pub fn revoke(&mut self, user: &str) {
        if let Some(id) = self.id(user) {
            self.sessions.revoke(id);
            self.grants.revoke(id);
        }
    }

    /// Approves all devices of the user until the next login, whose device then counts as the first one. See
    /// [`User::checks_device`].
    pub fn approve_device(&mut self, user: &str) {
        if let Some(id) = self.id(user) {
            self.devices.remove(&id);
        }
    }

    /// Issues a code for an existing user.
    pub(crate) fn issue_code_to(
        &mut self,
        user: i64,
        client_id: &str,
        redirect_uri: &str,
        code_challenge: Option<&str>,
    ) -> String {
        let text = self.mint.code();
        let code = Code {
            user,
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            challenge: code_challenge.map(str::to_owned),
            issued: self.time.map(|_| self.server_time()),
        };
        self.grants.issue(text.clone(), code);
        text
    }

    fn close(&mut self, user: &str, at_most: usize) {
        let Some(id) = self.id(user) else { return };
        for session in self.sessions.open_of(self.server_time(), id).into_iter().take(at_most) {
            self.sessions.close(session);
            self.statistics.sessions_closed += 1;
        }
    }

    fn id(&self, name: &str) -> Option<i64> {
        self.users.iter().find(|user| user.name == name).map(|user| user.id)
    }
}
