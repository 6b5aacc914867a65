//! What a test can do to the server between requests.
//! Users are named by their login name; a name nobody has changes nothing.

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
    sessions::Worth,
    statistics::Statistics,
    user::User,
};

/// Control from tests.
impl Simulator {
    /// Tells the time without a request. Requests tell it themselves.
    pub fn set_time(&mut self, now: Timestamp) {
        self.time = Some(now);
        self.grants.set_time(self.server_time());
    }

    /// The switches.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The switches, to turn them.
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// A user, to change.
    pub fn user_mut(&mut self, name: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.name == name)
    }

    /// What has happened so far.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Sessions the user has open.
    #[must_use]
    pub fn open_sessions(&self, user: &str) -> usize {
        self.id(user).map_or(0, |id| self.sessions.open_of(self.server_time(), id).len())
    }

    /// Whether an access token is good at the time last told: known, not expired, and its session not closed. It answers
    /// without a request, so nothing is counted and no lock-out restarts.
    ///
    /// ```
    /// use tradovate_auth_simulator::Simulator;
    ///
    /// assert!(!Simulator::builder().build().accepts("unknown"));
    /// ```
    #[must_use]
    pub fn accepts(&self, token: &str) -> bool {
        matches!(self.sessions.worth(self.server_time(), token), Worth::Good(_))
    }

    /// Answers the next request to an endpoint with a penalty. `None` means any of the four authentication endpoints.
    pub fn penalize_next(&mut self, endpoint: impl Into<Option<Endpoint>>, wait: Duration) {
        self.penalties.order(endpoint.into(), Sanction::Wait(wait));
    }

    /// What a person's answer to a captcha comes to.
    pub const CAPTCHA_ANSWER: &str = penalties::CAPTCHA_ANSWER;

    /// Answers the next request to an endpoint with a captcha, which closes the endpoint for an hour to the network it
    /// came from. `None` means any of the four authentication endpoints. Before the hour is over, the same body opens it with
    /// the ticket and [`CAPTCHA_ANSWER`](Self::CAPTCHA_ANSWER), 19 seconds after the captcha.
    pub fn captcha_next(&mut self, endpoint: impl Into<Option<Endpoint>>) {
        self.penalties.order(endpoint.into(), Sanction::Captcha);
    }

    /// Locks out a network or everybody, beginning with the next request.
    pub fn lock_out(&mut self, lock_out: LockOut) {
        self.lock_outs.add(lock_out);
    }

    /// Lifts every lock-out, penalty and captcha, and forgets what the limits have counted.
    pub fn release(&mut self) {
        self.lock_outs.clear();
        self.penalties.clear();
        self.rates.clear();
        self.callers.clear();
    }

    /// Begins maintenance now, or ends it.
    pub fn set_maintenance(&mut self, maintenance: Option<Maintenance>) {
        self.maintenance.switch = maintenance;
    }

    /// Plans maintenance, from (inclusive) and to (exclusive) in the server's time.
    pub fn plan_maintenance(&mut self, from: Timestamp, to: Timestamp, maintenance: Maintenance) {
        self.maintenance.windows.push((from, to, maintenance));
    }

    /// Answers the next request to an endpoint, or to anything, with this response and does not handle it. Several
    /// such answers are given in their order. Scripted answers come before everything else.
    pub fn answer_next(&mut self, endpoint: impl Into<Option<Endpoint>>, response: Response<Vec<u8>>) {
        self.script.add(Scripted { endpoint: endpoint.into(), response, handle: false });
    }

    /// Handles the next request to an endpoint, or to anything, and then loses the answer: the caller gets this
    /// response instead.
    pub fn lose_next_answer(&mut self, endpoint: impl Into<Option<Endpoint>>, response: Response<Vec<u8>>) {
        self.script.add(Scripted { endpoint: endpoint.into(), response, handle: true });
    }

    /// Moves a user to other hosts.
    pub fn move_hosts(&mut self, user: &str, hosts: ApiHosts) {
        self.dedicated.learn(&hosts);
        if let Some(user) = self.user_mut(user) {
            user.hosts = Some(hosts);
        }
    }

    /// Issues an authorization code without a request; [`consent`](Self::consent) takes one and checks it as the page
    /// does. `code_challenge` is the S256 challenge of PKCE; without one the exchange must bring no verifier. A code for
    /// a user that does not exist is as good as a used one.
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

    /// Does what the page at `/oauth` does when the user logs in there and allows: issues a code and gives the URL the
    /// browser is redirected to. The authorize URL may be whole or begin with its path. No password is asked for, and
    /// neither maintenance nor a scripted answer stands in the way.
    ///
    /// A request that the page answers by a redirect with an error gives the URL of that. `None` where the page would
    /// show an error, and where the user does not exist on the side the client is registered on.
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

    /// Does what the page at `/oauth` does when the user denies, and gives the URL the browser is redirected to. `None`
    /// where the page would show an error. See [`consent`](Self::consent).
    pub fn deny(&mut self, authorize_url: &str) -> Option<String> {
        self.deny_at(authorize_url)
    }

    /// An OAuth client, to change: to register one more redirect URI, for example. Where both sides know the
    /// `client_id`, the one that was registered first.
    pub fn oauth_client_mut(&mut self, client_id: &str) -> Option<&mut OAuthClient> {
        self.clients.iter_mut().find(|client| client.client_id == client_id)
    }

    /// Refuses the next refreshes with `invalid_token`, though nothing is wrong with them.
    pub fn refuse_next_refresh(&mut self, times: u32) {
        self.grants.refusals = times;
    }

    /// Closes the user's oldest session, as too many devices or sockets do.
    pub fn close_oldest_session(&mut self, user: &str) {
        self.close(user, 1);
    }

    /// Closes all sessions of the user.
    pub fn close_sessions(&mut self, user: &str) {
        self.close(user, usize::MAX);
    }

    /// Ends the life of the user's access tokens now.
    pub fn expire_sessions(&mut self, user: &str) {
        if let Some(id) = self.id(user) {
            self.sessions.expire(self.server_time(), id);
        }
    }

    /// Forgets the user's tokens, refresh token included, as if they had never been issued.
    pub fn revoke(&mut self, user: &str) {
        if let Some(id) = self.id(user) {
            self.sessions.revoke(id);
            self.grants.revoke(id);
        }
    }

    /// Accepts the devices the user is logged in from, and the next one, as that of [`User::checks_device`].
    pub fn approve_device(&mut self, user: &str) {
        if let Some(id) = self.id(user) {
            self.devices.remove(&id);
        }
    }

    /// Issues a code to a user that exists.
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
