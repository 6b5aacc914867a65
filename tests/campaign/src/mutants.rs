//! The checker is checked: an adapter around a session's inputs and outputs that breaks one law on purpose.
//! What a session wants and what it is told pass through a [`Tamper`]; without a [`Mutant`] nothing is changed.

use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use tradovate_auth_core::RequestBody;
use tradovate_auth_session::{Session, SessionToken};

use crate::journal::Outcome;
use crate::wire::{Operation, Says};

mod bodies;
mod fixes;
mod hunt;

pub use hunt::{Find, hunt};

/// A way to break a law.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Sends each request twice.
    SendsTwice,
    /// Takes a repeated answer for another token.
    TakesRepeatedAnswers,
    /// Hands tokens out five minutes longer.
    HandsOutTooLong,
    /// Logs in where it should renew.
    LogsInToRenew,
    /// Takes every penalty for one of no time.
    ReturnsEarly,
    /// Comes back from a penalty with another body.
    ReturnsWithAnotherBody,
    /// Takes a lock-out for a fault.
    IgnoresLockOuts,
    /// Takes a captcha for a fault.
    IgnoresCaptchas,
    /// Believes a token beside an error.
    BelievesContradictions,
    /// Sends a renewal to a host of somebody else's.
    GoesAnywhere,
    /// Tries refused credentials again at once.
    Insists,
    /// Waits for what has passed.
    Spins,
    /// Tries again at once after a fault.
    KnowsNoPause,
    /// Does nothing any more after the first fault.
    GivesUp,
    /// Uses a token before it is stored.
    UsesUnstored,
    /// Logs in when a call is refused.
    LogsInOnRefusal,
    /// Verifies the token whenever a call is refused.
    VerifiesAlways,
    /// Presents a refresh token again and again.
    PresentsRefused,
    /// Sends without the lease of the store that it shares.
    LeadsAnyway,
    /// Doesn't take over what others have stored.
    IgnoresTheStore,
    /// Saves over what others have saved.
    SavesAnyway,
    /// Does not say that the market data token ends, so that callers are left without a token.
    MissesMarketDataEnd,
    /// Takes another owner's snapshot for its own.
    AdoptsAnybody,
    /// Stays at a followed host that is wrong.
    NeverGoesHome,
    /// Takes a refusal of the app for one of the refresh token.
    BlamesTheToken,
    /// Takes a login of unknown outcome for one that opened nothing.
    RepeatsUnknownLogins,
    /// Learns the time from a gateway's page.
    BelievesGateways,
    /// Learns the time from no answer.
    NeverLearnsTime,
    /// Waits as long as it is asked to.
    BelievesAnyWait,
    /// Waits for a lock-out longer by what its clock was ahead.
    AddsClockError,
    /// Forgets a refusal when it is started again.
    TriesAtEachStart,
    /// Believes its own clock that a stored token has ended.
    TrustsLocalClock,
    /// Sees each step of the wall clock while it runs.
    FollowsWallClock,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 33] = [
        Self::SendsTwice,
        Self::TakesRepeatedAnswers,
        Self::HandsOutTooLong,
        Self::LogsInToRenew,
        Self::ReturnsEarly,
        Self::ReturnsWithAnotherBody,
        Self::IgnoresLockOuts,
        Self::IgnoresCaptchas,
        Self::BelievesContradictions,
        Self::GoesAnywhere,
        Self::Insists,
        Self::Spins,
        Self::KnowsNoPause,
        Self::GivesUp,
        Self::UsesUnstored,
        Self::LogsInOnRefusal,
        Self::VerifiesAlways,
        Self::PresentsRefused,
        Self::LeadsAnyway,
        Self::IgnoresTheStore,
        Self::SavesAnyway,
        Self::MissesMarketDataEnd,
        Self::AdoptsAnybody,
        Self::NeverGoesHome,
        Self::BlamesTheToken,
        Self::RepeatsUnknownLogins,
        Self::BelievesGateways,
        Self::NeverLearnsTime,
        Self::BelievesAnyWait,
        Self::AddsClockError,
        Self::TriesAtEachStart,
        Self::TrustsLocalClock,
        Self::FollowsWallClock,
    ];

    /// The law it breaks.
    #[must_use]
    pub fn law(self) -> u8 {
        match self {
            Self::SendsTwice | Self::TakesRepeatedAnswers => 1,
            Self::HandsOutTooLong | Self::NeverLearnsTime | Self::BelievesGateways => 2,
            Self::LogsInToRenew | Self::TrustsLocalClock => 3,
            Self::ReturnsEarly | Self::ReturnsWithAnotherBody => 4,
            Self::IgnoresLockOuts | Self::IgnoresCaptchas | Self::FollowsWallClock => 5,
            Self::BelievesContradictions | Self::AdoptsAnybody => 6,
            Self::GoesAnywhere => 7,
            Self::Insists | Self::TriesAtEachStart => 8,
            Self::Spins | Self::KnowsNoPause => 9,
            Self::GivesUp | Self::BlamesTheToken | Self::BelievesAnyWait | Self::AddsClockError => 10,
            Self::UsesUnstored => 11,
            Self::LogsInOnRefusal | Self::VerifiesAlways => 12,
            Self::PresentsRefused => 13,
            Self::LeadsAnyway | Self::IgnoresTheStore | Self::SavesAnyway => 14,
            Self::MissesMarketDataEnd => 15,
            Self::NeverGoesHome => 16,
            Self::RepeatsUnknownLogins => 17,
        }
    }
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

    fn is(&self, mutant: Mutant) -> bool {
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
            || (is_no && operation == Operation::Refresh && self.is(Mutant::PresentsRefused));
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

    /// Whether it takes a lease for its own that is another's.
    pub(crate) fn leads_anyway(&self) -> bool {
        self.is(Mutant::LeadsAnyway)
    }

    /// Whether it saves over what has come in between.
    pub(crate) fn saves_anyway(&self) -> bool {
        self.is(Mutant::SavesAnyway)
    }

    /// Whether it doesn't look at what the store holds, once it has something itself.
    pub(crate) fn ignores_the_store(&self, session: &Session, local: Timestamp) -> bool {
        self.is(Mutant::IgnoresTheStore) && session.token(local).is_some()
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.has_met_fault && (self.is(Mutant::GivesUp) || self.is(Mutant::BelievesAnyWait))
    }
}
