//! Accepts new tokens: checks which tokens are newest, stores them first if there is a store, and then uses them.

use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::workspace_only::check_user;
use tradovate_auth_core::{AccessTokenResponse, Answer, ApiHosts, CallError, Exchange as Times, Grant};

use super::followed_hosts::Via;
use super::persistence::Waiting;
use super::{EventKind, Session};
use crate::network_budget::Operation;
use crate::record::{Access, Fact, IssuedToken, MarketData, Refresh, Tokens, newer};
use crate::time_arithmetic::earlier;

impl Session {
    /// Adopts the token in the answer to a request that the program has sent itself: `modifypassword`,
    /// `modifycredentials` or a social login. These answers have the form of a login answer. A session that has stopped
    /// continues.
    ///
    /// # Errors
    /// The errors of [`Grant::from_access_token`](tradovate_auth_core::Grant::from_access_token), and
    /// [`Contradiction::OtherUser`](tradovate_auth_core::Contradiction::OtherUser) if the answer is for another user.
    /// The session then adopts nothing.
    //= R-LOGIN-23
    pub fn adopt_answer(&mut self, now: Timestamp, answer: Answer<AccessTokenResponse>) -> Result<(), CallError> {
        let now = self.advance(now);
        self.clock.learn(&answer.exchange);
        let response = answer.value.clone();
        let grant = answer.grant()?;
        //= R-RENEW-7
        check_user(self.user_id(), grant.user_id)?;
        self.learn_of_account(now, response);
        self.record.postponed.clear();
        self.resume_work();
        self.accept(now, Via::Configured, grant, None, true);
        Ok(())
    }

    /// Accepts a checked grant. With a store, the session uses it after it is stored. If `is_newest`, the access token
    /// counts as newer than the known one, whatever the clock says.
    pub(super) fn accept(
        &mut self,
        now: Timestamp,
        via: Via,
        grant: Grant,
        operation: Option<Operation>,
        is_newest: bool,
    ) {
        if operation.is_none() {
            // The exchange in flight is no longer needed.
            self.exchanges.give_up();
        }
        self.withdraw_announcement();
        // Without the server's time, a lifetime counts from a local time. So the derived expiry is as wrong as the
        // local clock.
        let is_assumed =
            operation == Some(Operation::Refresh) && grant.exchange.server_time.is_none() && !self.clock.is_learnt();
        let assumed_offset = is_assumed.then(|| grant.exchange.measured_offset());
        let (user_id, has_market_data) = (grant.user_id, grant.market_data.is_some());
        let issued_at = self.order_of(&grant, is_newest);
        let tokens = self.tokens_of(now, via, grant, operation, issued_at);
        let of = IssuedToken { started_at: tokens.started_at, issued_at: Some(issued_at) };
        self.market_data_answered(operation, of, has_market_data);
        let mut waiting = Waiting { tokens, user_id, operation, assumed_offset };
        if let Some(before) = self.persistence.waiting.take() {
            // Two answers arrived before the first one was stored.
            let mut tokens = before.tokens;
            tokens.merge(waiting.tokens);
            waiting.tokens = tokens;
        }
        if self.persistence.is_none() {
            self.install(now, waiting);
        } else {
            //= R-REFRESH-3
            self.hold_back(now, waiting);
        }
    }

    /// An answer to an OAuth session has brought the access token `of`, and a market data token or none.
    fn market_data_answered(&mut self, operation: Option<Operation>, of: IssuedToken, has_token: bool) {
        let wish = &mut self.record.market_data;
        match operation.filter(|_| self.login.app().is_some()) {
            Some(Operation::Refresh) => wish.exchanged(of, has_token),
            Some(Operation::Renew) => wish.renewed(of, has_token),
            _ => {}
        }
    }

    /// The issue time by which the access token of an answer is compared with others.
    fn order_of(&self, grant: &Grant, is_newest: bool) -> Timestamp {
        let issued_at = issued_at(&grant.exchange);
        let known = self.newest_tokens().filter(|_| is_newest);
        let newest = |known: &Tokens| known.access.as_ref().map(|access| access.issued_at).max(known.dead_issued_at);
        known.map_or(issued_at, |known| newer(issued_at, newest(known)))
    }

    /// The tokens of an answer, completed by the known tokens. `order` is the issue time of its access token.
    fn tokens_of(
        &self,
        now: Timestamp,
        via: Via,
        grant: Grant,
        operation: Option<Operation>,
        order: Timestamp,
    ) -> Tokens {
        let known = self.newest_tokens();
        let starts =
            operation == Some(Operation::LogIn) || self.code.is_some() || known.is_none_or(Tokens::is_forgotten);
        let known = known.cloned().unwrap_or_default();
        let issued_at = issued_at(&grant.exchange);
        // A login opens another server session with its own market data token. A renewal keeps the market data token.
        let kept = known
            .access
            .as_ref()
            .and_then(|access| access.market_data.clone())
            .filter(|_| operation != Some(Operation::LogIn));
        let kept = kept.filter(|kept| kept.expires_at > self.clock.server_time(now));
        let new = grant.market_data.map(|it| MarketData { token: it.token, expires_at: it.expires_at });
        let access = Access {
            token: grant.access_token,
            issued_at: order,
            expires_at: grant.expires_at,
            market_data: new.or(kept),
        };
        let refresh = grant.refresh.map(|it| {
            let known = known.refresh.as_ref().and_then(|refresh| refresh.issued_at);
            Refresh::new(it.token, Some(newer(it.issued_at.unwrap_or(issued_at), known)), it.expires_at)
        });
        let access = known.access.into_iter().chain([access]).max_by_key(|access| access.issued_at);
        let mut tokens = Tokens { access, refresh: refresh.or(known.refresh), ..known };
        if starts {
            let known_start = self.code.as_ref().and_then(|code| code.known_start);
            tokens.started_at = Some(newer(issued_at, tokens.started_at.max(known_start)));
        }
        // The configured host names all hosts again.
        let mut hosts = if via == Via::Home { ApiHosts::default() } else { tokens.hosts.clone() };
        hosts.update(&grant.hosts);
        //= R-HOST-7
        if hosts != tokens.hosts {
            tokens.name_hosts(issued_at, hosts);
        }
        tokens
    }

    /// The tokens that are held or wait for the store.
    fn newest_tokens(&self) -> Option<&Tokens> {
        let waiting = self.persistence.waiting.as_ref().map(|waiting| &waiting.tokens);
        waiting.or(Some(&self.record.tokens)).filter(|tokens| **tokens != Tokens::default())
    }

    pub(super) fn install(&mut self, now: Timestamp, waiting: Waiting) {
        let Waiting { tokens, user_id, operation, assumed_offset } = waiting;
        let is_first_refresh = self.record.tokens.refresh.is_none();
        let is_news = !tokens.is_superseded_by(&self.record.tokens);
        self.record.tokens.merge(tokens);
        self.record.user_id.merge(user_id);
        self.follow_hosts(now);
        let Some(access) = self.record.tokens.access.as_ref().filter(|_| is_news) else { return };
        let (expires_at, life) = (access.expires_at, access.life());
        self.report(
            now,
            match operation {
                Some(Operation::LogIn) => EventKind::LoggedIn { expires_at },
                // The exchange of a code.
                Some(Operation::Refresh) if is_first_refresh => EventKind::LoggedIn { expires_at },
                Some(Operation::Refresh) => EventKind::Refreshed { expires_at },
                None => EventKind::Adopted { expires_at },
                Some(_) => EventKind::Renewed { expires_at },
            },
        );
        if operation == Some(Operation::Refresh) {
            self.report_consent_due(now);
        }
        self.plan_renewal(now, expires_at, life);
        if operation == Some(Operation::Refresh) {
            self.token.refreshed_at = Some(now);
        }
        self.token.assumed_offset = assumed_offset;
        self.correct_assumed_times();
    }

    /// The record has a new access token: plans its renewal.
    pub(super) fn plan_renewal(&mut self, since: Timestamp, expires_at: Timestamp, life: Duration) {
        let before = self.renew_before(life);
        let spread = self.jitter.up_to(before.checked_div(10).unwrap_or_default());
        //= R-RENEW-6
        self.token.hold_new(since, earlier(expires_at, before.saturating_add(spread)));
        self.has_another_try = false;
        // The redirected request contains an older token.
        self.exchanges.redirect = None;
        self.code = None;
    }
}

/// When a token was requested, by the server's clock.
fn issued_at(times: &Times) -> Timestamp {
    let offset: SignedDuration = times.measured_offset();
    times.sent.saturating_add(offset).unwrap_or(times.sent)
}
