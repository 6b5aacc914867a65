//! [`Session::rejected`]: callers report refused API calls, and learn what to do.
//!
//! After the server has closed a server session, API calls with its token get a 401, 408 or 500. Each of these answers
//! can have another cause. So a report leads to a renewal that verifies the token, at most once per 15 minutes. If the
//! renewal succeeds, the call itself was forbidden or faulty.

use http::{Response, StatusCode};
use jiff::Timestamp;
use tradovate_auth_core::{Endpoint, Error, Penalty, RenewAccessToken};

use super::Session;
use super::classify_answer::may_be_a_kick;
use super::shared_store::Sharing;
use crate::network_budget::RateBudget;
use crate::time_arithmetic::ONE_HOUR;

/// What the caller of a rejected API call should do. [`Session::rejected`] returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// The server says that the token is dead. The session verifies this by a renewal, and returns no token until it
    /// has a valid one: ask for it. Repeat the call only if that is safe.
    Dead,
    /// The user, the app or the device may not make this call. The token was verified in the last 15 minutes. Don't
    /// repeat the call.
    Forbidden,
    /// It is not yet known whether the token is dead. A renewal verifies it now, or when 15 minutes have passed since
    /// the last verification. Ask for a token again later.
    BeingChecked,
    /// The user's organization is on another host. The session reads the hosts again by a renewal, at most once per
    /// 15 minutes. Repeat the call on the new host, after the event
    /// [`HostsChanged`](crate::EventKind::HostsChanged).
    Moved,
    /// The call used an old token. Ask for the current one, and repeat the call if that is safe.
    AlreadyReplaced,
    /// The server locked out the network address. No program behind this address may send a request for one hour, or
    /// until the end of a longer `Retry-After`.
    LockedOut,
    /// The server answered the call with a penalty in a 200 and did not handle it. [`Penalty::in_body`] returns the
    /// ticket and the wait. Send the call again only with the ticket, and only after the wait. The session is fine.
    ///
    /// [`Penalty::in_body`]: tradovate_auth_core::Penalty::in_body
    Postponed,
    /// The server asked for a captcha in a 200 and did not handle the call. Don't repeat the call. A person can answer
    /// the captcha; without an answer, the endpoint opens again in about an hour. The session is fine.
    CaptchaAsked,
    /// The answer is about the call and not about the token. Handle it like any other answer. After a 408 or a 500, the
    /// session also verifies the token by a renewal, at most once per 15 minutes.
    NotAboutTheToken,
}

/// What a status and a body say about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    Dead,
    Unclear,
    OtherHost,
    LockedOut,
    Postponed,
    CaptchaAsked,
    /// A status that the server also sends after it has closed the server session.
    //= R-SESSION-2
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
            //= R-HOST-10
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

impl Evidence {
    /// Whether the same call with another token could get another answer.
    fn is_about_token(self) -> bool {
        matches!(self, Self::Dead | Self::Unclear | Self::OtherHost | Self::Fault)
    }
}

impl Session {
    /// Whether the token is to be verified by a renewal, now or later. The reason is a report of a caller, or a start
    /// with a token from a snapshot. With a shared store, the session first loads the record. Meanwhile
    /// [`token`](Self::token) returns the token, unless the server has called it dead. A driver that polls only when it
    /// has no token must also poll while this is `true`.
    #[must_use]
    pub fn is_verifying(&self) -> bool {
        self.token.is_in_question()
            || self.confirmation_due().is_some()
            || self.persistence.as_shared().is_some_and(Sharing::was_reported)
    }

    /// Plans the renewal that confirms the token or the server's time, if it is due. The record is stored before the
    /// renewal is sent, so a program that crashes repeatedly sends one per 15 minutes.
    pub(super) fn verify_what_is_due(&mut self, now: Timestamp) {
        if self.token.verification_due(self.record.verified_at).is_some_and(|due| due <= now) {
            self.token.reported_dead(now, &mut self.record.verified_at);
        }
        let is_due = self.confirmation_due().is_some_and(|due| due <= now);
        if is_due && self.renewable(now).is_some() && self.token.verify(now, &mut self.record.verified_at) {
            self.persistence.changed();
        }
    }

    /// When a renewal has to confirm the token or the server's time.
    pub(super) fn confirmation_due(&self) -> Option<Timestamp> {
        self.token.confirmation_due(self.clock.confirm_at(), self.record.verified_at)
    }

    /// Reports an answer to an API call, and returns what the caller should do. `generation` is the
    /// [generation](crate::SessionToken::generation) of the token that the call used. `status` and `body` are those of
    /// the answer.
    ///
    /// Report a 200 too if its body may contain a penalty or a captcha. For a socket, report 401 with the text of the
    /// refusal, or 421.
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
        let evidence = Evidence::of(status, body);
        if evidence.is_about_token() && generation == self.token.generation && !self.token.is_verifying {
            // A renewal loads the record first. If none follows, it is loaded all the same.
            if let Some(sharing) = self.persistence.shared_mut() {
                sharing.reported(now);
            }
        }
        let verified_at = &mut self.record.verified_at;
        match evidence {
            Evidence::None => Verdict::NotAboutTheToken,
            // These concern the endpoint and the network address, not the token.
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
                //= R-STATUS-4
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
