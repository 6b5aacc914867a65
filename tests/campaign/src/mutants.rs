//! The checker is checked: an adapter around a session's inputs and outputs that breaks one law on purpose.
//! What a session wants and what it is told pass through a [`Tamper`]; without a [`Mutant`] nothing is changed.

use std::time::Duration;

use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::RequestBody;
use tradovate_auth_session::{Lease, RateBudget, Session, SessionToken, StoreAnswer, StoreError, StoredRecord};

use crate::journal::Outcome;
use crate::wire::{Operation, Says};

mod bodies;
mod fixes;
mod hunt;

pub use hunt::{Find, hunt};

/// Mutants, each with the law that it breaks, and the seed from which on a scenario shows it soon.
macro_rules! mutants {
    ($(#[$says:meta] $name:ident breaks $law:literal from $seed:literal,)+) => {
        /// A way to break a law.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Mutant { $(#[$says] $name,)+ }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The law it breaks.
            #[must_use]
            pub fn law(self) -> u8 {
                match self { $(Self::$name => $law),+ }
            }

            /// The seed from which on a scenario shows it soon. From any seed on, it is noticed within a thousand.
            #[must_use]
            pub fn soon_from(self) -> u64 {
                match self { $(Self::$name => $seed),+ }
            }
        }
    };
}

mutants! {
    /// Sends each request twice.
    SendsTwice breaks 1 from 1,
    /// Takes a repeated answer for another token.
    TakesRepeatedAnswers breaks 1 from 2,
    /// Hands tokens out five minutes longer.
    HandsOutTooLong breaks 2 from 1,
    /// Logs in where it should renew.
    LogsInToRenew breaks 3 from 1,
    /// Takes every penalty for one of no time.
    ReturnsEarly breaks 4 from 3,
    /// Comes back from a penalty with another body.
    ReturnsWithAnotherBody breaks 4 from 5,
    /// Takes a lock-out for a fault.
    IgnoresLockOuts breaks 5 from 5,
    /// Takes a captcha for a fault.
    IgnoresCaptchas breaks 5 from 3,
    /// Believes a token beside an error.
    BelievesContradictions breaks 6 from 27,
    /// Sends a renewal to a host of somebody else's.
    GoesAnywhere breaks 7 from 1,
    /// Tries refused credentials again at once.
    Insists breaks 8 from 19,
    /// Waits for what has passed.
    Spins breaks 9 from 1,
    /// Tries again at once after a fault.
    KnowsNoPause breaks 9 from 2,
    /// Does nothing any more after the first fault.
    GivesUp breaks 10 from 2,
    /// Uses a token before it is stored.
    UsesUnstored breaks 11 from 1,
    /// Logs in when a call is refused.
    LogsInOnRefusal breaks 12 from 46,
    /// Verifies the token whenever a call is refused.
    VerifiesAlways breaks 12 from 13,
    /// Presents a refresh token again and again.
    PresentsRefused breaks 13 from 3,
    /// Sends without the lease of the store that it shares.
    LeadsAnyway breaks 14 from 6,
    /// Doesn't take over what others have stored.
    IgnoresTheStore breaks 14 from 19,
    /// Saves over what others have saved.
    SavesAnyway breaks 14 from 32,
    /// Does not say that the market data token ends, so that callers are left without a token.
    MissesMarketDataEnd breaks 15 from 2,
    /// Takes another owner's snapshot for its own.
    AdoptsAnybody breaks 6 from 5,
    /// Stays at a followed host that is wrong.
    NeverGoesHome breaks 16 from 2,
    /// Takes a refusal of the app for one of the refresh token.
    BlamesTheToken breaks 10 from 14,
    /// Takes a login of unknown outcome for one that opened nothing.
    RepeatsUnknownLogins breaks 17 from 5,
    /// Learns the time from a gateway's page.
    BelievesGateways breaks 2 from 2,
    /// Learns the time from no answer.
    NeverLearnsTime breaks 2 from 4,
    /// Waits as long as it is asked to.
    BelievesAnyWait breaks 10 from 5,
    /// Waits for a lock-out longer by what its clock was ahead.
    AddsClockError breaks 10 from 8,
    /// Forgets a refusal when it is started again.
    TriesAtEachStart breaks 8 from 21,
    /// Believes its own clock that a stored token has ended.
    TrustsLocalClock breaks 3 from 5,
    /// Sees each step of the wall clock while it runs.
    FollowsWallClock breaks 5 from 13,
    /// Refreshes where it should renew.
    AlwaysRefreshes breaks 3 from 1,
    /// Takes the time of its start for that of its last refresh.
    ForgetsItsRefreshes breaks 3 from 1,
    /// Asks for a market data token again and again.
    NeverStopsAsking breaks 12 from 1,
    /// Hands out no token before it has one for market data.
    WaitsForMarketData breaks 10 from 1,
}

fn is_without_market_data(says: Option<&Says>) -> bool {
    matches!(says, Some(Says::Grant(grant)) if !grant.has_market_data)
}

/// What stands between a session and its world.
#[derive(Debug, Default)]
pub(crate) struct Tamper {
    mutant: Option<Mutant>,
    /// The last requests, to send them again.
    log_in: Option<Request<RequestBody>>,
    renewal: Option<Request<RequestBody>>,
    last: Option<Request<RequestBody>>,
    /// What is to be sent besides.
    improvised: Option<Request<RequestBody>>,
    repeats: u64,
    has_met_fault: bool,
    /// The hosts for Live and Demo that the last good answer has named.
    followed: [Option<String>; 2],
    silent_until: Option<Timestamp>,
}

impl Tamper {
    pub(crate) fn new(mutant: Option<Mutant>) -> Self {
        Self { mutant, ..Self::default() }
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// A request leaves; whether it does so twice.
    pub(crate) fn send(&mut self, request: &mut Request<RequestBody>) -> bool {
        if self.mutant.is_none() {
            return false;
        }
        let is_renewal = request.uri().path().ends_with("renewaccesstoken");
        if is_renewal
            && self.is(Mutant::LogsInToRenew)
            && let Some(log_in) = &self.log_in
        {
            *request = log_in.clone();
        }
        if self.is(Mutant::ReturnsWithAnotherBody) {
            bodies::change_ticketed(request);
        }
        if self.is(Mutant::NeverGoesHome) {
            self.stay(request);
        }
        if is_renewal && self.is(Mutant::GoesAnywhere) {
            bodies::send_elsewhere(request);
        }
        if request.uri().path().ends_with("accesstokenrequest") {
            self.log_in = Some(request.clone());
        }
        if is_renewal {
            self.renewal = Some(request.clone());
        }
        self.last = Some(request.clone());
        self.is(Mutant::SendsTwice)
    }

    /// An answer is about to be told to the session.
    pub(crate) fn answer(&self, response: &mut Response<Vec<u8>>) {
        match self.mutant {
            Some(Mutant::ReturnsEarly) => bodies::set_number(response, "p-time", 0),
            Some(Mutant::IgnoresLockOuts) => bodies::soften(response, &[423, 429]),
            Some(Mutant::IgnoresCaptchas) => bodies::forget_captcha(response),
            Some(Mutant::BelievesContradictions) => bodies::forget_error(response),
            _ => self.unfixed(response),
        }
    }

    /// What came of an exchange, for what it makes a mutant do.
    pub(crate) fn delivered(&mut self, operation: Operation, outcome: &Outcome, is_repeated: bool) {
        if self.mutant.is_none() {
            return;
        }
        self.repeats += u64::from(is_repeated);
        let says = match outcome {
            Outcome::Answer(answer) => {
                self.follow(answer);
                self.has_met_fault |= self.asks_for_ever(answer);
                Some(&answer.says)
            }
            Outcome::Failure(_) => None,
        };
        let is_fault = matches!(says, None | Some(Says::Fault));
        let is_no = matches!(says, Some(Says::Refused | Says::Dead | Says::Forbidden));
        self.has_met_fault |= is_fault && !self.is(Mutant::BelievesAnyWait);
        let again = (is_fault && self.is(Mutant::KnowsNoPause))
            || (is_no && operation == Operation::LogIn && self.is(Mutant::Insists))
            || (is_no && operation == Operation::Refresh && self.is(Mutant::PresentsRefused))
            || (operation == Operation::Renew && self.is(Mutant::NeverStopsAsking) && is_without_market_data(says));
        if again {
            self.improvised.clone_from(&self.last);
        }
    }

    /// A caller has reported what it met.
    pub(crate) fn reported(&mut self, status: u16, says_dead: bool) {
        if status == 401 && !says_dead {
            match self.mutant {
                Some(Mutant::LogsInOnRefusal) => self.improvised.clone_from(&self.log_in),
                Some(Mutant::VerifiesAlways) => self.improvised.clone_from(&self.renewal),
                _ => {}
            }
        }
    }

    /// What is to be sent besides.
    pub(crate) fn improvised(&mut self) -> Option<Request<RequestBody>> {
        self.improvised.take()
    }

    pub(crate) fn token(&self, token: Option<SessionToken>) -> Option<SessionToken> {
        let mut token = token?;
        match self.mutant {
            Some(Mutant::HandsOutTooLong) => token.usable_until += SignedDuration::from_mins(5),
            Some(Mutant::TakesRepeatedAnswers) => token.generation += self.repeats << 32,
            Some(Mutant::WaitsForMarketData) if token.market_data_token.is_none() => return None,
            _ => {}
        }
        Some(token)
    }

    pub(crate) fn wait(&self, now: Timestamp, until: Timestamp) -> Timestamp {
        if self.is(Mutant::Spins) { now } else { until }
    }

    pub(crate) fn claims_to_have_stored(&self) -> bool {
        self.is(Mutant::UsesUnstored)
    }

    /// An answer of a store is about to be reported to the session: of a shared one, the lease may be another's, and what it
    /// holds may be passed over once the session has something itself.
    pub(crate) fn store_answer(
        &self,
        answer: Result<StoreAnswer, StoreError>,
        session: &Session,
        local: Timestamp,
        budget: &RateBudget,
    ) -> Result<StoreAnswer, StoreError> {
        match answer {
            Ok(StoreAnswer::Lease(None)) if self.is(Mutant::LeadsAnyway) => {
                Ok(StoreAnswer::Lease(Some(Lease { fence: 0, time: Duration::from_secs(3600) })))
            }
            Ok(StoreAnswer::Loaded(Some(record)))
                if self.is(Mutant::IgnoresTheStore) && session.token(local).is_some() =>
            {
                let own = Ok(session.snapshot(local, budget));
                Ok(StoreAnswer::Loaded(Some(StoredRecord { session: own, ..record })))
            }
            answer => answer,
        }
    }

    /// Whether it saves over what has come in between.
    pub(crate) fn saves_anyway(&self) -> bool {
        self.is(Mutant::SavesAnyway)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.has_met_fault && (self.is(Mutant::GivesUp) || self.is(Mutant::BelievesAnyWait))
    }
}
