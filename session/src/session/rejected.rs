//! What callers saw when they used the token, and what follows from it.
//!
//! A 401 is not proof of a dead token, and neither is a 408 or a 500, though the token of a closed session shows as all
//! three. At most one verifying renewal per quarter of an hour follows from reports; what survives it is a call that is
//! forbidden, or a fault of the call's own.

use http::{Response, StatusCode};
use jiff::Timestamp;
use tradovate_auth_core::{Endpoint, Error, Penalty, RenewAccessToken};

use super::Session;
use super::outcome::may_be_a_kick;
use crate::budget::RateBudget;
use crate::moments::ONE_HOUR;

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
    OtherHost,
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
                //= R-SOCKET-3
                match RenewAccessToken::parse(response) {
                    Err(Error::Unauthorized { .. }) => Self::Dead,
                    _ => Self::Unclear,
                }
            }
            //= R-SOCKET-4
            307 | 308 | 421 => Self::OtherHost,
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

impl Session {
    /// Whether what callers saw, or a start with a token of a snapshot, waits for a renewal that verifies the token, due now or
    /// later. The token is handed out meanwhile, unless the server has said that it is dead. So whoever polls only when it
    /// has no token polls now.
    #[must_use]
    pub fn is_verifying(&self) -> bool {
        self.token.is_in_question() || self.confirmation_due().is_some()
    }

    /// Asks for the renewal that confirms the token or the server's time, if it is due. What is stored remembers it before it
    /// leaves, so a program that crashes again and again asks for one per quarter of an hour.
    pub(super) fn verify_what_is_due(&mut self, now: Timestamp) {
        if self.token.verification_due(self.record.verified_at).is_some_and(|due| due <= now) {
            self.token.reported_dead(now, &mut self.record.verified_at);
        }
        let is_due = self.confirmation_due().is_some_and(|due| due <= now);
        if is_due && self.renewable(now).is_some() && self.token.verify(now, &mut self.record.verified_at) {
            self.persistence.changed();
        }
    }

    /// When a renewal is to confirm the token or the server's time.
    pub(super) fn confirmation_due(&self) -> Option<Timestamp> {
        self.token.confirmation_due(self.clock.confirm_at(), self.record.verified_at)
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
        self.gates.see(now, budget);
        let verified_at = &mut self.record.verified_at;
        match Evidence::of(status, body) {
            Evidence::None => Verdict::NotAboutTheToken,
            // These are about the endpoint and the network address, whatever token was sent.
            Evidence::Postponed => Verdict::Postponed,
            Evidence::CaptchaAsked => Verdict::CaptchaAsked,
            Evidence::LockedOut => {
                self.lock_out(now, ONE_HOUR, None, budget);
                Verdict::LockedOut
            }
            _ if generation != self.token.generation => Verdict::AlreadyReplaced,
            Evidence::Dead => {
                let is_verified = self.token.reported_dead(now, verified_at);
                if is_verified { Verdict::Dead } else { Verdict::BeingChecked }
            }
            Evidence::Unclear => {
                //= R-STATUS-5
                let is_verified = self.token.verify(now, verified_at);
                if is_verified { Verdict::BeingChecked } else { Verdict::Forbidden }
            }
            Evidence::OtherHost => {
                self.token.verify(now, verified_at);
                Verdict::Moved
            }
            Evidence::Fault => {
                self.token.reported_faulty(now, verified_at);
                Verdict::NotAboutTheToken
            }
        }
    }
}
