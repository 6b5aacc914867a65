//! What callers saw when they used the token, and what the session makes of it.
//!
//! A 401 is not proof of a dead token, and neither is a 408 or a 500, though the token of a closed session shows as all
//! three. At most one verifying renewal per quarter of an hour follows from reports; what survives it is a call that is
//! forbidden, or a fault of the call's own.

use core::time::Duration;

use http::{Response, StatusCode};
use jiff::Timestamp;
use tradovate_auth_core::internal::{ONE_HOUR, later};
use tradovate_auth_core::{Endpoint, Error, Penalty, RenewAccessToken};

use super::Session;
use super::refusal::may_be_a_kick;
use crate::budget::RateBudget;

/// One verifying renewal in this time.
const RATION: Duration = Duration::from_secs(15 * 60);

/// What a rejected call means for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// The server says that the token is dead. Another one is on its way: ask for it, and repeat the call only where
    /// that is safe.
    Dead,
    /// The call is not permitted; the session is fine. Don't repeat it.
    Forbidden,
    /// It can't be known yet: a renewal verifies the token. Ask for a token again later.
    BeingChecked,
    /// The user's organization is served on another host; the hosts in force are read again.
    Moved,
    /// The token has been replaced meanwhile: take the new one.
    AlreadyReplaced,
    /// The network address is locked out: send nothing for an hour.
    LockedOut,
    /// A 200 that is no success: the server has postponed the call and has not handled it. [`Penalty::in_body`] has the
    /// ticket with which to send it again after the wait. Don't send it without. The session is fine.
    ///
    /// [`Penalty::in_body`]: tradovate_auth_core::Penalty::in_body
    Postponed,
    /// A 200 that is no success: the server asks for a captcha and has not handled the call. Don't repeat it; only a person
    /// can answer, or the endpoint that was called opens again in about an hour. The session is fine.
    CaptchaAsked,
    /// Nothing is known about the token from it: a success, a fault, a time-out, or the call itself. After a 408 or a 500
    /// the session verifies the token all the same.
    NotAboutTheToken,
}

/// What a status and a body say of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    Dead,
    Unclear,
    Moved,
    LockedOut,
    Postponed,
    CaptchaAsked,
    /// A fault as the token of a closed session shows it.
    Fault,
    None,
}

impl Evidence {
    pub(super) fn of(status: StatusCode, body: &[u8]) -> Self {
        match status.as_u16() {
            401 => {
                let mut response = Response::new(body);
                *response.status_mut() = status;
                match RenewAccessToken::parse(response) {
                    Err(Error::Unauthorized { .. }) => Self::Dead,
                    _ => Self::Unclear,
                }
            }
            307 | 308 | 421 => Self::Moved,
            423 | 429 => Self::LockedOut,
            200..=299 => match Penalty::in_body(body) {
                Some(Penalty::Captcha { .. }) => Self::CaptchaAsked,
                Some(_) => Self::Postponed,
                None => Self::None,
            },
            _ if may_be_a_kick(status) => Self::Fault,
            _ => Self::None,
        }
    }
}

/// Doubts about the token that is held.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubt {
    /// A renewal is asked for, to verify the token or to read the hosts again.
    pub(super) verifying: bool,
    /// The server has told a caller that the token is dead, and that is being verified.
    pub(super) dead: bool,
    /// Callers see faults as a closed session brings them, and that is being verified.
    pub(super) faulty: bool,
    /// When it first said so.
    told_dead: Option<Timestamp>,
    /// The token came from a snapshot, and no answer has said the server's time yet: one renewal confirms it.
    confirm_at: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Doubt {
    /// Asks for a verifying renewal, if the ration allows one or one is on its way.
    pub(super) fn verify(&mut self, now: Timestamp) -> bool {
        if self.verifying {
            return true;
        }
        if self.last.is_some_and(|last| now < later(last, RATION)) {
            return false;
        }
        self.last = Some(now);
        self.verifying = true;
        true
    }

    /// A renewal leaves: the ration counts from here.
    pub(super) fn renewing(&mut self, now: Timestamp) {
        if self.verifying {
            self.last = Some(now);
        }
    }

    /// The token is to be confirmed by one renewal, as soon as the ration allows.
    pub(super) fn confirm(&mut self, at: Timestamp) {
        self.confirm_at = Some(at);
    }

    /// When a renewal is to confirm the token, or to ask for the server's time that is wanted at `at`.
    fn confirmation_due(&self, at: Option<Timestamp>) -> Option<Timestamp> {
        let wanted = self.confirm_at.into_iter().chain(at).min().filter(|_| !self.verifying)?;
        Some(self.last.map_or(wanted, |last| later(last, RATION).max(wanted)))
    }

    /// Another session of the user has verified its token: it counts in the same ration.
    pub(super) fn learn(&mut self, verified_at: Option<Timestamp>) {
        self.last = self.last.max(verified_at);
    }

    /// When the last verifying renewal was asked for.
    pub(super) fn verified_at(&self) -> Option<Timestamp> {
        self.last
    }

    /// The server has said that the token is dead: whether that is verified now. If not, it will be.
    fn is_told_dead(&mut self, now: Timestamp) -> bool {
        self.told_dead.get_or_insert(now);
        self.dead = self.verify(now);
        self.dead
    }

    /// When a report that the ration has put off is verified.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let last = self.last.filter(|_| self.told_dead.is_some() && !self.verifying)?;
        Some(later(last, RATION))
    }

    pub(super) fn catch_up(&mut self, now: Timestamp) {
        if self.due().is_some_and(|due| due <= now) {
            self.is_told_dead(now);
        }
    }

    pub(super) fn told_dead(&self) -> Option<Timestamp> {
        self.told_dead
    }

    pub(super) fn any(&self) -> bool {
        self.verifying || self.told_dead.is_some()
    }

    /// A new token is free of the old one's doubts; the ration stays.
    pub(super) fn settle(&mut self) {
        *self = Self { last: self.last, ..Self::default() };
    }
}

impl Session {
    /// Whether what callers saw, or a start with a token of a snapshot, waits for a renewal that verifies the token, due now or
    /// later. The token is handed out meanwhile, unless the server has said that it is dead. So whoever polls only when it
    /// has no token polls now.
    #[must_use]
    pub fn is_verifying(&self) -> bool {
        self.doubt.any() || self.confirmation_due().is_some()
    }

    /// Asks for the renewal that confirms the token or the server's time, if it is due. What is stored remembers it before it
    /// leaves, so a program that crashes again and again asks for one per quarter of an hour.
    pub(super) fn confirm(&mut self, now: Timestamp) {
        let is_due = self.confirmation_due().is_some_and(|due| due <= now);
        if is_due && self.renewable(now).is_some() && self.doubt.verify(now) {
            self.unsaved |= self.has_store;
        }
    }

    /// When a renewal is to confirm the token or the server's time.
    pub(super) fn confirmation_due(&self) -> Option<Timestamp> {
        self.doubt.confirmation_due(self.clock.confirm_at())
    }

    /// What a caller saw when it used a token: of which generation, the status, and the body.
    ///
    /// A 200 may be reported as well: its body may have a penalty or ask for a captcha.
    /// For a socket: 401 with the text of the refusal, or 421. The verdict says what to do with the call.
    pub fn rejected(
        &mut self,
        now: Timestamp,
        generation: u64,
        status: StatusCode,
        body: &[u8],
        budget: &mut RateBudget,
    ) -> Verdict {
        let now = self.advance(now);
        self.silence.see(now, budget);
        let evidence = Evidence::of(status, body);
        match evidence {
            Evidence::None => Verdict::NotAboutTheToken,
            // It is about the endpoint and the network address, whatever token was sent.
            Evidence::Postponed => Verdict::Postponed,
            Evidence::CaptchaAsked => Verdict::CaptchaAsked,
            Evidence::LockedOut => {
                self.lock_out(now, ONE_HOUR, None, budget);
                Verdict::LockedOut
            }
            _ if generation != self.generation => Verdict::AlreadyReplaced,
            Evidence::Dead if self.doubt.is_told_dead(now) => Verdict::Dead,
            Evidence::Dead => Verdict::BeingChecked,
            Evidence::Moved => {
                self.doubt.verify(now);
                Verdict::Moved
            }
            Evidence::Fault => {
                let is_new = !self.doubt.faulty && self.doubt.verify(now);
                self.doubt.faulty |= is_new;
                if let Some(held) = self.held.as_mut().filter(|_| is_new) {
                    held.failed_renewals = super::grants::FailedRenewals::default();
                }
                Verdict::NotAboutTheToken
            }
            Evidence::Unclear if self.doubt.verify(now) => Verdict::BeingChecked,
            Evidence::Unclear => Verdict::Forbidden,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn at(minute: i64) -> Timestamp {
        "2026-11-24T14:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
    }

    #[test]
    fn one_verification_in_a_quarter_of_an_hour() {
        let mut doubt = Doubt::default();
        assert!(doubt.verify(at(0)));
        assert!(doubt.verify(at(1)), "it is on its way");
        doubt.settle();
        assert!(!doubt.any());
        assert!(!doubt.verify(at(14)));
        assert!(doubt.verify(at(15)));
    }

    #[test]
    fn the_ration_counts_from_the_renewal_that_verifies() {
        let mut doubt = Doubt::default();
        doubt.renewing(at(0));
        assert!(doubt.verify(at(1)), "that one was due anyway");
        doubt.renewing(at(10));
        doubt.settle();
        assert!(!doubt.verify(at(24)));
        assert!(doubt.verify(at(25)));
    }

    #[test]
    fn what_the_ration_puts_off_is_caught_up_with() {
        let mut doubt = Doubt::default();
        doubt.verify(at(0));
        doubt.settle();
        assert!(!doubt.is_told_dead(at(3)));
        assert!(doubt.any() && !doubt.verifying && !doubt.dead);
        assert_eq!(doubt.due(), Some(at(15)));
        doubt.catch_up(at(14));
        assert!(!doubt.verifying);
        doubt.catch_up(at(15));
        assert!(doubt.verifying && doubt.dead);
        assert_eq!((doubt.due(), doubt.told_dead()), (None, Some(at(3))));
        doubt.settle();
        assert!(!doubt.verify(at(20)), "it has used the ration");
    }
}
