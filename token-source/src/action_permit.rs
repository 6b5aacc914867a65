//! [`Permit`]: the right to carry out one action of a session. It ends with the result of the action.

use std::sync::Arc;

use http::Response;
use tradovate_auth_core::{CallError, Failure, ResponseBody};
use tradovate_auth_session::{ExchangeId, StoreAnswer, StoreError, StoreErrorKind};

use crate::error_cause::cause;
use crate::shared_session::Shared;
use crate::single_flight::{Claim, Rest};

/// The right to carry out one action of a session, and the duty to give the result to the session. If a permit is
/// dropped without a result, for example by a panic, the session gets a failure instead: not sent before
/// [`begin`](Self::begin), otherwise possibly sent.
#[derive(Debug)]
#[must_use = "the session waits for the result"]
pub struct Permit {
    shared: Arc<Shared>,
    claim: Claim,
    awaited: Awaited,
    begun: bool,
    rest: Option<Rest>,
}

/// The result that the session expects.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Awaited {
    Nothing,
    Response(ExchangeId),
    StoreAnswer(ExchangeId),
}

impl Permit {
    pub(crate) fn new(shared: Arc<Shared>, claim: Claim) -> Self {
        Self { shared, claim, awaited: Awaited::Nothing, begun: false, rest: None }
    }

    pub(crate) fn awaiting(mut self, awaited: Awaited) -> Self {
        self.awaited = awaited;
        self
    }

    /// Ends the permit without an action. `rest` says why there is none.
    pub(crate) fn rest(mut self, rest: Rest) {
        self.rest = Some(rest);
    }

    /// Records that the server may get the request from now on. If the permit is dropped before this call, the request
    /// counts as not sent.
    pub fn begin(&mut self) {
        self.begun = true;
    }

    /// Gives the session the response, or the reason why there is none.
    pub fn answered(mut self, result: Result<Response<ResponseBody>, CallError>) {
        self.report_response(result.map_err(|error| (error.failure().unwrap_or(Failure::NotSent), cause(&error))));
    }

    /// Gives the session the answer of the store, or its failure.
    pub fn store_answered(mut self, answer: Result<StoreAnswer, StoreError>) {
        self.report_store_answer(answer);
    }

    fn report_response(&mut self, result: Result<Response<ResponseBody>, (Failure, String)>) {
        let Awaited::Response(id) = self.awaited else { return };
        self.awaited = Awaited::Nothing;
        self.shared.update(|session, now| {
            let budget = &self.shared.settings.budget;
            let mut guard = budget.lock();
            budget.request_ended();
            match result {
                Ok(response) => session.receive(now, id, response, &mut guard),
                Err((failure, cause)) => session.failed_because(now, id, failure, &cause, &mut guard),
            }
        });
    }

    fn report_store_answer(&mut self, answer: Result<StoreAnswer, StoreError>) {
        let Awaited::StoreAnswer(id) = self.awaited else { return };
        self.awaited = Awaited::Nothing;
        self.shared.update(|session, now| {
            session.store_answered(now, id, answer, &mut self.shared.settings.budget.lock());
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let failure = if self.begun { Failure::MaybeSent } else { Failure::NotSent };
        self.report_response(Err((failure, "the request was abandoned".into())));
        let abandoned = || StoreError::new(StoreErrorKind::Unreachable, "the call of the store was abandoned");
        self.report_store_answer(Err(abandoned()));
        let rest = self.rest.take();
        self.shared.change_driver(|driver| match rest {
            Some(rest) => driver.rest(self.claim, rest),
            None => driver.release(self.claim),
        });
    }
}
