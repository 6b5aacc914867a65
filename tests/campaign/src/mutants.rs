//! Mutants: adapters between a session and the world that break one law on purpose, to test the checkers. All requests,
//! answers and reports of a session pass through a [`Tamper`]. Without a [`Mutant`] it changes nothing.

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

/// Defines the mutants, each with the law that it breaks and a seed from which a violation appears soon.
macro_rules! mutants {
    ($(#[$says:meta] $name:ident breaks $law:literal from $seed:literal,)+) => {
        /// A way to break a law.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Mutant { $(#[$says] $name,)+ }

        impl Mutant {
            /// All mutants.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The law that the mutant breaks. 18 stands for the promises of a set.
            #[must_use]
            pub fn law(self) -> u8 {
                match self { $(Self::$name => $law),+ }
            }

            /// A seed from which a scenario shows the violation soon. From any other seed, the violation appears within
            /// a thousand seeds.
            #[must_use]
            pub fn soon_from(self) -> u64 {
                match self { $(Self::$name => $seed),+ }
            }
        }
    };
}

mutants! {
    /// Sends each request twice.
    SendsEachRequestTwice breaks 1 from 1,
    /// Treats a repeated answer as a new token.
    TakesRepeatedAnswers breaks 1 from 750,
    /// Hands out tokens five minutes too long.
    HandsOutTooLong breaks 2 from 1,
    /// Logs in instead of renewing.
    LogsInToRenew breaks 3 from 1,
    /// Ignores the waiting time of penalties.
    IgnoresPenaltyTime breaks 4 from 3,
    /// Sends a ticket with another body.
    ChangesTicketedBody breaks 4 from 5,
    /// Treats a lock-out as a fault.
    IgnoresLockOuts breaks 5 from 5,
    /// Treats a captcha as a fault.
    IgnoresCaptchas breaks 5 from 3,
    /// Accepts a token from an answer that also has an error.
    AcceptsTokenBesideError breaks 6 from 27,
    /// Sends a renewal to an untrusted host.
    SendsToUntrustedHost breaks 7 from 1,
    /// Tries refused credentials again at once.
    RetriesRefusedCredentials breaks 8 from 19,
    /// Asks to be polled at a time in the past.
    Spins breaks 9 from 1,
    /// Retries at once after a fault.
    RetriesWithoutPause breaks 9 from 2,
    /// Does nothing more after the first fault.
    GivesUp breaks 10 from 2,
    /// Uses a token before it is stored.
    UsesUnstored breaks 11 from 1,
    /// Logs in when a call is refused.
    LogsInOnRefusal breaks 12 from 46,
    /// Verifies the token each time a call is refused.
    VerifiesAlways breaks 12 from 13,
    /// Presents a refused refresh token again and again.
    PresentsRefused breaks 13 from 3,
    /// Sends without the lease of its shared store.
    SendsWithoutLease breaks 14 from 6,
    /// Does not adopt what other processes have stored.
    IgnoresStoredRecords breaks 14 from 19,
    /// Overwrites records that others have saved in the meantime.
    OverwritesNewerRecords breaks 14 from 32,
    /// Does not report the end of the market data token, so that callers are left without a token.
    HidesMarketDataEnd breaks 15 from 65,
    /// Adopts the snapshot of another owner.
    AdoptsOtherOwners breaks 6 from 5,
    /// Stays at a followed host that is wrong.
    StaysAtWrongHost breaks 16 from 750,
    /// Treats a refusal of the app as a refusal of the refresh token.
    BlamesRefreshToken breaks 10 from 14,
    /// Treats a login of unknown outcome as one that opened no session.
    RepeatsUnknownLogins breaks 17 from 2758,
    /// Sends a login without an announcement in its own store.
    AnnouncesNoLogins breaks 17 from 1,
    /// Ignores at each start that a login was announced.
    ForgetsAnnouncedLogins breaks 17 from 1,
    /// Learns the server's time from a gateway's page.
    LearnsTimeFromGateways breaks 2 from 2,
    /// Never learns the server's time.
    NeverLearnsTime breaks 2 from 4,
    /// Waits as long as the server asks, without a limit.
    WaitsWithoutLimit breaks 10 from 280,
    /// Prolongs a lock-out by the amount that its clock was ahead.
    AddsClockError breaks 10 from 8,
    /// Forgets a refusal at each restart.
    ForgetsRefusalAtStart breaks 8 from 232,
    /// Trusts its local clock that a stored token has expired.
    TrustsLocalClock breaks 3 from 750,
    /// Follows each step of the wall clock while it runs.
    FollowsWallClock breaks 5 from 13,
    /// Refreshes when it should renew.
    AlwaysRefreshes breaks 3 from 1,
    /// Assumes at each start that it has just refreshed.
    ForgetsItsRefreshes breaks 3 from 872,
    /// Never stops renewing to get a market data token.
    NeverStopsAskingForMarketData breaks 12 from 65,
    /// Hands out no token before it has a market data token.
    WaitsForMarketData breaks 10 from 1,
    /// Drives the sessions of a set one by one, without their shared pace.
    IgnoresSharedPace breaks 18 from 4,
    /// Lets sessions that could refresh use the renewals that are reserved for the others.
    IgnoresReservedRenewals breaks 3 from 4,
    /// Shares no limits between the sessions of a set.
    SharesNoLimits breaks 5 from 4,
    /// Never sends the requests of one session of a set once it has a token.
    StarvesASession breaks 10 from 4,
    /// Continues to drive a session that was removed from its set.
    KeepsRemovedSessions breaks 18 from 4,
}

fn is_without_market_data(says: Option<&Says>) -> bool {
    matches!(says, Some(Says::Grant(grant)) if !grant.has_market_data)
}

impl Mutant {
    /// Whether the mutant breaks a set.
    #[must_use]
    pub fn is_of_a_set(self) -> bool {
        matches!(
            self,
            Self::IgnoresSharedPace
                | Self::IgnoresReservedRenewals
                | Self::SharesNoLimits
                | Self::StarvesASession
                | Self::KeepsRemovedSessions
        )
    }
}

/// Stands between a session and its world and applies a mutant.
#[derive(Debug, Default)]
pub(crate) struct Tamper {
    mutant: Option<Mutant>,
    /// The last requests, to be sent again.
    log_in: Option<Request<RequestBody>>,
    renewal: Option<Request<RequestBody>>,
    last: Option<Request<RequestBody>>,
    /// A request that the mutant sends in addition.
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

    /// Changes a request that leaves. Returns whether it is sent twice.
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
        if self.is(Mutant::ChangesTicketedBody) {
            bodies::change_ticketed(request);
        }
        if self.is(Mutant::StaysAtWrongHost) {
            self.stay(request);
        }
        if is_renewal && self.is(Mutant::SendsToUntrustedHost) {
            bodies::send_elsewhere(request);
        }
        if request.uri().path().ends_with("accesstokenrequest") {
            self.log_in = Some(request.clone());
        }
        if is_renewal {
            self.renewal = Some(request.clone());
        }
        self.last = Some(request.clone());
        self.is(Mutant::SendsEachRequestTwice)
    }

    /// Changes an answer before the session receives it.
    pub(crate) fn answer(&self, response: &mut Response<Vec<u8>>) {
        match self.mutant {
            Some(Mutant::IgnoresPenaltyTime) => bodies::set_number(response, "p-time", 0),
            Some(Mutant::IgnoresLockOuts) => bodies::soften(response, &[423, 429]),
            Some(Mutant::IgnoresCaptchas) => bodies::forget_captcha(response),
            Some(Mutant::AcceptsTokenBesideError) => bodies::forget_error(response),
            _ => self.unfixed(response),
        }
    }

    /// Records the outcome of an exchange, because some mutants act on it.
    pub(crate) fn delivered(&mut self, operation: Operation, outcome: &Outcome, is_repeated: bool) {
        if self.mutant.is_none() {
            return;
        }
        self.repeats += u64::from(is_repeated);
        let says = match outcome {
            Outcome::Answer(answer) => {
                self.follow(answer);
                self.has_met_fault |= self.asks_for_unlimited_wait(answer);
                Some(&answer.says)
            }
            Outcome::Failure(_) => None,
        };
        let is_fault = matches!(says, None | Some(Says::Fault));
        let is_no = matches!(says, Some(Says::Refused | Says::Dead | Says::Forbidden));
        self.has_met_fault |= is_fault && !self.is(Mutant::WaitsWithoutLimit);
        let again = (is_fault && self.is(Mutant::RetriesWithoutPause))
            || (is_no && operation == Operation::LogIn && self.is(Mutant::RetriesRefusedCredentials))
            || (is_no && operation == Operation::Refresh && self.is(Mutant::PresentsRefused))
            || (operation == Operation::Renew
                && self.is(Mutant::NeverStopsAskingForMarketData)
                && is_without_market_data(says));
        if again {
            self.improvised.clone_from(&self.last);
        }
    }

    /// Records the report of a caller.
    pub(crate) fn reported(&mut self, status: u16, says_dead: bool) {
        if status == 401 && !says_dead {
            match self.mutant {
                Some(Mutant::LogsInOnRefusal) => self.improvised.clone_from(&self.log_in),
                Some(Mutant::VerifiesAlways) => self.improvised.clone_from(&self.renewal),
                _ => {}
            }
        }
    }

    /// Takes the request that the mutant sends in addition.
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

    /// Changes the answer of a store before the session receives it. A mutant may pretend to hold the lease of another
    /// process, or hide the loaded record once the session has one of its own.
    pub(crate) fn store_answer(
        &self,
        answer: Result<StoreAnswer, StoreError>,
        session: &Session,
        local: Timestamp,
        budget: &RateBudget,
    ) -> Result<StoreAnswer, StoreError> {
        match answer {
            Ok(StoreAnswer::Lease(None)) if self.is(Mutant::SendsWithoutLease) => {
                Ok(StoreAnswer::Lease(Some(Lease { fence: 0, time: Duration::from_secs(3600) })))
            }
            Ok(StoreAnswer::Loaded(Some(record)))
                if self.is(Mutant::IgnoresStoredRecords) && session.token(local).is_some() =>
            {
                let own = Ok(session.snapshot(local, budget));
                Ok(StoreAnswer::Loaded(Some(StoredRecord { session: own, ..record })))
            }
            answer => answer,
        }
    }

    /// Whether the mutant overwrites a record that was saved in the meantime.
    pub(crate) fn overwrites_newer_records(&self) -> bool {
        self.is(Mutant::OverwritesNewerRecords)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.has_met_fault && (self.is(Mutant::GivesUp) || self.is(Mutant::WaitsWithoutLimit))
    }
}
