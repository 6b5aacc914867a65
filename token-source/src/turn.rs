//! [`Turn`]: the right to do the next thing for a session, which ends with what came of it.

use std::sync::Arc;

use http::Response;
use tradovate_auth_core::{CallError, ExchangeId, Failure, ResponseBody};

use crate::shared::Shared;
use crate::turns::{Claim, Rest};

/// The right, and the duty, to do the next thing for a session. Dropping it tells the session that nobody knows what
/// became of it: by a panic, or with a runtime under it.
#[derive(Debug)]
#[must_use = "the session waits for what comes of it"]
pub struct Turn {
    shared: Arc<Shared>,
    claim: Claim,
    open: Open,
    begun: bool,
    rest: Option<Rest>,
}

/// What the session waits for.
#[derive(Debug, Clone, Copy)]
enum Open {
    Nothing,
    Answer(ExchangeId),
    Store(ExchangeId),
}

impl Turn {
    pub(crate) fn new(shared: Arc<Shared>, claim: Claim) -> Self {
        Self { shared, claim, open: Open::Nothing, begun: false, rest: None }
    }

    pub(crate) fn sending(mut self, id: ExchangeId) -> Self {
        self.open = Open::Answer(id);
        self
    }

    pub(crate) fn storing(mut self, id: ExchangeId) -> Self {
        self.open = Open::Store(id);
        self
    }

    /// Ends it without anything done, for this reason.
    pub(crate) fn rest(mut self, rest: Rest) {
        self.rest = Some(rest);
    }

    /// From now on the server may get the request; a turn dropped before has sent nothing.
    pub fn begin(&mut self) {
        self.begun = true;
    }

    /// What became of the request.
    pub fn answered(mut self, result: Result<Response<ResponseBody>, CallError>) {
        self.settle_answer(result.map_err(|error| error.failure().unwrap_or(Failure::NotSent)));
    }

    /// Whether the snapshot was stored.
    pub fn stored(mut self, stored: bool) {
        self.settle_store(stored);
    }

    fn settle_answer(&mut self, result: Result<Response<ResponseBody>, Failure>) {
        let Open::Answer(id) = self.open else { return };
        self.open = Open::Nothing;
        self.shared.with(|session, now| {
            let budget = &self.shared.settings.budget;
            let mut guard = budget.lock();
            budget.uncount();
            match result {
                Ok(response) => session.receive(now, id, response, &mut guard),
                Err(failure) => session.failed(now, id, failure, &mut guard),
            }
        });
    }

    fn settle_store(&mut self, stored: bool) {
        let Open::Store(id) = self.open else { return };
        self.open = Open::Nothing;
        self.shared.with(|session, now| if stored { session.stored(now, id) } else { session.store_failed(now, id) });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.settle_answer(Err(if self.begun { Failure::MaybeSent } else { Failure::NotSent }));
        self.settle_store(false);
        let rest = self.rest.take();
        self.shared.change(|turns| match rest {
            Some(rest) => turns.rest(self.claim, rest),
            None => turns.release(self.claim),
        });
    }
}
