//! Builds and sends requests, and decides what a late answer is still good for.

use alloc::boxed::Box;
use alloc::string::String;

use http::{Request, Response};
use jiff::Timestamp;
use tradovate_auth_core::internal::{at_authority, hash_of, login_hash};
use tradovate_auth_core::{
    AccessTokenRequest, BuildError, Endpoint, Exchange as Times, OAuthGrant, OAuthToken, RenewAccessToken, RequestBody,
};

use super::hosts::Via;
use super::in_flight::{Exchange, Use};
use super::{Action, Session, StopReason};
use crate::network_budget::{Operation, RateBudget};
use crate::record::{AttemptId, Ticket};
use crate::time_arithmetic::later;

impl Session {
    /// Sends a request. `None` if it can't be built. In this case the session stops.
    pub(super) fn send(&mut self, now: Timestamp, operation: Operation, budget: &mut RateBudget) -> Option<Action> {
        let redirect = self.exchanges.redirect.take_if(|redirect| redirect.operation == operation);
        let is_redirected = redirect.is_some();
        let (request, via) = match redirect {
            Some(redirect) => (redirect.request, redirect.via),
            None => match self.build(now, operation) {
                Ok(request) => {
                    let via = self.hosts.via(operation, &request);
                    (request, via)
                }
                Err(error) => {
                    self.stop(now, StopReason::Unbuildable(error));
                    return None;
                }
            },
        };
        if via == Via::Home && !is_redirected {
            self.tries_configured_host(now);
        }
        budget.take(now, operation);
        let (announced, ticket) = match self.take_announcement(operation) {
            Some(announced) => (announced.attempt, announced.ticket),
            None => (None, None),
        };
        let attempt = (operation == Operation::LogIn).then(|| self.login_sent(now, announced));
        if operation == Operation::Renew {
            self.token.renewing(now, &mut self.record.verified_at);
        }
        let id = self.exchanges.next_id();
        self.exchanges.last_sent = id;
        self.exchanges.in_flight = Some(Box::new(Exchange {
            id,
            operation,
            sent: now,
            deadline: later(now, self.policy.deadline()),
            request: request.clone(),
            presented: self.presentable().filter(|_| operation == Operation::Refresh),
            ticket,
            attempt,
            via,
            is_redirected,
            generation: self.token.generation,
            is_disowned: false,
        }));
        Some(Action::Send { id, request })
    }

    /// The ticket for the next request, if that request is the postponed one.
    fn postponed(&self, operation: Operation) -> Option<&Ticket> {
        let announced = self.persistence.announcement().and_then(|announced| announced.ticket.as_ref());
        let ticket = announced.or(self.record.postponed.get()).filter(|ticket| ticket.operation == operation)?;
        (self.request_hash(operation) == ticket.request).then_some(&**ticket)
    }

    /// Takes the ticket for the next request. Other processes see it as spent.
    pub(super) fn take_ticket(&mut self, operation: Operation) -> Option<Box<Ticket>> {
        let ticket = self.postponed(operation).cloned().map(Box::new)?;
        self.record.postponed.clear();
        Some(ticket)
    }

    /// A hash of the request without passwords and client secrets: a stored hash of them would help to guess them.
    pub(super) fn request_hash(&self, operation: Operation) -> String {
        match (operation, self.login.credentials(), self.login.app()) {
            (Operation::LogIn, Some(credentials), _) => login_hash(credentials),
            (Operation::Refresh, _, Some(app)) => {
                let refresh = self.record.tokens.refresh.as_ref().map_or("", |refresh| refresh.token.expose());
                hash_of([app.client_id(), refresh])
            }
            // A renewal is repeated without its ticket.
            _ => String::new(),
        }
    }

    /// A login counts as possibly successful until its outcome is known.
    fn login_sent(&mut self, now: Timestamp, announced: Option<AttemptId>) -> AttemptId {
        let id = announced.unwrap_or_else(|| self.record.log_ins.announce(now, &mut self.ids));
        self.record.log_ins.send(now, id);
        id
    }

    /// What an OAuth session sends to get its next tokens.
    fn presentable(&self) -> Option<OAuthGrant> {
        let refresh = self.record.tokens.refresh.as_ref().map(|refresh| refresh.token.clone().into());
        refresh.or_else(|| self.code.as_ref().map(|code| code.authorized.clone().into()))
    }

    fn build(&self, now: Timestamp, operation: Operation) -> Result<Request<RequestBody>, BuildError> {
        let environment = self.environment_for(now, operation);
        let postponed = self.postponed(operation);
        let ticket = postponed.map(|postponed| postponed.secret.clone());
        let access = self.record.tokens.access.as_ref();
        let mut request = match (operation, self.login.credentials(), self.login.app(), self.presentable(), access) {
            (Operation::LogIn, Some(credentials), ..) => {
                AccessTokenRequest::new(credentials).with_ticket(ticket).request(environment)
            }
            (Operation::Refresh, _, Some(app), Some(grant), _) => {
                app.exchange(grant).with_ticket(ticket).request(environment)
            }
            //= R-PENALTY-7
            (Operation::Renew, .., Some(access)) => RenewAccessToken::new(access.token.clone()).request(environment),
            // The plan never asks for this.
            _ => Err(BuildError::Empty { field: "accessToken".into() }),
        }?;
        // A ticket of a followed host goes to the configured host if the followed host is left.
        let is_left = *environment != self.hosts.in_force;
        let host = postponed.and_then(|postponed| postponed.host.clone()).filter(|_| !is_left);
        if let Some(there) = host.and_then(|host| at_authority(request.uri(), host)) {
            *request.uri_mut() = there;
        }
        Ok(request)
    }

    /// The times of an exchange. The clock learns from them if the server itself answered, and not a proxy in front of
    /// it.
    pub(super) fn learn_time<B: AsRef<[u8]>>(
        &mut self,
        now: Timestamp,
        exchange: &Exchange,
        response: &Response<B>,
    ) -> Times {
        let times = Times::new(exchange.sent, now, response.headers());
        let body = response.body().as_ref();
        let is_answer = match exchange.operation {
            Operation::Refresh => OAuthToken::is_answer(body),
            _ => AccessTokenRequest::is_answer(body),
        };
        //= R-TIME-5
        if is_answer {
            self.clock.learn(&times);
        }
        times
    }

    /// What the late answer to an exchange is good for.
    //= R-REFRESH-1
    pub(super) fn use_of(&self, late: &Exchange) -> Use {
        let is_first = late.generation == self.token.generation;
        let is_wanted = match (self.stopped.as_deref(), late.operation) {
            _ if late.is_disowned => false,
            // A refresh token is useful even after a renewal, and also if nothing else is left.
            (
                None | Some(StopReason::ConsentRequired | StopReason::CodeLost | StopReason::Refused(_)),
                Operation::Refresh,
            ) => self.stopped.is_some() || late.id > self.exchanges.refreshed_by,
            (Some(_), _) => false,
            (None, Operation::LogIn) => is_first,
            // This does not hold if a renewal was refused since.
            (None, _) => is_first && self.record.tokens.access.is_some(),
        };
        match is_wanted {
            false => Use::Superseded,
            true if self.is_resting() && self.exchanges.last_sent == late.id => Use::Late,
            true => Use::Overtaken,
        }
    }
}
