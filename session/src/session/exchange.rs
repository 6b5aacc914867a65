//! Exchanges: how a request leaves, when its answer is given up, and what a late one is still good for.

use alloc::boxed::Box;
use alloc::string::String;

use http::Request;
use jiff::Timestamp;
use tradovate_auth_core::internal::{at_authority, later};
use tradovate_auth_core::{
    AccessTokenRequest, BuildError, Endpoint, Failure, OAuthGrant, RenewAccessToken, RequestBody,
};

use super::hosts::Via;
use super::sharing::Announcement;
use super::{Action, ExchangeId, Identity, Session, State, StopReason, Trouble};
use crate::budget::{Operation, RateBudget};

/// How many given-up exchanges are remembered; of more, those without a refresh token are forgotten first.
const LATE_KEPT: usize = 8;

#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) id: ExchangeId,
    pub(super) operation: Operation,
    pub(super) sent: Timestamp,
    pub(super) deadline: Timestamp,
    pub(super) request: Request<RequestBody>,
    /// The code or refresh token in it.
    pub(super) presented: Option<OAuthGrant>,
    /// Whether it has been sent on to another host already.
    pub(super) redirected: bool,
    /// What host it went to before that.
    pub(super) via: Via,
    /// The grants there were when it left.
    pub(super) generation: u64,
    /// What the HTTP client said when it failed.
    pub(super) cause: Option<String>,
    /// The owner has taken other credentials meanwhile, or had all forgotten.
    disowned: bool,
}

/// How an answer stands to what the session does when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is waited for.
    Current,
    /// It was given up, but nothing has been sent since.
    Late,
    /// Something has been sent since: a grant is still welcome.
    Overtaken,
    /// A later grant has made it worthless; only a lock-out in it counts.
    Superseded,
}

impl Exchange {
    /// What came of it when no whole answer did.
    pub(super) fn trouble(&self, failure: Failure) -> Trouble {
        let host = self.request.uri().host().unwrap_or_default().into();
        Trouble::Io { failure, host, cause: self.cause.clone() }
    }

    fn disown(&mut self) {
        self.disowned = true;
        self.request = Request::new(RequestBody::default());
        self.presented = None;
    }
}

impl Session {
    pub(super) fn send(&mut self, now: Timestamp, operation: Operation, budget: &mut RateBudget) -> Option<Action> {
        let (request, via, redirected) = match self.redirected.take_if(|redirected| redirected.operation == operation) {
            Some(redirected) => (redirected.request, redirected.via, true),
            None => match self.build(now, operation) {
                Ok(request) => {
                    let via = self.via(operation, &request);
                    (request, via, false)
                }
                Err(error) => {
                    self.stop(now, StopReason::Unbuildable(error));
                    return None;
                }
            },
        };
        if let Some(sharing) = &mut self.sharing {
            sharing.announcement = Announcement::default();
        }
        if via == Via::Home && !redirected {
            self.tries_home(now);
        }
        budget.take(now, operation);
        if operation == Operation::LogIn {
            // Until its answer says otherwise, it may have opened a session.
            self.log_ins.count(now);
        }
        if operation == Operation::Renew {
            self.doubt.renewing(now);
        }
        let id = self.id();
        self.last_sent = id;
        let presented = self.presentable().filter(|_| operation == Operation::Refresh);
        let exchange = Exchange {
            id,
            operation,
            sent: now,
            deadline: later(now, self.policy.deadline()),
            request: request.clone(),
            presented,
            redirected,
            via,
            generation: self.generation,
            cause: None,
            disowned: false,
        };
        self.state = State::Exchanging(Box::new(exchange));
        Some(Action::Send { id, request })
    }

    fn build(&self, now: Timestamp, operation: Operation) -> Result<Request<RequestBody>, BuildError> {
        let environment = self.environment_for(now, operation);
        let postponed = self.ticket.as_ref().filter(|postponed| postponed.operation == operation);
        let ticket = postponed.map(|postponed| postponed.ticket.clone());
        let mut request = match (operation, &self.identity, self.presentable(), &self.held) {
            (Operation::LogIn, Identity::User(credentials), _, _) => {
                AccessTokenRequest::new(credentials).with_ticket(ticket).request(environment)
            }
            (Operation::Refresh, Identity::App(app), Some(grant), _) => {
                app.exchange(grant).with_ticket(ticket).request(environment)
            }
            (Operation::Renew, _, _, Some(held)) => {
                RenewAccessToken::new(held.grant.access_token.clone()).request(environment)
            }
            // The plan asks for nothing of the kind.
            _ => Err(BuildError::Empty { field: "accessToken".into() }),
        }?;
        // Where a ticket was given by a host that is left, it goes to the configured one.
        let is_left = environment != &self.environment;
        let host = postponed.and_then(|postponed| postponed.host.clone()).filter(|_| !is_left);
        if let Some(there) = host.and_then(|host| at_authority(request.uri(), host)) {
            *request.uri_mut() = there;
        }
        Ok(request)
    }

    /// What is under way.
    pub(crate) fn sending(&self) -> Option<Operation> {
        match &self.state {
            State::Exchanging(exchange) => Some(exchange.operation),
            _ => None,
        }
    }

    /// The deadline has passed: the session goes on without the answer, but takes it if it still comes.
    pub(super) fn give_up(&mut self, now: Timestamp) {
        if let State::Exchanging(exchange) = core::mem::replace(&mut self.state, State::Resting) {
            self.doubtful_outcome(now, &exchange, Failure::MaybeSent);
            self.keep_late(*exchange);
        }
    }

    pub(super) fn keep_late(&mut self, exchange: Exchange) {
        if self.late.len() >= LATE_KEPT {
            let dispensable = self.late.iter().position(|late| late.presented.is_none()).unwrap_or_default();
            self.late.remove(dispensable);
        }
        self.late.push(exchange);
    }

    /// Gives up what is under way, as far as `which` says, and wants nothing of its answer, or of those that are late.
    pub(super) fn disown(&mut self, which: impl Fn(&Exchange) -> bool) {
        match core::mem::replace(&mut self.state, State::Resting) {
            State::Exchanging(exchange) if which(&exchange) => self.keep_late(*exchange),
            state => self.state = state,
        }
        self.late.iter_mut().filter(|late| which(late)).for_each(Exchange::disown);
    }

    /// The exchange an answer belongs to: the one under way, or one that was given up.
    pub(super) fn take_exchange(&mut self, id: ExchangeId) -> Option<(Exchange, Standing)> {
        match core::mem::replace(&mut self.state, State::Resting) {
            State::Exchanging(exchange) if exchange.id == id => return Some((*exchange, Standing::Current)),
            state => self.state = state,
        }
        let index = self.late.iter().position(|late| late.id == id)?;
        let exchange = self.late.remove(index);
        let standing = self.standing(&exchange);
        Some((exchange, standing))
    }

    fn standing(&self, late: &Exchange) -> Standing {
        let is_first = late.generation == self.generation;
        let is_wanted = match (&self.state, late.operation) {
            _ if late.disowned => false,
            // A refresh token is worth having even after a renewal, and when nothing else is left.
            (
                State::Stopped(StopReason::ConsentRequired | StopReason::CodeLost | StopReason::Refused(_)),
                Operation::Refresh,
            ) => true,
            (State::Stopped(_), _) => false,
            (_, Operation::Refresh) => late.id > self.refreshed_by,
            (_, Operation::LogIn) => is_first,
            // A renewal has been refused since.
            (_, Operation::Renew | Operation::Identify) => {
                is_first && self.held.as_ref().is_some_and(|held| !held.lost)
            }
        };
        match (is_wanted, &self.state) {
            (false, _) => Standing::Superseded,
            (true, State::Resting) if self.last_sent == late.id => Standing::Late,
            (true, _) => Standing::Overtaken,
        }
    }
}
