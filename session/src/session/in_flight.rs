//! [`Exchanges`]: the request in flight, and given-up requests whose answers may still arrive.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use http::Request;
use jiff::Timestamp;
use tradovate_auth_core::{Failure, OAuthGrant, RequestBody};

use super::followed_hosts::Via;
use super::{ExchangeId, Session, StopReason, Trouble};
use crate::network_budget::Operation;
use crate::record::{AttemptId, Ticket};

/// How many given-up exchanges are kept. If there are more, those without a refresh token are dropped first.
const LATE_KEPT: usize = 8;

/// A request that has been sent.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) id: ExchangeId,
    pub(super) operation: Operation,
    pub(super) sent: Timestamp,
    pub(super) deadline: Timestamp,
    pub(super) request: Request<RequestBody>,
    /// The OAuth code or refresh token in the request.
    pub(super) presented: Option<OAuthGrant>,
    /// The ticket in the request, if other processes were told that it is spent.
    pub(super) ticket: Option<Box<Ticket>>,
    /// The login that the request makes.
    pub(super) attempt: Option<AttemptId>,
    /// The host that the request went to first.
    pub(super) via: Via,
    /// Whether the request was redirected.
    pub(super) is_redirected: bool,
    /// The generation of the token that was held when the request was sent.
    pub(super) generation: u64,
    /// The program has replaced the credentials or called `forget` since.
    pub(super) is_disowned: bool,
}

/// A request that goes to another trusted host, because of a redirect.
#[derive(Debug, Clone)]
pub(super) struct Redirect {
    pub(super) operation: Operation,
    pub(super) request: Request<RequestBody>,
    pub(super) via: Via,
}

/// What the session still uses of the answer to an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// The exchange is in flight.
    Current,
    /// The exchange was given up, but nothing was sent since.
    Late,
    /// Another request was sent since. The session still accepts a token.
    Overtaken,
    /// A later token has superseded the exchange. Only a lock-out in the answer counts.
    Superseded,
}

impl Exchange {
    /// The trouble to report if no complete answer arrived.
    pub(super) fn trouble(&self, failure: Failure, cause: Option<String>) -> Trouble {
        let host = self.request.uri().host().unwrap_or_default().into();
        Trouble::Io { failure, host, cause }
    }

    pub(super) fn presents_code(&self) -> bool {
        matches!(self.presented, Some(OAuthGrant::AuthorizationCode(_)))
    }

    /// The operation that events name.
    pub(super) fn reported_operation(&self) -> Operation {
        if self.presents_code() { Operation::ExchangeCode } else { self.operation }
    }

    fn disown(&mut self) {
        self.is_disowned = true;
        self.request = Request::new(RequestBody::default());
        self.presented = None;
        self.ticket = None;
    }
}

/// The exchanges of a session.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchanges {
    pub(super) in_flight: Option<Box<Exchange>>,
    /// Exchanges that were given up. An answer may contain the only copy of a refresh token.
    late: Vec<Exchange>,
    pub(super) redirect: Option<Box<Redirect>>,
    next_id: u32,
    pub(super) last_sent: ExchangeId,
    /// The exchange that brought the held refresh token. The answer to an earlier exchange contains an older one.
    pub(super) refreshed_by: ExchangeId,
}

impl Exchanges {
    pub(super) fn next_id(&mut self) -> ExchangeId {
        self.next_id = self.next_id.saturating_add(1);
        ExchangeId(self.next_id)
    }

    /// Gives up the request in flight. The session still accepts its answer.
    pub(super) fn give_up(&mut self) {
        let Some(exchange) = self.in_flight.take() else { return };
        if self.late.len() >= LATE_KEPT {
            let dispensable = self.late.iter().position(|late| late.presented.is_none()).unwrap_or_default();
            self.late.remove(dispensable);
        }
        self.late.push(*exchange);
    }

    /// Accepts no tokens from these exchanges any more.
    pub(super) fn disown(&mut self, which: impl Fn(&Exchange) -> bool) {
        if self.in_flight.as_deref().is_some_and(&which) {
            self.give_up();
        }
        self.late.iter_mut().filter(|late| which(late)).for_each(Exchange::disown);
    }

    /// Removes the exchange with this id. Also returns whether it was in flight.
    pub(super) fn take(&mut self, id: ExchangeId) -> Option<(Exchange, bool)> {
        if let Some(current) = self.in_flight.take_if(|exchange| exchange.id == id) {
            return Some((*current, true));
        }
        let index = self.late.iter().position(|late| late.id == id)?;
        Some((self.late.remove(index), false))
    }
}

impl Session {
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
