//! What became of an exchange: a grant, a refusal, or nothing.

use http::Response;
use jiff::Timestamp;
use tradovate_auth_core::{
    AccessTokenRequest, ApiHosts, Contradiction, Endpoint, Error, Exchange as Times, Grant, OAuthToken,
    RenewAccessToken,
};

use super::hosts::Via;
use super::refusal::Said;
use super::{Exchange, Session, Standing};
use crate::budget::{Operation, RateBudget};

impl Session {
    /// A response to an exchange: the one under way, or one that was given up.
    pub(super) fn outcome<B: AsRef<[u8]>>(
        &mut self,
        now: Timestamp,
        exchange: &Exchange,
        response: Response<B>,
        standing: Standing,
        budget: &mut RateBudget,
    ) {
        let times = Times::new(exchange.sent, now, response.headers());
        let status = response.status();
        let is_empty = response.body().as_ref().trim_ascii().is_empty();
        self.host_is_there(exchange);
        if is_answer_to(exchange.operation, response.body().as_ref()) {
            self.clock.learn(&times);
        }
        match self.grant(exchange, response, times, standing).and_then(|grant| self.of_known_user(grant)) {
            Ok(grant) if standing != Standing::Superseded => self.succeeded(now, exchange, grant, budget),
            Ok(_) => {}
            Err(error) => self.refused(now, exchange, Said { status, is_empty, error }, standing, budget),
        }
    }

    /// The grant, if it is not for another user than the one that an answer or a snapshot has named.
    pub(super) fn of_known_user(&self, mut grant: Grant) -> Result<Grant, Error> {
        let known = self.known_user();
        if known.zip(grant.user_id).is_some_and(|(known, new)| known != new) {
            return Err(Error::Contradiction(Contradiction::OtherUser));
        }
        grant.user_id = grant.user_id.or(known);
        Ok(grant)
    }

    fn grant<B: AsRef<[u8]>>(
        &mut self,
        exchange: &Exchange,
        response: Response<B>,
        times: Times,
        standing: Standing,
    ) -> Result<Grant, Error> {
        let Times { sent, received, .. } = times;
        // What all answers have taught is closer than the `Date` of this one, above all where it came late.
        let far = self.clock.confirm_at().filter(|_| !self.clock.is_known()).and(times.server_time);
        let times = Times { sent, received, server_time: self.judged_by(sent, received, far) };
        // The configured host names all hosts anew.
        let mut known = self.known();
        if let (Some(known), Via::Home) = (&mut known, &exchange.via) {
            known.hosts = ApiHosts::default();
        }
        match exchange.operation {
            Operation::LogIn => {
                let reply = AccessTokenRequest::parse(response)?;
                if standing != Standing::Superseded {
                    self.notice(received, &reply.value);
                }
                // Another session: its market data token is its own.
                if let Some(known) = &mut known {
                    known.market_data = None;
                }
                Grant::of_access_token(reply.value, times, known.as_ref())
            }
            Operation::Refresh => {
                let reply = OAuthToken::parse(response)?;
                // Judged as of its sending: an access token that has expired on the way is of no use, but the only copy
                // of a refresh token came with it.
                let times = Times { sent, received: sent, server_time: self.judged_by(sent, sent, far) };
                Grant::of_oauth(reply.value, times, known.as_ref())
            }
            Operation::Renew | Operation::Identify => {
                let reply = RenewAccessToken::parse(response)?;
                let grant = Grant::of_access_token(reply.value.clone(), times, known.as_ref())?;
                self.notice(received, &reply.value);
                Ok(grant)
            }
        }
    }

    /// The server's time by which an answer is judged. As long as a `Date` that is days away waits to be confirmed, a token that
    /// is good by either clock is kept: a renewal may have ended the one before.
    fn judged_by(&self, sent: Timestamp, received: Timestamp, far: Option<Timestamp>) -> Option<Timestamp> {
        let known = self.clock.date_between(sent, received);
        far.filter(|date| *date < known.unwrap_or(sent)).or(known)
    }

    fn succeeded(&mut self, now: Timestamp, exchange: &Exchange, grant: Grant, budget: &mut RateBudget) {
        match exchange.operation {
            Operation::LogIn => {
                budget.give_back(exchange.sent, Operation::LogIn);
                self.log_ins.succeeded(now);
            }
            Operation::Refresh => {
                self.refreshes.succeeded();
                self.refreshed_by = exchange.id;
            }
            Operation::Renew | Operation::Identify => self.refreshes.outcome_unknown = false,
        }
        self.followed.settle();
        self.ticket = None;
        self.resume_work();
        self.accept(now, grant, Some(exchange.operation));
    }
}

/// Whether the server itself has answered, and not what stands before it.
fn is_answer_to(operation: Operation, body: &[u8]) -> bool {
    match operation {
        Operation::LogIn | Operation::Renew | Operation::Identify => AccessTokenRequest::is_answer(body),
        Operation::Refresh => OAuthToken::is_answer(body),
    }
}
