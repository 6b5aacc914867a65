//! Builds and sends requests.

use alloc::boxed::Box;

use http::Request;
use jiff::Timestamp;
use tradovate_auth_core::workspace_only::at_authority;
use tradovate_auth_core::{AccessTokenRequest, BuildError, Endpoint, OAuthGrant, RenewAccessToken, RequestBody};

use super::followed_hosts::Via;
use super::in_flight::Exchange;
use super::{Action, Session, StopReason};
use crate::network_budget::{Operation, RateBudget};
use crate::record::AttemptId;
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
                    self.withdraw_announcement();
                    self.persistence.changed();
                    self.stop_stored(now, StopReason::Unbuildable(error));
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
        let postponed = self.postponed(now, operation);
        let ticket = postponed.map(|postponed| postponed.secret.clone());
        let access = self.record.tokens.access.as_ref();
        let mut request = match (operation, self.login.credentials(), self.login.app(), self.presentable(), access) {
            (Operation::LogIn, Some(credentials), ..) => {
                AccessTokenRequest::new(credentials).with_ticket(ticket).request(environment)
            }
            (Operation::Refresh, _, Some(app), Some(grant), _) => {
                app.exchange(grant).with_ticket(ticket).request(environment)
            }
            //= R-ENV-9
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
}
